//! Every call of a life to its disk, one after the other: it is the last one, it fails, or there is no space for it.

use super::{A, B, open, try_one};
use crate::kit::{open_event, place};
use tessera_storage::disk::simulated::{Fault, Planted, Simulated, Stage, Survival};
use tessera_storage::{Bucket, BucketKind, Embedded, StorageError, Store};

/// What becomes of one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// The process ends: the operating system has what was written.
    Kill,
    /// The power goes: only what was synced is there.
    Power,
    Io,
    NoSpace,
}

const KINDS: [Kind; 4] = [Kind::Kill, Kind::Power, Kind::Io, Kind::NoSpace];
/// Checkpoints of a life, and commands of each tenant between them: a file of the journal holds fifteen groups.
const CHECKPOINTS: u64 = 3;
const BETWEEN: u64 = 8;

/// Of each tenant: frames that were acknowledged, and whether the outcome of one more is unknown.
#[derive(Default)]
struct Known {
    frames: [u64; 2],
    open: [bool; 2],
}

fn checkpoint(store: &Embedded, upto: u64) -> Result<(), StorageError> {
    let cut = store.cut();
    for tenant in [A, B] {
        let Some(head) = store.head(tenant)? else { continue };
        let events = (1..upto).map(|at| open_event(place(u32::try_from(at).unwrap(), 1))).collect();
        store.put(tenant, &head, vec![Bucket::of(BucketKind::Places, 0, events)])?;
    }
    store.finish(&cut)
}

/// Start, commands over several files, checkpoints, files that are used again, and an end.
fn life(disk: &Simulated, known: &mut Known) -> Result<(), StorageError> {
    let store = open(disk)?;
    for no in 0..CHECKPOINTS * BETWEEN {
        for (at, tenant) in [A, B].into_iter().enumerate() {
            match try_one(&store, tenant, no, false) {
                Ok(head) => known.frames[at] = head.next.0,
                Err(error) => {
                    known.open[at] = error.is_unknown();
                    return Err(error);
                }
            }
        }
        if no % BETWEEN == BETWEEN - 1 {
            // One that fails is taken again with the next.
            drop(checkpoint(&store, no + 1));
            store.rest();
        }
    }
    store.stop();
    Ok(())
}

/// The next life: everything acknowledged is there and nothing else, it verifies, and it goes on.
fn look(left: &Simulated, known: &Known) -> Result<(), String> {
    let store = open(left).map_err(|error| format!("the next start failed: {error}"))?;
    if let Some(damage) = store.damaged().first() {
        return Err(format!("the next start found damage: {damage}"));
    }
    for (at, tenant) in [A, B].into_iter().enumerate() {
        let next = store.head(tenant).map_err(|error| error.to_string())?.map_or(0, |head| head.next.0);
        let most = known.frames[at] + u64::from(known.open[at]);
        if next < known.frames[at] || next > most {
            return Err(format!("{next} frames of {tenant}, {} to {most} are right", known.frames[at]));
        }
        let verified = if next > 0 { store.verify(tenant).map_or(0, |verified| verified.frames) } else { 0 };
        if verified != next || try_one(&store, tenant, 99, false).is_err() {
            return Err(format!("{tenant} does not verify, or does not go on"));
        }
    }
    Ok(())
}

/// One life whose so-many-th call ends so; what was wrong with the next one.
fn one(kind: Kind, call: u64, planted: Option<Planted>) -> Result<u64, String> {
    let (disk, mut known) = (Simulated::new(), Known::default());
    if let Some(planted) = planted {
        disk.plant_fault(planted);
    }
    let fault = match kind {
        Kind::Kill | Kind::Power => Fault::PowerCut,
        Kind::Io => Fault::Io,
        Kind::NoSpace => Fault::NoSpace,
    };
    disk.plant(call, fault);
    drop(life(&disk, &mut known));
    let left = if kind == Kind::Power { disk.after_cut(Survival::None, &mut |_| 0) } else { disk.image() };
    let told = |what| format!("{kind:?} at call {call}: {what}");
    look(&left, &known).map_err(told).map(|()| known.frames.iter().sum())
}

/// PROPERTY: whichever call to the disk is the last one, fails or has no space, over start, load, checkpoints, files that
/// are used again and an end: the next start has everything that was acknowledged and nothing else, and goes on. METHOD: a
/// life for each call and each of four kinds; a journal that is synced behind its answers is noticed.
/// TC-93 in part: every call of the store; TC-96 in part.
#[test]
fn every_call_may_be_the_last_one_or_fail() {
    let disk = Simulated::new();
    life(&disk, &mut Known::default()).unwrap();
    let (calls, mut acknowledged) = (disk.calls(), 0);
    for stage in [Stage::Make, Stage::Switch, Stage::Reuse, Stage::CommitHeader, Stage::EmptyGroup] {
        let disk = Simulated::new();
        disk.cut_at_stage(stage, 0);
        assert!(life(&disk, &mut Known::default()).is_err() || disk.is_off(), "a life has no {stage:?}");
    }
    for call in 1..=calls {
        for kind in KINDS {
            acknowledged += one(kind, call, None).unwrap_or_else(|fault| panic!("{fault}"));
        }
    }
    println!(
        "syscalls: each of {calls} calls of a life at the disk's seam in 4 kinds, {acknowledged} commands acknowledged"
    );
    assert!(calls > 100, "{calls}");
    let planted = Some(Planted::SyncAfterAnswer);
    assert!((1..=calls).any(|call| one(Kind::Power, call, planted).is_err()), "it was not noticed");
    println!("planted: a journal that is synced behind its answers: caught");
}
