//! The bytes between a caller and a node: frames, kinds and their payloads, without I/O.
//!
//! A frame is a header of 16 bytes and a payload that stands aligned, so that it is validated and
//! read in place ([`Inbox`], [`Outbox`]). Questions of the check path have kinds of their own; every
//! command and list goes through one payload of tagged fields ([`Request`]). Any bytes give a typed
//! result or an error. Byte by byte: docs/wire.md.

mod align;
mod archive;
mod batch;
mod catalogue;
mod check;
mod declare;
mod elevation;
mod endpoint;
mod event;
#[cfg(test)]
mod example;
mod fault;
mod fields;
mod fleet;
mod frame;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod golden;
mod hello;
mod inspect;
mod instant;
mod invitation;
mod kind;
mod lists;
mod load;
mod made;
mod moving;
mod outbox;
mod part;
mod parts;
mod permissions;
mod place;
mod policy;
mod relation;
mod relation_check;
mod request;
mod rows;
#[cfg(test)]
mod sample;
mod shape;
mod surface;
mod tag;
#[cfg(test)]
mod tests;
mod visibility;
#[cfg(test)]
mod walk;

pub use batch::{CheckBatch, CheckBatchItems, DecisionBatch, DecisionBatchWriter};
pub use catalogue::{EntryRow, EntryUseRow, ServiceRow};
pub use elevation::{ActingRow, ChallengeRow, DevicePolicyRow, DeviceRow, RequestRow};
pub use fault::{Fault, WireError};
pub use fields::{FIELD_KINDS, FieldsReader, FieldsWriter, Head, TENANT_OF_CONNECTION};
pub use frame::{ALPN, Frame, HEADER_BYTES, Header};
pub use hello::{Hello, HelloReply};
pub use inspect::{Introspect, Resolve, ResolveItems, Resolved};
pub use permissions::{ListPermissions, PermissionName, Permissions};
pub use policy::{EntityRow, PolicyFaultRow, PolicySetRow, PolicyVersionRow, SchemaPartRow};
pub use request::{Request, RequestKind};
pub use rows::{
    AttributeRow, AttributeValueRow, BackupRow, ClientRow, ExplainRow, GrantRow, GroupRow, HolderRow,
    IdentifierRow, KeyRow, MemberRow, MembershipRow, OriginsRow, PermissionRow, RefreshKeyRow,
    RelationAnswerRow, RelationEventRow, RelationMappingRow, RelationModelRow, RelationNameRow, RelationRow,
    RelationStepRow, RelationTrialRow, RelationVersionRow, ResourceRow, ReviewRow, RoleRow, RoleUseRow,
    SessionRow, SettingsRow, SubjectRow, TenantRow, UsageRow, WorkspaceRow,
};
pub use {
    align::Inbox, check::CheckByIds, endpoint::AuthorizedRow, endpoint::EndpointRow, event::*, fleet::*,
    invitation::InvitationRow, invitation::PersonalRoleRow, kind::Kind, made::Made, moving::*,
    outbox::Outbox, relation::RelationAsk, relation_check::*, shape::Page, shape::Rows, shape::RowsWriter,
    shape::Shape, surface::codes_text, surface::kinds_text, tag::Tag, visibility::VisibilityRow,
};
