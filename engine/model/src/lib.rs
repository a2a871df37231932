//! The words: ids, names, time, commands, events, refusals, queries and decisions.
//!
//! Everything here is plain data with validation. No I/O, no clock, no randomness, no hashing of
//! secrets; the crate knows neither bytes on a wire nor bytes on a disk, except the text and byte
//! form of a handle, which users keep (formats: docs/file.md and docs/wire.md).

mod caller;
pub mod catalogue;
pub mod code;
pub mod command;
mod commands;
pub mod cursor;
pub mod decision;
pub mod device;
pub mod elevation;
pub mod endpoint;
mod entropy;
pub mod event;
pub mod fleet;
pub mod grant_condition;
pub mod handle;
pub mod id;
pub mod identifier;
pub mod image;
pub mod invitation;
pub mod limits;
pub mod load;
pub mod moving;
pub mod name;
mod named;
pub mod network;
pub mod note;
mod ordered;
pub mod origin;
pub mod policy;
pub mod private;
pub mod query;
pub mod record;
pub mod refresh;
pub mod refusal;
pub mod relation;
pub mod revision;
pub mod rule;
pub mod scope;
pub mod settings;
pub mod time;
pub mod visibility;
pub mod weekly;

pub use command::{Caller, Command, CommandKind, Whence};
pub use cursor::{Cursor, ListKind, Listed};
pub use decision::{Decision, Reason};
pub use device::{Thumbprint, Trust};
pub use event::{Event, Row, RowKind};
pub use fleet::{Cell, CellName, Fleet, FleetError, PeerSeen, Placement};
pub use grant_condition::{GrantCondition, GrantConditions};
pub use handle::{Handle, HandleBytes, HandleKind};
pub use id::{
    CellId, ClientIndex, CommandId, Generation, GroupId, PermissionId, Place, PublicId, RestrictionId,
    RoleId, ServiceIndex, SetId, Slot, SubjectIndex, TenantId, WorkspaceIndex,
};
pub use identifier::{Identifier, IdentifierKind};
pub use image::PlaceImage;
pub use name::{Name, Pattern};
pub use named::{CursorFault, Limit, LimitAt, Setting, grouped};
pub use network::{Network, Source};
pub use origin::Origin;
pub use private::Private;
pub use query::{CheckQuery, PermissionRef, WorkspaceRef};
pub use refusal::Refusal;
pub use revision::{Epoch, Receipt, Revision};
pub use rule::Condition;
pub use scope::Scope;
pub use settings::Settings;
pub use time::{Deadline, UnixMillis};
