//! Erasing a subject: it is deleted, what is private of it goes, and the tenant knows when that is done.

use super::{Decided, Made, State};
use tessera_model::record::SubjectStatus;
use tessera_model::refresh::EndReason;
use tessera_model::{Caller, Command, Deadline, Event, PublicId, Refusal, SubjectIndex, UnixMillis};

impl State {
    /// Begins the erasure of a subject, deleting it where that was not done; repeated, tells how far it is.
    pub(super) fn erase_subject(&self, id: PublicId, now: UnixMillis) -> Result<Decided, Refusal> {
        let record = self.root.subject(id).ok_or(Refusal::SubjectUnknown)?;
        let subject = record.index;
        let mut decided = match record.status {
            SubjectStatus::Deleted => Decided::default(),
            SubjectStatus::Active | SubjectStatus::Suspended => self.delete_subject(id, now)?,
        };
        decided.made.subject = Some(id);
        if let Some((_, done)) = self.root.erased.get(&subject) {
            decided.made.erased = Some(*done);
            return Ok(decided);
        }
        // The reasons of those who acted for it speak of it.
        let acted = self.root.acts.alive.iter().filter(|(_, acting)| acting.subject == subject);
        decided.events.extend(acted.map(|(life, _)| Event::SessionEnded {
            place: life.0,
            generation: life.1,
            reason: EndReason::Ordered,
        }));
        decided.events.push(Event::SubjectErased { subject, at: now.to_deadline(), done: false });
        decided.made.erased = Some(false);
        Ok(decided)
    }

    /// What a repeat under its command id is told beside its receipt.
    pub(super) fn told_again(&self, command: &Command) -> Made {
        if let Command::EraseInvitation { invitation: id } = command {
            let erased = self.invitation(*id).map(|known| self.root.is_erased(known));
            return Made { invitation: Some(*id), erased, ..Made::default() };
        }
        let Command::EraseSubject { subject: id } = command else { return Made::default() };
        let index = self.root.subject(*id).map(|record| record.index);
        let erased = index.and_then(|subject| self.root.erased.get(&subject)).map(|(_, done)| *done);
        Made { subject: Some(*id), erased, ..Made::default() }
    }

    /// Notes that an erasure is done. The node alone knows.
    pub(super) fn finish_erasure(&self, subject: SubjectIndex, caller: Caller) -> Result<Decided, Refusal> {
        if caller != Caller::Node {
            return Err(Refusal::Unauthorized);
        }
        Ok(match self.root.erased.get(&subject) {
            Some((at, false)) => Decided::of(Event::SubjectErased { subject, at: *at, done: true }),
            Some((_, true)) | None => Decided::nothing(),
        })
    }

    pub(super) fn apply_erased(&mut self, subject: SubjectIndex, (at, done): (Deadline, bool)) {
        // What was done once stays done, whatever an older frame says.
        let done = done || self.root.erased.get(&subject).is_some_and(|(_, done)| *done);
        self.root.erased.insert_mut(subject, (at, done));
        // WHY: the events that freed these are sealed under the key that is gone, and are passed over when a bucket of
        // before is loaded with the frames behind it.
        let held: Vec<_> = self.held.of(subject).copied().collect();
        for hash in held {
            if self.root.holder(&hash) == Some(subject) {
                self.root.identifiers.remove(&hash);
            }
            self.held.remove(subject, hash);
            self.dirty.insert(super::bucket::of_subject(subject));
        }
        // Their reasons speak of it.
        let acted: Vec<_> = self.acted_of(subject).map(|record| (subject, record.number)).collect();
        acted.into_iter().for_each(|at| self.apply_acted_forgotten(at));
        self.drop_failures_of(subject);
    }
}

impl crate::root::Root {
    /// The subjects that are still being erased.
    pub(crate) fn being_erased(&self) -> Vec<SubjectIndex> {
        let left = self.erased.iter().filter(|(_, (_, done))| !done);
        left.map(|(subject, _)| *subject).collect()
    }
}
