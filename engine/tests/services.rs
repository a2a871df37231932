//! Services: what they register, whose it is, what stays when it is taken back, and where it is used.

use crate::support;

use std::collections::BTreeSet;
use std::sync::Arc;
use support::{House, START_MS, Tenant, grant};
use tessera_engine::{Done, EntryUse, UsedBy};
use tessera_model::catalogue::{EntryText, Label, ServiceEntry};
use tessera_model::limits::SERVICES_MAX;
use tessera_model::{Command, Deadline, Limit, Name, Pattern, Private, PublicId, Reason, Refusal};

const NONE: Deadline = Deadline::NONE;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn entry(permission: &str) -> ServiceEntry {
    let labels = vec![Label::new("en", "A label").expect("a label")];
    let text = EntryText::new(Some(name("read")), labels, "", false).expect("a text");
    ServiceEntry { permission: name(permission), text, replaced_by: None }
}

/// An entry on its way out.
fn old(permission: &str, by: Option<&str>) -> ServiceEntry {
    let mut entry = entry(permission);
    entry.text.deprecated = true;
    ServiceEntry { replaced_by: by.map(name), ..entry }
}

fn set(service: &str, entries: Vec<ServiceEntry>) -> Command {
    Command::SetService { name: name(service), entries }
}

fn register(service: &str, permissions: &[&str]) -> Command {
    set(service, permissions.iter().map(|text| entry(text)).collect())
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::new(text).expect("a pattern")).collect()
}

fn role(text: &str, covers: &[&str]) -> Command {
    Command::CreateRole { name: name(text), patterns: patterns(covers) }
}

struct Acme {
    house: House,
    tenant: Tenant,
}

impl Acme {
    async fn open() -> Self {
        let house = House::new().await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        Self { house, tenant }
    }

    async fn done(&self, command: Command) -> Done {
        self.house.submit(&self.tenant.admin, command).await
    }

    async fn refused(&self, command: Command) -> Refusal {
        self.house.refused(&self.tenant.admin, command).await
    }

    /// The entries of a service, or of all of them: permission and whether it is deprecated.
    fn entries(&self, service: Option<&str>) -> Vec<(String, bool)> {
        let view = self.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let service = service.map(|text| listing.service_named(&name(text)).expect(text).index);
        let (mut found, mut cursor) = (Vec::new(), 0);
        loop {
            let page = listing.entries(service, cursor, 2);
            found.extend(page.rows.iter().map(|(_, row)| (row.permission.to_string(), row.text.deprecated)));
            match page.next {
                Some(next) => cursor = next,
                None => return found,
            }
        }
    }

    /// Every use, page by page of a size; of one entry, or of deprecated ones.
    fn uses(&self, permission: Option<&str>, limit: usize) -> Vec<EntryUse> {
        let view = self.tenant.admin.entry.view();
        let reading = self.house.engine.read(view.as_ref().expect("awake"));
        let (mut found, mut cursor) = (Vec::new(), 0);
        loop {
            let page = match permission {
                Some(text) => reading.entry_uses(&name(text), (cursor, limit)).expect("an entry"),
                None => reading.deprecated_uses((cursor, limit)),
            };
            found.extend(page.rows);
            match page.next {
                Some(next) => cursor = next,
                None => return found,
            }
        }
    }
}

/// What a use is, as a text.
fn shown(used: &EntryUse) -> String {
    let by = match &used.by {
        UsedBy::Role(role, pattern) => {
            format!("role {role} {}", pattern.as_ref().map_or("above", Pattern::as_str))
        }
        UsedBy::GroupGrant(group, role, place, _) => format!("group {group} {role} {place:?}"),
        UsedBy::Grant(subject, role, place, _) => format!("subject {subject} {role} {place:?}"),
        UsedBy::Key(_, subject, pattern) => format!("key {subject} {pattern}"),
        UsedBy::Ceiling(workspace, pattern) => format!("ceiling {workspace} {pattern}"),
        UsedBy::Mapping(type_name, relation) => format!("mapping {type_name}#{relation}"),
        UsedBy::Endpoint(service, method, path) => format!("endpoint {service} {method} {path}"),
    };
    format!("{} {by}", used.permission)
}

fn all(uses: &[EntryUse]) -> BTreeSet<String> {
    uses.iter().map(shown).collect()
}

/// PROPERTY: a service's entries are replaced as a whole, whatever is registered is covered by patterns at once; what is
/// taken back and used by nobody is gone, what is used stays as deprecated until nobody uses it; the last one
/// takes the service along. All of it outlives the node.
#[tokio::test]
async fn entries_are_replaced_as_a_whole() {
    let acme = Acme::open().await;
    let ann = acme.house.person(&acme.tenant, "ann@example.org", "correct horse").await;
    acme.done(role("clerk", &["orders.*"])).await;
    acme.done(grant(ann, "clerk")).await;
    let session = acme.house.sign_in(&acme.tenant, "ann@example.org", "correct horse").await.expect("in");
    let ask = |permission: &str| acme.house.check(&acme.tenant, &session, permission).reason;
    assert_eq!(ask("orders.read"), Reason::PermissionUnknown);
    acme.done(register("orders", &["orders.read", "orders.write", "orders.list"])).await;
    assert_eq!(ask("orders.read"), Reason::None);
    acme.done(role("reader", &["orders.list"])).await;
    let made = acme.done(register("orders", &["orders.read"])).await.made;
    assert_eq!(made.kept, Some(1), "one is in use");
    let left = || acme.entries(Some("orders"));
    assert_eq!(left(), [("orders.read".into(), false), ("orders.list".into(), true)]);
    // A wildcard uses nothing in particular: that permission is nobody's now, and still known.
    assert_eq!(ask("orders.write"), Reason::None);
    let before = acme.done(register("orders", &["orders.read"])).await.receipt;
    assert_eq!(acme.done(register("orders", &["orders.read"])).await.receipt, before, "nothing new");
    assert!(acme.house.engine.checkpoint().await);
    let again = House::over(Arc::clone(&acme.house.store), START_MS).await;
    let admin = again.bind(&acme.tenant.admin_key).await;
    let woken = Acme { house: again, tenant: Tenant { admin, ..acme.tenant } };
    assert_eq!(woken.entries(Some("orders")), [("orders.read".into(), false), ("orders.list".into(), true)]);
    woken.done(Command::DeleteRole { name: name("reader") }).await;
    assert_eq!(woken.done(set("orders", Vec::new())).await.made.kept, Some(0));
    assert_eq!(woken.entries(None), []);
    let view = woken.tenant.admin.entry.view();
    assert!(view.as_ref().expect("awake").listing().service_named(&name("orders")).is_none());
    drop(view);
    // One that never was is taken back without a word.
    woken.done(set("bills", Vec::new())).await;
}

/// PROPERTY: what a service has registered no other one registers, nor anybody a name below a service's that is not
/// its entry; whoever assigns such a name is told that it is unknown. A longer name takes its part.
#[tokio::test]
async fn what_a_service_owns_is_its_own() {
    let acme = Acme::open().await;
    acme.done(register("media", &["media/files.read", "shared.look"])).await;
    for theirs in ["shared.look", "media/files.read", "media", "media.other", "media:x", "media/new"] {
        let refused = acme.refused(register("billing", &["billing.pay", theirs])).await;
        assert_eq!(refused, Refusal::PermissionOwned, "{theirs}");
    }
    assert_eq!(acme.entries(None).len(), 2, "nothing of it happened");
    let (own, until) = (acme.tenant.admin.subject, acme.house.engine.now().plus_seconds(3_600).to_deadline());
    acme.done(Command::RegisterPermission { name: name("billing.refund") }).await;
    let early = support::key(own, patterns(&["billing.refund"]), until, Private::new(Vec::new()));
    let early = acme.done(early).await.made.session.expect("a key");
    acme.done(register("billing", &["billing.pay", "mediator.read"])).await;
    // A key that named something there before keeps it when it is renewed; nothing is added to it.
    acme.done(Command::RotateKey {
        key: early,
        expires: Deadline::NONE,
        patterns: Vec::new(),
        networks: Vec::new(),
        overlap_s: 0,
        description: Private::default(),
    })
    .await;
    // Nobody else registers one below a service, and nobody assigns one.
    let name_of = |text: &str| Command::RegisterPermission { name: name(text) };
    assert_eq!(acme.refused(name_of("media/fils.read")).await, Refusal::PermissionOwned);
    acme.done(name_of("media/files.read")).await;
    acme.done(name_of("free.read")).await;
    let unknown = Refusal::PermissionUnknown;
    assert_eq!(acme.refused(role("r", &["free.read", "media/fils.read"])).await, unknown);
    acme.done(role("r", &["free.other", "media/files.read", "media.*"])).await;
    let changed = Command::ChangeRole { name: name("r"), patterns: patterns(&["media/fils.read"]) };
    assert_eq!(acme.refused(changed).await, unknown);
    let make = Command::CreateWorkspace { name: name("berlin"), parent: None, inherits: true };
    acme.done(make).await;
    let ceiling = |text| Command::SetCeiling { name: name("berlin"), patterns: patterns(&[text]) };
    assert_eq!(acme.refused(ceiling("media/fils.read")).await, unknown);
    acme.done(ceiling("media/files.read")).await;
    let until = tessera_model::UnixMillis(START_MS + 86_400_000).to_deadline();
    let own = acme.tenant.admin.subject;
    let key = |text| support::key(own, patterns(&[text]), until, Private::new(Vec::new()));
    assert_eq!(acme.refused(key("media/fils.read")).await, unknown);
    acme.done(key("media/files.read")).await;
    // A longer name takes the part below it.
    acme.done(register("media/video", &["media/video.play"])).await;
    assert_eq!(acme.refused(register("media", &["media/video.stop"])).await, Refusal::PermissionOwned);
    // The engine's own are nobody's.
    for own in ["tessera", "tessera.check", "tessera.new"] {
        assert_eq!(acme.refused(register("billing", &[own])).await, Refusal::BuiltIn, "{own}");
    }
    assert_eq!(acme.refused(register("tessera.x", &["a"])).await, Refusal::BuiltIn);
}

/// PROPERTY: an entry stands once; what replaces one is known, and leads neither back nor on for ever, through other
/// services too.
#[tokio::test]
async fn what_replaces_an_entry_leads_to_an_end() {
    let acme = Acme::open().await;
    assert_eq!(acme.refused(set("a", vec![entry("a.x"), entry("a.x")])).await, Refusal::Duplicate);
    let unknown = set("a", vec![old("a.x", Some("a.y"))]);
    assert_eq!(acme.refused(unknown).await, Refusal::PermissionUnknown);
    assert_eq!(acme.refused(set("a", vec![old("a.x", Some("a.x"))])).await, Refusal::Cycle);
    let round = vec![old("a.x", Some("a.y")), old("a.y", Some("a.x"))];
    assert_eq!(acme.refused(set("a", round)).await, Refusal::Cycle);
    acme.done(set("b", vec![entry("b.x")])).await;
    acme.done(set("a", vec![old("a.x", Some("b.x")), entry("a.y")])).await;
    assert_eq!(acme.refused(set("b", vec![old("b.x", Some("a.x"))])).await, Refusal::Cycle);
    let row: Vec<_> = (0..40).map(|no| old(&format!("c.{no}"), Some(&format!("c.{}", no + 1)))).collect();
    let long = [row, vec![entry("c.40")]].concat();
    assert_eq!(acme.refused(set("c", long)).await, Refusal::Cycle);
}

/// PROPERTY: services, their entries and bytes are bounded, and what is over is refused whole; the number of one that is
/// gone is given again.
#[tokio::test]
async fn services_are_bounded() {
    let acme = Acme::open().await;
    let many: Vec<_> = (0..513).map(|no| entry(&format!("big.{no}"))).collect();
    assert_eq!(acme.refused(set("big", many.clone())).await, Limit::ServiceEntries.reached());
    acme.done(set("big", many[..512].to_vec())).await;
    let text = EntryText { description: "x".repeat(512).into(), ..EntryText::default() };
    let heavy = many.iter().take(200).map(|entry| ServiceEntry { text: text.clone(), ..entry.clone() });
    assert_eq!(acme.refused(set("big", heavy.collect())).await, Limit::ServiceBytes.reached());
    // What stays counts: one that is in use takes the place of a new one.
    acme.done(role("uses", &["big.511"])).await;
    let others: Vec<_> = (0..512).map(|no| entry(&format!("big.n{no}"))).collect();
    assert_eq!(acme.refused(set("big", others.clone())).await, Limit::ServiceEntries.reached());
    assert_eq!(acme.done(set("big", others[..511].to_vec())).await.made.kept, Some(1));
    acme.done(Command::DeleteRole { name: name("uses") }).await;
    acme.done(set("big", Vec::new())).await;
    for no in 0..SERVICES_MAX {
        acme.done(register(&format!("s{no}"), &[&format!("s{no}.x")])).await;
    }
    assert_eq!(acme.refused(register("more", &["more.x"])).await, Limit::Services.reached());
    acme.done(set("s7", Vec::new())).await;
    acme.done(register("more", &["more.x"])).await;
    assert_eq!(acme.entries(None).len(), SERVICES_MAX as usize);
}

/// PROPERTY: a trial tells what would come of it, and nothing does; whoever lacks the permission registers nothing.
#[tokio::test]
async fn a_trial_registers_nothing() {
    let acme = Acme::open().await;
    acme.done(register("orders", &["orders.read", "orders.write"])).await;
    acme.done(role("clerk", &["orders.write"])).await;
    let (engine, bound) = (&acme.house.engine, &acme.tenant.admin);
    let trial = engine.submit_or_try(bound, (engine.command_id(), true), register("orders", &["orders.new"]));
    assert_eq!(trial.await.expect("a trial").made.kept, Some(1));
    assert_eq!(acme.entries(None), [("orders.read".into(), false), ("orders.write".into(), false)]);
    let ann = acme.house.person(&acme.tenant, "ann@example.org", "correct horse").await;
    acme.done(role("roles", &["tessera.admin.roles"])).await;
    acme.done(grant(ann, "roles")).await;
    let session = acme.house.sign_in(&acme.tenant, "ann@example.org", "correct horse").await.expect("in");
    let bound = acme.house.bind(&session).await;
    let refused = engine.submit(&bound, engine.command_id(), register("mine", &["mine.x"])).await;
    assert_eq!(refused.err(), Some(Refusal::Unauthorized.into()));
}

/// PROPERTY: where an entry is used names every role, grant, key, ceiling and mapping that covers it, and nothing else,
/// whatever the size of a page; the report of deprecated ones names what names them in full. METHOD: a world of
/// each kind beside others of other permissions, and pages of one to many rows.
#[tokio::test]
async fn uses_are_found_page_by_page() {
    let acme = Acme::open().await;
    acme.done(register("orders", &["orders.read", "orders.list", "orders.write"])).await;
    acme.done(register("bills", &["bills.pay"])).await;
    for (text, covers) in [
        ("reader", &["orders.read"][..]),
        ("clerk", &["orders.*", "bills.pay"]),
        ("payer", &["bills.pay"]),
        ("boss", &["other.x"]),
    ] {
        acme.done(role(text, covers)).await;
    }
    acme.done(Command::SetRoleParents { name: name("boss"), parents: vec![name("reader")] }).await;
    let mut people: Vec<PublicId> = Vec::new();
    for no in 0..5 {
        people.push(acme.house.person(&acme.tenant, &format!("p{no}@example.org"), "correct horse").await);
    }
    acme.done(Command::CreateWorkspace { name: name("berlin"), parent: None, inherits: true }).await;
    for (who, what) in [(0, "reader"), (1, "clerk"), (2, "payer"), (3, "boss"), (3, "reader")] {
        acme.done(grant(people[who], what)).await;
    }
    acme.done(Command::CreateGroup { name: name("staff"), rule: vec![] }).await;
    let to_group = |role: &str, workspace: Option<&str>| Command::GrantGroup {
        group: name("staff"),
        role: name(role),
        workspace: workspace.map(name),
        from: NONE,
        until: NONE,
    };
    acme.done(to_group("clerk", Some("berlin"))).await;
    acme.done(to_group("payer", None)).await;
    let until = tessera_model::UnixMillis(START_MS + 86_400_000).to_deadline();
    let own = acme.tenant.admin.subject;
    for covers in [&["orders.read"][..], &["orders.l*", "orders.*"], &["bills.pay"]] {
        acme.done(support::key(own, patterns(covers), until, Private::new(Vec::new()))).await;
    }
    acme.done(Command::SetCeiling { name: name("berlin"), patterns: patterns(&["orders.read", "x.*"]) })
        .await;
    let model = "model\n  schema 1.1\ntype user\ntype order\n  relations\n    define viewer: [user]\n";
    acme.done(Command::SetRelationModel { text: model.into(), allow_orphans: false }).await;
    let map = |text| Command::MapPermission {
        permission: name(text),
        type_name: "order".into(),
        relation: "viewer".into(),
    };
    acme.done(map("orders.read")).await;
    acme.done(map("bills.pay")).await;
    let expected: BTreeSet<String> = [
        "role reader orders.read".to_owned(),
        "role clerk orders.*".to_owned(),
        "role boss above".to_owned(),
        "group staff clerk Some(Name(\"berlin\"))".to_owned(),
        format!("subject {} reader None", people[0]),
        format!("subject {} clerk None", people[1]),
        format!("subject {} boss None", people[3]),
        format!("subject {} reader None", people[3]),
        format!("key {own} orders.read"),
        format!("key {own} orders.*"),
        "ceiling berlin orders.read".to_owned(),
        "mapping order#viewer".to_owned(),
    ]
    .iter()
    .map(|text| format!("orders.read {text}"))
    .collect();
    for limit in [1, 2, 3, 7, 1_000] {
        let found = acme.uses(Some("orders.read"), limit);
        assert_eq!((found.len(), all(&found)), (expected.len(), expected.clone()), "{limit}");
    }
    assert!(all(&acme.uses(None, 3)).is_empty(), "nothing is deprecated");
    // What is deprecated is reported where it is named in full.
    let entries = vec![old("orders.read", Some("orders.list")), entry("orders.list"), entry("orders.write")];
    acme.done(set("orders", entries)).await;
    acme.done(set("bills", vec![old("bills.pay", None)])).await;
    let named: BTreeSet<String> = [
        "orders.read role reader orders.read".to_owned(),
        "orders.read role boss above".to_owned(),
        "bills.pay role clerk bills.pay".to_owned(),
        "bills.pay role payer bills.pay".to_owned(),
        "bills.pay group staff clerk Some(Name(\"berlin\"))".to_owned(),
        "bills.pay group staff payer None".to_owned(),
        format!("orders.read subject {} reader None", people[0]),
        format!("bills.pay subject {} clerk None", people[1]),
        format!("bills.pay subject {} payer None", people[2]),
        format!("orders.read subject {} boss None", people[3]),
        format!("orders.read subject {} reader None", people[3]),
        format!("orders.read key {own} orders.read"),
        format!("bills.pay key {own} bills.pay"),
        "orders.read ceiling berlin orders.read".to_owned(),
        "orders.read mapping order#viewer".to_owned(),
        "bills.pay mapping order#viewer".to_owned(),
    ]
    .into();
    for limit in [1, 4, 1_000] {
        let found = acme.uses(None, limit);
        assert_eq!((found.len(), all(&found)), (named.len(), named.clone()), "{limit}");
    }
    let view = acme.tenant.admin.entry.view();
    let reading = acme.house.engine.read(view.as_ref().expect("awake"));
    let unknown = reading.entry_uses(&name("other.x"), (0, 10));
    assert_eq!(unknown.err(), Some(Refusal::PermissionUnknown));
}
