//! Lists of devices, of what a tenant asks of them, and of requests for roles.

use crate::list::{Source, whole};
use tessera_engine::{Bound, DeviceFound, DeviceShown, Engine, RequestFound, RequestsOf, SubmitError};
use tessera_model::elevation::ActedRecord;
use tessera_model::{DeviceKey, DeviceProof, ListKind, Listed, PublicId, Refusal, Thumbprint};
use tessera_wire::{ActingRow, ChallengeRow, DevicePolicyRow, DeviceRow, Request, RequestRow, Rows};

/// The device that a session is to open on, where it proves its key.
///
/// # Errors
/// `Malformed` for a proof of no device.
pub(crate) fn shown(
    device: Option<PublicId>,
    proof: Option<DeviceProof>,
) -> Result<Option<DeviceShown>, Refusal> {
    match (device, proof) {
        (Some(device), Some(proof)) => Ok(Some(DeviceShown { device, proof })),
        (None, Some(_)) => Err(Refusal::Malformed),
        (_, None) => Ok(None),
    }
}

/// The thumbprint that a device is registered with: that of its public key, or as it was told.
///
/// # Errors
/// `Malformed` for both or neither, and for what is no key.
pub(crate) fn key(told: Option<Thumbprint>, key: Option<DeviceKey>) -> Result<Thumbprint, Refusal> {
    match (told, key) {
        (Some(told), None) => Ok(told),
        (None, Some(key)) => DeviceShown::thumbprint(&key),
        (Some(_), Some(_)) | (None, None) => Err(Refusal::Malformed),
    }
}

/// What a device is to sign.
///
/// # Errors
/// `Unauthorized`, or why the tenant answers nothing now.
pub(crate) fn challenge(engine: &Engine, bound: &Bound, device: PublicId) -> Result<Rows, Refusal> {
    let made = engine.challenge(bound, device);
    let (challenge, until) = made.map_err(|error| match error {
        SubmitError::Refused(refusal) | SubmitError::Wait { refusal, .. } => refusal,
        SubmitError::Unknown => Refusal::NotReady,
    })?;
    whole([ChallengeRow { device, challenge, until }])
}

/// Answers one of these lists.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is listed elsewhere")]
pub(crate) fn page(source: &Source<'_>, request: Request) -> Result<Rows, Refusal> {
    let listing = &source.listing;
    match request {
        Request::ListDevices { subject, after, limit } => {
            let listed = Listed::of_subject(ListKind::Devices, Some(subject));
            let window = source.window(listed, (after, limit))?;
            let page = listing.devices(source.subject(subject)?.index, window.from, window.limit);
            let rows = page.rows.into_iter().map(|found| (u64::from(found.record.number), device(found)));
            window.finish(rows, page.next)
        }
        Request::ListActings { subject, after, limit } => {
            let listed = Listed::of_subject(ListKind::Actings, Some(subject));
            let window = source.window(listed, (after, limit))?;
            let page = listing.actings(source.subject(subject)?.index, window.from, window.limit);
            let rows = page.rows.into_iter().map(|found| (u64::from(found.0.number), acting(subject, found)));
            window.finish(rows, page.next)
        }
        Request::ReadDevicePolicy {} => {
            let (required, levels) = listing.device_policy();
            whole(levels.into_iter().map(|(trust, ceiling)| DevicePolicyRow { trust, ceiling, required }))
        }
        Request::ListRequests { subject, open, after, limit } => {
            let window = source.window(Listed::of_subject(ListKind::Requests, subject), (after, limit))?;
            let subject = subject.map(|id| source.subject(id).map(|record| record.index)).transpose()?;
            let of = RequestsOf { subject, open };
            let page = listing.requests(of, (window.from, window.limit), source.engine.now());
            let rows = page.rows.into_iter().map(|found| (u64::from(found.record.number), row(found)));
            window.finish(rows, page.next)
        }
        _ => Err(Refusal::Malformed),
    }
}

fn acting(subject: PublicId, (record, actor): (ActedRecord, Option<PublicId>)) -> ActingRow {
    let (session, reason) = (record.session, record.reason.into());
    let (begun, ends, ended, how) = (record.begun, record.ends, record.ended, record.how);
    ActingRow { subject, session, actor, reason, begun, ends, ended, how }
}

fn device(found: DeviceFound) -> DeviceRow {
    let DeviceFound { record, subject, ceiling } = found;
    DeviceRow {
        device: record.id,
        subject,
        name: record.name,
        key: record.key,
        trust: record.trust,
        ceiling,
        registered: record.registered,
        revoked: record.revoked,
    }
}

fn row(found: RequestFound) -> RequestRow {
    let RequestFound { record, subject, made_by, role, workspace, decided_by, lapsed } = found;
    RequestRow {
        request: record.id,
        subject,
        made_by,
        role,
        workspace,
        duration_s: record.duration_s,
        reason: record.reason.into(),
        made: record.made,
        until: record.until,
        state: record.state,
        lapsed,
        decided_by,
        decided: record.decided,
        granted_until: record.granted_until,
    }
}
