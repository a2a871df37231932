//! Devices, whoever acts for another, requests for roles, and where tenants live as records.

use super::field::{Blank, Field, Reader, RecordError, record};
use tessera_model::device::{DevicePolicyRecord, DeviceRecord, Thumbprint};
use tessera_model::elevation::{ActedRecord, ActingRecord, RequestRecord};
use tessera_model::invitation::{InvitationRecord, key_owner};
use tessera_model::{Placement, RestrictionId, SubjectIndex};

record! {
    Placement { tenant, epoch, cell }
    DeviceRecord { subject, number, id, trust, ceiling, registered, revoked; name, key }
    ActingRecord { subject, place, generation, actor, by; reason }
    ActedRecord { subject, number, session, actor, begun, ends, ended, how; reason }
    RequestRecord {
        number, id, subject, made_by, role, workspace, duration_s, made, until, state, decided_by, decided,
        granted_until;
        reason
    }
}

/// The hash of whom it is for stands apart. It belongs to no subject that an invitation names, neither to whoever invites
/// nor, before it is accepted, to anybody: it stands under the invitation's own key.
impl Field for InvitationRecord {
    fn put(&self, out: &mut Vec<u8>) {
        self.number.put(out);
        self.id.put(out);
        self.workspace.put(out);
        self.role.put(out);
        self.grant_until.put(out);
        self.guest.put(out);
        self.inviter.put(out);
        self.restriction.put(out);
        self.tag.put(out);
        self.sent.put(out);
        self.made.put(out);
        self.until.put(out);
        self.state.put(out);
        self.subject.put(out);
        self.decided.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            hash: Blank::blank(),
            number: Field::take(input)?,
            id: Field::take(input)?,
            workspace: Field::take(input)?,
            role: Field::take(input)?,
            grant_until: Field::take(input)?,
            guest: Field::take(input)?,
            inviter: Field::take(input)?,
            restriction: Field::take(input)?,
            tag: Field::take(input)?,
            sent: Field::take(input)?,
            made: Field::take(input)?,
            until: Field::take(input)?,
            state: Field::take(input)?,
            subject: Field::take(input)?,
            decided: Field::take(input)?,
        })
    }

    fn put_private(&self, out: &mut Vec<u8>) {
        self.hash.put(out);
    }

    fn take_private(&mut self, input: &mut Reader<'_>) -> Result<(), RecordError> {
        self.hash = Field::take(input)?;
        Ok(())
    }

    fn owner(&self) -> Option<SubjectIndex> {
        Some(key_owner(self.number))
    }
}

impl Blank for Thumbprint {
    fn blank() -> Self {
        Self([0; 32])
    }
}

impl Field for Thumbprint {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        Field::take(input).map(Self)
    }
}

/// Whether devices are required, then a ceiling for each level, the lowest first.
impl Field for DevicePolicyRecord {
    fn put(&self, out: &mut Vec<u8>) {
        self.required.put(out);
        self.ceilings.iter().for_each(|ceiling| ceiling.put(out));
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let required = Field::take(input)?;
        let mut ceilings = [RestrictionId(0); 4];
        for ceiling in &mut ceilings {
            *ceiling = Field::take(input)?;
        }
        Ok(Self { required, ceilings })
    }
}
