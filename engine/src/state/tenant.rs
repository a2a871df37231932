//! Tenants and operators: nouns of the system tenant alone.

use super::{Decided, State, birth};
use crate::root::of_name;
use tessera_crypto::compare::equal_arrays;
use tessera_model::command::Entropy;
use tessera_model::record::{SubjectStatus, TenantRecord, TenantStatus};
use tessera_model::{
    Caller, Deadline, Event, Name, Private, PublicId, Reason, Refusal, RestrictionId, Row, SubjectIndex,
    TenantId, UnixMillis, WorkspaceIndex,
};
use tessera_policy::Rules;

impl State {
    pub(super) fn only_system(&self) -> Result<(), Refusal> {
        if self.root.tenant == TenantId::SYSTEM { Ok(()) } else { Err(Refusal::WrongTenant) }
    }

    fn tenant_record(&self, tenant: TenantId) -> Result<TenantRecord, Refusal> {
        self.only_system()?;
        let record = self.root.tenants.get(tenant).ok_or(Refusal::TenantUnknown)?;
        // Its cell alone has a say in it.
        if self.root.placements.get(tenant).is_some_and(|placed| placed.cell != self.cell) {
            return Err(Refusal::Redirect);
        }
        if record.status == TenantStatus::Deleted { Err(Refusal::TenantUnknown) } else { Ok(record) }
    }

    pub(super) fn offer_bootstrap(&self, tag: [u8; 16], until: Deadline) -> Result<Decided, Refusal> {
        self.only_system()?;
        Ok(Decided::of(Event::BootstrapChanged { tag, until }))
    }

    pub(super) fn claim_operator(
        &self,
        tag: [u8; 16],
        name: &Name,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        self.only_system()?;
        let (offered, until) = &self.root.bootstrap;
        let sound = *offered != [0; 16] && !until.passed(now) && equal_arrays(offered, &tag);
        if !sound {
            return Err(Refusal::SecretWrong);
        }
        let index = SubjectIndex(self.next.subject);
        let subject = PublicId::new(now.0, entropy.take(20));
        let mut events = birth::admin_events(index, subject);
        let expires = now.to_deadline().plus_seconds(birth::FIRST_KEY_TTL_S);
        let (opened, mut made) = self.open_key(birth::admin_key(index), expires, &entropy.take(0), now);
        events.extend(opened);
        events.push(Event::BootstrapChanged { tag: [0; 16], until: Deadline::NONE });
        made.subject = Some(subject);
        let rows = made.session.map_or_else(Vec::new, |key| {
            vec![Row::description(index, key, &Private::new(name.as_str().as_bytes().to_vec()))]
        });
        Ok(Decided { events, rows, made, ..Decided::default() })
    }

    pub(super) fn create_tenant(
        &self,
        name: &Name,
        entropy: &Entropy,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        self.only_system()?;
        // Hosts do not tell case apart: two tenants must not differ by it alone.
        if !name.is_label() {
            return Err(Refusal::Malformed);
        }
        // A name that reads as an id, or as the system tenant, would mean somebody else to a person.
        if TenantId::parse(name.as_str()).is_some() || name.as_str().eq_ignore_ascii_case("system") {
            return Err(Refusal::BuiltIn);
        }
        if self.root.tenant_named(name).is_some() {
            return Err(Refusal::Duplicate);
        }
        let id = TenantId::new(self.cell, self.next.tenant);
        let record =
            TenantRecord { id, name: name.clone(), status: TenantStatus::Active, created: now.to_deadline() };
        let (birth, made) = Self::birth(id, self.cell, entropy, now);
        Ok(Decided { made, birth: Some(birth), ..Decided::of(Event::TenantChanged(record)) })
    }

    fn with_status(record: TenantRecord, status: TenantStatus) -> Decided {
        let tenant = Some(record.id);
        let event = Event::TenantChanged(TenantRecord { status, ..record });
        Decided { made: super::Made { tenant, ..Default::default() }, ..Decided::of(event) }
    }

    pub(super) fn suspend_tenant(&self, tenant: TenantId) -> Result<Decided, Refusal> {
        let record = self.tenant_record(tenant)?;
        match record.status {
            TenantStatus::Active => Ok(Self::with_status(record, TenantStatus::Suspended)),
            TenantStatus::Suspended => Ok(Decided::nothing()),
            TenantStatus::Closing | TenantStatus::Deleted => Err(Refusal::TenantUnknown),
        }
    }

    pub(super) fn resume_tenant(&self, tenant: TenantId) -> Result<Decided, Refusal> {
        let record = self.tenant_record(tenant)?;
        match record.status {
            TenantStatus::Suspended => Ok(Self::with_status(record, TenantStatus::Active)),
            TenantStatus::Active => Ok(Decided::nothing()),
            TenantStatus::Closing | TenantStatus::Deleted => Err(Refusal::TenantUnknown),
        }
    }

    pub(super) fn delete_tenant(
        &self,
        tenant: TenantId,
        finish: bool,
        caller: Caller,
    ) -> Result<Decided, Refusal> {
        let record = self.tenant_record(tenant)?;
        let status = match (record.status, finish) {
            (TenantStatus::Closing, true) if caller == Caller::Node => TenantStatus::Deleted,
            (TenantStatus::Closing, false) => return Ok(Decided::nothing()),
            (TenantStatus::Active | TenantStatus::Suspended, false) => TenantStatus::Closing,
            (_, true) | (TenantStatus::Deleted, false) => return Err(Refusal::Unauthorized),
        };
        Ok(Self::with_status(record, status))
    }

    /// Whether a subject is the only active operator of the system tenant: without it nobody gets in.
    pub(super) fn is_last_operator(&self, subject: SubjectIndex, now: UnixMillis) -> bool {
        let (Some(permission), TenantId::SYSTEM) =
            (self.permission_id("tessera.admin.operators"), self.root.tenant)
        else {
            return false;
        };
        let operates = |index: SubjectIndex| {
            self.root.rules.line(index).is_some_and(|line| {
                let outcome =
                    self.root.rules.evaluate(line, permission, WorkspaceIndex(0), RestrictionId(0), now);
                line.status() == SubjectStatus::Active && outcome.reason == Reason::None
            })
        };
        operates(subject)
            && !self.root.subjects.range(..).any(|(index, _)| index != subject && operates(index))
    }

    /// Whether a change of the rules would leave the system tenant without an active operator.
    pub(super) fn leaves_no_operator(&self, change: impl FnOnce(&mut Rules), now: UnixMillis) -> bool {
        let (Some(permission), TenantId::SYSTEM) =
            (self.permission_id("tessera.admin.operators"), self.root.tenant)
        else {
            return false;
        };
        let any = |rules: &Rules| {
            self.root.subjects.keys().any(|index| {
                rules.line(index).is_some_and(|line| {
                    let outcome = rules.evaluate(line, permission, WorkspaceIndex(0), RestrictionId(0), now);
                    line.status() == SubjectStatus::Active && outcome.reason == Reason::None
                })
            })
        };
        let mut changed = self.root.rules.clone();
        change(&mut changed);
        any(&self.root.rules) && !any(&changed)
    }

    pub(super) fn apply_born(&mut self, tenant: TenantId, at: Deadline) {
        debug_assert_eq!(tenant, self.root.tenant, "an event of another tenant");
        self.root.born = at;
    }

    pub(super) fn apply_tenant(&mut self, record: &TenantRecord) {
        self.next.tenant = self.next.tenant.max(record.id.counter() + 1);
        if record.status == TenantStatus::Deleted {
            if self.root.tenant_named(&record.name) == Some(record.id) {
                self.root.tenant_names.remove(&of_name(&record.name));
            }
        } else {
            self.root.tenant_names.insert(of_name(&record.name), record.id);
        }
        self.root.tenants.insert(record);
    }
}
