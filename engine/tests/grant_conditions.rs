//! Conditions of grants: a grant that has some counts only while all of them hold.

use crate::support;

use std::net::IpAddr;
use std::sync::Arc;
use support::{House, Tenant, grant, key};
use tessera_engine::{Bound, Draft, Facts, Listing, Why};
use tessera_model::grant_condition::GranteeName;
use tessera_model::{
    CheckQuery, Command, Deadline, Decision, GrantCondition, GrantConditions, Handle, Identifier, Name,
    Network, Pattern, PermissionId, PermissionRef, Private, PublicId, Reason, Receipt, Refusal, Thumbprint,
    Trust, UnixMillis, WorkspaceRef,
};

/// Thursday, 2026-01-01 in UTC.
const START_MS: u64 = support::START_MS;
const HOUR_MS: u64 = 3_600_000;
const NEVER: UnixMillis = UnixMillis(u64::MAX);

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn conditions(texts: &[&str]) -> GrantConditions {
    let all = texts.iter().map(|text| GrantCondition::parse(text).expect("a condition")).collect();
    GrantConditions::new(all).expect("of each kind one")
}

fn under(grantee: GranteeName, role: &str, texts: &[&str]) -> Command {
    Command::GrantUnder {
        grantee,
        role: name(role),
        workspace: None,
        from: Deadline::NONE,
        until: Deadline::NONE,
        conditions: conditions(texts),
    }
}

fn set(grantee: GranteeName, role: &str, texts: &[&str]) -> Command {
    Command::SetGrantConditions { grantee, role: name(role), workspace: None, conditions: conditions(texts) }
}

fn listing(tenant: &Tenant) -> Listing {
    tenant.admin.entry.view().as_ref().expect("awake").listing()
}

async fn sign_in(house: &House, tenant: &Tenant, device: Option<PublicId>) -> Handle {
    let identifier = Identifier::guess("ann@example.org").expect("an identifier");
    let proof = (&identifier, Private::new(b"correct horse".to_vec()));
    let id = house.engine.command_id();
    let done = house.engine.sign_in(&tenant.admin, id, proof, (None, device)).await;
    done.expect("signed in").made.handle.expect("a handle")
}

/// A key that ann makes for herself.
async fn by_ann(house: &House, tenant: &Tenant, ann: PublicId, command: Command) -> Handle {
    house.role(tenant, "keeper", &["tessera.admin.keys"]).await;
    house.grant(tenant, ann, "keeper").await;
    let session = sign_in(house, tenant, None).await;
    let made = house.submit(&house.bind(&session).await, command).await.made.handle.expect("a key");
    house
        .submit(&tenant.admin, Command::Ungrant { subject: ann, role: name("keeper"), workspace: None })
        .await;
    made
}

fn check_from(house: &House, by: &Bound, handle: &Handle, permission: &str, from: Option<&str>) -> Decision {
    let view = by.entry.view();
    let reading = house.engine.read(view.as_ref().expect("awake"));
    let query = CheckQuery {
        handle: &handle.to_bytes(),
        permission: PermissionRef::Name(permission),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: from.map(|text| text.parse().expect("an address")),
    };
    house.engine.check(by, &reading, &query)
}

/// Whether the list of permissions names one.
fn lists(house: &House, tenant: &Tenant, handle: &Handle, permission: &str, from: Option<&str>) -> bool {
    let view = tenant.admin.entry.view();
    let reading = house.engine.read(view.as_ref().expect("awake"));
    let from: Option<IpAddr> = from.map(|text| text.parse().expect("an address"));
    let bytes = (&handle.to_bytes(), from);
    let listed = house.engine.list_permissions(&tenant.admin, &reading, bytes, WorkspaceRef::Tenant);
    let PermissionId(id) = reading.resolve(permission, "").0;
    listed.expect("alive").permitted.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
}

/// PROPERTY: a grant to a subject or to a group counts while each of its conditions holds, and the answer says until when
/// that is or what is missing; checks, lists and explanations agree; and so after a checkpoint and a start.
#[tokio::test]
async fn a_grant_counts_while_its_conditions_hold() {
    let (mut house, mut tenant, ann) = House::with_ann().await;
    house.role(&tenant, "clerk", &["orders.read"]).await;
    house
        .set(&tenant, |settings| (settings.session_idle_s, settings.session_ttl_s) = (400_000, 400_000))
        .await;
    house.submit(&tenant.admin, Command::CreateGroup { name: name("staff"), rule: vec![] }).await;
    let member = Command::AddMember {
        group: name("staff"),
        subject: ann,
        from: Deadline::NONE,
        until: Deadline::NONE,
    };
    house.submit(&tenant.admin, member).await;
    let device = Command::RegisterDevice { subject: ann, name: name("laptop"), key: Thumbprint([1; 32]) };
    let device = house.submit(&tenant.admin, device).await.made.device.expect("an id");
    house.submit(&tenant.admin, Command::TrustDevice { device, trust: Trust::Managed }).await;
    let machine = key(ann, vec![], UnixMillis(START_MS + 500 * HOUR_MS).to_deadline(), Private::default());
    let machine = by_ann(&house, &tenant, ann, machine).await;
    let session = sign_in(&house, &tenant, Some(device)).await;
    let bare = sign_in(&house, &tenant, None).await;
    let at = |hours: u64| UnixMillis(START_MS + hours * HOUR_MS);
    // Condition; where it is asked from; the answer in the session on the device, in the one on none, through the key.
    let (yes, hours) = (Reason::None, Reason::OutsideHours);
    let (net, dev, step) = (Reason::OutsideNetworks, Reason::DeviceUntrusted, Reason::StepUpNeeded);
    let cases: [(&[&str], Option<&str>, [Reason; 3], UnixMillis); 14] = [
        (&["hours Thu 00:00-02:00 UTC"], None, [yes; 3], at(2)),
        (&["hours Thu 03:00-04:00 Europe/Berlin"], None, [hours; 3], at(2)),
        (&[], None, [yes; 3], NEVER),
        (&["networks 10.0.0.0/8"], Some("10.1.2.3"), [yes; 3], NEVER),
        (&["networks 10.0.0.0/8"], Some("::ffff:10.1.2.3"), [yes; 3], NEVER),
        (&["networks 10.0.0.0/8"], Some("11.1.2.3"), [net; 3], NEVER),
        (&["networks 10.0.0.0/8"], None, [net; 3], NEVER),
        (&["device known"], None, [yes, dev, dev], NEVER),
        (&["device hardened"], None, [dev; 3], NEVER),
        (&["acr 1"], None, [yes, yes, step], NEVER),
        (&["acr 2"], None, [step; 3], NEVER),
        (&["step-up 3600"], None, [yes, yes, step], at(1)),
        (&["hours Thu 00:00-02:00 UTC", "step-up 3600"], None, [yes, yes, step], at(1)),
        (&["hours Thu 01:00-02:00 UTC", "networks 10.0.0.0/8"], None, [hours; 3], NEVER),
    ];
    let grantees = [GranteeName::Subject(ann), GranteeName::Group(name("staff"))];
    for (round, grantee) in grantees.into_iter().enumerate() {
        for (texts, from, right, until) in cases {
            house.submit(&tenant.admin, under(grantee.clone(), "clerk", texts)).await;
            if round == 0 && texts.len() == 2 {
                assert!(house.engine.checkpoint().await);
            }
            if texts.len() == 2 {
                let again = House::over(Arc::clone(&house.store), house.engine.now().0).await;
                let admin = again.bind(&tenant.admin_key).await;
                (house, tenant) = (again, Tenant { admin, ..tenant });
            }
            for (handle, right) in [&session, &bare, &machine].into_iter().zip(right) {
                let told = check_from(&house, &tenant.admin, handle, "orders.read", from);
                assert_eq!(told.reason, right, "{grantee:?} {texts:?} {from:?}");
                let listed = lists(&house, &tenant, handle, "orders.read", from);
                assert_eq!(listed, right == yes, "{grantee:?} {texts:?} {from:?}");
                // A key never comes to a proof.
                assert!(until == NEVER || right == step || told.valid_until == until, "{texts:?}");
            }
            let granted = match &grantee {
                GranteeName::Subject(_) => listing(&tenant).conditions_of(
                    &listing(&tenant).grants(listing(&tenant).subject(ann).expect("ann").index, 0, 1).rows[0],
                ),
                GranteeName::Group(group) => {
                    let id = listing(&tenant).group_named(group).expect("a group").id;
                    listing(&tenant).group_conditions_of(&listing(&tenant).group_grants(id)[0])
                }
            };
            assert_eq!(granted, conditions(texts));
        }
        let gone = match &grantee {
            GranteeName::Subject(subject) => {
                Command::Ungrant { subject: *subject, role: name("clerk"), workspace: None }
            }
            GranteeName::Group(group) => {
                Command::UngrantGroup { group: group.clone(), role: name("clerk"), workspace: None }
            }
        };
        house.submit(&tenant.admin, gone).await;
        let told = check_from(&house, &tenant.admin, &session, "orders.read", None);
        assert_eq!(told.reason, Reason::NotGranted);
    }
}

/// PROPERTY: an answer changes at its `valid_until` and not before, as the clock goes over hours, the end of a window and
/// the age of a proof.
#[tokio::test]
async fn answers_change_when_they_say() {
    let (house, tenant, ann) = House::with_ann().await;
    house.role(&tenant, "clerk", &["orders.read"]).await;
    house
        .set(&tenant, |settings| (settings.session_idle_s, settings.session_ttl_s) = (400_000, 400_000))
        .await;
    let until = UnixMillis(START_MS + 60 * HOUR_MS).to_deadline();
    let limited = Command::GrantUnder {
        grantee: GranteeName::Subject(ann),
        role: name("clerk"),
        workspace: None,
        from: Deadline::NONE,
        until,
        conditions: conditions(&[
            "hours Mon-Sun 22:00-06:00, Thu 12:00-13:00 Europe/Berlin",
            "step-up 180000",
        ]),
    };
    house.submit(&tenant.admin, limited).await;
    let session = sign_in(&house, &tenant, None).await;
    let mut seen = Vec::new();
    loop {
        let now = house.check(&tenant, &session, "orders.read");
        let passed = (house.engine.now().0 - START_MS) / (HOUR_MS / 2);
        seen.push((passed, now.reason));
        if now.valid_until.0 > START_MS + 100 * HOUR_MS {
            break;
        }
        house.pass(now.valid_until.0 - house.engine.now().0 - 1);
        assert_eq!(house.check(&tenant, &session, "orders.read"), now);
        house.pass(1);
    }
    let (yes, hours, step) = (Reason::None, Reason::OutsideHours, Reason::StepUpNeeded);
    // Half hours from midnight in UTC: till six and from ten in the evening in Berlin, an hour at noon on Thursday; the
    // proof is too old in the third night, before the window ends.
    assert_eq!(
        seen,
        [(0, yes), (10, hours), (22, yes), (24, hours), (42, yes), (58, hours), (90, yes), (100, step)]
    );
}

/// PROPERTY: a Deny before a grant under conditions begins says that this is when it may change.
#[tokio::test]
async fn a_deny_ends_when_a_conditioned_grant_begins() {
    let (house, tenant, ann) = House::with_ann().await;
    house.role(&tenant, "clerk", &["orders.read"]).await;
    house
        .set(&tenant, |settings| (settings.session_idle_s, settings.session_ttl_s) = (400_000, 400_000))
        .await;
    let from = UnixMillis(START_MS + HOUR_MS).to_deadline();
    let later = Command::GrantUnder {
        grantee: GranteeName::Subject(ann),
        role: name("clerk"),
        workspace: None,
        from,
        until: Deadline::NONE,
        conditions: conditions(&["step-up 180000"]),
    };
    house.submit(&tenant.admin, later).await;
    let session = sign_in(&house, &tenant, None).await;
    let now = house.check(&tenant, &session, "orders.read");
    assert_eq!((now.reason, now.valid_until), (Reason::NotGranted, from.to_millis()));
    house.pass(HOUR_MS);
    assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::None);
}

/// PROPERTY: conditions stay when the window is changed and go with the grant; who may not hand the grant out does not
/// change them; what does not exist, or would leave a workspace or the house without whom it needs, is refused.
#[tokio::test]
async fn conditions_are_changed_by_who_may_grant() {
    let (house, tenant, ann) = House::with_ann().await;
    house.role(&tenant, "clerk", &["orders.read"]).await;
    let bob = house.person(&tenant, "bob@example.org", "correct horse").await;
    let session = sign_in(&house, &tenant, None).await;
    let of_ann = || GranteeName::Subject(ann);
    let refused = async |command| house.refused(&tenant.admin, command).await;
    assert_eq!(refused(set(of_ann(), "clerk", &["acr 1"])).await, Refusal::GrantUnknown);
    assert_eq!(refused(under(of_ann(), "nobody", &["acr 1"])).await, Refusal::RoleUnknown);
    let unzoned = &["hours Mon 08:00-09:00 Europe/Atlantis"];
    assert_eq!(refused(under(of_ann(), "clerk", unzoned)).await, Refusal::ZoneUnknown);
    let nowhere = GranteeName::Group(name("nowhere"));
    assert_eq!(refused(under(nowhere, "clerk", &["acr 1"])).await, Refusal::GroupUnknown);
    assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::NotGranted);

    house.submit(&tenant.admin, under(of_ann(), "clerk", &["acr 2"])).await;
    let stepped = |right: Reason| assert_eq!(house.check(&tenant, &session, "orders.read").reason, right);
    stepped(Reason::StepUpNeeded);
    house.submit(&tenant.admin, grant(ann, "clerk")).await;
    stepped(Reason::StepUpNeeded);
    let until = UnixMillis(START_MS + HOUR_MS).to_deadline();
    let renewed = Command::RenewGrant { subject: ann, role: name("clerk"), workspace: None, until };
    house.submit(&tenant.admin, renewed).await;
    stepped(Reason::StepUpNeeded);
    let before = listing(&tenant);
    house.submit(&tenant.admin, set(of_ann(), "clerk", &["acr 1"])).await;
    stepped(Reason::None);
    house.submit(&tenant.admin, set(of_ann(), "clerk", &[])).await;
    stepped(Reason::None);
    house.submit(&tenant.admin, set(of_ann(), "clerk", &["acr 2"])).await;
    stepped(Reason::StepUpNeeded);
    // A reader of the root before sees what it saw.
    let ann_then = before.subject(ann).expect("ann").index;
    assert_eq!(before.conditions_of(&before.grants(ann_then, 0, 1).rows[0]), conditions(&["acr 2"]));
    house
        .submit(&tenant.admin, Command::Ungrant { subject: ann, role: name("clerk"), workspace: None })
        .await;
    house.submit(&tenant.admin, grant(ann, "clerk")).await;
    stepped(Reason::None);

    // Who administers grants, but holds not what the role gives, changes no conditions of it.
    house.role(&tenant, "granter", &["tessera.admin.grants"]).await;
    house.role(&tenant, "boss", &["tessera.admin.settings"]).await;
    house.grant(&tenant, bob, "granter").await;
    house.submit(&tenant.admin, under(of_ann(), "boss", &["acr 2"])).await;
    let by_bob = house.sign_in(&tenant, "bob@example.org", "correct horse").await.expect("signed in");
    let bob_there = house.bind(&by_bob).await;
    let loosened = set(of_ann(), "boss", &[]);
    assert_eq!(house.refused(&bob_there, loosened.clone()).await, Refusal::BeyondCreator);
    let plain = house.bind(&session).await;
    assert_eq!(house.refused(&plain, loosened).await, Refusal::Unauthorized);

    // The last owner of a workspace holds its role without conditions.
    let there = Command::CreateWorkspace { name: name("berlin"), parent: None, inherits: true };
    house.submit(&tenant.admin, there).await;
    let owned = |conditions| Command::GrantUnder {
        grantee: GranteeName::Subject(ann),
        role: name("clerk"),
        workspace: Some(name("berlin")),
        from: Deadline::NONE,
        until: Deadline::NONE,
        conditions,
    };
    house.submit(&tenant.admin, owned(GrantConditions::NONE)).await;
    let owners = Command::SetOwners { name: name("berlin"), role: Some(name("clerk")) };
    house.submit(&tenant.admin, owners).await;
    assert_eq!(refused(owned(conditions(&["acr 1"]))).await, Refusal::LastOwner);
    // Nor does the last operator of the house.
    let operator = house.operator().await;
    let operates = GranteeName::Subject(operator.subject);
    let last = house.refused(&operator, under(operates, "operator", &["acr 1"])).await;
    assert!(matches!(last, Refusal::LastOperator | Refusal::RoleUnknown), "{last:?}");
}

/// PROPERTY: a condition counts for who orders, too: an administrator whose grant asks for a network orders from there
/// alone, and one whose grant asks for a fresh proof does so until it is old.
#[tokio::test]
async fn administrators_order_under_their_conditions() {
    let (house, tenant, ann) = House::with_ann().await;
    house.role(&tenant, "roles", &["tessera.admin.roles"]).await;
    let session = sign_in(&house, &tenant, None).await;
    let from = |text: &str| {
        let there = Some(text.parse().expect("an address"));
        house.engine.hello_from(&session.to_bytes(), None, there).expect("bound")
    };
    let mut no = 0;
    let mut makes = async |by: &Bound| {
        no += 1;
        let patterns = vec![Pattern::new("orders.*").expect("a pattern")];
        let command = Command::CreateRole { name: name(&format!("made{no}")), patterns };
        house.engine.submit(by, house.engine.command_id(), command).await.is_ok()
    };
    let mine = GranteeName::Subject(ann);
    house.submit(&tenant.admin, under(mine.clone(), "roles", &["networks 10.0.0.0/8"])).await;
    assert!(makes(&from("10.1.2.3")).await);
    assert!(!makes(&from("11.1.2.3")).await);
    assert!(!makes(&house.bind(&session).await).await);
    assert!(house.engine.may(&from("10.1.2.3"), "tessera.admin.roles"));
    assert!(!house.engine.may(&from("11.1.2.3"), "tessera.admin.roles"));
    house.submit(&tenant.admin, set(mine, "roles", &["step-up 60"])).await;
    let there = house.bind(&session).await;
    house.pass(59_999);
    assert!(makes(&there).await);
    house.pass(1);
    assert!(!makes(&there).await);
}

/// PROPERTY: an explanation names the conditions of each grant and the first that does not hold, under what is supposed of
/// whoever asks; and what is supposed of a grant.
#[tokio::test]
async fn explanations_name_the_condition() {
    let (house, tenant, ann) = House::with_ann().await;
    house.role(&tenant, "clerk", &["orders.read"]).await;
    let texts =
        ["hours Thu 00:00-02:00 UTC", "networks 10.0.0.0/8", "device managed", "acr 2", "step-up 300"];
    house.submit(&tenant.admin, under(GranteeName::Subject(ann), "clerk", &texts)).await;
    let why = Why {
        subject: ann,
        through: None,
        permission: name("orders.read"),
        workspace: None,
        resource: None,
        context: None,
        entities: None,
        at: UnixMillis(START_MS),
    };
    let address = Some("10.1.2.3".parse().expect("an address"));
    let (trust, proven) = (Some(Trust::Managed), Some(UnixMillis(START_MS - 299_000)));
    let none = Facts::default();
    let known = [
        (none, START_MS + 3 * HOUR_MS, "hours", Reason::OutsideHours),
        (none, START_MS, "networks", Reason::OutsideNetworks),
        (Facts { address, ..none }, START_MS, "device", Reason::DeviceUntrusted),
        (Facts { address, trust, ..none }, START_MS, "acr", Reason::StepUpNeeded),
        (Facts { address, trust, acr: 2, ..none }, START_MS, "step-up", Reason::StepUpNeeded),
        (Facts { address, trust, acr: 2, proven }, START_MS, "", Reason::None),
        (Facts { address, trust, acr: 2, proven }, START_MS + 1_000, "step-up", Reason::StepUpNeeded),
    ];
    for (facts, at, unmet, reason) in known {
        let draft = Draft { facts, ..Draft::default() };
        let told =
            listing(&tenant).explain(&Why { at: UnixMillis(at), ..why.clone() }, &draft).expect("explained");
        let [source] = told.sources.as_slice() else { panic!("{:?}", told.sources) };
        assert_eq!((told.reason, source.unmet, source.holds), (reason, unmet, reason == Reason::None));
        assert_eq!(source.conditions, conditions(&texts));
        if reason == Reason::None {
            assert_eq!(told.valid_until, UnixMillis(START_MS + 1_000));
        }
    }
    // A grant that is supposed, under a condition that is.
    house
        .submit(&tenant.admin, Command::Ungrant { subject: ann, role: name("clerk"), workspace: None })
        .await;
    for (acr, reason) in [(1, Reason::StepUpNeeded), (2, Reason::None)] {
        let draft = Draft {
            grant: Some((name("clerk"), None, Deadline::NONE, Deadline::NONE)),
            conditions: conditions(&["acr 2"]),
            facts: Facts { acr, ..none },
            ..Draft::default()
        };
        assert_eq!(listing(&tenant).explain(&why, &draft).expect("explained").reason, reason);
    }
    // An address that a key is bound to and one that a grant asks for are two things.
    let bound = Command::CreateKey {
        subject: ann,
        patterns: vec![],
        expires: UnixMillis(START_MS + HOUR_MS).to_deadline(),
        description: Private::default(),
        client: None,
        networks: vec![Network::parse("10.0.0.0/8").expect("a network")],
    };
    let bound = by_ann(&house, &tenant, ann, bound).await;
    house.submit(&tenant.admin, under(GranteeName::Subject(ann), "clerk", &["networks 10.1.0.0/16"])).await;
    for (from, right) in [
        ("10.1.0.1", Reason::None),
        ("10.2.0.1", Reason::OutsideNetworks),
        ("11.0.0.1", Reason::AddressNotAllowed),
    ] {
        let told = check_from(&house, &tenant.admin, &bound, "orders.read", Some(from));
        assert_eq!(told.reason, right, "{from}");
    }
}

/// PROPERTY: an application inside a network lends its address to nobody it asks about: what it does not say, or may not
/// say, nobody knows, and a grant from networks does not count; whoever asks about itself is where it connects. METHOD:
/// applications with the permission to name addresses and without, connected from inside; ann from inside and outside;
/// checks and lists.
#[tokio::test]
async fn nobody_lends_an_address() {
    let (house, tenant, ann) = House::with_ann().await;
    house.role(&tenant, "clerk", &["orders.read"]).await;
    house.role(&tenant, "asker", &["tessera.check"]).await;
    let of_ann = GranteeName::Subject(ann);
    house.submit(&tenant.admin, under(of_ann, "clerk", &["networks 10.0.0.0/8"])).await;
    let session = sign_in(&house, &tenant, None).await;
    let from = |handle: &Handle, text: &str| {
        let there = Some(text.parse().expect("an address"));
        house.engine.hello_from(&handle.to_bytes(), None, there).expect("bound")
    };
    let mut callers = vec![
        (from(&session, "10.1.2.3"), None, true),
        (from(&session, "11.1.2.3"), None, false),
        (from(&session, "11.1.2.3"), Some("10.9.9.9"), true),
    ];
    for role in ["asker", "tessera.service"] {
        let application = house.person(&tenant, &format!("{role}@example.org"), "correct horse").await;
        house.grant(&tenant, application, role).await;
        let own = house.sign_in(&tenant, &format!("{role}@example.org"), "correct horse").await;
        let inside = from(&own.expect("signed in"), "10.1.2.3");
        callers.extend([
            (inside.clone(), None, false),
            (inside.clone(), Some("10.9.9.9"), true),
            (inside, Some("11.9.9.9"), false),
        ]);
    }
    for (by, said, holds) in callers {
        let answer = check_from(&house, &by, &session, "orders.read", said).reason;
        let wanted = if holds { Reason::None } else { Reason::OutsideNetworks };
        assert_eq!(answer, wanted, "{:?}, said {said:?}", by.peer);
        let there = Tenant { admin: by, id: tenant.id, admin_key: tenant.admin_key };
        assert_eq!(lists(&house, &there, &session, "orders.read", said), holds, "said {said:?}");
    }
}
