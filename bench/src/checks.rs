//! `check-hot` and `verify-hot`: what a check costs in memory that fits the processor's caches.

use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::house::{House, Tenant};
use crate::rounds::{interleave, nanos_each};
use crate::world::{GENERATION, HandleQuestion, TagQuestion, World};
use std::hint::black_box;
use tessera_crypto::digest::Tagger;
use tessera_engine::View;
use tessera_model::{CheckQuery, PermissionRef, Receipt, UnixMillis, WorkspaceRef};

/// The hot family.
pub const HOT: Family = Family { specs: &[CHECK_HOT, VERIFY_HOT], take: hot };

const CHECK_HOT: Spec = Spec {
    id: "check-hot",
    what: "check by tag, workspace chain of 4, half decided by an own workspace above, one root per 64, p50",
    unit: "ns",
    goal: "<= 60 ns",
};
const VERIFY_HOT: Spec = Spec {
    id: "verify-hot",
    what: "check by handle (its secret hashed), same questions, one root per 64, p50",
    unit: "ns",
    goal: "<= one keyed hash + 70 ns",
};

/// Questions answered under one root: what a drained buffer of single checks holds.
pub const PER_ROOT: usize = 64;

/// A made-up tenant, loaded, with questions whose answers were all compared.
pub struct Bench {
    /// The house it lives in.
    pub house: House,
    /// The tenant.
    pub tenant: Tenant,
    /// Questions by handle.
    pub by_handle: Vec<HandleQuestion>,
    /// The same by tag.
    pub by_tag: Vec<TagQuestion>,
    /// What hashes handles.
    pub tagger: Tagger,
}

impl Bench {
    /// Loads a world and compares the engine's answer to each question with arithmetic.
    ///
    /// # Errors
    /// When the engine does not start, or an answer is wrong.
    pub fn new(world: World, questions: u32) -> Result<Self, Why> {
        let (house, tenant) = House::with_world(world)?;
        let (by_handle, by_tag) = world.questions(tenant.id, questions);
        let bench = Self { house, tenant, by_handle, by_tag, tagger: Tagger::new() };
        let (view, now) = (bench.tenant.view()?, bench.house.engine.now());
        let wanted = bench.by_tag.iter().filter(|question| question.permitted).count();
        if bench.tags(&view, now, PER_ROOT) != wanted || bench.handles(&view, now, PER_ROOT) != wanted {
            return Err("the engine's answers differ from what was worked out by hand".into());
        }
        if bench.wrong(&view, now) > 0 {
            return Err("an answer is wrong".into());
        }
        Ok(bench)
    }

    fn wrong(&self, view: &View, now: UnixMillis) -> usize {
        let reading = view.read(now);
        let pairs = self.by_handle.iter().zip(&self.by_tag);
        let wrong = pairs.filter(|(by_handle, by_tag)| {
            let decision = reading.check(&self.tagger, &query(by_handle));
            decision.is_permit() != by_handle.permitted || by_handle.permitted != by_tag.permitted
        });
        wrong.count()
    }

    /// Asks every question by tag, `per_root` under one root; counts the permits.
    #[must_use]
    pub fn tags(&self, view: &View, now: UnixMillis, per_root: usize) -> usize {
        let (mut permits, mut reading) = (0, view.read(now));
        for drained in self.by_tag.chunks(per_root) {
            reading.renew(now);
            for question in drained {
                let permission = PermissionRef::Id(question.permission);
                let workspace = WorkspaceRef::Index(question.workspace);
                let decision =
                    reading.check_tag(question.place, GENERATION, question.tag, permission, workspace);
                permits += usize::from(black_box(decision).is_permit());
            }
        }
        permits
    }

    /// Asks every question by handle, `per_root` under one root; counts the permits.
    #[must_use]
    pub fn handles(&self, view: &View, now: UnixMillis, per_root: usize) -> usize {
        let (mut permits, mut reading) = (0, view.read(now));
        for drained in self.by_handle.chunks(per_root) {
            reading.renew(now);
            for question in drained {
                let decision = reading.check(&self.tagger, &query(question));
                permits += usize::from(black_box(decision).is_permit());
            }
        }
        permits
    }

    /// As [`Bench::tags`], each question asked when the one before was answered: where it stands in the row follows
    /// from that answer, so that no wait begins early.
    #[must_use]
    pub fn isolated(&self, view: &View, now: UnixMillis) -> usize {
        let (mut permits, mut at, mut reading) = (0, 0_usize, view.read(now));
        while let Some(question) = self.by_tag.get(at) {
            reading.renew(now);
            let (permission, workspace) =
                (PermissionRef::Id(question.permission), WorkspaceRef::Index(question.workspace));
            let decision = reading.check_tag(question.place, GENERATION, question.tag, permission, workspace);
            let permit = black_box(usize::from(decision.is_permit()));
            permits += permit;
            at = black_box(at + 2 - permit) + permit - 1;
        }
        permits
    }

    /// As [`Bench::tags`], every place and line touched before the first is checked.
    #[must_use]
    pub fn tag_batches(&self, view: &View, now: UnixMillis, per_root: usize) -> usize {
        let mut permits = 0;
        for drained in self.by_tag.chunks(per_root) {
            let reading = view.read(now);
            drained.iter().for_each(|question| reading.touch_place(question.place));
            drained.iter().for_each(|question| reading.touch_line(question.place));
            for question in drained {
                let permission = PermissionRef::Id(question.permission);
                let workspace = WorkspaceRef::Index(question.workspace);
                let decision =
                    reading.check_tag(question.place, GENERATION, question.tag, permission, workspace);
                permits += usize::from(black_box(decision).is_permit());
            }
        }
        permits
    }

    /// As [`Bench::handles`], permission and workspace given by name.
    #[must_use]
    pub fn names(&self, view: &View, now: UnixMillis, names: &[(String, String)], per_root: usize) -> usize {
        let (mut permits, mut reading) = (0, view.read(now));
        for (drained, names) in self.by_handle.chunks(per_root).zip(names.chunks(per_root)) {
            reading.renew(now);
            for (question, (permission, workspace)) in drained.iter().zip(names) {
                let by_name = CheckQuery {
                    permission: PermissionRef::Name(permission),
                    workspace: WorkspaceRef::Name(workspace),
                    ..query(question)
                };
                permits += usize::from(black_box(reading.check(&self.tagger, &by_name)).is_permit());
            }
        }
        permits
    }

    /// As [`Bench::handles`], every place touched before the first is checked, as a batch frame does.
    #[must_use]
    pub fn batches(&self, view: &View, now: UnixMillis, per_root: usize) -> usize {
        let mut permits = 0;
        for drained in self.by_handle.chunks(per_root) {
            let reading = view.read(now);
            for question in drained {
                reading.touch(&query(question));
            }
            for question in drained {
                reading.touch_subject(&query(question));
            }
            for question in drained {
                let decision = reading.check(&self.tagger, &query(question));
                permits += usize::from(black_box(decision).is_permit());
            }
        }
        permits
    }

    /// As [`Bench::handles`] with a root per check, each loaded from the shared pointer instead of renewed.
    #[must_use]
    pub fn handles_loading(&self, view: &View, now: UnixMillis) -> usize {
        let decide = |question: &HandleQuestion| view.read(now).check(&self.tagger, &query(question));
        self.by_handle.iter().filter(|question| black_box(decide(question)).is_permit()).count()
    }

    /// The peer: one BLAKE3 keyed hash of each handle.
    pub fn hashes(&self, key: &[u8; 32]) {
        for question in &self.by_handle {
            black_box(blake3::keyed_hash(key, black_box(&question.handle)));
        }
    }
}

const fn query(question: &HandleQuestion) -> CheckQuery<'_> {
    CheckQuery {
        handle: &question.handle,
        permission: PermissionRef::Id(question.permission),
        workspace: WorkspaceRef::Index(question.workspace),
        at_least: Receipt { epoch: tessera_model::Epoch(0), revision: tessera_model::Revision(0) },
        address: None,
    }
}

/// Sessions of the hot world and questions per pass (a pass takes less than a millisecond).
const HOT_SESSIONS: u32 = 10_000;
const HOT_QUESTIONS: u32 = 4_096;

fn hot(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("check-hot, verify-hot: loading 10,000 sessions");
    let bench = Bench::new(World::of(HOT_SESSIONS), HOT_QUESTIONS)?;
    let (view, now) = (bench.tenant.view()?, bench.house.engine.now());
    let rounds = if setup.quick { 61 } else { 1_001 };
    let count = bench.by_tag.len();
    let hash = || nanos_each(count, || bench.hashes(&[7; 32]));
    setup.progress.say("check-hot");
    let by_tag = || {
        nanos_each(count, || {
            black_box(bench.tags(&view, now, PER_ROOT));
        })
    };
    let (check, check_peer) = interleave(rounds, by_tag, hash);
    setup.progress.say("verify-hot");
    let by_handle = || {
        nanos_each(count, || {
            black_box(bench.handles(&view, now, PER_ROOT));
        })
    };
    let (verify, verify_peer) = interleave(rounds, by_handle, hash);
    let sizes = format!("{HOT_SESSIONS} sessions, {count} random questions a round, {rounds} rounds in turn");
    let peer = "BLAKE3 keyed hash of 40 bytes";
    // The sizes are the goal's even in a quick run; only the rounds are fewer.
    Ok(vec![
        Row::new(&CHECK_HOT, check, sizes.clone()).beside(peer, check_peer).judged(Some(check <= 60.0)),
        Row::new(&VERIFY_HOT, verify, sizes)
            .beside(peer, verify_peer)
            .judged(Some(verify <= verify_peer + 70.0)),
    ])
}
