//! Lists of devices and of requests for roles, and why somebody acts in a session.

pub use crate::invitations::{InvitationFound, InvitationsOf, usual_end};
use crate::list::{Listing, Page, after, page, page_of};
use std::ops::Bound;
use std::sync::Arc;
use tessera_model::device::{DevicePolicyRecord, DeviceRecord};
use tessera_model::elevation::{ActedRecord, RequestRecord, RequestState};
use tessera_model::visibility::Detail;
use tessera_model::{
    Deadline, Generation, Name, Pattern, Place, PublicId, RestrictionId, SubjectIndex, Trust, UnixMillis,
};

/// A device, in names.
#[derive(Clone, Debug)]
pub struct DeviceFound {
    /// What it is.
    pub record: DeviceRecord,
    /// Whose it is.
    pub subject: PublicId,
    /// What its sessions may use at most by itself; empty for no ceiling of its own.
    pub ceiling: Vec<Pattern>,
}

/// That somebody acts or acted for a subject, and who, for a reader who sees them.
type Acted = (ActedRecord, Option<PublicId>);

/// A request for a role, in names.
#[derive(Clone, Debug)]
pub struct RequestFound {
    /// What it is.
    pub record: RequestRecord,
    /// For whom the role is asked.
    pub subject: PublicId,
    /// Who asked; `None` for an operator.
    pub made_by: Option<PublicId>,
    /// For which role; `None` when it was deleted since.
    pub role: Option<Name>,
    /// Where; `None` for the whole tenant.
    pub workspace: Option<Name>,
    /// Who decided; `None` for nobody, or for an operator.
    pub decided_by: Option<PublicId>,
    /// Whether its time to be decided has passed.
    pub lapsed: bool,
}

/// Which requests a list is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestsOf {
    /// This subject's alone.
    pub subject: Option<SubjectIndex>,
    /// Those alone that can be decided.
    pub open: bool,
}

impl Listing {
    fn patterns_of(&self, restriction: RestrictionId) -> Vec<Pattern> {
        self.0.restrictions.get(&restriction).map(|record| record.patterns.clone()).unwrap_or_default()
    }

    fn id_of(&self, subject: SubjectIndex) -> Option<PublicId> {
        self.0.subjects.get(&subject).map(|record| record.id)
    }

    /// The devices of a subject behind a cursor, by number, revoked ones included.
    #[must_use]
    pub fn devices(&self, subject: SubjectIndex, cursor: u64, limit: usize) -> Page<DeviceFound> {
        let range = (Bound::Excluded((subject, after(cursor))), Bound::Included((subject, u32::MAX)));
        let owner = self.id_of(subject).unwrap_or_default();
        let rows = self.0.devices.range(range).map(|((_, number), record)| {
            let ceiling = self.patterns_of(record.ceiling);
            (u64::from(*number), DeviceFound { record: (**record).clone(), subject: owner, ceiling })
        });
        page(rows, limit)
    }

    /// What the tenant asks of devices: whether they are required, and the ceiling of each level.
    #[must_use]
    pub fn device_policy(&self) -> (bool, Vec<(Trust, Vec<Pattern>)>) {
        let policy: DevicePolicyRecord = self.0.device_policy;
        let levels = Trust::ALL.map(|trust| (trust, self.patterns_of(policy.ceiling(trust))));
        (policy.required, levels.into())
    }

    /// Why somebody acts in a session of somebody else.
    #[must_use]
    pub fn acting_reason(&self, place: Place, generation: Generation) -> Option<&str> {
        self.0.acts.alive.get(&(place, generation)).map(|acting| &*acting.reason)
    }

    /// Who acts and acted for a subject behind a cursor, by number; those who acted are told to a reader who sees them.
    #[must_use]
    pub fn actings(&self, subject: SubjectIndex, cursor: u64, limit: usize) -> Page<Acted> {
        let range = (Bound::Excluded((subject, after(cursor))), Bound::Included((subject, u32::MAX)));
        let rows = self.0.acts.kept.range(range).map(|((_, number), record)| {
            (u64::from(*number), ((**record).clone(), self.shown_id(record.actor)))
        });
        page(rows, limit)
    }

    /// The requests for roles behind a cursor, in the order in which they were made.
    #[must_use]
    pub fn requests(
        &self,
        of: RequestsOf,
        (cursor, limit): (u64, usize),
        now: UnixMillis,
    ) -> Page<RequestFound> {
        let first = after(cursor);
        let of_subject = of.subject.map(|subject| {
            let range = (Bound::Excluded((subject, first)), Bound::Included((subject, u32::MAX)));
            self.0.requests_of.range(range).map(|((_, number), ())| *number)
        });
        let all = of.subject.is_none().then(|| {
            self.0.requests.range((Bound::Excluded(first), Bound::Unbounded)).map(|(number, _)| *number)
        });
        let numbers = of_subject.into_iter().flatten().chain(all.into_iter().flatten());
        let rows = numbers.map(|number| {
            let shown = |record: &&Arc<RequestRecord>| self.shows(record.subject, Detail::Requests);
            let record = self.0.requests.get(&number).filter(shown);
            (u64::from(number), record.and_then(|record| self.request(record, of, now)))
        });
        page_of(rows, limit)
    }

    fn request(&self, record: &RequestRecord, of: RequestsOf, now: UnixMillis) -> Option<RequestFound> {
        let lapsed = record.state == RequestState::Open && record.until.passed(now);
        let is_open = record.state == RequestState::Open && !lapsed;
        if of.open && !is_open {
            return None;
        }
        Some(RequestFound {
            record: record.clone(),
            subject: self.id_of(record.subject)?,
            made_by: self.shown_id(record.made_by),
            role: self.0.roles.get(&record.role).map(|role| role.name.clone()),
            workspace: self.workspace_name(record.workspace).cloned(),
            decided_by: (record.decided != Deadline::NONE)
                .then(|| self.shown_id(record.decided_by))
                .flatten(),
            lapsed,
        })
    }
}
