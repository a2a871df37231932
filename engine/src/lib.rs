//! Live tenants: each one actor that owns its state, commits before it acknowledges and publishes a view.
//!
//! Checks read the view, never a mailbox. Commands are decided by a pure function, committed, and only then published.

mod actor;
mod admit;
mod authorize;
mod backup;
mod beside;
mod bound;
mod bulk;
mod catalogue;
mod check;
mod circumstances;
mod claim;
mod cursor;
mod decide;
mod directory;
mod door;
mod elevations;
mod engine;
mod erase;
mod explain;
mod facts;
mod fleet;
mod front;
mod groups;
mod guess;
mod house;
mod index;
mod invitations;
mod list;
mod load;
pub mod moving;
mod order;
mod people;
mod policed;
mod policies;
mod possession;
mod question;
mod read;
mod refresh;
mod related;
mod resource;
mod review;
mod ring;
mod root;
mod scope;
mod seam;
mod set_up;
mod sight;
mod sign_in;
mod state;
mod submit;
mod supervisor;
mod sync;
mod table;
#[cfg(test)]
mod table_test;
mod through;
mod usage;
mod used;
mod view;
mod watch;
pub use state::{ADDRESS, ADMIN_ROLE, BUILT_IN, FLEET, Made, SERVICE_ROLE, VOUCH};
pub use {
    admit::Done, authorize::Authorized, authorize::Wanted, backup::BackupTold, backup::Begun, bound::Bound,
    bound::HelloRefusal, catalogue::Entry as CatalogueEntry, catalogue::EntryUse, catalogue::UsedBy,
    cursor::Cursors, decide::Decided, decide::OfSubject, directory::Entry, directory::Standing,
    directory::Trouble, door::KeyFound, door::Rotation, elevations::*, engine::Engine, engine::EngineUsage,
    engine::StartError, explain::*, front::Errand, front::Stranger, groups::MemberFound,
    groups::MembershipFound, groups::RoleUse, groups::Way, house::EngineConfig, house::PLANTED,
    list::Listing, list::Page, policed::About, policies::Brought, policies::PolicyParts,
    policies::PolicySaid, policies::PolicySteps, policies::Tried, possession::DeviceShown,
    read::PermissionList, related::RelatedSubjects, resource::Resource, review::Held, review::Review,
    review::ReviewPlace, review::Reviewed, review::Told, review::Who, seam::Clock, seam::Entropy,
    sight::PEOPLE, sight::Seen, submit::SubmitError, tessera_policy::Facts,
    tessera_policy_cedar::PolicyError as PolicyFault, usage::Figure, view::Reading, view::Sees, view::View,
    watch::events::*, watch::*,
};
