//! The operator's words as the command line takes them, and the way from a line to an exit code.

use crate::answer::{self, Answer};
use crate::attribute::AttributeVerb;
use crate::authorize::Authorize;
use crate::backup::Backup;
use crate::catalogue::ServiceVerb;
use crate::check::{Check, CheckBatch, Names, Permissions};
use crate::client::ClientVerb;
use crate::device::DeviceVerb;
use crate::error::CtlError;
use crate::explain::{Explain, Simulate};
use crate::fleet::FleetVerb;
use crate::grant::GrantVerb;
use crate::group::GroupVerb;
use crate::invitation::InvitationVerb;
use crate::key::KeyVerb;
use crate::keys::KeysVerb;
use crate::link::Link;
use crate::load::Load;
use crate::operator::OperatorVerb;
use crate::origin::OriginVerb;
use crate::permission::PermissionVerb;
use crate::ping::Ping;
use crate::policy::PolicyVerb;
use crate::reach::Reach;
use crate::relation::RelationVerb;
use crate::request::RequestVerb;
use crate::role::RoleVerb;
use crate::session::SessionVerb;
use crate::settings::SettingsVerb;
use crate::tenant::TenantVerb;
use crate::usage::Usage;
use crate::user::{PasswordVerb, UserVerb};
use crate::visibility::VisibilityVerb;
use crate::watch::{Watch, watch};
use crate::workspace::WorkspaceVerb;
use clap::{ArgMatches, Command, FromArgMatches, Subcommand};
use std::process::ExitCode;

/// A noun: its verbs, and how to reach the node.
#[derive(Clone, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Noun<V: Subcommand> {
    #[command(subcommand)]
    verb: V,
    #[command(flatten)]
    reach: Reach,
}

/// A question: its words, and how to reach the node.
#[derive(Clone, clap::Args)]
struct Question<W: clap::Args> {
    #[command(flatten)]
    words: W,
    #[command(flatten)]
    reach: Reach,
}

/// The operator's words.
#[derive(Clone, Subcommand)]
enum Word {
    /// Become the operator of a node, and renew an operator's key.
    Operator(Noun<OperatorVerb>),
    /// Tenants: units of isolation.
    Tenant(Noun<TenantVerb>),
    /// The fleet that a node belongs to: cells, and where tenants live.
    Fleet(Noun<FleetVerb>),
    /// Users and machines: whoever acts.
    #[command(visible_alias = "subject")]
    User(Noun<UserVerb>),
    /// Declared attributes of users and machines.
    Attribute(Noun<AttributeVerb>),
    /// Permissions: the names of what can be done.
    Permission(Noun<PermissionVerb>),
    /// Services: applications, and the permissions that they register.
    Service(Noun<ServiceVerb>),
    /// Roles: named sets of permissions.
    Role(Noun<RoleVerb>),
    /// Workspaces: the tree below a tenant.
    Workspace(Noun<WorkspaceVerb>),
    /// Grants: who has which role, where and when.
    Grant(Noun<GrantVerb>),
    /// Relations: who is what to whom, and what follows.
    Relation(Noun<RelationVerb>),
    /// Policies: Cedar's, checked, formatted and tested here, and those of a tenant.
    Policy(Noun<PolicyVerb>),
    /// Groups: who holds grants together.
    Group(Noun<GroupVerb>),
    /// Sessions: signing in, looking, ending.
    Session(Noun<SessionVerb>),
    /// Devices: what people sign in on, and how far it is trusted.
    Device(Noun<DeviceVerb>),
    /// Visibility: who sees whom, and what of them.
    Visibility(Noun<VisibilityVerb>),
    /// Requests: roles that are asked for and given for a while.
    Request(Noun<RequestVerb>),
    /// Invitations: people are asked into workspaces.
    Invitation(Noun<InvitationVerb>),
    /// API keys.
    Key(Noun<KeyVerb>),
    /// Clients: what sessions are like that are opened through one.
    Client(Noun<ClientVerb>),
    /// Keys that refresh handles are made by.
    Keys(Noun<KeysVerb>),
    /// The tenant's settings.
    Settings(Noun<SettingsVerb>),
    /// Origins whose scripts may ask the tenant over HTTP.
    Origin(Noun<OriginVerb>),
    /// May the holder of a handle do this, there, now? Exit code 0 for permit, 1 for deny.
    #[command(
        after_help = "Examples:\n  tessera check orders.read --handle-file amy.session\n  tessera check orders.write --workspace berlin --handle-file amy.session --json\n  if TESSERA_HANDLE=$HANDLE tessera check orders.read; then ...; fi"
    )]
    Check(Question<Check>),
    /// May a session or key do this with an application? By the endpoints that its service has registered. Exit code 0
    /// for permit, 1 for deny.
    #[command(
        after_help = "Examples:\n  tessera authorize orders GET /orders/7 --handle-file amy.session\n  tessera authorize orders --action read --handle-file amy.session --json"
    )]
    Authorize(Question<Authorize>),
    /// Many questions at once, from a file or standard input. Exit code 1 when any is denied.
    #[command(
        after_help = "Examples:\n  tessera check-batch questions.txt\n  printf 'orders.read\\norders.write berlin\\n' | tessera check-batch --handle-file amy.session"
    )]
    CheckBatch(Question<CheckBatch>),
    /// What may the holder of a handle do?
    #[command(after_help = "Example:\n  tessera permissions --handle-file amy.session --workspace berlin")]
    Permissions(Question<Permissions>),
    /// Why may somebody do something, or not? Exit code 0 for permit, 1 for deny.
    #[command(
        after_help = "Examples:\n  tessera explain amy@example.org orders.read --workspace berlin\n  tessera explain amy@example.org orders.write --at +7d --json"
    )]
    Explain(Question<Explain>),
    /// What would the answer be at another time, or with another role, grant or group? Changes nothing.
    #[command(
        after_help = "Examples:\n  tessera simulate amy@example.org orders.write --grant clerk --granted-in berlin --workspace berlin\n  tessera simulate amy@example.org orders.read --role reader --covers 'orders.list'\n  tessera simulate amy@example.org orders.read --without reader --at +1d"
    )]
    Simulate(Question<Simulate>),
    /// The ids of permissions and workspaces. Exit code 1 when one is unknown.
    #[command(after_help = "Example:\n  tessera resolve orders.read --workspace berlin")]
    Resolve(Question<Names>),
    /// Load users and machines from files, many at a time. Run again after whatever cut it off.
    #[command(
        after_help = "Examples:\n  tessera load users.ndjson --tenant acme\n  tessera load users.ndjson --tenant acme --dry-run\n  tessera load users.csv more.csv --tenant acme --on-error skip --rejects mend-me.csv --json\n\nOne row: {\"email\": \"amy@example.org\", \"password_hash\": \"$argon2id$...\", \"roles\": [\"reader\"]}\nThe guide says what a row may hold: docs/operate/load.md"
    )]
    Load(Question<Load>),
    /// How much of what it may have a tenant uses, and its node.
    #[command(after_help = "Examples:\n  tessera usage\n  tessera usage acme\n  tessera usage acme --json")]
    Usage(Question<Usage>),
    /// Have the node take a backup of all its tenants while it goes on.
    #[command(
        after_help = "Examples:\n  tessera backup monday\n  tessera backup monday --no-wait\n  tessera backup monday --follow --json\n\nThe node writes it below storage.backup_dir. tessera inspect looks at it, tessera restore makes a data directory of it: docs/operate/backup.md"
    )]
    Backup(Question<Backup>),
    /// Everything that happens in a tenant, as it happens: a line of JSON for each event.
    #[command(
        after_help = "Examples:\n  tessera watch\n  tessera watch --from-start --kind grant --kind role\n  tessera watch --once --since 1.42 --subject amy@example.org\n\nNeeds the permission tessera.audit. Whatever ends it, --cursor goes on: docs/operate/audit.md"
    )]
    Watch(Question<Watch>),
    /// Is the node there, and how long does a question take?
    #[command(after_help = "Example:\n  tessera ping --count 100")]
    Ping(Question<Ping>),
}

/// A command of the operator, read from the command line. No `Debug`: it may hold a key.
#[derive(Clone)]
pub struct Ctl(Word);

impl FromArgMatches for Ctl {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Word::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl Subcommand for Ctl {
    fn augment_subcommands(command: Command) -> Command {
        Word::augment_subcommands(command)
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Word::augment_subcommands_for_update(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Word::has_subcommand(name)
    }
}

/// Asks over a link and closes it, whatever the answer.
pub(crate) async fn over(
    link: Result<Link, CtlError>,
    ask: impl AsyncFnOnce(&Link) -> Result<Answer, CtlError>,
) -> Result<Answer, CtlError> {
    let link = link?;
    let answer = ask(&link).await;
    link.close().await;
    answer
}

impl Word {
    const fn reach(&self) -> &Reach {
        match self {
            Self::Operator(Noun { reach, .. })
            | Self::Tenant(Noun { reach, .. })
            | Self::Fleet(Noun { reach, .. })
            | Self::User(Noun { reach, .. })
            | Self::Attribute(Noun { reach, .. })
            | Self::Permission(Noun { reach, .. })
            | Self::Service(Noun { reach, .. })
            | Self::Role(Noun { reach, .. })
            | Self::Workspace(Noun { reach, .. })
            | Self::Grant(Noun { reach, .. })
            | Self::Relation(Noun { reach, .. })
            | Self::Policy(Noun { reach, .. })
            | Self::Group(Noun { reach, .. })
            | Self::Session(Noun { reach, .. })
            | Self::Device(Noun { reach, .. })
            | Self::Visibility(Noun { reach, .. })
            | Self::Request(Noun { reach, .. })
            | Self::Invitation(Noun { reach, .. })
            | Self::Key(Noun { reach, .. })
            | Self::Client(Noun { reach, .. })
            | Self::Keys(Noun { reach, .. })
            | Self::Settings(Noun { reach, .. })
            | Self::Origin(Noun { reach, .. })
            | Self::Check(Question { reach, .. })
            | Self::Authorize(Question { reach, .. })
            | Self::CheckBatch(Question { reach, .. })
            | Self::Permissions(Question { reach, .. })
            | Self::Explain(Question { reach, .. })
            | Self::Simulate(Question { reach, .. })
            | Self::Resolve(Question { reach, .. })
            | Self::Load(Question { reach, .. })
            | Self::Usage(Question { reach, .. })
            | Self::Backup(Question { reach, .. })
            | Self::Watch(Question { reach, .. })
            | Self::Ping(Question { reach, .. }) => reach,
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each word")]
    async fn run(self) -> Result<Answer, CtlError> {
        match self {
            Self::Operator(Noun { verb, reach }) => verb.run(&reach).await,
            Self::Ping(Question { words, reach }) => words.run(&reach).await,
            Self::Usage(Question { words, reach }) => words.run(&reach).await,
            Self::Backup(Question { words, reach }) => words.run(&reach).await,
            Self::Tenant(Noun { verb, reach }) => {
                over(reach.system().await, async |link| verb.run(link).await).await
            }
            Self::Fleet(Noun { verb, reach }) => {
                over(reach.system().await, async |link| verb.run(link).await).await
            }
            Self::User(Noun { verb: UserVerb::Password(PasswordVerb::SetUp(set_up)), reach }) => {
                set_up.run(&reach).await
            }
            Self::User(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Attribute(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Permission(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Service(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Role(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Workspace(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Grant(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Relation(Noun { verb, reach }) => verb.reach(&reach).await,
            Self::Policy(Noun { verb, reach }) => verb.reach(&reach).await,
            Self::Group(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Session(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Device(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Visibility(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Request(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Invitation(Noun { verb: InvitationVerb::Join(join), reach }) => join.run(&reach).await,
            Self::Invitation(Noun { verb: InvitationVerb::Decline(from), reach }) => {
                from.decline(&reach).await
            }
            Self::Invitation(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Key(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Client(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Keys(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Origin(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Settings(Noun { verb, reach }) => {
                over(reach.tenant().await, async |link| verb.run(link).await).await
            }
            Self::Authorize(Question { words, reach }) => {
                over(reach.tenant().await, async |link| words.run(link).await).await
            }
            Self::Check(Question { words, reach }) => {
                over(reach.tenant().await, async |link| words.run(link).await).await
            }
            Self::Load(Question { words, reach }) => {
                over(reach.tenant().await, async |link| words.run(link).await).await
            }
            Self::CheckBatch(Question { words, reach }) => {
                over(reach.tenant().await, async |link| words.run(link).await).await
            }
            Self::Permissions(Question { words, reach }) => {
                over(reach.tenant().await, async |link| words.run(link).await).await
            }
            Self::Explain(Question { words, reach }) => {
                over(reach.tenant().await, async |link| words.run(link).await).await
            }
            Self::Watch(Question { words, reach }) => {
                over(reach.tenant().await, async |link| watch(link, words).await).await
            }
            Self::Simulate(Question { words, reach }) => {
                over(reach.tenant().await, async |link| words.run(link).await).await
            }
            Self::Resolve(Question { words, reach }) => {
                over(reach.tenant().await, async |link| words.run(link).await).await
            }
        }
    }
}

impl Ctl {
    /// Does what the line says, prints the answer, and gives the exit code.
    pub async fn run(self) -> ExitCode {
        let json = self.0.reach().json;
        let done = Box::pin(self.0.run()).await;
        ExitCode::from(answer::print(&done, json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    #[command(name = "tessera")]
    struct Line {
        #[command(subcommand)]
        ctl: Ctl,
    }

    fn leaves(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let path = format!("{path} {}", sub.get_name());
            if sub.has_subcommands() {
                leaves(sub, &path, found);
            } else {
                found.push((path, sub.clone()));
            }
        }
    }

    fn all_leaves() -> Vec<(String, Command)> {
        let mut found = Vec::new();
        leaves(&<Line as clap::CommandFactory>::command(), "tessera", &mut found);
        found
    }

    /// PROPERTY: what is advised can be done: every command that an advice names is there.
    #[test]
    fn advice_names_commands_that_are_there() {
        let line = <Line as clap::CommandFactory>::command();
        let mut named = 0;
        for refusal in tessera_model::Refusal::ALL {
            let text = crate::advice::of(*refusal).unwrap_or_default();
            for found in text.split("tessera ").skip(1) {
                let mut at = &line;
                for word in found.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-')) {
                    if !at.has_subcommands() {
                        break;
                    }
                    // On the node's own machine, without a connection.
                    if (at.get_name(), word) == ("operator", "recover") {
                        break;
                    }
                    let below = at.get_subcommands().find(|sub| sub.get_name() == word);
                    at = below.unwrap_or_else(|| panic!("{refusal:?}: {word:?} is no command: {text}"));
                    named += 1;
                }
            }
        }
        assert!(named > 100, "{named}");
    }

    /// PROPERTY: the command line is well formed, and every command has an example that begins with it.
    #[test]
    fn every_command_has_an_example() {
        <Line as clap::CommandFactory>::command().debug_assert();
        let found = all_leaves();
        assert!(found.len() >= 40, "{}", found.len());
        for (path, command) in found {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                help.contains(&format!("  {path}")) || help.contains(&format!("| {path}")),
                "{path}: {help}"
            );
            assert!(command.get_about().is_some(), "{path}");
        }
    }

    /// PROPERTY: every command and list of the wire can be asked for from the command line; only the planted
    /// fault cannot. METHOD: each is looked for in the sources of this crate.
    #[test]
    fn every_request_is_reachable() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        let (mut texts, mut folders) = (String::new(), vec![std::path::PathBuf::from(folder)]);
        while let Some(folder) = folders.pop() {
            for file in std::fs::read_dir(folder).expect("a folder") {
                let path = file.expect("a file").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    texts += &std::fs::read_to_string(path).expect("a text");
                }
            }
        }
        let missing = tessera_client::wire::RequestKind::ALL
            .iter()
            .filter(|kind| !texts.contains(&format!("Request::{} {{", kind.name())))
            // The client library asks it.
            .filter(|kind| {
                let asked = match kind.name() {
                    "CheckResource" => concat!(".check_", "resource("),
                    "Authorize" => concat!("client.", "authorize("),
                    "CheckAbout" => concat!(".check_", "about("),
                    "WatchEvents" => concat!(".watch_", "events("),
                    _ => return true,
                };
                !texts.contains(asked)
            });
        let missing: Vec<&str> = missing.map(|kind| kind.name()).collect();
        // What nodes of a fleet say to each other is said by none of these words.
        assert_eq!(missing, ["PlantedPanic", "PlaceTenant", "TakeTenant", "LastWord"]);
    }

    /// PROPERTY: every example of the help texts parses. METHOD: a small shell: quotes, pipes, variables.
    #[test]
    fn examples_parse() {
        let mut count = 0;
        for (path, command) in all_leaves() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for example in help.lines().filter(|line| line.starts_with("  ")) {
                let from = example.find("tessera ").expect(example);
                let words = words(example[from..].split(';').next().expect("a command"));
                let parsed = Line::try_parse_from(&words);
                assert!(parsed.is_ok(), "{path}: {words:?}: {}", parsed.err().expect("an error"));
                count += 1;
            }
        }
        assert!(count >= 50, "{count}");
    }

    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), String::new(), false);
        for letter in line.trim().chars() {
            match letter {
                '\'' => quote = !quote,
                ' ' if !quote => words.push(std::mem::take(&mut word)),
                letter => word.push(letter),
            }
        }
        words.push(word);
        words
    }

    /// PROPERTY: no command has an argument under the name of a flag that all of them take: clap would
    /// silently take one for the other.
    #[test]
    fn no_argument_hides_a_flag_of_all() {
        let line = <Line as clap::CommandFactory>::command();
        let noun = line.find_subcommand("settings").expect("a noun");
        let shared: Vec<&clap::Id> = noun.get_arguments().map(clap::Arg::get_id).collect();
        assert!(shared.len() >= 10, "{shared:?}");
        // Variables are read here, where an empty one is none: clap would take it for a value.
        assert!(noun.get_arguments().all(|arg| arg.get_env().is_none()));
        for noun in line.get_subcommands().filter(|noun| noun.has_subcommands()) {
            let mut found = Vec::new();
            leaves(noun, "", &mut found);
            for (path, leaf) in found {
                let hidden = leaf.get_arguments().find(|arg| shared.contains(&arg.get_id()));
                assert!(hidden.is_none(), "{}{path}: {hidden:?}", noun.get_name());
            }
        }
    }

    /// PROPERTY: the flags that every command takes stand before or after the verb.
    #[test]
    fn reach_stands_anywhere() {
        for line in ["tessera tenant --json list", "tessera tenant list --json", "tessera check x --json"] {
            let parsed = Line::try_parse_from(line.split(' '));
            let Ok(Line { ctl }) = parsed else { panic!("{line}") };
            assert!(ctl.0.reach().json, "{line}");
        }
    }

    /// PROPERTY: what makes no sense is refused by the parser.
    #[test]
    fn nonsense_is_refused() {
        for line in [
            "tenant",
            "tenant create",
            "tenant create a!b",
            "user create a",
            "role create r",
            "settings set",
            "settings set session_ttl_s",
            "settings set session_ttl_s=x",
            "settings set nothing=1",
            "settings get nothing",
            "origin add *",
            "origin add https://app.example.com/",
            "settings set refresh=sometimes",
            "client create",
            "client create phone --over-limit shrug",
            "session refresh amy",
            "keys rotate-refresh later",
            "session end-all",
            "session end-all amy --everybody",
            "check",
            "resolve",
            "grant add amy r --until 30m",
            "key create amy --expires yesterday",
            "check x --at-least 7",
            "attribute declare a float",
            "ping --count 0",
            "tenant list --limit 0",
            "tenant list --cursor 0+",
            "tenant list --all --limit 3",
            "role holders",
            "tenant list --timeout 2h",
            "check x --command-id 7",
            "user create amy --password secret",
        ] {
            let parsed = Line::try_parse_from(["tessera"].into_iter().chain(line.split(' ')));
            assert!(parsed.is_err(), "{line}");
        }
    }
}
