//! What to do about each refusal, in one sentence.

use tessera_model::{CursorFault, LimitAt, Refusal, Setting};

pub(crate) const UNREACHABLE: &str =
    "is the node running (tessera serve, tessera dev), and is --address the one it listens on?";
pub(crate) const REDIRECT: &str =
    "ask that cell, with --address and a key that is good there: each cell has its own operators";
pub(crate) const CERTIFICATE: &str =
    "give the file of the certificate, or of its authority, with --ca, and the name in it with --server-name";
pub(crate) const DEADLINE: &str = "try again, or give it more time with --timeout";
pub(crate) const HELLO_REFUSED: &str = "the key is wrong, revoked or expired, it is bound to other networks, or it may not act on this tenant: look at --key-file and --tenant";
pub(crate) const CLAIMED: &str =
    "use its operator's key: --key-file; when all are lost, stop the node and: tessera operator recover";
pub(crate) const FAILED: &str = "the node could not do it; its log says why";

const ADVICE: &[(Refusal, &str)] = &[
    (
        Refusal::Unauthorized,
        "use the key of an operator, or of a subject with a role that covers this (tessera.admin): --key-file",
    ),
    (Refusal::TenantUnknown, "tessera tenant list shows those there are"),
    (Refusal::TenantSuspended, "tessera tenant resume TENANT takes it into use again"),
    (Refusal::SubjectUnknown, "tessera user list shows those there are"),
    (Refusal::SubjectSuspended, "tessera user resume WHO lets them act again"),
    (Refusal::RoleUnknown, "tessera role list shows those there are"),
    (
        Refusal::PermissionUnknown,
        "tessera permission list shows those there are; tessera permission register NAME adds one, and so does a role that names it",
    ),
    (Refusal::WorkspaceUnknown, "tessera workspace list shows those there are"),
    (
        Refusal::SessionUnknown,
        "it may have ended: tessera session list WHO shows the live sessions, tessera key list the live keys",
    ),
    (Refusal::AttributeUnknown, "tessera attribute declare NAME KIND declares it"),
    (Refusal::IdentifierUnknown, "tessera user show WHO shows those there are"),
    (Refusal::Duplicate, "choose another one, or look at the one that has it"),
    (Refusal::IdReused, "leave out --command-id for a command that is not a repeat"),
    (Refusal::ClockSkew, "leave out --command-id: it is then stamped with the node's own time"),
    (Refusal::CommandTooOld, "look whether it happened, and order it anew without --command-id if not"),
    (Refusal::SignInFailed, "check both; forgotten: tessera user password reset WHO"),
    (Refusal::TooManyFailures, "wait; tessera user unlock WHO lets them try again at once"),
    (
        Refusal::PasswordLength(LimitAt::UNNAMED),
        "tessera settings get password_bytes_min says how long it must be; 1,024 bytes at most",
    ),
    (
        Refusal::DeadlinePassed,
        "give a time ahead, and not further than may be: +30m, +7d; docs/surface/limits.txt says how far",
    ),
    (
        Refusal::SettingOutOfBounds(Setting::Unnamed),
        "tessera settings list names the bounds; what hashes may cost (passwords.cost_mib_max) is in the node's configuration",
    ),
    (
        Refusal::BeyondCreator,
        "nobody hands out more than they may do: name less (for a key with --allow), or use the credential of somebody who may do more; nobody acts for a machine, for themselves, or for one who may act for others",
    ),
    (Refusal::LimitReached(LimitAt::UNNAMED), "docs/surface/limits.txt holds every limit"),
    (Refusal::NotEmpty, "tessera workspace delete-tree NAME deletes it with all below it"),
    (Refusal::ZoneUnknown, "name a zone as the IANA database does: Europe/Berlin, America/New_York, UTC"),
    (Refusal::AttributeKind, "tessera attribute list shows the kind it was declared with"),
    (Refusal::Changed, "somebody changed it at the same time: try again"),
    (
        Refusal::SecretWrong,
        "it is good once: a node without an operator shows a new one at its start, and tessera user password reset WHO makes one for a password",
    ),
    (Refusal::Quarantined, "report it with the node's log; other commands are not concerned"),
    (
        Refusal::LastOperator,
        "make another operator first: a machine of the system tenant with the role tessera.admin and a key",
    ),
    (
        Refusal::BuiltIn,
        "what begins with tessera. is the engine's and stays as it is, and a name that reads as an id is nobody's: choose one of your own",
    ),
    (Refusal::WrongTenant, "tenants are made with an operator's key, without --tenant"),
    (
        Refusal::StorageFull,
        "free space on the node's disk; until then only commands that take rights away are taken",
    ),
    (
        Refusal::ReserveFull,
        "free space on the node's disk, or delete what is not needed there: not even rights can be taken away until then; checks go on, and whoever must be kept out now is kept out by stopping the node",
    ),
    (
        Refusal::ClockStopped,
        "set the clock of the node's machine right; where the journal's time is wrong, docs/operate/running.md says what to do",
    ),
    (Refusal::RuleGroup, "tessera group list shows its rule, tessera group rule changes it"),
    (Refusal::NoRule, "tessera group add and remove say who is in it; a rule is given when a group is made"),
    (Refusal::RuleUnsettled, "tessera group list shows the rule: order it again, which goes on with it"),
    (Refusal::PasswordUnset, "tessera user password reset WHO lets them set one"),
    (Refusal::Restored, "leave out --at-least: the node was restored to an earlier point"),
    (Refusal::RefreshReused, "somebody else had a copy of it, or an old one was used: sign in anew"),
    (Refusal::RefreshExpired, "sign in anew; tessera settings list and client show say how long one lives"),
    (Refusal::RefreshExhausted, "sign in anew"),
    (Refusal::WrongClient, "use a key that names the client which the session was opened through"),
    (
        Refusal::ClientUnknown,
        "tessera client list shows those there are; a key that named a deleted one is of no use",
    ),
    (
        Refusal::CursorRefused(CursorFault::Unnamed),
        "begin the list anew, without --cursor, or use the `next` of this very list",
    ),
    (
        Refusal::SessionsLimit(LimitAt::UNNAMED),
        "tessera session list WHO shows them; end one, or raise the limit",
    ),
    (Refusal::GroupUnknown, "tessera group list shows those there are"),
    (
        Refusal::GrantUnknown,
        "tessera grant list WHO shows those of a user, tessera group grants GROUP those of a group; the workspace must be named, too",
    ),
    (Refusal::LastOwner, "grant the owners' role to somebody else there, for good, first: tessera grant add"),
    (
        Refusal::Cycle,
        "take the other one out of it first: tessera group list, tessera role list and tessera workspace list show what lies in what",
    ),
    (
        Refusal::HashUnfit,
        "give hashes as $argon2id$v=19$m=..,t=..,p=..$salt$hash, no dearer than passwords.cost_mib_max; others need a new password",
    ),
    (Refusal::CopyUnknown, "tessera tenant copies lists what this cell has of tenants that do not live here"),
    (
        Refusal::CopyPartial,
        "restore the backup of the lost cell, and move the tenant from there; docs/operate/fleet.md says how",
    ),
    (
        Refusal::CellAlive,
        "tessera fleet status says which cells answer: at the one that has the tenant, tessera tenant move",
    ),
    (
        Refusal::LossUnsaid,
        "a backup of the lost cell may have what this copy lacks; where there is none, --accept-loss opens the copy",
    ),
    (
        Refusal::EpochAhead,
        "set the clocks of the cells right; an epoch is counted up by one, or is the time of day in ms",
    ),
    (
        Refusal::CopyNeeded,
        "bring that cell up first; where it has lost the tenant for ever, this copy is all that there is: tessera tenant take-back",
    ),
    (Refusal::RelationModelWrong, "tessera relation model set FILE --dry-run shows line and column"),
    (
        Refusal::RelationOrphans,
        "tessera relation model set FILE --dry-run shows them; --allow-orphans leaves them behind, and they count no more",
    ),
    (Refusal::RelationExists, "tessera relation read shows what is stored; without --strict it is no error"),
    (Refusal::RelationMissing, "tessera relation read shows what is stored; without --strict it is no error"),
    (Refusal::RelationMismatch, "tessera relation model show says which subjects a relation takes"),
    (Refusal::RelationUnknown, "tessera relation model show says which types and relations there are"),
    (Refusal::RelationTooDeep, "shorten the chain of groups or parents: 25 steps are the limit"),
    (
        Refusal::BackupsOff,
        "name a directory with storage.backup_dir in the node's configuration and start it again",
    ),
    (Refusal::BackupExists, "give it another name: a backup is never replaced"),
    (Refusal::BackupRunning, "try again when it is done"),
    (Refusal::BackupUnknown, "leave out --follow to begin it"),
    (Refusal::RelationModelUnknown, "tessera relation model list shows the versions that are kept"),
    (Refusal::RelationBudget, "ask for less: one type, one object, or page by page"),
    (
        Refusal::ScopeFiltered,
        "give the filters with a key: tessera key create --allow 'scope=read:media/files?kind=x'",
    ),
    (
        Refusal::EndpointAmbiguous,
        "add an endpoint for what both match, or make one of them narrower than the other",
    ),
    (Refusal::ServiceUnknown, "tessera service list shows those there are"),
    (
        Refusal::PermissionOwned,
        "tessera service entry NAME shows whose it is; it is registered with that service's entries",
    ),
    (
        Refusal::DeviceUnknown,
        "tessera device list WHO shows those there are; a revoked one is registered anew",
    ),
    (
        Refusal::DeviceProofWrong,
        "sign with the key that the device is registered with: tessera device list WHO --json shows its thumbprint",
    ),
    (
        Refusal::DeviceProofRequired,
        "name the device's key with --device-key, or use a key with the permission tessera.devices.vouch",
    ),
    (Refusal::ChallengeStale, "ask for another one: tessera device prove, or name the key with --device-key"),
    (Refusal::DeviceRequired, "register one with tessera device register, and name it with --device"),
    (
        Refusal::SightLimited,
        "somebody who sees everybody in full may do it: whoever holds the role tessera.admin",
    ),
    (
        Refusal::NotShown,
        "tessera visibility show tells what you are shown of others; whoever holds the role tessera.admin changes it: tessera visibility set",
    ),
    (Refusal::VisibilityVersion, "tessera visibility show tells the present version"),
    (Refusal::RequestUnknown, "tessera request list shows those there are"),
    (Refusal::RequestClosed, "tessera request list shows what became of it; it can be asked for anew"),
    (Refusal::OwnRequest, "ask somebody else who may grant that role"),
    (Refusal::InvitationUnknown, "tessera invitation list shows those there are"),
    (Refusal::InvitationClosed, "tessera invitation list shows what became of it; send another one"),
    (Refusal::InviterUnfit, "somebody who may grant that role there can send another invitation"),
    (Refusal::Personal, "tessera workspace personal make WHO makes one; it goes when its user is deleted"),
    (Refusal::PersonalOff, "tessera workspace personal set ROLE turns them on; guests have none"),
    (
        Refusal::GrantStands,
        "nothing is to be asked for: tessera grant list WHO shows the grant; ask for longer than it lasts",
    ),
    (Refusal::Acting, "do it in your own name, with your own session or key"),
    (Refusal::RoleOutside, "tessera role list shows the workspace that it belongs to"),
    (Refusal::PolicySchemaWrong, "tessera policy put --dry-run shows line and column"),
    (Refusal::PolicyWrong, "tessera policy put --dry-run shows line and column"),
    (
        Refusal::PolicyVersion,
        "tessera policy list shows the present version, tessera policy diff what a file would change",
    ),
    (Refusal::ContextWrong, "tessera policy show --schema says what the action's context has"),
    (Refusal::EntityWrong, "tessera policy show --schema says which types and attributes there are"),
    (
        Refusal::EntitiesStored,
        "tessera policy entity list shows them, tessera policy entity remove takes them away",
    ),
    (Refusal::PoliciesUnset, "tessera policy put --schema FILE sets a schema, policies or not"),
    (Refusal::ResourceMalformed, "a resource is a type, a colon and an id: Document:2027"),
    (Refusal::MoveRunning, "tessera tenant move --follow tells how far it is"),
    (Refusal::MoveUnknown, "leave out --follow to begin it, or to go on with it"),
    (Refusal::Moving, "the tenant is on its way to another cell: try again"),
    (Refusal::NotReady, "the tenant is being loaded: try again, or give it more time with --timeout"),
    (
        Refusal::TenantFailed,
        "the node's log names file and offset; docs/operate/running.md says what can be done, other tenants are not concerned",
    ),
    (Refusal::Busy(LimitAt::UNNAMED), "try again, or give it more time with --timeout"),
    (Refusal::Redirect, REDIRECT),
    (Refusal::PlacementOld, "tessera fleet placements shows the epoch that is known: name a higher one"),
    (Refusal::CellUnknown, "fleet.file in the node's configuration names its fleet: tessera fleet status"),
    (Refusal::Behind, "look at --at-least: is it a receipt of this node and tenant?"),
];

const AUTHORITY: &str = "the node shows the certificate of an authority (CA:TRUE), as openssl req -x509 makes it by default: make one of a server, with -addext basicConstraints=critical,CA:FALSE (docs/operate/configuration.md)";
const OTHER_NAME: &str = "the certificate is for other names: give one of them with --server-name, or make a certificate for this one";
const ITS_TIME: &str = "look at the certificate's dates and at the clock of this machine";

/// What to do about a certificate that is not trusted, by what was found wrong with it.
pub(crate) fn of_certificate(what: &str) -> &'static str {
    let known = [
        ("CaUsedAsEndEntity", AUTHORITY),
        ("not valid for", OTHER_NAME),
        ("NotValidForName", OTHER_NAME),
        ("expired", ITS_TIME),
        ("not valid yet", ITS_TIME),
    ];
    known.iter().find(|(found, _)| what.contains(found)).map_or(CERTIFICATE, |(_, advice)| *advice)
}

/// Every limit with its number and its reason, as the document has them.
const LIMITS: &str = include_str!("../../../docs/surface/limits.txt");

/// What to do about a refusal; a limit with its number.
pub(crate) fn at_length(refusal: Refusal) -> Option<String> {
    if let Refusal::LimitReached(LimitAt { limit, .. }) = refusal {
        let line = LIMITS
            .lines()
            .find(|line| line.strip_prefix(limit.name()).is_some_and(|rest| rest.starts_with(" = ")));
        if let Some(line) = line {
            return Some(line.replacen(": LIMIT: ", ": ", 1));
        }
    }
    of(refusal).map(str::to_owned)
}

/// What to do about a refusal.
pub(crate) fn of(refusal: Refusal) -> Option<&'static str> {
    ADVICE.iter().find(|(known, _)| known.code() == refusal.code()).map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_model::Limit;

    /// PROPERTY: a limit that is reached is told with its number.
    #[test]
    fn limits_have_numbers() {
        let told = at_length(Limit::KeyDescriptionBytes.reached()).expect("advice");
        assert_eq!(told, "KEY_DESCRIPTION_BYTES_MAX = 256: what a person says a key is for, bytes.");
        assert!(Limit::ALL.iter().all(|limit| {
            let listed = limit.bound() != 0;
            at_length(limit.reached()).is_some_and(|told| told.starts_with(limit.name()) == listed)
        }));
        assert!(at_length(Limit::Unnamed.reached()).is_some());
    }

    /// PROPERTY: every refusal that a person can do something about has its advice, once.
    #[test]
    fn refusals_have_advice() {
        let without: Vec<Refusal> = Refusal::ALL.iter().copied().filter(|r| of(*r).is_none()).collect();
        assert_eq!(without, [Refusal::Malformed, Refusal::SubjectDeleted]);
        assert_eq!(ADVICE.len() + without.len(), Refusal::ALL.len());
    }
}
