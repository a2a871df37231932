//! Devices, whoever acts for another, requests for roles, and where tenants live as records.

use super::field::{Blank, Field, Reader, RecordError, record};
use tessera_model::device::{DevicePolicyRecord, DeviceRecord, Thumbprint};
use tessera_model::elevation::{ActedRecord, ActingRecord, RequestRecord};
use tessera_model::invitation::InvitationRecord;
use tessera_model::{Placement, RestrictionId};

record! {
    Placement { tenant, epoch, cell }
    DeviceRecord { subject, number, id, trust, ceiling, registered, revoked; name, key }
    ActingRecord { subject, place, generation, actor, by; reason }
    ActedRecord { subject, number, session, actor, begun, ends, ended, how; reason }
    InvitationRecord {
        number, id, hash, workspace, role, grant_until, guest, inviter, restriction, tag, sent, made, until, state,
        subject, decided,
    }
    RequestRecord {
        number, id, subject, made_by, role, workspace, duration_s, made, until, state, decided_by, decided,
        granted_until;
        reason
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
