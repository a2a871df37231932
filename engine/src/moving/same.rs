//! What was kept in memory held against a load from the disk: the slow, obvious way to the same state.
//!
//! INVARIANT: a tenant that is opened out of memory is the one that its copy on the disk would be loaded as. Builds with
//! debug assertions, which all tests and proofs are, look at each one that comes, bucket by bucket.

use crate::house::House;
use crate::load::Loader;
use std::collections::BTreeSet;
use tessera_model::Revision;
use tessera_model::record::CommandIdRecord;
use tessera_storage::{Bucket, BucketKind, Head, Image, Replay, StorageError};

/// The first bucket in which a tenant in memory is not what the disk has of it, or what else differs; none where it is
/// the same.
pub(super) fn differs(house: &House, kept: &Loader, head: &Head) -> Result<Option<String>, StorageError> {
    let mut loaded = Loader::new(house, head.tenant);
    let mut names = BTreeSet::new();
    let led = house.store.load(head.tenant, &mut |replay| {
        if let Replay::Bucket(bucket) = &replay {
            names.insert((bucket.kind, bucket.no));
        }
        loaded.take(replay);
    })?;
    if led != Some(*head) {
        return Ok(Some(format!("the disk leads to {led:?}")));
    }
    names.extend(kept.state.dirty().chain(loaded.state.dirty()));
    // What the next checkpoint is to put is all that came behind the buckets.
    if let Some((kind, no)) = loaded.state.dirty().find(|name| !kept.state.is_dirty(*name)) {
        return Ok(Some(format!("{kind:?} {no} would not be put")));
    }
    let floor_ms = loaded.state.floor_ms();
    if kept.state.floor_ms() > floor_ms {
        return Ok(Some("what it may have forgotten is known on the disk".to_owned()));
    }
    let same = |name| same(&kept.state.bucket(name), &loaded.state.bucket(name), floor_ms);
    let differs = names.into_iter().find(|name| !same(*name));
    Ok(differs.map(|(kind, no)| format!("{kind:?} {no} is another one, at {:?}", Revision(head.next.0))))
}

/// Whether two buckets say the same: of what has no order of its own, in any order. Of ids of commands memory may know
/// more: what the other cell forgot meanwhile stands below the floor that its buckets have.
fn same(one: &Bucket, other: &Bucket, floor_ms: u64) -> bool {
    if let (Image::Commands(kept), Image::Commands(loaded)) = (&one.image, &other.image) {
        let remembered = |id: &&CommandIdRecord| id.id.unix_ms() > floor_ms;
        return kept.iter().filter(remembered).eq(loaded.iter().filter(remembered));
    }
    if one.kind == BucketKind::Commands && one.no == 0 {
        return true;
    }
    let within =
        |these: &Bucket, those: &Bucket| these.events.iter().all(|event| those.events.contains(event));
    one == other
        || one.image == other.image
            && one.events.len() == other.events.len()
            && within(one, other)
            && within(other, one)
}
