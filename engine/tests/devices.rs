//! Devices: what sessions on them may use, and what becomes of them when one is revoked.

#[path = "proofs/mod.rs"]
mod proofs;

use crate::support;

use std::sync::Arc;
use support::{House, Tenant, key};
use tessera_engine::{Bound, Errand, Rotation, SubmitError};
use tessera_model::limits::DEVICES_PER_SUBJECT_MAX;
use tessera_model::{
    Command, Deadline, Handle, Identifier, Limit, Name, Pattern, PermissionId, Private, PublicId, Reason,
    Refusal, Thumbprint, Trust, WorkspaceRef,
};

const NAMES: [&str; 4] = ["orders.read", "orders.write", "profile.read", "bills.pay"];

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::new(text).expect("a pattern")).collect()
}

async fn register(house: &House, by: &Bound, subject: PublicId, no: u8) -> PublicId {
    let name = Name::new(&format!("device{no}")).expect("a name");
    let command = Command::RegisterDevice { subject, name, key: Thumbprint([no; 32]) };
    house.submit(by, command).await.made.device.expect("an id")
}

/// Signs ann in on a device.
async fn sign_in(house: &House, tenant: &Tenant, device: Option<PublicId>) -> Result<Handle, SubmitError> {
    let identifier = Identifier::guess("ann@example.org").expect("an identifier");
    let (engine, password) = (&house.engine, Private::new(b"correct horse".to_vec()));
    let proof = (&identifier, password);
    let done = engine.sign_in(&tenant.admin, engine.command_id(), proof, (None, device)).await?;
    Ok(done.made.handle.expect("a handle"))
}

/// What a session may do, by checks; the list must say the same.
fn may(house: &House, tenant: &Tenant, handle: &Handle) -> Vec<&'static str> {
    let held: Vec<_> =
        NAMES.iter().copied().filter(|name| house.check(tenant, handle, name).is_permit()).collect();
    let view = tenant.admin.entry.view();
    let reading = house.engine.read(view.as_ref().expect("awake"));
    let bytes = handle.to_bytes();
    let listed = house.engine.list_permissions(&tenant.admin, &reading, (&bytes, None), WorkspaceRef::Tenant);
    let words = listed.expect("alive").permitted;
    let bit = |name: &str| {
        let PermissionId(id) = reading.resolve(name, "").0;
        words[id as usize / 64] >> (id % 64) & 1 == 1
    };
    let listed: Vec<_> = NAMES.iter().copied().filter(|name| bit(name)).collect();
    assert_eq!(held, listed);
    held
}

async fn scene() -> (House, Tenant, PublicId) {
    let (house, tenant, ann) = House::with_ann().await;
    house.role(&tenant, "all", &NAMES).await;
    house.grant(&tenant, ann, "all").await;
    (house, tenant, ann)
}

/// PROPERTY: a session on a device may do what its subject may that lies below the ceiling of the device's level and
/// below the device's own, from the next check after each change on, across checkpoints and restarts; sessions
/// without a device do not notice. METHOD: all pairs of ceilings, each level, beside patterns that are tried one by
/// one.
#[tokio::test]
async fn sessions_on_a_device_stay_below_its_ceilings() {
    let (mut house, mut tenant, ann) = scene().await;
    let device = register(&house, &tenant.admin, ann, 1).await;
    let on_it = sign_in(&house, &tenant, Some(device)).await.expect("signed in");
    let free = sign_in(&house, &tenant, None).await.expect("signed in");
    let ceilings: [&[&str]; 5] =
        [&[], &["*"], &["orders.*"], &["orders.read", "bills.*"], &["nothing.of.this*"]];
    let below = |ceiling: &[&str], name: &str| {
        ceiling.is_empty() || patterns(ceiling).iter().any(|pattern| pattern.covers(name))
    };
    let mut cut = 0;
    for (round, trust) in Trust::ALL.into_iter().enumerate() {
        house.submit(&tenant.admin, Command::TrustDevice { device, trust }).await;
        // Another level's ceiling is nobody's business.
        let other = Trust::ALL[(round + 1) % 4];
        let none = Command::LimitTrust { trust: other, patterns: patterns(&["nothing.of.this*"]) };
        house.submit(&tenant.admin, none).await;
        for level in ceilings {
            house.submit(&tenant.admin, Command::LimitTrust { trust, patterns: patterns(level) }).await;
            for own in ceilings {
                house.submit(&tenant.admin, Command::LimitDevice { device, patterns: patterns(own) }).await;
                let right = NAMES.into_iter().filter(|name| below(level, name) && below(own, name));
                let right: Vec<_> = right.collect();
                assert_eq!(may(&house, &tenant, &on_it), right, "{trust:?} {level:?} {own:?}");
                assert_eq!(may(&house, &tenant, &free), NAMES);
                cut += NAMES.len() - right.len();
            }
        }
        let gone = Command::LimitDevice { device, patterns: patterns(&["orders.read"]) };
        house.submit(&tenant.admin, gone).await;
        if round % 2 == 0 {
            assert!(house.engine.checkpoint().await);
        }
        let again = House::over(Arc::clone(&house.store), house.engine.now().0).await;
        let admin = again.bind(&tenant.admin_key).await;
        (house, tenant) = (again, Tenant { admin, ..tenant });
        // The level lets nothing through, the last of the ceilings.
        assert_eq!(may(&house, &tenant, &on_it), [""; 0]);
        assert_eq!(house.check(&tenant, &on_it, "orders.read").reason, Reason::BeyondDevice);
        house.submit(&tenant.admin, Command::LimitTrust { trust, patterns: vec![] }).await;
        assert_eq!(may(&house, &tenant, &on_it), ["orders.read"]);
        assert_eq!(house.check(&tenant, &on_it, "no.such").reason, Reason::PermissionUnknown);
        house.submit(&tenant.admin, Command::LimitDevice { device, patterns: vec![] }).await;
    }
    assert!(cut > 100, "{cut}");
    // A permission that is registered later lies below a ceiling that covers it.
    let later = Command::LimitDevice { device, patterns: patterns(&["later.*"]) };
    house.submit(&tenant.admin, later).await;
    house.role(&tenant, "later", &["later.on"]).await;
    house.grant(&tenant, ann, "later").await;
    assert!(house.check(&tenant, &on_it, "later.on").is_permit());
    assert_eq!(may(&house, &tenant, &on_it), [""; 0]);
}

/// PROPERTY: revoking a device ends its sessions, and no other, in the same commit, for good; nobody opens another
/// one on it, and its key may be registered again. A session revokes its own subject's devices and nobody else's.
#[tokio::test]
async fn a_revoked_device_takes_its_sessions_along() {
    let (house, tenant, ann) = scene().await;
    let bob = house.person(&tenant, "bob@example.org", "correct horse").await;
    let theirs = register(&house, &tenant.admin, bob, 9).await;
    let own = sign_in(&house, &tenant, None).await.expect("signed in");
    let own = (own, house.bind(&own).await);
    let (lost, kept) = (register(&house, &own.1, ann, 1).await, register(&house, &own.1, ann, 2).await);
    let mut on_lost = Vec::new();
    for _ in 0..5 {
        on_lost.push(sign_in(&house, &tenant, Some(lost)).await.expect("signed in"));
    }
    let on_kept = sign_in(&house, &tenant, Some(kept)).await.expect("signed in");
    assert_eq!(sign_in(&house, &tenant, Some(theirs)).await.err(), Some(Refusal::DeviceUnknown.into()));
    for (device, refusal) in [(theirs, Refusal::Unauthorized), (PublicId([7; 16]), Refusal::Unauthorized)] {
        assert_eq!(house.refused(&own.1, Command::RevokeDevice { device }).await, refusal);
    }
    for command in [
        Command::TrustDevice { device: lost, trust: Trust::Hardened },
        Command::LimitDevice { device: lost, patterns: vec![] },
        Command::RegisterDevice {
            subject: bob,
            name: Name::new("mine").expect("a name"),
            key: Thumbprint([3; 32]),
        },
    ] {
        assert_eq!(house.refused(&own.1, command).await, Refusal::Unauthorized);
    }
    let told = |house: &House, tenant: &Tenant, handle: &Handle| {
        let view = tenant.admin.entry.view();
        let reading = house.engine.read(view.as_ref().expect("awake"));
        house.engine.introspect(&tenant.admin, &reading, (&handle.to_bytes(), None))
    };
    assert_eq!(told(&house, &tenant, &on_kept).expect("alive").device, Some(kept));
    assert_eq!(told(&house, &tenant, &own.0).expect("alive").device, None);
    house.submit(&own.1, Command::RevokeDevice { device: lost }).await;
    let look = |house: &House, tenant: &Tenant| {
        for handle in &on_lost {
            // Behind a checkpoint no more is known of what has ended than that it lived.
            let ended = [Reason::Revoked, Reason::HandleUnknown];
            assert!(ended.contains(&house.check(tenant, handle, "orders.read").reason));
            assert!(told(house, tenant, handle).is_err_and(|reason| ended.contains(&reason)));
        }
        for handle in [&on_kept, &own.0] {
            assert!(house.check(tenant, handle, "orders.read").is_permit());
        }
        let view = tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let index = listing.subject(ann).expect("ann").index;
        let devices = listing.devices(index, 0, 100).rows;
        let revoked: Vec<_> =
            devices.iter().map(|found| (found.record.id, found.record.is_usable())).collect();
        assert_eq!(revoked, [(lost, false), (kept, true)]);
        assert_eq!(house.engine.read(view.as_ref().expect("awake")).sessions(index, 0, 100).rows.len(), 2);
    };
    look(&house, &tenant);
    assert_eq!(sign_in(&house, &tenant, Some(lost)).await.err(), Some(Refusal::DeviceUnknown.into()));
    // Done is done.
    house.submit(&own.1, Command::RevokeDevice { device: lost }).await;
    let again = House::over(Arc::clone(&house.store), house.engine.now().0).await;
    let tenant = Tenant { admin: again.bind(&tenant.admin_key).await, ..tenant };
    look(&again, &tenant);
    assert!(again.engine.checkpoint().await);
    let third = House::over(Arc::clone(&house.store), again.engine.now().0).await;
    let tenant = Tenant { admin: third.bind(&tenant.admin_key).await, ..tenant };
    look(&third, &tenant);
    let anew = register(&third, &tenant.admin, ann, 1).await;
    assert!(anew != lost && sign_in(&third, &tenant, Some(anew)).await.is_ok());
    for handle in &on_lost {
        assert!(!third.check(&tenant, handle, "orders.read").is_permit());
    }
    third.submit(&tenant.admin, Command::DeleteSubject { subject: ann }).await;
    let gone = third.refused(&tenant.admin, Command::TrustDevice { device: anew, trust: Trust::Known }).await;
    assert_eq!(gone, Refusal::DeviceUnknown);
}

/// PROPERTY: what a session on a limited device makes lies below the ceilings: keys, rotated keys, and sessions that
/// it opens for its own subject. TC-61 in part: sessions on devices.
#[tokio::test]
async fn a_limited_device_is_no_way_round() {
    let (house, tenant, ann) = scene().await;
    house.role(&tenant, "maker", &["tessera.sessions.open", "tessera.admin.keys"]).await;
    house.grant(&tenant, ann, "maker").await;
    let device = register(&house, &tenant.admin, ann, 1).await;
    let free = sign_in(&house, &tenant, None).await.expect("signed in");
    let free = house.bind(&free).await;
    let expires = house.engine.now().plus_seconds(86_400).to_deadline();
    let make = |texts: &[&str]| key(ann, patterns(texts), expires, Private::default());
    let old = house.submit(&free, make(&[])).await.made.session.expect("an id");
    let ceiling = ["orders.*", "tessera.sessions.open", "tessera.admin.keys"];
    let limit = Command::LimitTrust { trust: Trust::Unverified, patterns: patterns(&ceiling) };
    house.submit(&tenant.admin, limit).await;
    let on_it = sign_in(&house, &tenant, Some(device)).await.expect("signed in");
    let on_it = house.bind(&on_it).await;
    for beyond in [&[][..], &["*"], &["profile.read"], &["orders.read", "bills.*"]] {
        assert_eq!(house.refused(&on_it, make(beyond)).await, Refusal::BeyondCreator, "{beyond:?}");
    }
    house.submit(&on_it, make(&["orders.read"])).await;
    let rotation = |overlap_s| Rotation {
        key: old,
        expires: Deadline::NONE,
        patterns: vec![],
        networks: vec![],
        overlap_s,
    };
    let rotated = house.engine.rotate_key(&on_it, house.engine.command_id(), rotation(0)).await;
    assert_eq!(rotated.err(), Some(Refusal::BeyondCreator.into()));
    assert_eq!(house.open(&on_it, ann).await.err(), Some(Refusal::BeyondCreator.into()));
    assert!(house.open(&free, ann).await.is_ok());
    assert!(house.engine.rotate_key(&free, house.engine.command_id(), rotation(60)).await.is_ok());
    // Commands are checked below the ceiling, too.
    let none = Command::LimitTrust { trust: Trust::Unverified, patterns: patterns(&["orders.*"]) };
    house.submit(&tenant.admin, none).await;
    assert_eq!(house.refused(&on_it, make(&["orders.read"])).await, Refusal::Unauthorized);
}

/// PROPERTY: where devices are required a person's session opens on one of their own alone, with and without a
/// password; machines need none. Devices of one subject are bounded, names of levels are four, keys are unique.
#[tokio::test]
async fn devices_are_required_and_bounded() {
    let (house, tenant, ann) = scene().await;
    let device = register(&house, &tenant.admin, ann, 1).await;
    house.submit(&tenant.admin, Command::RequireDevices { required: true }).await;
    let refused = Some(SubmitError::from(Refusal::DeviceRequired));
    assert_eq!(sign_in(&house, &tenant, None).await.err(), refused);
    assert_eq!(house.open(&tenant.admin, ann).await.err(), refused);
    assert!(house.open(&tenant.admin, tenant.admin.subject).await.is_ok(), "a machine");
    assert!(sign_in(&house, &tenant, Some(device)).await.is_ok());
    let again = House::over(Arc::clone(&house.store), house.engine.now().0).await;
    let tenant = Tenant { admin: again.bind(&tenant.admin_key).await, ..tenant };
    assert_eq!(sign_in(&again, &tenant, None).await.err(), refused);
    again.submit(&tenant.admin, Command::RequireDevices { required: false }).await;
    assert!(sign_in(&again, &tenant, None).await.is_ok());
    let name = Name::new("again").expect("a name");
    let same = Command::RegisterDevice { subject: ann, name: name.clone(), key: Thumbprint([1; 32]) };
    assert_eq!(again.refused(&tenant.admin, same).await, Refusal::Duplicate);
    for no in 2..=u8::try_from(DEVICES_PER_SUBJECT_MAX).expect("small") {
        register(&again, &tenant.admin, ann, no).await;
    }
    let more = Command::RegisterDevice { subject: ann, name, key: Thumbprint([99; 32]) };
    assert_eq!(again.refused(&tenant.admin, more.clone()).await, Limit::DevicesPerSubject.reached());
    again.submit(&tenant.admin, Command::RevokeDevice { device }).await;
    again.submit(&tenant.admin, more).await;
    // Of those that are revoked as many are remembered.
    for round in 0..DEVICES_PER_SUBJECT_MAX + 8 {
        let view = tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        drop(view);
        let index = listing.subject(ann).expect("ann").index;
        let devices = listing.devices(index, 0, 1_000).rows;
        assert!(devices.len() <= 2 * DEVICES_PER_SUBJECT_MAX, "{round}: {}", devices.len());
        let usable = devices.iter().find(|found| found.record.is_usable()).expect("one");
        again.submit(&tenant.admin, Command::RevokeDevice { device: usable.record.id }).await;
        register(&again, &tenant.admin, ann, 100 + u8::try_from(round).expect("small")).await;
    }
}

/// PROPERTY: a session on a device asks by scope within its ceilings too, also by what an application registered; one
/// without a device does not notice.
#[tokio::test]
async fn a_device_cuts_checks_by_scope() {
    let (house, tenant, ann) = scene().await;
    house.role(&tenant, "media", &["media/files:read", "media/files:update"]).await;
    house.grant(&tenant, ann, "media").await;
    let device = register(&house, &tenant.admin, ann, 1).await;
    let on_it = sign_in(&house, &tenant, Some(device)).await.expect("signed in");
    let free = sign_in(&house, &tenant, None).await.expect("signed in");
    let asked = |handle: &Handle, scope: &str| {
        let view = tenant.admin.entry.view();
        let reading = house.engine.read(view.as_ref().expect("awake"));
        let query = tessera_model::CheckQuery {
            handle: &handle.to_bytes(),
            permission: tessera_model::PermissionRef::Name(""),
            workspace: WorkspaceRef::Tenant,
            at_least: tessera_model::Receipt::default(),
            address: None,
        };
        let scope = tessera_model::Scope::parse(scope.as_bytes()).expect("a scope");
        house.engine.check_scope(&tenant.admin, &reading, &query, &scope).reason
    };
    for (ceiling, read, update) in [
        (&["media/files:read"][..], Reason::None, Reason::BeyondDevice),
        (&["scope=update:media/*"], Reason::None, Reason::None),
        (&["orders.*"], Reason::BeyondDevice, Reason::BeyondDevice),
        (&[], Reason::None, Reason::None),
    ] {
        house.submit(&tenant.admin, Command::LimitDevice { device, patterns: patterns(ceiling) }).await;
        assert_eq!(asked(&on_it, "read:media/files"), read, "{ceiling:?}");
        assert_eq!(asked(&on_it, "update:media/files"), update, "{ceiling:?}");
        assert_eq!(asked(&free, "update:media/files"), Reason::None);
        assert_eq!(asked(&on_it, "delete:media/files"), Reason::PermissionUnknown);
    }
}

/// PROPERTY: a session on a limited device does not lift what limits it, whatever its subject administers: not by its
/// device, by the levels, or by no device being needed; others do, and so does the same person elsewhere.
#[tokio::test]
async fn a_limited_device_does_not_lift_its_ceiling() {
    let (house, tenant, ann) = scene().await;
    house.role(&tenant, "keeper", &["tessera.admin.subjects", "tessera.admin.settings"]).await;
    house.grant(&tenant, ann, "keeper").await;
    let bob = house.person(&tenant, "bob@example.org", "correct horse").await;
    let theirs = register(&house, &tenant.admin, bob, 9).await;
    let device = register(&house, &tenant.admin, ann, 1).await;
    let ceiling = patterns(&["orders.read", "tessera.admin.*"]);
    house.submit(&tenant.admin, Command::LimitDevice { device, patterns: ceiling.clone() }).await;
    let on_it = sign_in(&house, &tenant, Some(device)).await.expect("signed in");
    let by = house.bind(&on_it).await;
    let orders = |device| {
        [
            Command::TrustDevice { device, trust: Trust::Hardened },
            Command::LimitDevice { device, patterns: vec![] },
            Command::LimitTrust { trust: Trust::Unverified, patterns: vec![] },
            Command::RequireDevices { required: true },
        ]
    };
    for command in orders(device) {
        let kind = command.kind();
        assert_eq!(house.refused(&by, command).await, Refusal::BeyondCreator, "{kind:?}");
    }
    assert_eq!(may(&house, &tenant, &on_it), ["orders.read"]);
    house.submit(&by, Command::TrustDevice { device: theirs, trust: Trust::Known }).await;
    let free = sign_in(&house, &tenant, None).await.expect("signed in");
    let free = house.bind(&free).await;
    for command in orders(device) {
        house.submit(&free, command).await;
    }
    assert_eq!(may(&house, &tenant, &on_it), NAMES);
}

/// PROPERTY: a device that its owner revokes and registers anew by the same key keeps its ceiling; whoever
/// administers subjects registers it without.
#[tokio::test]
async fn a_ceiling_outlives_a_revocation() {
    let (house, tenant, ann) = scene().await;
    let device = register(&house, &tenant.admin, ann, 1).await;
    let limit = Command::LimitDevice { device, patterns: patterns(&["orders.read"]) };
    house.submit(&tenant.admin, limit).await;
    let free = sign_in(&house, &tenant, None).await.expect("signed in");
    let own = house.bind(&free).await;
    house.submit(&own, Command::RevokeDevice { device }).await;
    let anew = register(&house, &own, ann, 1).await;
    let on_it = sign_in(&house, &tenant, Some(anew)).await.expect("signed in");
    assert_eq!(may(&house, &tenant, &on_it), ["orders.read"]);
    house.submit(&own, Command::RevokeDevice { device: anew }).await;
    let lifted = register(&house, &tenant.admin, ann, 1).await;
    let on_it = sign_in(&house, &tenant, Some(lifted)).await.expect("signed in");
    assert_eq!(may(&house, &tenant, &on_it), NAMES);
}

/// PROPERTY: a stranger who signs in opens no session on a device, and none at all where devices are required,
/// whether the password is right or not.
#[tokio::test]
async fn a_stranger_names_no_device() {
    let (house, tenant, _) = scene().await;
    house.set(&tenant, |settings| settings.public_sign_in = 1).await;
    let identifier = Identifier::guess("ann@example.org").expect("an identifier");
    let sign_in = async |password: &[u8]| {
        let (engine, from) = (&house.engine, std::net::IpAddr::from([192, 0, 2, 1]));
        let stranger = engine.knock_as_stranger((Some(tenant.id), ""), Errand::SignIn, from).expect("let in");
        let proof = (&identifier, Private::new(password.to_vec()));
        engine.sign_in_stranger(&stranger, engine.command_id(), proof, None).await.map(drop)
    };
    assert_eq!(sign_in(b"correct horse").await, Ok(()));
    house.submit(&tenant.admin, Command::RequireDevices { required: true }).await;
    for password in [&b"correct horse"[..], b"wrong"] {
        assert_eq!(sign_in(password).await, Err(Refusal::DeviceRequired.into()));
    }
}
