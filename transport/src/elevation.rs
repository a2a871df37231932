//! Lists of devices, of what a tenant asks of them, and of requests for roles.

use crate::list::{Source, whole};
use tessera_engine::{DeviceFound, RequestFound, RequestsOf};
use tessera_model::{ListKind, Listed, Refusal};
use tessera_wire::{DevicePolicyRow, DeviceRow, Request, RequestRow, Rows};

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
