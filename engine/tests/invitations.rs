//! Invitations: asked into a workspace, in by the inviter's grant as it stands when they answer.

use crate::support;

use std::sync::Arc;
use support::{House, Tenant};
use tessera_engine::{Bound, Done, InvitationFound, InvitationsOf, SubmitError, Why};
use tessera_model::invitation::InvitationState;
use tessera_model::limits::{INVITATION_SECRETS_MAX, INVITATION_TTL_S_MAX, INVITATIONS_PER_IDENTIFIER_MAX};
use tessera_model::record::SubjectStatus;
use tessera_model::{
    Command, Deadline, Handle, HandleKind, Identifier, Limit, Name, Pattern, Private, PublicId, Reason,
    Refusal,
};

/// What `registration` is set to.
const CLOSED: u32 = 0;
const APPROVAL: u32 = 1;
const OPEN: u32 = 2;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

struct Scene {
    house: House,
    tenant: Tenant,
    ann: PublicId,
}

impl Scene {
    /// A tenant where people register, with workspaces `sales` and `berlin` in it, and a role `clerk`.
    async fn new() -> Self {
        let (house, tenant, ann) = House::with_ann().await;
        house.set(&tenant, |settings| settings.registration = OPEN).await;
        house.role(&tenant, "clerk", &["orders.write"]).await;
        for (text, parent) in [("sales", None), ("berlin", Some(name("sales")))] {
            let command = Command::CreateWorkspace { name: name(text), parent, inherits: true };
            house.submit(&tenant.admin, command).await;
        }
        Self { house, tenant, ann }
    }

    fn invite(&self, email: &str, workspace: &str, role: &str) -> Command {
        let whom = Identifier::guess(email).expect("an identifier");
        let hash = self.house.engine.identifier_hash(self.tenant.id, &whom).expect("a hash");
        Command::Invite {
            whom: (whom, hash),
            workspace: name(workspace),
            role: name(role),
            grant_until: Deadline::NONE,
            until: self.in_s(3_600),
            guest: false,
        }
    }

    fn in_s(&self, seconds: u32) -> Deadline {
        self.house.engine.now().plus_seconds(seconds).to_deadline()
    }

    async fn invited(&self, email: &str, workspace: &str) -> (PublicId, Handle) {
        let done = self.house.submit(&self.tenant.admin, self.invite(email, workspace, "clerk")).await;
        (done.made.invitation.expect("an id"), done.made.handle.expect("a secret"))
    }

    /// Answers, as a stranger or in somebody's session.
    async fn answer(
        &self,
        bound: Option<&Bound>,
        secret: &Handle,
        answer: (bool, Option<&str>),
    ) -> Result<Done, SubmitError> {
        let (engine, secret) = (&self.house.engine, Private::new(secret.to_bytes().to_vec()));
        let password = answer.1.map(|text| Private::new(text.as_bytes().to_vec()));
        engine.answer_invitation(bound, engine.command_id(), &secret, (answer.0, password)).await
    }

    async fn why_not(&self, bound: Option<&Bound>, secret: &Handle, answer: (bool, Option<&str>)) -> Refusal {
        match self.answer(bound, secret, answer).await {
            Err(SubmitError::Refused(refusal)) => refusal,
            other => panic!("{:?}", other.map(|done| done.receipt)),
        }
    }

    async fn session(&self, email: &str) -> Bound {
        let session = self.house.sign_in(&self.tenant, email, "correct horse").await.expect("signed in");
        self.house.bind(&session).await
    }

    fn listed(&self, of: InvitationsOf) -> Vec<InvitationFound> {
        let view = self.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        drop(view);
        self.house.engine.invitations(&self.tenant.admin, &listing, of, (0, 1_000)).expect("a page").rows
    }

    fn may(&self, subject: PublicId, permission: &str, workspace: Option<&str>) -> Reason {
        let view = self.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let why = Why {
            subject,
            through: None,
            permission: name(permission),
            workspace: workspace.map(name),
            resource: None,
            context: None,
            entities: None,
            at: self.house.engine.now(),
        };
        listing.explain(&why, &tessera_engine::Draft::default()).expect("explained").reason
    }

    async fn restarted(self) -> Self {
        let house = House::over(Arc::clone(&self.house.store), self.house.engine.now().0).await;
        let admin = house.bind(&self.tenant.admin_key).await;
        Self { tenant: Tenant { admin, ..self.tenant }, house, ..self }
    }
}

/// PROPERTY: whoever has the invited identifier comes in by it with their session, with the role there and no more, as
/// the inviter's grant; nobody else does; the secret is used up; across checkpoints and restarts.
#[tokio::test]
async fn whoever_is_invited_comes_in() {
    let mut scene = Scene::new().await;
    let (invitation, secret) = scene.invited("ann@example.org", "berlin").await;
    assert_eq!(secret.kind, HandleKind::Invitation);
    let bob = scene.house.person(&scene.tenant, "bob@example.org", "correct horse").await;
    let (ann, other) = (scene.session("ann@example.org").await, scene.session("bob@example.org").await);
    assert_eq!(scene.why_not(Some(&other), &secret, (true, None)).await, Refusal::IdentifierUnknown);
    assert_eq!(scene.why_not(Some(&scene.tenant.admin), &secret, (true, None)).await, Refusal::Unauthorized);
    assert_eq!(scene.may(scene.ann, "orders.write", Some("berlin")), Reason::NotGranted);
    scene = scene.restarted().await;
    let ann_again = scene.session("ann@example.org").await;
    let done = scene.answer(Some(&ann_again), &secret, (true, None)).await.expect("accepted");
    assert_eq!((done.made.subject, done.made.invitation), (Some(scene.ann), Some(invitation)));
    drop(ann);
    for round in 0..3 {
        assert_eq!(scene.may(scene.ann, "orders.write", Some("berlin")), Reason::None);
        assert_eq!(scene.may(scene.ann, "orders.write", Some("sales")), Reason::NotGranted);
        assert_eq!(scene.may(bob, "orders.write", Some("berlin")), Reason::NotGranted);
        let found = scene.listed(InvitationsOf::default()).pop().expect("the invitation");
        assert_eq!((found.record.state, found.subject), (InvitationState::Accepted, Some(scene.ann)));
        assert_eq!(found.whom.as_ref().map(Identifier::typed), Some("ann@example.org"));
        assert_eq!(found.inviter, Some(scene.tenant.admin.subject));
        assert!(scene.listed(InvitationsOf { open: true, ..InvitationsOf::default() }).is_empty());
        let own = scene.session("ann@example.org").await;
        assert_eq!(scene.why_not(Some(&own), &secret, (true, None)).await, Refusal::SecretWrong);
        let view = scene.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        drop(view);
        let review = scene
            .house
            .engine
            .review(&scene.tenant.admin, &listing, (tessera_engine::ReviewPlace::default(), 1_000))
            .expect("a page");
        let by: Vec<_> = review.rows.iter().filter_map(tessera_engine::Reviewed::by).collect();
        assert!(by.contains(&scene.tenant.admin.subject.to_string()));
        if round == 0 {
            scene = scene.restarted().await;
        } else if round == 1 {
            assert!(scene.house.engine.checkpoint().await);
            scene = scene.restarted().await;
        }
    }
}

/// PROPERTY: whoever has no account gets one by it, with the invited identifier, by the rules by which people register:
/// closed, nobody; with approval, waiting. A changed secret opens nothing.
/// TC-69 in part: invitations.
#[tokio::test]
async fn a_newcomer_comes_in_by_the_rules_of_registration() {
    let mut scene = Scene::new().await;
    let (_, secret) = scene.invited("eve@example.org", "berlin").await;
    let set =
        |registration| move |settings: &mut tessera_model::Settings| settings.registration = registration;
    scene.house.set(&scene.tenant, set(CLOSED)).await;
    assert_eq!(scene.why_not(None, &secret, (true, Some("correct horse"))).await, Refusal::Unauthorized);
    scene.house.set(&scene.tenant, set(APPROVAL)).await;
    assert_eq!(scene.why_not(None, &secret, (true, None)).await, Refusal::PasswordUnset);
    let mut other = secret;
    other.secret[3] ^= 1;
    assert_eq!(scene.why_not(None, &other, (true, Some("correct horse"))).await, Refusal::SecretWrong);
    scene = scene.restarted().await;
    let eve = scene.answer(None, &secret, (true, Some("correct horse"))).await.expect("in").made.subject;
    let eve = eve.expect("an id");
    let status = |scene: &Scene| {
        let view = scene.tenant.admin.entry.view();
        view.as_ref().expect("awake").listing().subject(eve).expect("eve").status
    };
    assert_eq!(status(&scene), SubjectStatus::Suspended);
    scene.house.submit(&scene.tenant.admin, Command::ResumeSubject { subject: eve }).await;
    scene.session("eve@example.org").await;
    assert_eq!(scene.may(eve, "orders.write", Some("berlin")), Reason::None);
    // With an account one signs in first.
    scene.house.set(&scene.tenant, set(OPEN)).await;
    let (_, secret) = scene.invited("eve@example.org", "sales").await;
    assert_eq!(scene.why_not(None, &secret, (true, Some("correct horse"))).await, Refusal::Duplicate);
}

/// PROPERTY: the grant is decided again: an inviter who was suspended, or may not grant any more, a role or workspace
/// that is gone, and a grant that would be over already let nobody in, each told as what it is.
#[tokio::test]
async fn the_grant_is_decided_again() {
    let scene = Scene::new().await;
    let (house, tenant) = (&scene.house, &scene.tenant);
    let mia = house.person(tenant, "mia@example.org", "correct horse").await;
    house.role(tenant, "granter", &["tessera.admin.grants"]).await;
    house.role(tenant, "keeper", &["tessera.admin.keys"]).await;
    house.grant(tenant, mia, "granter").await;
    let by = scene.session("mia@example.org").await;
    let beyond = scene.invite("ann@example.org", "berlin", "keeper");
    assert_eq!(house.refused(&by, beyond).await, Refusal::BeyondCreator);
    let secret_of = async |command| house.submit(&by, command).await.made.handle.expect("a secret");
    let secret = secret_of(scene.invite("ann@example.org", "berlin", "clerk")).await;
    let own = scene.session("ann@example.org").await;
    let ungrant = Command::Ungrant { subject: mia, role: name("granter"), workspace: None };
    house.submit(&tenant.admin, ungrant).await;
    assert_eq!(scene.why_not(Some(&own), &secret, (true, None)).await, Refusal::InviterUnfit);
    house.grant(tenant, mia, "granter").await;
    // The role comes to mean more than she may hand out.
    let more = vec![Pattern::new("tessera.admin.keys").expect("a pattern")];
    house.submit(&tenant.admin, Command::ChangeRole { name: name("clerk"), patterns: more }).await;
    assert_eq!(scene.why_not(Some(&own), &secret, (true, None)).await, Refusal::InviterUnfit);
    let less = vec![Pattern::new("orders.write").expect("a pattern")];
    house.submit(&tenant.admin, Command::ChangeRole { name: name("clerk"), patterns: less }).await;
    house.submit(&tenant.admin, Command::SuspendSubject { subject: mia }).await;
    assert_eq!(scene.why_not(Some(&own), &secret, (true, None)).await, Refusal::InviterUnfit);
    house.submit(&tenant.admin, Command::ResumeSubject { subject: mia }).await;
    let by = scene.session("mia@example.org").await;
    let secret_of = async |command| house.submit(&by, command).await.made.handle.expect("a secret");
    let mut short = scene.invite("ann@example.org", "sales", "clerk");
    if let Command::Invite { grant_until, .. } = &mut short {
        *grant_until = scene.in_s(60);
    }
    let brief = secret_of(short).await;
    house.pass(61_000);
    assert_eq!(scene.why_not(Some(&own), &brief, (true, None)).await, Refusal::DeadlinePassed);
    house.submit(&tenant.admin, Command::DeleteRole { name: name("clerk") }).await;
    assert_eq!(scene.why_not(Some(&own), &secret, (true, None)).await, Refusal::RoleUnknown);
    house.role(tenant, "clerk", &["orders.write"]).await;
    assert_eq!(scene.why_not(Some(&own), &secret, (true, None)).await, Refusal::RoleUnknown);
    let gone = secret_of(scene.invite("ann@example.org", "berlin", "clerk")).await;
    house.submit(&tenant.admin, Command::DeleteWorkspace { name: name("berlin") }).await;
    assert_eq!(scene.why_not(Some(&own), &gone, (true, None)).await, Refusal::WorkspaceUnknown);
    assert_eq!(scene.may(scene.ann, "orders.write", Some("sales")), Reason::NotGranted);
}

/// PROPERTY: a new secret ends the one before; withdrawn, declined and lapsed invitations let nobody in; the lists say
/// what became of each; whoever invites may take back what is theirs without more.
/// TC-69 in part: invitations.
#[tokio::test]
async fn secrets_end() {
    let scene = Scene::new().await;
    let (house, tenant) = (&scene.house, &scene.tenant);
    let own = scene.session("ann@example.org").await;
    let (invitation, first) = scene.invited("ann@example.org", "berlin").await;
    let again = Command::ResendInvitation { invitation, until: scene.in_s(600) };
    let second = house.submit(&tenant.admin, again.clone()).await.made.handle.expect("a secret");
    assert_eq!(scene.why_not(Some(&own), &first, (true, None)).await, Refusal::SecretWrong);
    house.pass(601_000);
    assert_eq!(scene.why_not(Some(&own), &second, (true, None)).await, Refusal::SecretWrong);
    assert!(scene.listed(InvitationsOf::default())[0].lapsed);
    let withdraw = Command::WithdrawInvitation { invitation };
    assert_eq!(house.refused(&tenant.admin, withdraw.clone()).await, Refusal::InvitationClosed);
    // One that has lapsed is sent again.
    let again = |seconds| Command::ResendInvitation { invitation, until: scene.in_s(seconds) };
    let third = house.submit(&tenant.admin, again(600)).await.made.handle.expect("a secret");
    assert_eq!(house.refused(&own, withdraw.clone()).await, Refusal::Unauthorized);
    house.submit(&tenant.admin, withdraw.clone()).await;
    assert_eq!(scene.why_not(Some(&own), &third, (true, None)).await, Refusal::SecretWrong);
    assert_eq!(house.refused(&tenant.admin, again(600)).await, Refusal::InvitationClosed);
    let (declined, secret) = scene.invited("ann@example.org", "berlin").await;
    scene.answer(None, &secret, (false, None)).await.expect("declined");
    let states: Vec<_> = scene.listed(InvitationsOf::default()).iter().map(|one| one.record.state).collect();
    assert_eq!(states, [InvitationState::Withdrawn, InvitationState::Declined]);
    let unknown = Command::WithdrawInvitation { invitation: scene.ann };
    assert_eq!(house.refused(&tenant.admin, unknown).await, Refusal::InvitationUnknown);
    let over = Command::WithdrawInvitation { invitation: declined };
    assert_eq!(house.refused(&tenant.admin, over).await, Refusal::InvitationClosed);
    assert_eq!(scene.may(scene.ann, "orders.write", Some("berlin")), Reason::NotGranted);
}

/// PROPERTY: each bound is refused by its name; a second invitation of the same kind is refused; an inviter is answered
/// alike whether the identifier has an account or not.
#[tokio::test]
async fn invitations_are_bounded_and_tell_nothing() {
    let scene = Scene::new().await;
    let (house, tenant) = (&scene.house, &scene.tenant);
    let admin = &tenant.admin;
    // With an account, and without one.
    for email in ["ann@example.org", "nobody@example.org"] {
        let (invitation, _) = scene.invited(email, "berlin").await;
        assert_eq!(house.refused(admin, scene.invite(email, "berlin", "clerk")).await, Refusal::Duplicate);
        for _ in 1..INVITATION_SECRETS_MAX {
            let again = Command::ResendInvitation { invitation, until: scene.in_s(600) };
            assert!(house.submit(admin, again).await.made.handle.is_some());
        }
        let again = Command::ResendInvitation { invitation, until: scene.in_s(600) };
        assert_eq!(house.refused(admin, again).await, Limit::InvitationSecrets.reached());
        for nth in 1..INVITATIONS_PER_IDENTIFIER_MAX {
            let role = format!("{}-{nth}", email.split_once('@').expect("an email").0);
            house.role(tenant, &role, &["orders.write"]).await;
            house.submit(admin, scene.invite(email, "sales", &role)).await;
        }
        let beyond = scene.invite(email, "sales", "clerk");
        assert_eq!(house.refused(admin, beyond).await, Limit::InvitationsPerIdentifier.reached());
    }
    let mut late = scene.invite("late@example.org", "berlin", "clerk");
    if let Command::Invite { until, .. } = &mut late {
        *until = scene.in_s(INVITATION_TTL_S_MAX + 60);
    }
    assert_eq!(house.refused(admin, late).await, Limit::InvitationTtl.reached());
    let nowhere = scene.invite("late@example.org", "paris", "clerk");
    assert_eq!(house.refused(admin, nowhere).await, Refusal::WorkspaceUnknown);
    let nothing = scene.invite("late@example.org", "berlin", "nothing");
    assert_eq!(house.refused(admin, nothing).await, Refusal::RoleUnknown);
    // An operator is nobody of the tenant.
    let key = house.operator_key.lock().expect("sound").expect("a key");
    let operator = house.engine.hello(&key.to_bytes(), Some(tenant.id)).expect("bound");
    let by_operator = scene.invite("late@example.org", "berlin", "clerk");
    assert_eq!(house.refused(&operator, by_operator).await, Refusal::Unauthorized);
}

/// PROPERTY: what an inviter's key is restricted to counts when the invitation is accepted, too: also after a restart,
/// in which restrictions are given up that nothing names.
#[tokio::test]
async fn the_inviters_key_counts() {
    let mut scene = Scene::new().await;
    scene.house.role(&scene.tenant, "keeper", &["tessera.admin.keys"]).await;
    let patterns = vec![Pattern::new("tessera.admin.grants").expect("a pattern")];
    let subject = scene.tenant.admin.subject;
    let command = support::key(subject, patterns, scene.in_s(86_400), Private::default());
    let done = scene.house.submit(&scene.tenant.admin, command).await;
    let key = scene.house.bind(&done.made.handle.expect("a key")).await;
    let secret = scene.house.submit(&key, scene.invite("ann@example.org", "berlin", "clerk")).await;
    let secret = secret.made.handle.expect("a secret");
    let revoke = Command::RevokeKey { key: done.made.session.expect("an id") };
    scene.house.submit(&scene.tenant.admin, revoke).await;
    let more = vec![Pattern::new("tessera.admin.keys").expect("a pattern")];
    scene
        .house
        .submit(&scene.tenant.admin, Command::ChangeRole { name: name("clerk"), patterns: more })
        .await;
    for _ in 0..2 {
        let own = scene.session("ann@example.org").await;
        assert_eq!(scene.why_not(Some(&own), &secret, (true, None)).await, Refusal::InviterUnfit);
        assert!(scene.house.engine.checkpoint().await);
        scene = scene.restarted().await;
        // Another key may take the number of a restriction that nothing names.
        let all = vec![Pattern::new("tessera.*").expect("a pattern")];
        let command = support::key(subject, all, scene.in_s(86_400), Private::default());
        scene.house.submit(&scene.tenant.admin, command).await;
    }
    let less = vec![Pattern::new("orders.write").expect("a pattern")];
    scene
        .house
        .submit(&scene.tenant.admin, Command::ChangeRole { name: name("clerk"), patterns: less })
        .await;
    let own = scene.session("ann@example.org").await;
    scene.answer(Some(&own), &secret, (true, None)).await.expect("accepted");
    assert_eq!(scene.may(scene.ann, "orders.write", Some("berlin")), Reason::None);
}
