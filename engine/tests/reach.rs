//! What keys may do and from where: masks, networks, rotation, last use.

use crate::support;

use std::net::IpAddr;
use support::{House, START_MS, Tenant, grant};
use tessera_engine::{Bound, Rotation, SubmitError};
use tessera_model::{
    CheckQuery, Command, Deadline, Handle, Limit, Name, Network, Pattern, PermissionRef, Private, PublicId,
    Reason, Receipt, Refusal, WorkspaceRef,
};

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::new(text).expect("a pattern")).collect()
}

fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| Network::parse(text).expect(text)).collect()
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A tenant whose amy reads and writes orders, and whose admin may hand both on.
async fn scene(house: &House) -> (Tenant, PublicId) {
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "worker", &["orders.read", "orders.write"]).await;
    house.grant(&tenant, amy, "worker").await;
    house.submit(&tenant.admin, grant(tenant.admin.subject, "worker")).await;
    (tenant, amy)
}

async fn make(
    house: &House,
    by: &Bound,
    subject: PublicId,
    (covers, from): (&[&str], &[&str]),
) -> Result<(Handle, PublicId), SubmitError> {
    let expires = house.engine.now().plus_seconds(86_400).to_deadline();
    let (patterns, networks) = (patterns(covers), networks(from));
    let description = Private::new(b"nightly report".to_vec());
    let command = Command::CreateKey { subject, patterns, expires, description, client: None, networks };
    let made = house.engine.submit(by, house.engine.command_id(), command).await?.made;
    Ok((made.handle.expect("a handle"), made.session.expect("an id")))
}

fn rotation(key: PublicId, overlap_s: u32) -> Rotation {
    let (patterns, networks) = (Vec::new(), Vec::new());
    Rotation { key, expires: Deadline::NONE, patterns, networks, overlap_s }
}

async fn rotate(house: &House, by: &Bound, rotation: Rotation) -> Result<(Handle, PublicId), SubmitError> {
    let done = house.engine.rotate_key(by, house.engine.command_id(), rotation).await?;
    Ok((done.made.handle.expect("a handle"), done.made.session.expect("an id")))
}

/// The answer to a check of a key that is used from an address.
fn check_from(house: &House, tenant: &Tenant, handle: &Handle, from: Option<&str>) -> Reason {
    asked_by(house, &tenant.admin, handle, from)
}

/// The answer to a caller's check of a key, with what the caller says of where it is used.
fn asked_by(house: &House, by: &Bound, handle: &Handle, said: Option<&str>) -> Reason {
    let view = by.entry.view();
    let reading = view.as_ref().expect("awake").read(house.engine.now());
    let query = CheckQuery {
        handle: &handle.to_bytes(),
        permission: PermissionRef::Name("orders.read"),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: said.map(address),
    };
    house.engine.check(by, &reading, &query).reason
}

/// What introspection and the list of permissions say of a handle.
fn looked_at(house: &House, by: &Bound, handle: &Handle) -> [Reason; 2] {
    let view = by.entry.view();
    let reading = view.as_ref().expect("awake").read(house.engine.now());
    let handle = handle.to_bytes();
    let introspected = house.engine.introspect(by, &reading, (&handle, None)).err();
    let listed = house.engine.list_permissions(by, &reading, (&handle, None), WorkspaceRef::Tenant).err();
    [introspected, listed].map(|reason| reason.unwrap_or(Reason::None))
}

/// PROPERTY: a key's mask holds whatever its owner is granted, for the engine's own permissions too, and a
/// key cannot make or rotate itself into more; what its owner loses it loses (F-31).
#[tokio::test]
async fn f_31_a_mask_holds_whatever_its_owner_is() {
    let house = House::new().await;
    let (tenant, _) = scene(&house).await;
    let admin = tenant.admin.subject;
    let (key, _) = make(&house, &tenant.admin, admin, (&["orders.read"], &[])).await.expect("made");
    let ask = |permission| house.check(&tenant, &key, permission).reason;
    assert_eq!((ask("orders.read"), ask("orders.write")), (Reason::None, Reason::Restricted));
    assert_eq!(ask("tessera.admin.keys"), Reason::Restricted);
    let own = house.bind(&key).await;
    for covers in [&["*"][..], &[], &["orders.read"], &["orders.write"]] {
        let refused = make(&house, &own, admin, (covers, &[])).await.err();
        assert_eq!(refused, Some(Refusal::Unauthorized.into()), "{covers:?}");
    }
    house.role(&tenant, "more", &["orders.cancel"]).await;
    house.grant(&tenant, admin, "more").await;
    assert_eq!(ask("orders.cancel"), Reason::Restricted);
    let role = Name::new("worker").expect("a name");
    house.submit(&tenant.admin, Command::Ungrant { subject: admin, role, workspace: None }).await;
    assert_eq!(ask("orders.read"), Reason::NotGranted);
}

/// PROPERTY: a rotated key has the old one's mask, networks, description and end, or less; the old one lives
/// for the overlap, to the second, and no longer; with a wider mask, network or later end it is refused, and
/// so is another's key, as one that is not there (F-32).
#[tokio::test]
async fn f_32_a_rotated_key_is_never_more() {
    let house = House::new().await;
    let (tenant, amy) = scene(&house).await;
    let (old, id) =
        make(&house, &tenant.admin, amy, (&["orders.read"], &["10.0.0.0/8"])).await.expect("made");
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let own = house.bind(&session).await;
    let found = |id| {
        let view = tenant.admin.entry.view();
        let view = view.as_ref().expect("awake");
        let key = house.engine.read(view).key(id).expect("alive");
        let description = house.engine.key_description(&tenant.admin, &key.found).expect("read");
        (key.patterns, key.networks, key.found.expires, description.expose().to_vec())
    };
    let before = found(id);
    // More than the old one is refused, whoever asks.
    for by in [&own, &tenant.admin] {
        for wider in [
            Rotation { patterns: patterns(&["orders.*"]), ..rotation(id, 60) },
            Rotation { patterns: patterns(&["orders.read", "orders.write"]), ..rotation(id, 60) },
            Rotation { networks: networks(&["10.0.0.0/8", "11.0.0.0/8"]), ..rotation(id, 60) },
            Rotation { networks: networks(&["0.0.0.0/0"]), ..rotation(id, 60) },
        ] {
            assert_eq!(rotate(&house, by, wider).await.err(), Some(Refusal::BeyondCreator.into()));
        }
    }
    let later = house.engine.now().plus_seconds(2 * 86_400).to_deadline();
    let longer = Rotation { expires: later, ..rotation(id, 60) };
    assert_eq!(rotate(&house, &own, longer.clone()).await.err(), Some(Refusal::BeyondCreator.into()));
    let endless = Rotation { overlap_s: 7 * 86_400 + 1, ..rotation(id, 60) };
    assert_eq!(rotate(&house, &own, endless).await.err(), Some(Limit::KeyOverlap.reached().into()));
    // Another's key, and none at all.
    house.person(&tenant, "bob@example.org", "correct horse").await;
    let bob = house.sign_in(&tenant, "bob@example.org", "correct horse").await.expect("signed in");
    let bob = house.bind(&bob).await;
    let made_up = PublicId::new(house.engine.now().0, [9; 10]);
    let refused = rotate(&house, &bob, rotation(id, 60)).await.err();
    assert_eq!(refused, Some(Refusal::Unauthorized.into()));
    assert_eq!(refused, rotate(&house, &bob, rotation(made_up, 60)).await.err());
    // The owner rotates it: nothing is lost, nothing gained.
    let (new, second) = rotate(&house, &own, rotation(id, 60)).await.expect("rotated");
    assert_eq!(found(second), before);
    let ask = |handle: &Handle| check_from(&house, &tenant, handle, Some("10.1.2.3"));
    assert_eq!((ask(&old), ask(&new)), (Reason::None, Reason::None));
    house.pass(59_999);
    assert_eq!((ask(&old), ask(&new)), (Reason::None, Reason::None));
    house.pass(1);
    assert_eq!((ask(&old), ask(&new)), (Reason::Expired, Reason::None));
    assert_eq!(rotate(&house, &own, rotation(id, 60)).await.err(), Some(Refusal::Unauthorized.into()));
    // The key rotates itself, to less; the old one ends at once.
    let at_home = house.engine.hello_from(&new.to_bytes(), None, Some(address("10.1.2.3"))).expect("bound");
    let less = Rotation { networks: networks(&["10.1.0.0/16"]), ..rotation(second, 0) };
    let (third, third_id) = rotate(&house, &at_home, less).await.expect("rotated");
    assert_eq!((ask(&new), ask(&third)), (Reason::Revoked, Reason::None));
    assert_eq!(check_from(&house, &tenant, &third, Some("10.2.0.1")), Reason::AddressNotAllowed);
    // A later end is a new key: for whoever may make one.
    let longer = Rotation { key: third_id, ..longer };
    let (fourth, fourth_id) = rotate(&house, &tenant.admin, longer).await.expect("rotated");
    assert_eq!(found(fourth_id).2, later.to_millis());
    assert_eq!(ask(&fourth), Reason::None);
}

/// PROPERTY: a rotation whose answer was lost is repeated under its id, also when the old key has ended since;
/// the repeat is told without the secret, and makes no second key.
#[tokio::test]
async fn a_rotation_repeats_when_the_old_key_is_gone() {
    let house = House::new().await;
    let (tenant, amy) = scene(&house).await;
    let (_, key) = make(&house, &tenant.admin, amy, (&["orders.read"], &[])).await.expect("made");
    let id = house.engine.command_id();
    let first = house.engine.rotate_key(&tenant.admin, id, rotation(key, 0)).await.expect("rotated");
    let again = house.engine.rotate_key(&tenant.admin, id, rotation(key, 0)).await.expect("repeated");
    assert_eq!(again.receipt, first.receipt);
    assert!(again.made.handle.is_none());
    let other = house.engine.rotate_key(&tenant.admin, id, rotation(key, 1)).await.err();
    assert_eq!(other, Some(Refusal::IdReused.into()));
}

/// PROPERTY: an overlap never lengthens the old key's life.
#[tokio::test]
async fn an_overlap_is_no_longer_life() {
    let house = House::new().await;
    let (tenant, amy) = scene(&house).await;
    let (old, id) = make(&house, &tenant.admin, amy, (&["orders.read"], &[])).await.expect("made");
    house.pass(86_390_000);
    let (new, _) = rotate(&house, &tenant.admin, rotation(id, 600)).await.expect("rotated");
    house.pass(9_999);
    let ask = |handle| house.check(&tenant, handle, "orders.read").reason;
    assert_eq!((ask(&old), ask(&new)), (Reason::None, Reason::None));
    house.pass(1);
    assert_eq!((ask(&old), ask(&new)), (Reason::Expired, Reason::Expired));
}

/// PROPERTY: checks of a key write nothing; its use at a door is noted at most once a minute, however often
/// it is used and however many connections use it, and is right to a minute (F-33).
#[tokio::test]
async fn f_33_last_use_is_written_once_a_minute() {
    let house = House::new().await;
    let (tenant, amy) = scene(&house).await;
    let (key, id) = make(&house, &tenant.admin, amy, (&["orders.read"], &[])).await.expect("made");
    let connections = [house.bind(&key).await, house.bind(&key).await];
    let view = || tenant.admin.entry.view().as_ref().map(std::sync::Arc::clone).expect("awake");
    let revision = || view().read(house.engine.now()).seen().revision;
    let last_use = || house.engine.read(&view()).key(id).expect("alive").last_used;
    let begun = revision();
    for minute in 1..=3_u64 {
        let before = revision();
        for step in 0..20_000 {
            assert_eq!(house.check(&tenant, &key, "orders.read").reason, Reason::None);
            connections.iter().for_each(|bound| house.engine.note_use(bound));
            if step % 1_000 == 0 {
                tokio::task::yield_now().await;
            }
        }
        for _ in 0..5_000 {
            if minute == 1 || revision() > before {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        // The first minute is that of its making.
        assert_eq!(revision().0 - begun.0, minute - 1);
        let wanted = if minute == 1 { Deadline::NONE } else { house.engine.now().to_deadline() };
        assert_eq!(last_use(), wanted);
        house.pass(60_000);
    }
    // Sessions are not touched so: their idle end is their holder's affair.
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let own = house.bind(&session).await;
    house.pass(120_000);
    let before = revision();
    house.engine.note_use(&own);
    tokio::task::yield_now().await;
    assert_eq!(revision(), before);
}

/// PROPERTY: a key bound to networks is denied from elsewhere and from nowhere, as a credential of its own
/// and as somebody's that is asked about; addresses are compared as what they are (F-34).
#[tokio::test]
async fn f_34_a_key_bound_to_networks_stays_there() {
    let house = House::new().await;
    let (tenant, amy) = scene(&house).await;
    let (key, id) =
        make(&house, &tenant.admin, amy, (&["orders.read"], &["10.0.0.0/8"])).await.expect("made");
    for inside in ["10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203", "0:0:0:0:0:ffff:10.1.2.3"] {
        assert_eq!(check_from(&house, &tenant, &key, Some(inside)), Reason::None, "{inside}");
        assert!(house.engine.hello_from(&key.to_bytes(), None, Some(address(inside))).is_ok(), "{inside}");
    }
    for outside in [Some("::ffff:11.0.0.1"), Some("2001:db8::1"), None] {
        assert_eq!(check_from(&house, &tenant, &key, outside), Reason::AddressNotAllowed, "{outside:?}");
        assert!(house.engine.hello_from(&key.to_bytes(), None, outside.map(address)).is_err());
    }
    // A connection that stood when it was made anywhere is looked at by its own address.
    let own = house.engine.hello_from(&key.to_bytes(), None, Some(address("10.9.9.9"))).expect("bound");
    assert!(house.engine.is_alive(&own) && house.engine.may(&own, "orders.read"));
    // It makes no key that is bound less, were it allowed to make one.
    house.role(&tenant, "maker", &["tessera.admin.keys"]).await;
    house.grant(&tenant, amy, "maker").await;
    let (maker, _) = {
        let covers: &[&str] = &["tessera.admin.keys"];
        make(&house, &tenant.admin, amy, (covers, &["10.0.0.0/8"])).await.expect("made")
    };
    let maker = house.engine.hello_from(&maker.to_bytes(), None, Some(address("10.0.0.1"))).expect("bound");
    let covers: &[&str] = &["tessera.admin.keys"];
    for from in [&[][..], &["11.0.0.0/8"], &["10.0.0.0/8", "::/0"]] {
        let refused = make(&house, &maker, amy, (covers, from)).await.err();
        assert_eq!(refused, Some(Refusal::BeyondCreator.into()), "{from:?}");
    }
    assert!(make(&house, &maker, amy, (covers, &["10.2.0.0/16"])).await.is_ok());
    // What it is bound to outlives checkpoints and restarts, and goes with it.
    assert!(house.engine.checkpoint().await);
    let again = House::over(std::sync::Arc::clone(&house.store), START_MS + 1_000).await;
    let admin = again.bind(&tenant.admin_key).await;
    let woken = Tenant { id: tenant.id, admin, admin_key: tenant.admin_key };
    assert_eq!(check_from(&again, &woken, &key, Some("10.1.2.3")), Reason::None);
    assert_eq!(check_from(&again, &woken, &key, None), Reason::AddressNotAllowed);
    again.submit(&woken.admin, Command::RevokeKey { key: id }).await;
    assert_eq!(check_from(&again, &woken, &key, Some("10.1.2.3")), Reason::Revoked);
    // The place is used again: the newcomer is bound to nothing.
    let mut reused = false;
    for _ in 0..64 {
        let (other, _) = make(&again, &woken.admin, amy, (&["orders.read"], &[])).await.expect("made");
        reused |= other.place == key.place;
        assert_eq!(check_from(&again, &woken, &other, None), Reason::None);
    }
    assert!(reused, "the place was not used again");
    let many: Vec<String> = (0..33).map(|nth| format!("10.{nth}.0.0/16")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = make(&again, &woken.admin, amy, (&["orders.read"], &many)).await.err();
    assert_eq!(refused, Some(Limit::Networks.reached().into()));
}

/// PROPERTY: a key's networks are compared with what the caller says; where it says nothing, with the
/// caller's own address for its own key; of another's nobody knows, whether the caller may say one or not.
/// METHOD: whoever asks × its own key or another's × bound or not × said or not × where the caller connects
/// from, each answer of a check compared with that sentence, and that of an introspection and a list where
/// nothing is said (F-34).
#[tokio::test]
async fn f_34_whose_address_counts() {
    let house = House::new().await;
    let (tenant, amy) = scene(&house).await;
    house.role(&tenant, "checker", &["tessera.check", "orders.read"]).await;
    let covers: &[&str] = &["tessera.check", "tessera.address", "orders.read"];
    let place = |text: Option<&str>| text.is_some_and(|text| text.starts_with("10."));
    let mut asked = 0;
    for (name, role) in [("may", "tessera.service"), ("not", "checker")] {
        let subject = house.person(&tenant, &format!("{name}@example.org"), "correct horse").await;
        house.grant(&tenant, subject, role).await;
        house.grant(&tenant, subject, "worker").await;
        let may_say = role == "tessera.service";
        for networks in [&["10.0.0.0/8"][..], &[]] {
            let (caller, _) = make(&house, &tenant.admin, subject, (covers, networks)).await.expect("made");
            let (other, _) =
                make(&house, &tenant.admin, amy, (&["orders.read"], networks)).await.expect("made");
            let (free, _) = make(&house, &tenant.admin, subject, (covers, &[])).await.expect("made");
            for peer in [Some("10.1.2.3"), Some("11.0.0.1"), None] {
                let hello = |key: &Handle| house.engine.hello_from(&key.to_bytes(), None, peer.map(address));
                let bound = !networks.is_empty();
                let mut callers = vec![(hello(&free).expect("bound nowhere"), &other, false)];
                callers.push((hello(&free).expect("bound nowhere"), &caller, false));
                match hello(&caller) {
                    Ok(own) => callers.extend([(own.clone(), &caller, true), (own, &other, false)]),
                    Err(_) => assert!(bound && !place(peer), "{name}, {peer:?}"),
                }
                for (by, handle, own) in &callers {
                    assert_eq!(house.engine.may(by, tessera_engine::ADDRESS), may_say);
                    for said in [None, Some("10.9.9.9"), Some("11.9.9.9")] {
                        let counts = match said {
                            Some(said) => Some(said),
                            None if *own => peer,
                            None => None,
                        };
                        let wanted =
                            if bound && !place(counts) { Reason::AddressNotAllowed } else { Reason::None };
                        let context = format!("{name}, own {own}, {networks:?}, {peer:?}, said {said:?}");
                        assert_eq!(asked_by(&house, by, handle, said), wanted, "{context}");
                        if said.is_none() {
                            assert_eq!(looked_at(&house, by, handle), [wanted; 2], "{context}");
                        }
                        asked += 1;
                    }
                }
            }
        }
    }
    // Two callers, two kinds of key, three places: four pairs where the caller's key may connect, else two.
    assert_eq!(asked, 2 * (3 * 4 + 4 + 2 * 2) * 3);
}

/// PROPERTY: whoever may administer keys and no more does not come by somebody else's power by rotating a key:
/// what it could not have made it cannot replace, whatever the key covers; what it could, it can.
#[tokio::test]
async fn nobody_rotates_themselves_up() {
    let house = House::new().await;
    let (tenant, amy) = scene(&house).await;
    house.role(&tenant, "keeper", &["tessera.admin.keys", "orders.read"]).await;
    let keeper = house.person(&tenant, "keeper@example.org", "correct horse").await;
    house.grant(&tenant, keeper, "keeper").await;
    let session = house.sign_in(&tenant, "keeper@example.org", "correct horse").await.expect("signed in");
    let keeper = house.bind(&session).await;
    let admin = tenant.admin.subject;
    for covers in [&[][..], &["*"], &["tessera.*"], &["tessera.admin.roles"], &["orders.write"]] {
        let (_, key) = make(&house, &tenant.admin, admin, (covers, &[])).await.expect("made");
        let refused = rotate(&house, &keeper, rotation(key, 60)).await.err();
        assert_eq!(refused, Some(Refusal::BeyondCreator.into()), "{covers:?}");
        // Narrowed to what the keeper holds, it is the keeper's to make.
        if matches!(covers, [] | ["*"]) {
            let narrowed = Rotation { patterns: patterns(&["orders.read"]), ..rotation(key, 60) };
            assert!(rotate(&house, &keeper, narrowed).await.is_ok(), "{covers:?}");
        }
        assert!(rotate(&house, &tenant.admin, rotation(key, 60)).await.is_ok(), "{covers:?}");
    }
    let (_, key) = make(&house, &tenant.admin, amy, (&["orders.read"], &[])).await.expect("made");
    assert!(rotate(&house, &keeper, rotation(key, 60)).await.is_ok());
}
