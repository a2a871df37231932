//! Sets of policies: which versions are kept, and what the node itself says of sessions.

use crate::support;

use std::sync::Arc;
use support::{House, Tenant};
use tessera_engine::{Listing, PolicyParts};
use tessera_model::catalogue::{EntryText, ServiceEntry};
use tessera_model::limits::POLICY_VERSIONS_MAX;
use tessera_model::{Command, Handle, Identifier, Name, Private, PublicId, Reason, Thumbprint, Trust};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn listing(tenant: &Tenant) -> Listing {
    tenant.admin.entry.view().as_ref().expect("awake").listing()
}

fn parts(text: &str) -> PolicyParts {
    PolicyParts { text: Some(text.into()), ..PolicyParts::default() }
}

async fn again(house: House, tenant: Tenant) -> (House, Tenant) {
    let again = House::over(Arc::clone(&house.store), house.engine.now().0).await;
    let admin = again.bind(&tenant.admin_key).await;
    (again, Tenant { admin, ..tenant })
}

/// PROPERTY: the last eight sets are kept as they were set, whatever was taken away between, and the present one is the last
/// that was not; so after checkpoints and starts. METHOD: a list of all that was set beside random sets, removals,
/// checkpoints and starts.
#[tokio::test]
async fn the_last_sets_are_kept() {
    let (mut house, mut tenant, _) = House::with_ann().await;
    house.submit(&tenant.admin, Command::RegisterPermission { name: name("docs.read") }).await;
    let (mut all, mut present): (Vec<(u32, String)>, Option<u32>) = (Vec::new(), None);
    let mut random = 7_u32;
    for step in 0..60 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match random >> 28 {
            0 => {
                house.submit(&tenant.admin, Command::DeletePolicies { expected: None }).await;
                present = None;
            }
            1 | 2 => assert!(house.engine.checkpoint().await),
            3 => (house, tenant) = again(house, tenant).await,
            _ => {
                let text = format!("permit (principal, action, resource) when {{ context.acr > {step} }};");
                let version = house.set_policies(&tenant.admin, parts(&text)).await.expect("set");
                assert_eq!(version, all.last().map_or(1, |(last, _)| last + 1));
                all.push((version, text));
                present = Some(version);
            }
        }
        let told = listing(&tenant);
        let kept: Vec<_> = told.policy_sets().map(|set| (set.version, set.text.to_string())).collect();
        let most = POLICY_VERSIONS_MAX as usize;
        let right: Vec<_> = all.iter().rev().take(most).cloned().collect();
        assert_eq!(kept, right, "step {step}");
        assert_eq!(told.policies().map(|set| set.version), present, "step {step}");
        assert_eq!(told.policies_count(), usize::from(present.is_some()), "step {step}");
        for (version, text) in &all {
            let of = told.policy_set(*version).map(|set| set.text.to_string());
            assert_eq!(of, right.contains(&(*version, text.clone())).then(|| text.clone()));
        }
    }
    assert!(all.len() > 30);
}

/// PROPERTY: the built-in schema has every permission of a tenant, however many they are, those too that are registered
/// behind the policies.
#[tokio::test]
async fn the_built_in_schema_has_every_permission() {
    let (house, tenant, _) = House::with_ann().await;
    for service in 0..12 {
        let entries: Vec<_> = (0..500)
            .map(|no| ServiceEntry {
                permission: name(&format!("service{service}.permission.number.{no}")),
                text: EntryText::default(),
                replaced_by: None,
            })
            .collect();
        house
            .submit(&tenant.admin, Command::SetService { name: name(&format!("s{service}")), entries })
            .await;
    }
    let text = r#"permit (principal, action, resource) when { !context.key };
        forbid (principal, action == Action::"service3.permission.number.7", resource);"#;
    house.set_policies(&tenant.admin, parts(text)).await.expect("set");
    let key = sign_in(&house, &tenant, None).await;
    let reason = |permission: &str| house.check(&tenant, &key, permission).reason;
    assert_eq!(reason("service11.permission.number.499"), Reason::None);
    assert_eq!(reason("service3.permission.number.7"), Reason::PolicyForbids);
    assert_eq!(reason("later"), Reason::PermissionUnknown);
    house.submit(&tenant.admin, Command::RegisterPermission { name: name("later") }).await;
    assert_eq!(reason("later"), Reason::None);
    let (house, tenant) = again(house, tenant).await;
    for (permission, right) in
        [("later", Reason::None), ("service3.permission.number.7", Reason::PolicyForbids)]
    {
        assert_eq!(house.check(&tenant, &key, permission).reason, right);
    }
}

async fn sign_in(house: &House, tenant: &Tenant, device: Option<PublicId>) -> Handle {
    let identifier = Identifier::guess("ann@example.org").expect("an identifier");
    let proof = (&identifier, Private::new(b"correct horse".to_vec()));
    let done = house.engine.sign_in(&tenant.admin, house.engine.command_id(), proof, (None, device)).await;
    done.expect("signed in").made.handle.expect("a handle")
}

/// PROPERTY: policies see how strongly a session was opened, when, and how far its device is trusted; of a session that
/// somebody vouched for there is no such moment, and of one on no device no trust.
#[tokio::test]
async fn policies_see_the_proof_and_the_device() {
    let (house, tenant, ann) = House::with_ann().await;
    for permission in ["ledger.book", "ledger.read", "ledger.see"] {
        house.submit(&tenant.admin, Command::RegisterPermission { name: name(permission) }).await;
    }
    let text = r#"
        permit (principal, action == Action::"ledger.book", resource)
        when { context has device_trust && context.device_trust >= 2 };
        permit (principal, action == Action::"ledger.read", resource)
        when { context has authenticated_at
            && context.now < context.authenticated_at.offset(duration("5m")) };
        permit (principal, action == Action::"ledger.see", resource) when { context.acr >= 1 };"#;
    house.set_policies(&tenant.admin, parts(text)).await.expect("set");
    let device = Command::RegisterDevice { subject: ann, name: name("laptop"), key: Thumbprint([1; 32]) };
    let device = house.submit(&tenant.admin, device).await.made.device.expect("an id");
    let (on_it, bare) = (sign_in(&house, &tenant, Some(device)).await, sign_in(&house, &tenant, None).await);
    let vouched = house.open(&tenant.admin, ann).await.expect("opened").made.handle.expect("a handle");
    let may = |handle: &Handle| {
        ["ledger.book", "ledger.read", "ledger.see"]
            .map(|name| house.check(&tenant, handle, name).is_permit())
    };
    assert_eq!(may(&on_it), [false, true, true]);
    house.submit(&tenant.admin, Command::TrustDevice { device, trust: Trust::Managed }).await;
    assert_eq!(may(&on_it), [true, true, true]);
    assert_eq!(may(&bare), [false, true, true]);
    assert_eq!(may(&vouched), [false, false, false]);
    house.pass(299_999);
    assert_eq!(may(&on_it), [true, true, true]);
    house.pass(1);
    assert_eq!(may(&on_it), [true, false, true]);
}
