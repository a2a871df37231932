//! Limits that refuse a command: each is refused by its name and its number.

use crate::support;

use std::collections::BTreeMap;
use support::{House, Tenant};
use tessera_engine::SubmitError;
use tessera_model::record::{AttributeKind, AttributeValue, SubjectKind};
use tessera_model::{
    Command, CommandId, Deadline, Identifier, Limit, Name, Network, Pattern, Private, PublicId, Refusal,
};

/// Limits that no test reaches in short time, or that are read before a command is one.
const ELSEWHERE: &[(Limit, &str)] = &[
    (Limit::VisibilityRules, "visibility.rs"),
    (Limit::MoveChunks, "a cell that writes slower than another one sends"),
    (Limit::Moves, "five tenants that move at once"),
    (Limit::Placements, "a million tenants that moved"),
    (Limit::VisibilityAttributes, "visibility.rs"),
    (Limit::GroupWindows, "256 windows over as many groups"),
    (Limit::Invitations, "8,192 open invitations, each look at all of them"),
    (Limit::InvitationsPerInviter, "512 open invitations of as many identifiers"),
    (Limit::InvitationsPerIdentifier, "invitations.rs"),
    (Limit::InvitationSecrets, "invitations.rs"),
    (Limit::InvitationTtl, "invitations.rs"),
    (Limit::ActingPerActor, "acting.rs"),
    (Limit::ActingTtl, "acting.rs"),
    (Limit::Clients, "65,535 commands"),
    (Limit::Devices, "four thousand million devices"),
    (Limit::DeviceProofs, "devices.rs"),
    (Limit::ChallengesUsed, "65,536 signatures by two thousand devices within two minutes"),
    (Limit::DevicesPerSubject, "devices.rs"),
    (Limit::ReasonBytes, "acting.rs"),
    (Limit::RequestDuration, "requests.rs"),
    (Limit::Requests, "8,192 requests"),
    (Limit::RequestsKeptPerSubject, "64 requests of one subject whose grants run"),
    (Limit::RequestsPerSubject, "requests.rs"),
    (Limit::ChecksPerSecond, "a door's: transport/tests/hostile.rs"),
    (Limit::CommandIds, "a million commands in a quarter of an hour"),
    (Limit::CommandsInFlight, "a door's: transport/tests/hostile.rs"),
    (Limit::CredentialPerSecond, "a door's: gateway/http/src/tests/budgets.rs"),
    (Limit::CutOffs, "four thousand million commands"),
    (Limit::FrameBytes, "sizes.rs, with a store of small files"),
    (Limit::GrantsPerGroup, "as many grants of one group"),
    (Limit::GroupDepth, "groups.rs"),
    (Limit::Groups, "65,535 groups"),
    (Limit::GroupsAbove, "as many groups above one"),
    (Limit::GroupsPerSubject, "groups.rs"),
    (Limit::RoleDepth, "groups.rs"),
    (Limit::RuleConditions, "rules.rs"),
    (Limit::RuleGroups, "rules.rs"),
    (Limit::ConditionBytes, "a condition that is too long is none: read at the doors"),
    (Limit::ConditionValues, "a condition with too many is none: read at the doors"),
    (Limit::GrantConditionBytes, "a condition that is too long is none: read at the doors"),
    (Limit::GrantConditions, "a grant has one of each kind: read at the doors"),
    (Limit::HoursSpans, "hours with too many spans are none: read at the doors"),
    (Limit::RoleParents, "as many parents of one role"),
    (Limit::WorkspaceTree, "workspaces.rs"),
    (Limit::Intake, "busy.rs"),
    (Limit::LoadRows, "a load's own test"),
    (Limit::LoadsWaiting, "busy.rs"),
    (Limit::IdentifierBytes, "an identifier that is too long is none: read at the doors"),
    (Limit::NameBytes, "a name that is too long is none: read at the doors"),
    (Limit::ContextBytes, "policies.rs"),
    (Limit::Entities, "65,536 entities"),
    (Limit::EntityAncestors, "policies.rs"),
    (Limit::EntityBytes, "policies.rs"),
    (Limit::EntityChanges, "policies.rs"),
    (Limit::PolicyCompiles, "two that take long at once"),
    (Limit::PolicyProgramBytes, "policies.rs"),
    (Limit::PolicyTextBytes, "policies.rs"),
    (Limit::SentEntities, "policies.rs"),
    (Limit::SentEntitiesBytes, "policies.rs"),
    (Limit::Origins, "listed as a whole: the settings' own test"),
    (Limit::PasswordsQueue, "node/tests/tenants.rs"),
    (Limit::PatternBytes, "a pattern that is too long is none: read at the doors"),
    (Limit::Places, "2^24 sessions"),
    (Limit::ProfilePerSubject, "sizes.rs, with cold rows"),
    (Limit::ProfilePerSubjectBytes, "sizes.rs, with cold rows"),
    (Limit::PublicWakes, "gateway/http/src/tests/public.rs"),
    (Limit::PublicWakesPerSource, "gateway/http/src/tests/public.rs"),
    (Limit::RefreshesPerSecond, "a door's: transport/tests/refresh.rs"),
    (Limit::Registrations, "gateway/http/src/tests/public.rs"),
    (Limit::RegistrationsPerSource, "gateway/http/src/tests/public.rs"),
    (Limit::RelationChanges, "relations.rs"),
    (Limit::RelationMappings, "resource.rs"),
    (Limit::RelationModelBytes, "relations.rs"),
    (Limit::RelationWatchers, "a thousand that wait"),
    (Limit::Relations, "2^26 tuples"),
    (Limit::Restrictions, "65,535 keys, each with a mask of its own"),
    (Limit::Roles, "65,535 roles"),
    (Limit::EndpointBytes, "a path that is too long is none: read at the doors"),
    (Limit::EndpointMapBytes, "endpoints.rs"),
    (Limit::EndpointSegments, "a path with too many parts is none: read at the doors"),
    (Limit::Endpoints, "endpoints.rs"),
    (Limit::ScopeBytes, "a scope that is too long is none: read at the doors"),
    (Limit::ScopeFilters, "a scope with too many filters is none: read at the doors"),
    (Limit::ScopeSegments, "a scope with too many parts is none: read at the doors"),
    (Limit::Services, "services.rs"),
    (Limit::ServiceEntries, "services.rs"),
    (Limit::ServiceBytes, "services.rs"),
    (Limit::Labels, "labels are read at the doors"),
    (Limit::LabelBytes, "labels are read at the doors"),
    (Limit::EntryDescriptionBytes, "descriptions are read at the doors"),
    (Limit::SourcePerSecond, "a door's: gateway/http/src/tests/budgets.rs"),
    (Limit::Subjects, "2^26 subjects"),
    (Limit::TailBytes, "a store with small bounds: storage/tests/faults.rs"),
    (Limit::TailFrames, "a store with small bounds: storage/tests/faults.rs"),
    (Limit::TenantPerSecond, "a door's: gateway/http/src/tests/budgets.rs"),
    (Limit::WireFrameBytes, "read at the doors"),
    (Limit::Workspaces, "a million workspaces"),
];

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).expect("a pattern")
}

/// What refused, by the limit that it named.
#[derive(Default)]
struct Told(BTreeMap<&'static str, u64>);

impl Told {
    /// Notes a refusal, which must name this limit.
    fn note<T>(&mut self, expected: Limit, told: Result<T, SubmitError>) {
        let error = told.err().unwrap_or_else(|| panic!("{expected} does not hold"));
        let SubmitError::Refused(refusal) = error else { panic!("{expected}: {error}") };
        let limit = refusal.limit().unwrap_or_else(|| panic!("{expected}: {refusal}"));
        assert_eq!(limit.limit, expected, "{refusal}");
        assert!(refusal.to_string().contains(&limit.to_string()), "{refusal}");
        self.0.insert(limit.limit.name(), limit.bound);
    }
}

struct Scene {
    house: House,
    tenant: Tenant,
    amy: PublicId,
}

impl Scene {
    async fn order(&self, command: Command) -> Result<tessera_engine::Done, SubmitError> {
        self.house.engine.submit(&self.tenant.admin, self.house.engine.command_id(), command).await
    }

    async fn done(&self, command: Command) -> tessera_engine::Done {
        self.house.submit(&self.tenant.admin, command).await
    }

    fn later(&self, seconds: u32) -> Deadline {
        self.house.engine.now().plus_seconds(seconds).to_deadline()
    }

    fn key(
        &self,
        change: impl FnOnce(&mut Vec<Pattern>, &mut Vec<Network>, &mut Deadline, &mut Private),
    ) -> Command {
        let (mut patterns, mut networks) = (vec![pattern("tessera.check")], Vec::new());
        let (mut expires, mut description) = (self.later(3_600), Private::default());
        change(&mut patterns, &mut networks, &mut expires, &mut description);
        Command::CreateKey { subject: self.amy, patterns, expires, description, client: None, networks }
    }

    async fn keys(&self, told: &mut Told) {
        let many = |count: usize| (0..count).map(|no| pattern(&format!("tessera.p{no}"))).collect::<Vec<_>>();
        told.note(Limit::Patterns, self.order(self.key(|patterns, _, _, _| *patterns = many(65))).await);
        let networks =
            |count: u8| (0..count).map(|no| Network::parse(&format!("10.{no}.0.0/16")).expect("one"));
        told.note(Limit::Networks, self.order(self.key(|_, bound, _, _| bound.extend(networks(33)))).await);
        let far = self.later(tessera_model::limits::KEY_TTL_S_MAX + 1);
        told.note(Limit::KeyTtl, self.order(self.key(|_, _, expires, _| *expires = far)).await);
        // A key that has ended already is none, by no limit's fault.
        let past = self.house.engine.now().to_deadline();
        let ended = self.order(self.key(|_, _, expires, _| *expires = past)).await;
        assert_eq!(ended.err(), Some(Refusal::DeadlinePassed.into()));
        let long = Private::new(vec![b'x'; 257]);
        told.note(Limit::KeyDescriptionBytes, self.order(self.key(|_, _, _, text| *text = long)).await);
        let made = self.done(self.key(|_, _, _, _| ())).await.made.session.expect("an id");
        let rotation = Command::RotateKey {
            key: made,
            expires: Deadline::NONE,
            patterns: Vec::new(),
            networks: Vec::new(),
            overlap_s: tessera_model::limits::KEY_OVERLAP_S_MAX + 1,
            description: Private::default(),
        };
        told.note(Limit::KeyOverlap, self.order(rotation).await);
    }

    async fn people(&self, told: &mut Told) {
        let identifiers = |count: usize| {
            let one = |no| Identifier::guess(&format!("somebody{no}")).expect("an identifier");
            (0..count).map(one).collect::<Vec<_>>()
        };
        let create = |count, password: Option<usize>| {
            let password = password.map(|bytes| Private::new(vec![b'x'; bytes]));
            let engine = &self.house.engine;
            let who = (SubjectKind::Person, identifiers(count));
            async move { engine.create_subject(&self.tenant.admin, engine.command_id(), who, password).await }
        };
        told.note(Limit::IdentifiersPerSubject, create(17, None).await);
        told.note(Limit::PasswordBytesMin, create(1, Some(7)).await);
        told.note(Limit::PasswordBytes, create(1, Some(1_025)).await);
        let until = self.later(tessera_model::limits::SET_UP_TTL_S_MAX + 2);
        let reset = Command::ResetPassword { subject: self.amy, until, clear: false };
        told.note(Limit::SetUpTtl, self.order(reset).await);
        self.house.set(&self.tenant, |settings| settings.sessions_max = 2).await;
        for _ in 0..2 {
            self.house.open(&self.tenant.admin, self.amy).await.expect("opened");
        }
        told.note(Limit::SessionsMax, self.house.open(&self.tenant.admin, self.amy).await);
        self.house.set(&self.tenant, |settings| settings.sessions_max = 1 << 24).await;
    }

    async fn attributes(&self, told: &mut Told) {
        let text = |bytes: usize| Some(AttributeValue::Text("x".repeat(bytes).into()));
        let set = |values| {
            let engine = &self.house.engine;
            async move {
                engine
                    .set_attributes(&self.tenant.admin, (engine.command_id(), false), self.amy, values)
                    .await
            }
        };
        for no in 0..258 {
            let declare =
                Command::DeclareAttribute { name: name(&format!("a{no}")), kind: AttributeKind::Text };
            if let Err(refused) = self.order(declare).await {
                told.note::<()>(Limit::Attributes, Err(refused));
                assert!(no > 250);
            }
        }
        told.note(Limit::AttributeBytes, set(vec![(name("a1"), text(4_097))]).await);
        let many = |count: usize, bytes| {
            (0..count).map(|no| (name(&format!("a{no}")), text(bytes))).collect::<Vec<_>>()
        };
        told.note(Limit::AttributesPerSubject, set(many(65, 1)).await);
        told.note(Limit::AttributesPerSubjectBytes, set(many(17, 4_096)).await);
    }

    async fn rules(&self, told: &mut Told) {
        let role = |text: &str, patterns| Command::CreateRole { name: name(text), patterns };
        self.done(role("reader", vec![pattern("things.read")])).await;
        let workspace = |no: usize, parent: Option<Name>| Command::CreateWorkspace {
            name: name(&format!("w{no}")),
            parent,
            inherits: true,
        };
        for no in 0..16 {
            let parent = (no > 0).then(|| name(&format!("w{}", no - 1)));
            self.done(workspace(no, parent)).await;
        }
        told.note(Limit::WorkspaceDepth, self.order(workspace(16, Some(name("w15")))).await);
        let grant = |no: usize| Command::Grant {
            subject: self.amy,
            role: name("reader"),
            workspace: Some(name(&format!("w{no}"))),
            from: Deadline::NONE,
            until: Deadline::NONE,
        };
        for no in 16..257 {
            self.done(workspace(no, None)).await;
        }
        for no in 0..256 {
            self.done(grant(no)).await;
        }
        told.note(Limit::GrantsPerSubject, self.order(grant(256)).await);
        let mut round = 0;
        loop {
            let patterns = (0..64).map(|no| pattern(&format!("things.{round}.{no}"))).collect();
            if let Err(refused) = self.order(role(&format!("r{round}"), patterns)).await {
                told.note::<()>(Limit::Permissions, Err(refused));
                break;
            }
            round += 1;
            assert!(round < 130);
        }
    }

    async fn node(&self, told: &mut Told) {
        let (engine, now) = (&self.house.engine, self.house.engine.now().0);
        let register = || Command::RegisterPermission { name: name("things.read") };
        let at = |ms: u64| CommandId(PublicId::new(ms, [3; 10]).0);
        told.note(
            Limit::CommandIdAhead,
            engine.submit(&self.tenant.admin, at(now + 10_001), register()).await,
        );
        told.note(
            Limit::CommandIdAge,
            engine.submit(&self.tenant.admin, at(now - 3_600_000), register()).await,
        );
        // Each refresh key is kept for a session's sake.
        self.house.set(&self.tenant, |settings| settings.refresh = 1).await;
        for round in 0..256 {
            self.house.open(&self.tenant.admin, self.amy).await.expect("opened");
            if let Err(refused) = self.order(Command::RotateRefreshKeys { now: false }).await {
                told.note::<()>(Limit::RefreshKeys, Err(refused));
                assert_eq!(round, 254);
                return;
            }
        }
    }
}

/// PROPERTY: every limit that can refuse a command names itself and its number when it does, which is the one
/// of docs/surface/limits.txt or that of the tenant's settings. METHOD: each that can be reached in short time is
/// reached; the others are listed with why not.
#[tokio::test]
async fn every_limit_refuses_by_name_and_number() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    let (scene, mut told) = (Scene { house, tenant, amy }, Told::default());
    scene.keys(&mut told).await;
    scene.people(&mut told).await;
    scene.attributes(&mut told).await;
    scene.rules(&mut told).await;
    scene.node(&mut told).await;
    for limit in Limit::ALL {
        let elsewhere = ELSEWHERE.iter().any(|(other, _)| other == limit);
        let expected = match limit {
            Limit::SessionsMax => 2,
            Limit::PasswordBytesMin => 8,
            listed => listed.bound(),
        };
        match told.0.get(limit.name()) {
            Some(bound) => assert!(*bound == expected && !elsewhere, "{limit}: {bound}"),
            None => assert!(elsewhere, "{limit} was not reached"),
        }
        println!("{}: {}", limit, told.0.get(limit.name()).copied().unwrap_or_default());
    }
    assert!(matches!(Limit::Subjects.reached(), Refusal::LimitReached(at) if at.bound == 1 << 26));
}
