//! Buckets read ahead: while one is decoded and taken over, the next ones are read and verified on another thread.
//!
//! Reading is about half of a wake and the rest the other part, and neither needs what the other has not given yet.
//! They come in the order in which they are listed, and what does not read ends them there, as on one thread.

use super::read::{BucketKeys, Fetched, bucket, decode, fetch};
use super::schema::Listed;
use crate::error::StorageError;
use crate::store::{Bucket, BucketKind};
use redb::ReadTransaction;
use std::sync::mpsc::sync_channel;
use std::thread::{Builder, scope};
use tessera_model::TenantId;

/// LIMIT: buckets of places that are read on one thread: another one is worth its start, some 50 us, and its memory only
/// where there are more of them; of the other kinds there are many small ones.
const ALONE_MAX: usize = 3;
/// LIMIT: buckets that are read and not taken yet: some 64 to 250 KiB each.
const AHEAD: usize = 4;

/// What the thread that reads hands over.
enum Read<'a> {
    /// Verified; whoever takes it over decodes it out of the page that it was read into.
    Verified(&'a Listed, Fetched),
    /// Command ids, which stay in the memory that they are decoded into: that is most of their cost, and whoever takes
    /// places over has more to do than the one that reads.
    Decoded(Bucket),
}

fn read<'a>(
    transaction: &ReadTransaction,
    tenant: TenantId,
    listed: &'a Listed,
    keys: &BucketKeys,
) -> Result<Read<'a>, StorageError> {
    let found = fetch(transaction, tenant, listed)?;
    if listed.kind == BucketKind::Commands {
        return decode(tenant, listed, &found, Some(keys)).map(Read::Decoded);
    }
    Ok(Read::Verified(listed, found))
}

/// Gives the listed buckets to `sink`, in their order.
pub(crate) fn each(
    transaction: &ReadTransaction,
    tenant: TenantId,
    listed: &[Listed],
    keys: &BucketKeys,
    sink: &mut dyn FnMut(Bucket),
) -> Result<(), StorageError> {
    if listed.iter().filter(|listed| listed.kind == BucketKind::Places).count() > ALONE_MAX {
        let read_all = scope(|scope| {
            let (send, receive) = sync_channel(AHEAD);
            let all = move || {
                for listed in listed {
                    let found = read(transaction, tenant, listed, keys);
                    let last = found.is_err();
                    // Whoever takes them has had enough, or there is nothing behind this one.
                    if send.send(found).is_err() || last {
                        break;
                    }
                }
            };
            let reader = Builder::new().name("tessera-ahead".into()).spawn_scoped(scope, all).ok()?;
            let taken = receive.into_iter().try_for_each(|found| {
                let bucket = match found? {
                    Read::Verified(listed, found) => decode(tenant, listed, &found, Some(keys))?,
                    Read::Decoded(bucket) => bucket,
                };
                sink(bucket);
                Ok(())
            });
            reader.join().unwrap_or_else(|panicked| std::panic::resume_unwind(panicked));
            Some(taken)
        });
        if let Some(taken) = read_all {
            return taken;
        }
    }
    // Few, or there is no thread to be had.
    listed.iter().try_for_each(|listed| bucket(transaction, tenant, listed, Some(keys)).map(&mut *sink))
}
