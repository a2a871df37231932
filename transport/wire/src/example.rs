//! One frame or more of every kind: what the tests damage and docs/wire.md shows.

use crate::batch::DecisionBatchWriter;
use crate::catalogue::{EntryRow, EntryUseRow, ServiceRow};
use crate::elevation::{ActingRow, ChallengeRow, DevicePolicyRow, DeviceRow, RequestRow};
use crate::endpoint::{AuthorizedRow, EndpointRow};
use crate::event::EventRow;
use crate::fault::{Fault, WireError};
use crate::fields::{Head, TENANT_OF_CONNECTION};
use crate::fleet::{CellRow, FleetRow, PeerRow, PlacementRow};
use crate::frame::Frame;
use crate::hello::{Hello, HelloReply};
use crate::inspect::{Introspect, Resolve, Resolved};
use crate::invitation::{InvitationRow, PersonalRoleRow};
use crate::kind::Kind;
use crate::made::Made;
use crate::moving::{CopyRow, MoveRow, SettledRow, TakenRow, WordRow};
use crate::outbox::Outbox;
use crate::permissions::{ListPermissions, PermissionName, Permissions};
use crate::relation_check::{RelationDecision, RelationQuery};
use crate::request::{Request, RequestKind};
use crate::rows::*;
use crate::sample::Sample;
use crate::shape::{RowsWriter, Shape};
use crate::visibility::VisibilityRow;
use tessera_model::query::Introspection;
use tessera_model::{
    Cell, CellId, CellName, CheckQuery, CommandId, Decision, Epoch, Generation, HandleBytes, Limit,
    PermissionId, PermissionRef, Place, Private, PublicId, Reason, Receipt, Revision, SubjectIndex, TenantId,
    UnixMillis, WorkspaceIndex, WorkspaceRef,
};

/// The handle of the examples: version 1, session, cell 0, tenant 2, place 5, generation 1.
pub(crate) fn handle() -> HandleBytes {
    let mut bytes = [0u8; 40];
    bytes[..2].copy_from_slice(&[1, 1]);
    bytes[4] = 2;
    bytes[12] = 5;
    bytes[16] = 1;
    bytes[20..].copy_from_slice(b"twenty bytes secret!");
    bytes
}

pub(crate) fn seen() -> Receipt {
    Receipt { epoch: Epoch(1), revision: Revision(41) }
}

/// The head of the examples.
pub(crate) fn head() -> Head {
    Head { command_id: CommandId(PublicId::new(1_764_100_000_000, [9; 10]).0), tenant: TENANT_OF_CONNECTION }
}

pub(crate) fn query(handle: &HandleBytes, nth: u64) -> CheckQuery<'_> {
    let id = u32::try_from(nth).expect("small");
    let permission = match nth % 2 {
        0 => PermissionRef::Id(PermissionId(17 + id)),
        _ => PermissionRef::Name("orders.read"),
    };
    let workspace = match nth % 3 {
        0 => WorkspaceRef::Tenant,
        1 => WorkspaceRef::Name("acme/eu"),
        _ => WorkspaceRef::Index(WorkspaceIndex(id)),
    };
    let address = match nth % 3 {
        0 => None,
        1 => Some("192.0.2.7".parse().expect("an address")),
        _ => Some("2001:db8::7".parse().expect("an address")),
    };
    CheckQuery { handle, permission, workspace, at_least: seen(), address }
}

pub(crate) fn decision(nth: u64) -> Decision {
    match nth % 2 {
        0 => Decision { reason: Reason::None, seen: seen(), valid_until: UnixMillis(1_764_100_060_000) },
        _ => Decision::deny(Reason::NotGranted, seen()),
    }
}

fn introspection() -> Introspection {
    Introspection {
        tenant: TenantId(2),
        subject: PublicId::sample(1),
        subject_index: SubjectIndex(9),
        id: PublicId::sample(2),
        place: Place(5),
        generation: Generation(1),
        key: true,
        authenticated_at: UnixMillis(1_764_100_000_000),
        expires: UnixMillis(1_764_186_400_000),
        idle_until: UnixMillis(u64::MAX),
        workspace: WorkspaceIndex(0),
        device: Some(PublicId::sample(3)),
        actor: None,
        seen: seen(),
    }
}

fn permissions() -> Permissions {
    let names = [(1, "orders.read"), (65, "orders.write")];
    Permissions {
        reason: Reason::None,
        seen: seen(),
        valid_until: UnixMillis(u64::MAX),
        words: vec![0b10, 0b10],
        names: names.map(|(id, name)| PermissionName { id: PermissionId(id), name: name.to_owned() }).into(),
        next: PermissionId(65),
    }
}

/// A refresh handle of the same session.
fn refresh() -> HandleBytes {
    let mut bytes = handle();
    bytes[1] = 3;
    bytes[20..].copy_from_slice(b"\x01\x00\x00\x00mac of 16 bytes!");
    bytes
}

/// A new session with a refresh handle, for which another one ended.
fn opened() -> Made {
    let private = |bytes: &HandleBytes| Some(Private::new(bytes.to_vec()));
    let refresh = refresh();
    let ends = Some(tessera_model::Deadline(186_086_400));
    Made {
        receipt: seen(),
        subject: Some(PublicId::sample(1)),
        session: Some(PublicId::sample(2)),
        handle: private(&handle()),
        expires: ends,
        idle_until: ends,
        refresh: private(&refresh),
        refresh_until: ends,
        evicted: vec![PublicId::sample(3)],
        ..Made::default()
    }
}

/// The command or list of the examples; secrets as callers send them.
fn request(kind: RequestKind) -> Request {
    let bytes = |bytes: &[u8]| Private::new(bytes.to_vec());
    let (identifier, password) = (bytes(b"Amy.Poe@EXAMPLE.org"), bytes(b"correct horse battery staple"));
    match Request::sample(kind, 1) {
        Request::ClaimOperator { name, .. } => {
            Request::ClaimOperator { secret: bytes(b"once-abcdefghijkmnpqrstuvwxyz23456789"), name }
        }
        Request::SignIn { address, device, proof, .. } => {
            Request::SignIn { identifier, password, address, device, proof }
        }
        Request::ChangePassword { .. } => {
            Request::ChangePassword { old: bytes(b"correct horse"), new: password }
        }
        Request::SetUpPassword { .. } => {
            let mut secret = handle();
            // A one-time secret of the subject with index 5.
            secret[1] = 4;
            Request::SetUpPassword { secret: bytes(&secret), password }
        }
        Request::RefreshSession { .. } => Request::RefreshSession { handle: bytes(&refresh()) },
        Request::SignOut { .. } => Request::SignOut { handle: bytes(&handle()) },
        Request::TouchSession { .. } => Request::TouchSession { handle: bytes(&handle()) },
        other => other,
    }
}

/// Every example: its name and its one frame.
pub(crate) fn examples() -> Vec<(String, Outbox)> {
    let mut all = Vec::new();
    let mut add = |name: &str, write: &dyn Fn(&mut Outbox) -> Result<(), WireError>| {
        let mut out = Outbox::new();
        write(&mut out).expect("an example is written");
        all.push((name.to_owned(), out));
    };
    let hello = Hello { credential: Some(handle()), version: 1_000, ..Hello::default() };
    add("Hello with a credential", &|out| out.hello(1, &hello));
    let stranger = Hello { tenant: Some(TenantId(2)), ..Hello::default() };
    add("Hello of a stranger", &|out| out.hello(1, &stranger));
    let reply = HelloReply {
        node_time: UnixMillis(1_764_100_000_000),
        tenant: TenantId(2),
        seen: seen(),
        bound: Some((PublicId::sample(1), PublicId::sample(2))),
        cell: CellId(3),
        version: 1_000,
        ..HelloReply::default()
    };
    add("HelloReply", &|out| out.hello_reply(1, &reply));
    add("HelloReply to a stranger", &|out| out.hello_reply(1, &HelloReply { bound: None, ..reply }));
    let handle = handle();
    add("Check by ids", &|out| out.check(7, &query(&handle, 0)));
    add("Check by names", &|out| out.check(8, &query(&handle, 1)));
    add("Check by ids from an address", &|out| out.check(9, &query(&handle, 2)));
    add("Decision: Permit", &|out| out.decision(7, &decision(0)));
    add("Decision: Deny", &|out| out.decision(8, &decision(1)));
    let queries = || (0..3).map(|nth| query(&handle, nth));
    add("CheckBatch", &|out| out.check_batch(10, seen(), queries()));
    let mut batch = DecisionBatchWriter::default();
    batch.start(seen());
    (0..3).for_each(|nth| batch.push(&decision(nth)));
    add("DecisionBatch", &|out| out.decision_batch(10, &batch));
    let ask = Introspect { handle: &handle, at_least: Receipt::default(), address: None };
    add("Introspect", &|out| out.introspect(11, &ask));
    let ask = Introspect { address: Some([192, 0, 2, 7].into()), ..ask };
    add("Introspect from an address", &|out| out.introspect(11, &ask));
    add("Introspection", &|out| out.introspection(11, &Ok(introspection())));
    add("Introspection of nothing", &|out| out.introspection(11, &Err((Reason::Revoked, seen()))));
    let (workspace, with_names) = (WorkspaceRef::Name("acme/eu"), true);
    let (address, after) = (None, PermissionId(0));
    let ask = ListPermissions { handle: &handle, workspace, at_least: seen(), address, with_names, after };
    add("ListPermissions", &|out| out.list_permissions(12, &ask));
    add("Permissions", &|out| out.permissions(12, &permissions()));
    let names = [Resolve::Permission("orders.read"), Resolve::Workspace("acme/eu")];
    add("Resolve", &|out| out.resolve(13, &names));
    let resolved = Resolved { seen: seen(), ids: vec![17, 0, 3] };
    add("Resolved", &|out| out.resolved(13, &resolved));
    let (object, relation, subject) = ("document:1", "viewer", "user:ann");
    let ask = RelationQuery { object, relation, subject, at_least: seen() };
    add("CheckRelation", &|out| out.check_relation(14, &ask));
    let valid_until = UnixMillis(1_764_100_060_000);
    let told = RelationDecision { permitted: true, code: 0, valid_until, steps: 9, seen: seen() };
    add("RelationDecision", &|out| out.relation_decision(14, &told));
    let untold = RelationDecision { permitted: false, code: 277, steps: 0, ..told };
    add("RelationDecision without an answer", &|out| out.relation_decision(14, &untold));
    add("Error", &|out| out.fault(14, &Fault::refused(Limit::Intake.busy())));
    add("Error with a limit", &|out| out.fault(15, &Fault::refused(Limit::Subjects.reached())));
    let there = Cell {
        id: CellId(4),
        name: CellName::new("eu-4").expect("a name"),
        address: "node4.example:7443".into(),
        certificate: "node4.example".into(),
        http: "".into(),
    };
    add("Error: Redirect", &|out| out.fault(14, &Fault::redirect(&there, 7)));
    for kind in RequestKind::ALL {
        let request = request(*kind);
        add(kind.name(), &|out| out.request(20, head(), &request));
    }
    add("Receipt", &|out| out.made(20, head(), &Made::sample(0)));
    add("Receipt of a new session", &|out| out.made(20, head(), &opened()));
    add("Receipt of nothing new", &|out| out.made(20, head(), &Made::nothing(seen())));
    rows(&mut add);
    all
}

type Add<'a> = dyn FnMut(&str, &dyn Fn(&mut Outbox) -> Result<(), WireError>) + 'a;

/// One page of each kind of row.
fn rows(add: &mut Add<'_>) {
    fn page<T: Shape + Sample>(add: &mut Add<'_>, name: &str) {
        let write = |out: &mut Outbox| {
            let mut rows = RowsWriter::new();
            assert!(rows.push(&T::sample(0)) && rows.push(&T::sample(1)));
            out.rows(30, &rows.finish(Some(b"cursor")))
        };
        add(&format!("Rows of {name}"), &write);
    }
    page::<TenantRow>(add, "TenantRow");
    page::<SubjectRow>(add, "SubjectRow");
    page::<IdentifierRow>(add, "IdentifierRow");
    page::<AttributeValueRow>(add, "AttributeValueRow");
    page::<AttributeRow>(add, "AttributeRow");
    page::<PermissionRow>(add, "PermissionRow");
    page::<RoleRow>(add, "RoleRow");
    page::<WorkspaceRow>(add, "WorkspaceRow");
    page::<GrantRow>(add, "GrantRow");
    page::<HolderRow>(add, "HolderRow");
    page::<UsageRow>(add, "UsageRow");
    page::<BackupRow>(add, "BackupRow");
    page::<SessionRow>(add, "SessionRow");
    page::<ClientRow>(add, "ClientRow");
    page::<RefreshKeyRow>(add, "RefreshKeyRow");
    page::<OriginsRow>(add, "OriginsRow");
    page::<KeyRow>(add, "KeyRow");
    page::<RelationModelRow>(add, "RelationModelRow");
    page::<RelationVersionRow>(add, "RelationVersionRow");
    page::<RelationMappingRow>(add, "RelationMappingRow");
    page::<ResourceRow>(add, "ResourceRow");
    page::<RelationEventRow>(add, "RelationEventRow");
    page::<RelationTrialRow>(add, "RelationTrialRow");
    page::<RelationRow>(add, "RelationRow");
    page::<RelationAnswerRow>(add, "RelationAnswerRow");
    page::<RelationNameRow>(add, "RelationNameRow");
    page::<RelationStepRow>(add, "RelationStepRow");
    page::<ServiceRow>(add, "ServiceRow");
    page::<EntryRow>(add, "EntryRow");
    page::<EntryUseRow>(add, "EntryUseRow");
    page::<AuthorizedRow>(add, "AuthorizedRow");
    page::<EndpointRow>(add, "EndpointRow");
    page::<DeviceRow>(add, "DeviceRow");
    page::<DevicePolicyRow>(add, "DevicePolicyRow");
    page::<ChallengeRow>(add, "ChallengeRow");
    page::<ActingRow>(add, "ActingRow");
    page::<RequestRow>(add, "RequestRow");
    page::<InvitationRow>(add, "InvitationRow");
    page::<PersonalRoleRow>(add, "PersonalRoleRow");
    page::<VisibilityRow>(add, "VisibilityRow");
    page::<EventRow>(add, "EventRow");
    page::<CellRow>(add, "CellRow");
    page::<PlacementRow>(add, "PlacementRow");
    page::<FleetRow>(add, "FleetRow");
    page::<PeerRow>(add, "PeerRow");
    page::<MoveRow>(add, "MoveRow");
    page::<TakenRow>(add, "TakenRow");
    page::<WordRow>(add, "WordRow");
    page::<SettledRow>(add, "SettledRow");
    page::<CopyRow>(add, "CopyRow");
    page::<SettingsRow>(add, "SettingsRow");
}

/// Reads a frame as its kind and writes what was read: the same bytes, if both directions agree.
pub(crate) fn again(name: &str, frame: &Frame<'_>) -> Result<Outbox, WireError> {
    let (mut out, id) = (Outbox::new(), frame.header.request_id);
    match frame.kind()? {
        Kind::Hello => out.hello(id, &frame.hello()?),
        Kind::HelloReply => out.hello_reply(id, &frame.hello_reply()?),
        Kind::Check => out.check(id, &frame.check()?),
        Kind::Decision => out.decision(id, &frame.decision()?),
        Kind::CheckBatch => {
            let batch = frame.check_batch()?;
            let queries = batch.queries().collect::<Result<Vec<_>, _>>()?;
            out.check_batch(id, batch.at_least(), queries)
        }
        Kind::DecisionBatch => {
            let batch = frame.decision_batch()?;
            let mut writer = DecisionBatchWriter::default();
            writer.start(batch.decisions.first().map(|decision| decision.seen).unwrap_or_default());
            batch.decisions.iter().for_each(|decision| writer.push(decision));
            out.decision_batch(id, &writer)
        }
        Kind::Introspect => out.introspect(id, &frame.introspect()?),
        Kind::Introspection => out.introspection(id, &frame.introspection()?),
        Kind::ListPermissions => out.list_permissions(id, &frame.list_permissions()?),
        Kind::Permissions => out.permissions(id, &frame.permissions()?),
        Kind::Resolve => out.resolve(id, &frame.resolve()?.collect::<Result<Vec<_>, _>>()?),
        Kind::Resolved => out.resolved(id, &frame.resolved()?),
        Kind::CheckRelation => out.check_relation(id, &frame.check_relation()?),
        Kind::RelationDecision => out.relation_decision(id, &frame.relation_decision()?),
        Kind::Error => out.fault(id, &frame.fault()?),
        Kind::Receipt => out.made(id, head(), &frame.made()?),
        Kind::Rows => rows_again(name, frame, &mut out),
        Kind::Request(kind) => {
            let (head, request) = frame.request(kind)?;
            out.request(id, head, &request)
        }
    }?;
    Ok(out)
}

fn rows_again(name: &str, frame: &Frame<'_>, out: &mut Outbox) -> Result<(), WireError> {
    fn page<T: Shape>(frame: &Frame<'_>, out: &mut Outbox) -> Result<(), WireError> {
        let page = frame.rows::<T>()?;
        let mut rows = RowsWriter::new();
        assert!(page.rows.iter().all(|row| rows.push(row)));
        out.rows(frame.header.request_id, &rows.finish(page.next.as_deref()))
    }
    match name {
        "Rows of SubjectRow" => page::<SubjectRow>(frame, out),
        "Rows of IdentifierRow" => page::<IdentifierRow>(frame, out),
        "Rows of AttributeValueRow" => page::<AttributeValueRow>(frame, out),
        "Rows of AttributeRow" => page::<AttributeRow>(frame, out),
        "Rows of PermissionRow" => page::<PermissionRow>(frame, out),
        "Rows of RoleRow" => page::<RoleRow>(frame, out),
        "Rows of WorkspaceRow" => page::<WorkspaceRow>(frame, out),
        "Rows of GrantRow" => page::<GrantRow>(frame, out),
        "Rows of HolderRow" => page::<HolderRow>(frame, out),
        "Rows of UsageRow" => page::<UsageRow>(frame, out),
        "Rows of BackupRow" => page::<BackupRow>(frame, out),
        "Rows of SessionRow" => page::<SessionRow>(frame, out),
        "Rows of ClientRow" => page::<ClientRow>(frame, out),
        "Rows of RefreshKeyRow" => page::<RefreshKeyRow>(frame, out),
        "Rows of OriginsRow" => page::<OriginsRow>(frame, out),
        "Rows of KeyRow" => page::<KeyRow>(frame, out),
        "Rows of RelationModelRow" => page::<RelationModelRow>(frame, out),
        "Rows of RelationVersionRow" => page::<RelationVersionRow>(frame, out),
        "Rows of RelationMappingRow" => page::<RelationMappingRow>(frame, out),
        "Rows of RelationEventRow" => page::<RelationEventRow>(frame, out),
        "Rows of ResourceRow" => page::<ResourceRow>(frame, out),
        "Rows of RelationTrialRow" => page::<RelationTrialRow>(frame, out),
        "Rows of RelationRow" => page::<RelationRow>(frame, out),
        "Rows of RelationAnswerRow" => page::<RelationAnswerRow>(frame, out),
        "Rows of RelationNameRow" => page::<RelationNameRow>(frame, out),
        "Rows of RelationStepRow" => page::<RelationStepRow>(frame, out),
        "Rows of ServiceRow" => page::<ServiceRow>(frame, out),
        "Rows of EntryRow" => page::<EntryRow>(frame, out),
        "Rows of EntryUseRow" => page::<EntryUseRow>(frame, out),
        "Rows of AuthorizedRow" => page::<AuthorizedRow>(frame, out),
        "Rows of EndpointRow" => page::<EndpointRow>(frame, out),
        "Rows of DeviceRow" => page::<DeviceRow>(frame, out),
        "Rows of DevicePolicyRow" => page::<DevicePolicyRow>(frame, out),
        "Rows of ChallengeRow" => page::<ChallengeRow>(frame, out),
        "Rows of ActingRow" => page::<ActingRow>(frame, out),
        "Rows of RequestRow" => page::<RequestRow>(frame, out),
        "Rows of InvitationRow" => page::<InvitationRow>(frame, out),
        "Rows of PersonalRoleRow" => page::<PersonalRoleRow>(frame, out),
        "Rows of VisibilityRow" => page::<VisibilityRow>(frame, out),
        "Rows of EventRow" => page::<EventRow>(frame, out),
        "Rows of CellRow" => page::<CellRow>(frame, out),
        "Rows of PlacementRow" => page::<PlacementRow>(frame, out),
        "Rows of FleetRow" => page::<FleetRow>(frame, out),
        "Rows of PeerRow" => page::<PeerRow>(frame, out),
        "Rows of MoveRow" => page::<MoveRow>(frame, out),
        "Rows of TakenRow" => page::<TakenRow>(frame, out),
        "Rows of WordRow" => page::<WordRow>(frame, out),
        "Rows of SettledRow" => page::<SettledRow>(frame, out),
        "Rows of CopyRow" => page::<CopyRow>(frame, out),
        "Rows of SettingsRow" => page::<SettingsRow>(frame, out),
        _ => page::<TenantRow>(frame, out),
    }
}
