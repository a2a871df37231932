//! Who sees whom over the wire: no kind of read forgets it, and whoever sees nobody learns of nobody.

use crate::support;

use support::raw::Raw;
use support::{House, Tenant, name};
use tessera_client::wire::{
    Head, Outbox, RelationEventRow, Request, RequestKind, Resolve, SubjectRow, TENANT_OF_CONNECTION,
};
use tessera_client::{Client, ClientError};
use tessera_model::catalogue::{EntryText, Label, ServiceEntry};
use tessera_model::record::AttributeValue;
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationRecord};
use tessera_model::visibility::{Circle, Detail, Details, Reach, VisibilityDraft, VisibilityRule};
use tessera_model::{
    CommandId, Deadline, GrantConditions, Identifier, Name, Pattern, Private, PublicId, Refusal, Thumbprint,
};

const NONE: Deadline = Deadline::NONE;

/// How a read stands to who sees whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Class {
    /// It shows subjects, or facts of one: of those alone whom its caller sees.
    Sighted,
    /// It shows none, or may show them for this reason.
    Not(&'static str),
}
use Class::{Not, Sighted};

const NO_SUBJECT: Class = Not("its rows hold nothing of a subject");
const A_DECISION: Class =
    Not("a decision about whoever the question names, for services that decide; it lists nobody");

/// Every kind of read. INVARIANT: one that is added stands here, or the test below fails.
const READS: &[(&str, Class)] = &[
    ("ListSubjects", Sighted),
    ("ReadSubject", Sighted),
    ("ListIdentifiers", Sighted),
    ("ListAttributeValues", Sighted),
    ("ListGrants", Sighted),
    ("ListHolders", Sighted),
    ("ListSessions", Sighted),
    ("ListKeys", Sighted),
    ("ReadKey", Sighted),
    ("ListDevices", Sighted),
    ("ListRequests", Sighted),
    ("ListActings", Sighted),
    ("ListInvitations", Sighted),
    ("ListMembers", Sighted),
    ("ListMemberships", Sighted),
    ("ListReview", Sighted),
    ("ListEntryUses", Sighted),
    ("Explain", Sighted),
    ("Simulate", Sighted),
    ("ListRelations", Sighted),
    ("ListRelationSubjects", Sighted),
    ("ExpandRelation", Sighted),
    ("ExplainRelation", Sighted),
    ("WatchRelations", Sighted),
    ("WatchEvents", Sighted),
    ("TryRelationModel", Sighted),
    ("CheckRelations", A_DECISION),
    ("ListRelationObjects", A_DECISION),
    ("CheckResource", A_DECISION),
    ("CheckAbout", A_DECISION),
    ("Authorize", A_DECISION),
    (
        "ReadUsage",
        Not("how much there is of everything, for whoever sets the tenant's settings; it tells nobody apart"),
    ),
    (
        "ListEntities",
        Not("what an application has stored for its policies, in its own words, for whoever writes them"),
    ),
    ("ReadPolicies", Not("texts that whoever may read them may write")),
    ("ListTenants", Not("operators alone, who see everybody")),
    ("ReadTenant", Not("operators alone, who see everybody")),
    ("Backup", Not("operators alone, who see everybody")),
    ("ListCells", NO_SUBJECT),
    ("ListPlacements", NO_SUBJECT),
    ("ReadFleet", NO_SUBJECT),
    ("ListPeers", NO_SUBJECT),
    ("MoveTenant", Not("operators alone, who see everybody")),
    ("TakeTenant", Not("the other nodes of a fleet, which see nobody")),
    ("LastWord", Not("the other nodes of a fleet, which see nobody")),
    ("SettleTenant", Not("operators alone, who see everybody")),
    ("ListCopies", Not("operators alone, who see everybody")),
    ("ListAttributes", NO_SUBJECT),
    ("ListPermissionNames", NO_SUBJECT),
    ("ListRoles", NO_SUBJECT),
    ("ListRoleUses", NO_SUBJECT),
    ("ListWorkspaces", Sighted),
    ("ListGroups", NO_SUBJECT),
    ("ListGroupGrants", NO_SUBJECT),
    ("ReadSettings", NO_SUBJECT),
    ("ListClients", NO_SUBJECT),
    ("ReadClient", NO_SUBJECT),
    ("ListRefreshKeys", NO_SUBJECT),
    ("ReadOrigins", NO_SUBJECT),
    ("ReadRelationModel", NO_SUBJECT),
    ("ListRelationModels", NO_SUBJECT),
    ("ListMappings", NO_SUBJECT),
    ("ListServices", NO_SUBJECT),
    ("ListEntries", NO_SUBJECT),
    ("ReadEntry", NO_SUBJECT),
    ("ListEndpoints", NO_SUBJECT),
    ("TryPolicies", NO_SUBJECT),
    ("ReadDevicePolicy", NO_SUBJECT),
    ("ChallengeDevice", Not("it is made for any id, and no device is looked at")),
    ("ReadVisibility", NO_SUBJECT),
    ("ListPolicyVersions", NO_SUBJECT),
    ("ReadBuiltInSchema", NO_SUBJECT),
    ("ReadPersonalRole", NO_SUBJECT),
];

/// PROPERTY: every kind of read says how it stands to who sees whom; one whose rows hold the id of a subject, or a name
/// or text that may be one, is sighted or says why not.
#[test]
fn every_read_is_classified() {
    let text = include_str!("../../docs/surface/wire.txt");
    let reads = text.lines().filter(|line| line.starts_with("0x20"));
    let mut found = Vec::new();
    for line in reads {
        let mut words = line.split(' ');
        let kind = words.nth(1).expect("a name");
        let row = words.nth(1).expect("a row");
        let class = READS.iter().find(|(known, _)| *known == kind).map(|(_, class)| *class);
        let class =
            class.unwrap_or_else(|| panic!("{kind} is new: say in READS how it stands to who sees whom"));
        // Rows of policies are told in no line of their own.
        let parts = text.lines().find(|line| line.starts_with(&format!("{row} ("))).unwrap_or_default();
        let tells =
            ["subject: ", "made_by: ", "decided_by: ", "actor: ", "creator: ", "by: ", "told: ", "tuple: "];
        let shows = tells
            .iter()
            .any(|part| parts.contains(&format!("({part}")) || parts.contains(&format!(", {part}")));
        assert!(!shows || class != NO_SUBJECT, "{kind} answers with {parts}");
        found.push(kind);
    }
    let gone: Vec<_> = READS.iter().filter(|(kind, _)| !found.contains(kind)).collect();
    assert!(gone.is_empty() && found.len() == READS.len(), "{gone:?}");
    let known = RequestKind::ALL.iter().filter(|kind| kind.number() & 0xF000 == 0x2000);
    assert_eq!(known.count(), READS.len());
}

/// PROPERTY: no door reads lists that see everybody but where it is said why.
#[test]
fn doors_read_with_the_sight_of_their_caller() {
    let whole: &[(&str, &[&str])] = &[
        ("transport/src", &["sight.rs", "order.rs", "policy.rs"]),
        (
            "gateway/http/src",
            &["sight.rs", "order.rs", "load.rs", "caller.rs", "policy.rs", "ask.rs", "short.rs"],
        ),
        ("gateway/authzen/src", &["asker.rs"]),
    ];
    for (folder, known) in whole {
        let folder = format!("{}/../{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut read = Vec::new();
        for file in std::fs::read_dir(&folder).expect("a folder") {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).expect("a text");
                if text.contains(".listing()") {
                    read.push(path.file_name().expect("a name").to_string_lossy().into_owned());
                }
            }
        }
        // What looks a name up, orders a command or answers a check; in `sight.rs` what is the caller's own.
        read.sort();
        let mut known = known.to_vec();
        known.sort_unstable();
        assert_eq!(read, known, "{folder}: a list that sees everybody is for none of its callers");
    }
}

fn private(text: &str) -> Private {
    Private::new(text.as_bytes().to_vec())
}

fn record(subject: &str, relation: &str, object: &str) -> RelationRecord {
    RelationRecord {
        subject: subject.into(),
        relation: relation.into(),
        object: object.into(),
        from: NONE,
        until: NONE,
    }
}

fn write(tuple: RelationRecord) -> Request {
    let (act, condition) = (RelationAct::Write, RelationCondition::Any);
    Request::ChangeRelations { changes: vec![RelationChange { act, condition, tuple }] }
}

fn rule(role: Option<&str>, reach: Reach, details: Details) -> VisibilityRule {
    VisibilityRule { role: role.map(name), reach, details, attributes: Vec::new() }
}

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user]\n";
const MAIL: &str = "ann.hidden@example.org";

/// Somebody with some of everything, of whom a viewer is to learn nothing.
struct Ann {
    id: PublicId,
    key: PublicId,
}

async fn ann(acme: &Tenant) -> Ann {
    let client = &acme.client;
    let id = acme.person(MAIL, "clerk", &["shop.*", "tessera.check"]).await;
    let done = async |request: Request| client.request(&request).await.expect("done");
    done(Request::SetAttributes {
        subject: id,
        values: vec![(name("title"), Some(AttributeValue::Text("ann's title".into())))],
    })
    .await;
    done(Request::CreateGroup { name: name("team"), rule: Vec::new() }).await;
    done(Request::AddMember { group: name("team"), subject: id, from: NONE, until: NONE }).await;
    let key = Thumbprint([7; 32]);
    done(Request::RegisterDevice { subject: id, name: name("phone"), key: Some(key), public_key: None })
        .await;
    done(Request::CreateRole { name: name("manager"), patterns: Vec::new() }).await;
    done(Request::RequestRole {
        subject: id,
        role: name("manager"),
        workspace: None,
        duration_s: 3_600,
        reason: "on call".to_owned(),
    })
    .await;
    acme.session(MAIL).await;
    let labels = vec![Label::new("en", "Read").expect("a label")];
    let text = EntryText::new(Some(name("read")), labels, "", true).expect("a text");
    let entry = ServiceEntry { permission: name("shop.read"), text, replaced_by: None };
    done(Request::SetService { name: name("shop"), trial: false, entries: vec![entry] }).await;
    let made = done(Request::CreateKey {
        subject: id,
        patterns: vec![Pattern::new("tessera.check").expect("a pattern")],
        expires: Deadline(200_000_000),
        description: private("ann's key"),
        client: None,
        networks: Vec::new(),
    })
    .await;
    done(Request::SetRelationModel { text: private(MODEL), allow_orphans: false }).await;
    done(Request::SetPersonalRole { role: Some(name("manager")) }).await;
    done(Request::MakePersonalWorkspace { subject: id }).await;
    // What lies in it, and what is held there by others.
    let own = name(&format!("tessera.personal.{id}"));
    let (parent, inherits) = (Some(own.clone()), true);
    done(Request::CreateWorkspace { name: name("inner"), parent, inherits }).await;
    done(Request::CreateRoleIn { workspace: own.clone(), name: name("mate"), patterns: Vec::new() }).await;
    let (role, workspace) = (name("mate"), Some(own.clone()));
    done(Request::GrantGroup { group: name("team"), role, workspace, from: NONE, until: NONE }).await;
    let patterns = vec![Pattern::new("shop.*").expect("a pattern")];
    done(Request::SetCeiling { name: own, patterns }).await;
    Ann { id, key: made.session.expect("an id") }
}

/// Every sighted read about a subject, its key and its identifier. Those that name none are the same for all.
fn reads((subject, key, mail): (PublicId, PublicId, &str), watched: Option<Private>) -> Vec<Request> {
    let (after, limit) = (None, 100);
    let user = format!("user:{subject}");
    let identifier = Some(Identifier::guess(mail).expect("one"));
    let (permission, none): (Name, Option<Name>) = (name("shop.read"), None);
    vec![
        Request::ListSubjects { after: None, limit },
        Request::ReadSubject { subject: Some(subject), identifier: None },
        Request::ReadSubject { subject: None, identifier },
        Request::ListIdentifiers { subject },
        Request::ListAttributeValues { subject },
        Request::ListGrants { subject, after: None, limit },
        Request::ListHolders { role: name("clerk"), after: None, limit },
        Request::ListSessions { subject, after: None, limit },
        Request::ListKeys { subject: Some(subject), after: None, limit },
        Request::ListKeys { subject: None, after: None, limit },
        Request::ReadKey { key },
        Request::ListDevices { subject, after: None, limit },
        Request::ListActings { subject, after: None, limit },
        Request::ListRequests { subject: Some(subject), open: false, after: None, limit },
        Request::ListRequests { subject: None, open: false, after: None, limit },
        Request::ListMembers { group: name("team"), nested: true, after: None, limit },
        Request::ListMemberships { subject, after: None, limit },
        Request::ListReview { after: None, limit },
        Request::ListEntryUses { permission: Some(permission.clone()), after: None, limit },
        Request::ListEntryUses { permission: None, after, limit },
        Request::Explain {
            subject,
            key: Some(key),
            permission: permission.clone(),
            workspace: None,
            resource: None,
            at: NONE,
            context: None,
            entities: None,
            address: None,
            acr: 0,
            proven: NONE,
            trust: None,
        },
        Request::Explain {
            subject,
            key: None,
            permission: permission.clone(),
            workspace: None,
            resource: None,
            at: NONE,
            context: None,
            entities: None,
            address: None,
            acr: 0,
            proven: NONE,
            trust: None,
        },
        Request::Simulate {
            subject,
            permission,
            workspace: None,
            at: NONE,
            role: none.clone(),
            patterns: Vec::new(),
            grant: none.clone(),
            grant_workspace: none.clone(),
            from: NONE,
            until: NONE,
            without: none.clone(),
            without_workspace: none.clone(),
            group: none,
            conditions: GrantConditions::NONE,
            address: None,
            acr: 0,
            proven: NONE,
            trust: None,
        },
        Request::ListRelations { object: None, relation: None, subject: None, after: None, limit },
        Request::ListRelations {
            object: None,
            relation: None,
            subject: Some(private(&user)),
            after: None,
            limit,
        },
        Request::ListRelationSubjects {
            object: private("team:a"),
            relation: private("member"),
            type_name: private("user"),
            contextual: Vec::new(),
            at_least: None,
            after: None,
            limit,
        },
        Request::ExpandRelation {
            object: private("team:a"),
            relation: private("member"),
            contextual: Vec::new(),
            at_least: None,
        },
        Request::ExplainRelation {
            check: record("user:somebody", "member", "team:a"),
            contextual: Vec::new(),
            at_least: None,
        },
        Request::WatchRelations { after: watched, limit, wait_ms: None },
        Request::WatchEvents {
            after: None,
            limit: 1_000,
            wait_ms: None,
            since: Some(tessera_model::Receipt::default()),
            kinds: Vec::new(),
            subject: None,
        },
        Request::TryRelationModel { text: private("model\n  schema 1.1\ntype user\n") },
    ]
}

/// Reads that name workspaces, and whoever asks.
fn reads_of_places(viewer: PublicId) -> Vec<Request> {
    let (after, limit) = (None, 100);
    vec![
        Request::ListRoles { after: None, limit },
        Request::ListWorkspaces { after: None, limit },
        Request::ListGroups { within: None, after: None, limit },
        Request::ListGroupGrants { group: name("team") },
        Request::ListRoleUses { role: name("mate") },
        Request::ListHolders { role: name("mate"), after: None, limit },
        Request::ListGrants { subject: viewer, after: None, limit },
        Request::ListRequests { subject: Some(viewer), open: false, after: None, limit },
        Request::ListInvitations { subject: None, open: false, after: None, limit, whom: None },
        Request::ListInvitations { subject: Some(viewer), open: false, after: None, limit, whom: None },
        Request::ListReview { after: None, limit },
        Request::ListEntryUses { permission: None, after, limit },
    ]
}

/// The payload that answers a request.
async fn answer(raw: &mut Raw, request: &Request) -> Vec<u8> {
    let head = Head { command_id: CommandId([0; 16]), tenant: TENANT_OF_CONNECTION };
    let mut out = Outbox::new();
    out.request(7, head, request).expect("written");
    raw.write(out.as_bytes()).await;
    let mut bytes = Vec::new();
    loop {
        if let Some(length) = bytes.first_chunk::<4>() {
            let length = usize::try_from(u32::from_le_bytes(*length)).expect("small");
            if bytes.len() >= 16 + length.next_multiple_of(16) {
                // The kind, and what it holds.
                return [&bytes[4..6], &bytes[16..16 + length]].concat();
            }
        }
        let chunk = raw.receive.read_chunk(usize::MAX, true).await.expect("an answer").expect("open");
        bytes.extend_from_slice(&chunk.bytes);
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// PROPERTY: whoever holds every permission there is, and sees nobody by the rule of its role, and whoever may read
/// people and sees nobody, is told nothing of somebody: not the id, no identifier, no text; and asked with their ids every
/// read answers byte for byte as with ids that are nobody's. The tenant's admin is told by the same reads.
/// TC-68 in part: every read over QUIC.
#[tokio::test]
async fn whoever_sees_nobody_learns_of_nobody() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    acme.person("bob@example.org", "blind", &["tessera.*"]).await;
    acme.person("cid@example.org", "people", &["tessera.people.read"]).await;
    let ann = ann(&acme).await;
    let rules =
        vec![rule(Some("blind"), Reach::default(), Details::ALL), rule(None, Reach::default(), Details::ALL)];
    acme.client.set_visibility(VisibilityDraft { rules, expected: Some(0) }).await.expect("set");
    let watch = Request::WatchRelations { after: None, limit: 10, wait_ms: None };
    let watched = acme.client.list::<RelationEventRow>(&watch).await.expect("a page").next.map(Private::new);
    let tuple = record(&format!("user:{}", ann.id), "member", "team:a");
    acme.client.request(&write(tuple)).await.expect("written");
    // Nobody's, and alike in everything that tells ids apart.
    let mut other = ann.id;
    other.0[15] ^= 1;
    let mut nothing = ann.key;
    nothing.0[3] ^= 1;
    let known = (ann.id, ann.key, MAIL);
    let unknown = (other, nothing, "nan.hidden@example.org");
    // Bob is in ann's workspace, asks for more of it, and has invited somebody there.
    let own = name(&format!("tessera.personal.{}", ann.id));
    let (_, handle) = acme.session("bob@example.org").await;
    let bobs = house.client(&handle).await;
    let list = Request::ReadSubject { subject: None, identifier: Identifier::guess("bob@example.org").ok() };
    let bob = acme.client.list::<SubjectRow>(&list).await.expect("bob").rows[0].subject;
    let own_place = own.clone();
    let asked = [Resolve::Workspace(own.as_str())];
    assert_ne!(acme.client.resolve(&asked).await.expect("resolved").ids, [0]);
    let (role, workspace) = (name("mate"), Some(own.clone()));
    let (from, until) = (NONE, NONE);
    let grant = Request::Grant { subject: bob, role, workspace, from, until };
    acme.client.request(&grant).await.expect("granted");
    let (role, workspace) = (name("manager"), Some(own.clone()));
    let (duration_s, reason) = (3_600, "more".to_owned());
    let asked = Request::RequestRole { subject: bob, role, workspace, duration_s, reason };
    bobs.request(&asked).await.expect("asked");
    let mut told_admin = 0;
    let mut raw = Raw::hello(&house, &acme.key).await;
    for request in reads(known, watched.clone()).into_iter().chain(reads_of_places(bob)) {
        let told = answer(&mut raw, &request).await;
        told_admin += usize::from(holds(&told, &ann.id.0) || holds(&told, ann.id.to_string().as_bytes()));
    }
    assert!(told_admin >= 25, "{told_admin}");
    for (email, all) in [("bob@example.org", true), ("cid@example.org", false)] {
        let (_, handle) = acme.session(email).await;
        let mut raw = Raw::hello(&house, &handle).await;
        let pairs = reads(known, watched.clone()).into_iter().zip(reads(unknown, watched.clone()));
        for (about, like) in pairs {
            let kind = about.kind().name();
            let (told, right) = (answer(&mut raw, &about).await, answer(&mut raw, &like).await);
            let secrets = [&ann.id.0[..], &ann.key.0[..], MAIL.as_bytes(), b"ann's", b"on call"];
            let text = ann.id.to_string();
            for secret in secrets.into_iter().chain([text.as_bytes()]) {
                // What a question says is not told by its answer.
                assert!(!holds(&told, secret), "{email} is told of ann by {kind}");
            }
            assert_eq!(told, right, "{email}, {kind}: somebody who is not seen differs from nobody");
        }
        // Of what is his own bob is told all: he must name the workspace to use what he holds there.
        let of_bob = |request: &Request| {
            matches!(
                request,
                Request::ListGrants { .. }
                    | Request::ListRequests { .. }
                    | Request::ListInvitations { subject: Some(_), .. }
            )
        };
        for about in reads_of_places(bob).into_iter().filter(|one| !(all && of_bob(one))) {
            let told = answer(&mut raw, &about).await;
            for secret in [&ann.id.0[..], ann.id.to_string().as_bytes()] {
                assert!(!holds(&told, secret), "{email} is told of ann by {}", about.kind().name());
            }
        }
        let client = house.client(&handle).await;
        let own =
            client.list::<SubjectRow>(&Request::ListSubjects { after: None, limit: 0 }).await.expect("rows");
        assert_eq!(own.rows.len(), 1);
        assert_eq!((own.rows[0].index, own.rows[0].status.is_some()), (None, true));
        // Nor is it said by a number that somebody has a workspace of their own.
        let nobodys = format!("tessera.personal.{other}");
        let asked = [Resolve::Workspace(own_place.as_str()), Resolve::Workspace(&nobodys)];
        assert_eq!(client.resolve(&asked).await.expect("resolved").ids, [0, 0], "{email}");
        let rules = client.visibility().await;
        assert_eq!(rules.is_ok(), all, "whoever may read settings reads the rules");
    }
}

/// PROPERTY: whoever is seen is shown as far as the rule goes: rows of what is shown, a refusal of its own for what is
/// not, and nothing of identifiers and attributes that are not.
#[tokio::test]
async fn whoever_is_seen_is_shown_in_part() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    acme.person("cid@example.org", "people", &["tessera.people.read"]).await;
    let ann = ann(&acme).await;
    let shown = Details::default().with(Detail::Email).with(Detail::Grants).with(Detail::Keys);
    let everybody = Reach::default().with(Circle::Everybody);
    let rules = vec![VisibilityRule { attributes: vec![name("title")], ..rule(None, everybody, shown) }];
    acme.client.set_visibility(VisibilityDraft { rules: rules.clone(), expected: None }).await.expect("set");
    assert_eq!(acme.client.visibility().await.expect("rules"), (1, rules));
    let (_, handle) = acme.session("cid@example.org").await;
    let client: Client = house.client(&handle).await;
    let subject = ann.id;
    let row =
        client.list::<SubjectRow>(&Request::ReadSubject { subject: Some(subject), identifier: None }).await;
    let row = row.expect("a row").rows.remove(0);
    assert_eq!(
        (row.subject, row.index, row.status, row.has_password, row.creator),
        (subject, None, None, None, None)
    );
    for (request, shows) in [
        (Request::ListGrants { subject, after: None, limit: 0 }, true),
        (Request::ListKeys { subject: Some(subject), after: None, limit: 0 }, true),
        (Request::ListIdentifiers { subject }, true),
        (Request::ListAttributeValues { subject }, true),
        (Request::ListSessions { subject, after: None, limit: 0 }, false),
        (Request::ListDevices { subject, after: None, limit: 0 }, false),
        (Request::ListMemberships { subject, after: None, limit: 0 }, false),
        (Request::ListActings { subject, after: None, limit: 0 }, false),
        (Request::ListRequests { subject: Some(subject), open: false, after: None, limit: 0 }, false),
    ] {
        let mut raw = Raw::hello(&house, &handle).await;
        let told = answer(&mut raw, &request).await;
        let refused = client.list::<SubjectRow>(&request).await.err();
        let not_shown = matches!(refused, Some(ClientError::Refused(Refusal::NotShown)));
        assert_eq!(not_shown, !shows, "{}", request.kind().name());
        assert!(!shows || told.len() > 60, "{}", request.kind().name());
    }
    let stale = VisibilityDraft { rules: Vec::new(), expected: Some(2) };
    let refused = acme.client.set_visibility(stale).await.err();
    assert!(matches!(refused, Some(ClientError::Refused(Refusal::VisibilityVersion))));
}
