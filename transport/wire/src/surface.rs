//! The golden texts of the wire: every kind with its layout, every tag, every code.

use crate::archive;
use crate::catalogue::{EntryRow, EntryUseRow, ServiceRow};
use crate::elevation::{ActingRow, ChallengeRow, DevicePolicyRow, DeviceRow, RequestRow};
use crate::endpoint::{AuthorizedRow, EndpointRow};
use crate::event::EventRow;
use crate::fields::FIELD_KINDS;
use crate::fleet::{CellRow, FleetRow, PeerRow, PlacementRow};
use crate::invitation::{InvitationRow, PersonalRoleRow};
use crate::kind::Kind;
use crate::made::Made;
use crate::moving::{CopyRow, MoveRow, SettledRow, TakenRow, WordRow};
use crate::request::RequestKind;
use crate::rows;
use crate::shape::Shape;
use crate::tag::Tag;
use crate::visibility::VisibilityRow;
use std::fmt::Write as _;
use tessera_model::code::{CODE_FAILED, CODE_UNKNOWN, ProtocolCode};
use tessera_model::{Reason, Refusal};

type Layout = &'static [(&'static str, &'static str)];

/// The layout of each payload and of the flat structs inside.
pub(crate) const LAYOUTS: &[(&str, Layout)] = &[
    ("Hello", archive::HelloPayload::LAYOUT),
    ("HelloReply", archive::HelloReplyPayload::LAYOUT),
    ("Check", archive::CheckPayload::LAYOUT),
    ("Decision", archive::DecisionPayload::LAYOUT),
    ("CheckBatch", archive::CheckBatchPayload::LAYOUT),
    ("CheckItem", archive::CheckItem::LAYOUT),
    ("DecisionBatch", archive::DecisionBatchPayload::LAYOUT),
    ("DecisionItem", archive::DecisionItem::LAYOUT),
    ("Introspect", archive::IntrospectPayload::LAYOUT),
    ("Introspection", archive::IntrospectionPayload::LAYOUT),
    ("ListPermissions", archive::ListPermissionsPayload::LAYOUT),
    ("Permissions", archive::PermissionsPayload::LAYOUT),
    ("NameItem", archive::NameItem::LAYOUT),
    ("Resolve", archive::ResolvePayload::LAYOUT),
    ("ResolveItem", archive::ResolveItem::LAYOUT),
    ("Resolved", archive::ResolvedPayload::LAYOUT),
    ("CheckRelation", archive::CheckRelationPayload::LAYOUT),
    ("RelationDecision", archive::RelationDecisionPayload::LAYOUT),
    ("Error", archive::ErrorPayload::LAYOUT),
    ("Fields", archive::FieldsPayload::LAYOUT),
    ("Field", archive::Field::LAYOUT),
];

type Parts = &'static [(&'static str, &'static str, Tag)];

/// The parts of each row and of a receipt.
pub(crate) const SHAPES: &[(&str, Parts)] = &[
    ("Made", Made::PARTS),
    ("TenantRow", rows::TenantRow::PARTS),
    ("SubjectRow", rows::SubjectRow::PARTS),
    ("IdentifierRow", rows::IdentifierRow::PARTS),
    ("AttributeValueRow", rows::AttributeValueRow::PARTS),
    ("AttributeRow", rows::AttributeRow::PARTS),
    ("PermissionRow", rows::PermissionRow::PARTS),
    ("RoleRow", rows::RoleRow::PARTS),
    ("GroupRow", rows::GroupRow::PARTS),
    ("MemberRow", rows::MemberRow::PARTS),
    ("MembershipRow", rows::MembershipRow::PARTS),
    ("RoleUseRow", rows::RoleUseRow::PARTS),
    ("ExplainRow", rows::ExplainRow::PARTS),
    ("ReviewRow", rows::ReviewRow::PARTS),
    ("WorkspaceRow", rows::WorkspaceRow::PARTS),
    ("GrantRow", rows::GrantRow::PARTS),
    ("HolderRow", rows::HolderRow::PARTS),
    ("UsageRow", rows::UsageRow::PARTS),
    ("BackupRow", rows::BackupRow::PARTS),
    ("SessionRow", rows::SessionRow::PARTS),
    ("KeyRow", rows::KeyRow::PARTS),
    ("ClientRow", rows::ClientRow::PARTS),
    ("RefreshKeyRow", rows::RefreshKeyRow::PARTS),
    ("OriginsRow", rows::OriginsRow::PARTS),
    ("RelationModelRow", rows::RelationModelRow::PARTS),
    ("RelationVersionRow", rows::RelationVersionRow::PARTS),
    ("RelationMappingRow", rows::RelationMappingRow::PARTS),
    ("ResourceRow", rows::ResourceRow::PARTS),
    ("RelationEventRow", rows::RelationEventRow::PARTS),
    ("RelationTrialRow", rows::RelationTrialRow::PARTS),
    ("RelationRow", rows::RelationRow::PARTS),
    ("RelationAnswerRow", rows::RelationAnswerRow::PARTS),
    ("RelationNameRow", rows::RelationNameRow::PARTS),
    ("RelationStepRow", rows::RelationStepRow::PARTS),
    ("ServiceRow", ServiceRow::PARTS),
    ("EntryRow", EntryRow::PARTS),
    ("EntryUseRow", EntryUseRow::PARTS),
    ("AuthorizedRow", AuthorizedRow::PARTS),
    ("EndpointRow", EndpointRow::PARTS),
    ("DeviceRow", DeviceRow::PARTS),
    ("DevicePolicyRow", DevicePolicyRow::PARTS),
    ("ChallengeRow", ChallengeRow::PARTS),
    ("ActingRow", ActingRow::PARTS),
    ("RequestRow", RequestRow::PARTS),
    ("InvitationRow", InvitationRow::PARTS),
    ("PersonalRoleRow", PersonalRoleRow::PARTS),
    ("VisibilityRow", VisibilityRow::PARTS),
    ("EventRow", EventRow::PARTS),
    ("CellRow", CellRow::PARTS),
    ("PlacementRow", PlacementRow::PARTS),
    ("FleetRow", FleetRow::PARTS),
    ("PeerRow", PeerRow::PARTS),
    ("MoveRow", MoveRow::PARTS),
    ("TakenRow", TakenRow::PARTS),
    ("WordRow", WordRow::PARTS),
    ("SettledRow", SettledRow::PARTS),
    ("CopyRow", CopyRow::PARTS),
    ("SettingsRow", rows::SettingsRow::PARTS),
];

/// One line: `name: type` of each part, in order.
fn parts(parts: Parts) -> String {
    let parts: Vec<_> = parts
        .iter()
        .map(|(name, kind, tag)| format!("{name}: {} @{}", kind.replace(' ', ""), tag.number()))
        .collect();
    parts.join(", ")
}

/// What each kind holds: docs/surface/wire.txt.
#[must_use]
pub fn kinds_text() -> String {
    let mut text = String::from("# Kinds with a payload of their own\n");
    for kind in Kind::FIXED {
        let side = if kind.asks() { "asks" } else { "answers" };
        writeln!(text, "{} {} {side}", kind.number(), kind.name()).unwrap_or_default();
    }
    text.push_str("\n# Layouts, in the order of their bytes\n");
    for (name, layout) in LAYOUTS {
        let fields: Vec<_> = layout.iter().map(|(field, kind)| format!("{field} {kind}")).collect();
        writeln!(text, "{name}: {}", fields.join(", ")).unwrap_or_default();
    }
    text.push_str("\n# Requests: number, name, what answers, fields with their tags\n");
    for kind in RequestKind::ALL {
        let (number, name, answer) = (kind.number(), kind.name(), kind.answer());
        writeln!(text, "{number:#06x} {name} -> {answer} ({})", parts(kind.fields())).unwrap_or_default();
    }
    text.push_str("\n# Receipts and rows\n");
    for (name, shape) in SHAPES {
        writeln!(text, "{name} ({})", parts(shape)).unwrap_or_default();
    }
    text.push_str("\n# Kinds of fields\n");
    for (number, name, meaning) in FIELD_KINDS {
        writeln!(text, "{number} {name}: {meaning}").unwrap_or_default();
    }
    text.push_str("\n# Tags\n");
    for tag in Tag::ALL {
        writeln!(text, "{} {}", tag.number(), tag.name()).unwrap_or_default();
    }
    text
}

/// Every code: docs/surface/codes.txt.
#[must_use]
pub fn codes_text() -> String {
    let mut text = String::new();
    for reason in Reason::ALL {
        writeln!(text, "{:03} {} - {}", reason.code(), reason.name(), reason.text()).unwrap_or_default();
    }
    for refusal in Refusal::ALL {
        writeln!(text, "{} {} - {refusal}", refusal.code(), refusal.name()).unwrap_or_default();
    }
    for code in ProtocolCode::ALL {
        writeln!(text, "{} {code:?} - {}", code.code(), code.text()).unwrap_or_default();
    }
    writeln!(text, "{CODE_UNKNOWN} Unknown - the outcome is not known: repeat it under the same command id")
        .unwrap_or_default();
    writeln!(text, "{CODE_FAILED} Failed - the node failed; nothing is known to have happened")
        .unwrap_or_default();
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    format!("# The one space of codes, append-only\n{}\n", lines.join("\n"))
}
