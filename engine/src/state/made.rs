//! What a command made, as its reply tells it.

use tessera_model::load::Loaded;
use tessera_model::{Handle, PublicId, TenantId, UnixMillis};

/// What a command made, for its reply: ids, and secrets that are shown once.
#[derive(Clone, Default)]
pub struct Made {
    /// The handle of a new session or key.
    pub handle: Option<Handle>,
    /// The public id of a session or key that was opened.
    pub session: Option<PublicId>,
    /// The public id of a subject that was made or acted on.
    pub subject: Option<PublicId>,
    /// The tenant that was made.
    pub tenant: Option<TenantId>,
    /// When the session or key ends at the latest.
    pub expires: Option<UnixMillis>,
    /// When the session ends unless touched.
    pub idle_until: Option<UnixMillis>,
    /// The dense id of a permission, role, workspace or client that was made, or a refresh key's number; or how
    /// many sessions ended.
    pub number: Option<u32>,
    /// The refresh handle of a new session, or the successor of one that was used.
    pub refresh: Option<Handle>,
    /// When the refresh handle ends unless it is used.
    pub refresh_until: Option<UnixMillis>,
    /// The public ids of the sessions that ended for a new one, oldest first.
    pub evicted: Vec<PublicId>,
    /// The public id of a workspace that was made.
    pub workspace: Option<PublicId>,
    /// The public id of a device that was registered.
    pub device: Option<PublicId>,
    /// The public id of a request for a role.
    pub request: Option<PublicId>,
    /// The public id of an invitation.
    pub invitation: Option<PublicId>,
    /// What became of the rows of a bulk load.
    pub loaded: Option<Loaded>,
    /// How many entries of a service stayed because they are in use.
    pub kept: Option<u32>,
    /// Whether what is private of a subject is erased, or that is still under way.
    pub erased: Option<bool>,
    /// How many subjects the change of a group's rule has not reached yet.
    pub left: Option<u32>,
}
