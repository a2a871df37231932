//! Why somebody may do something, what would be if, and who holds what since when.

use crate::support;

use support::{House, Tenant};
use tessera_engine::{Draft, Explained, Held, ReviewPlace, SubmitError, Who, Why};
use tessera_model::note::By;
use tessera_model::{Command, Deadline, Name, Pattern, PublicId, Reason, Refusal, UnixMillis};

const NONE: Deadline = Deadline::NONE;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn texts(names: &[Name]) -> Vec<&str> {
    names.iter().map(Name::as_str).collect()
}

/// A tenant in which ann is in editors, which lies in staff; staff has clerk, whose parent is reader.
struct Scene {
    house: House,
    tenant: Tenant,
    ann: PublicId,
}

impl Scene {
    async fn new() -> Self {
        let (house, tenant, ann) = House::with_ann().await;
        house.role(&tenant, "reader", &["orders.read"]).await;
        house.role(&tenant, "clerk", &["orders.write"]).await;
        let scene = Self { house, tenant, ann };
        let vault = Command::CreateWorkspace { name: name("vault"), parent: None, inherits: false };
        let berlin = Command::CreateWorkspace { name: name("berlin"), parent: None, inherits: true };
        let setup = [
            vault,
            berlin,
            Command::SetRoleParents { name: name("clerk"), parents: vec![name("reader")] },
            Command::CreateGroup { name: name("staff"), rule: Vec::new() },
            Command::CreateGroup { name: name("editors"), rule: Vec::new() },
            Command::AddSubgroup {
                group: name("staff"),
                member: name("editors"),
                from: Deadline::NONE,
                until: Deadline::NONE,
            },
            Command::GrantGroup {
                group: name("staff"),
                role: name("clerk"),
                workspace: None,
                from: NONE,
                until: NONE,
            },
            Command::AddMember { group: name("editors"), subject: ann, from: NONE, until: NONE },
        ];
        for command in setup {
            scene.done(command).await;
        }
        scene
    }

    async fn done(&self, command: Command) {
        self.house.submit(&self.tenant.admin, command).await;
    }

    fn ask(&self, permission: &str, workspace: Option<&str>, draft: &Draft) -> Result<Explained, Refusal> {
        self.ask_at(permission, workspace, draft, self.house.engine.now())
    }

    fn ask_at(
        &self,
        permission: &str,
        workspace: Option<&str>,
        draft: &Draft,
        at: UnixMillis,
    ) -> Result<Explained, Refusal> {
        let view = self.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let why = Why {
            context: None,
            entities: None,
            subject: self.ann,
            through: None,
            permission: name(permission),
            workspace: workspace.map(name),
            resource: None,
            at,
        };
        listing.explain(&why, draft)
    }
}

/// PROPERTY: an explanation names the whole way: the groups from the subject's own up to the one that has the
/// grant, the roles from that one up to the one whose pattern covers it, and the wall that keeps it out (F-35).
#[tokio::test]
async fn f_35_an_explanation_names_the_whole_way() {
    let scene = Scene::new().await;
    let told = scene.ask("orders.read", Some("berlin"), &Draft::default()).expect("explained");
    assert_eq!(told.reason, Reason::None);
    let [source] = &told.sources[..] else { panic!("{told:?}") };
    assert_eq!(texts(&source.groups), ["editors", "staff"]);
    assert_eq!(texts(&source.roles), ["clerk", "reader"]);
    assert_eq!(source.pattern.as_ref().map(Pattern::as_str), Some("orders.read"));
    assert!(source.holds && source.workspace.is_none() && source.wall.is_none());
    let told = scene.ask("orders.read", Some("vault"), &Draft::default()).expect("explained");
    assert_eq!(told.reason, Reason::NotGranted);
    let [source] = &told.sources[..] else { panic!("{told:?}") };
    assert_eq!((source.holds, source.wall.as_ref().map(Name::as_str)), (false, Some("vault")));
    let told = scene.ask("orders.cancel", None, &Draft::default()).expect("explained");
    assert_eq!((told.reason, told.sources.len()), (Reason::PermissionUnknown, 0));
    assert_eq!(
        scene.ask("orders.read", Some("nowhere"), &Draft::default()).err(),
        Some(Refusal::WorkspaceUnknown)
    );
    scene.done(Command::SetCeiling { name: name("berlin"), patterns: vec![] }).await;
    let ceiling = vec![Pattern::new("bills.*").expect("a pattern")];
    scene.done(Command::SetCeiling { name: name("berlin"), patterns: ceiling }).await;
    let told = scene.ask("orders.read", Some("berlin"), &Draft::default()).expect("explained");
    assert_eq!((told.reason, texts(&told.ceilings)), (Reason::BeyondCeiling, vec!["berlin"]));
    scene.done(Command::SuspendSubject { subject: scene.ann }).await;
    let told = scene.ask("orders.read", None, &Draft::default()).expect("explained");
    assert_eq!(told.reason, Reason::SubjectSuspended);
}

/// PROPERTY: what is supposed turns the answer, at the time that is supposed, and nothing of it happens.
#[tokio::test]
async fn simulations_change_nothing() {
    let scene = Scene::new().await;
    scene.house.role(&scene.tenant, "boss", &["bills.pay"]).await;
    let reason = |told: Result<Explained, Refusal>| told.map(|told| told.reason);
    let now = scene.house.engine.now();
    let (from, until) = (now.plus_seconds(100).to_deadline(), now.plus_seconds(200).to_deadline());
    let grant = Draft { grant: Some((name("boss"), None, from, until)), ..Draft::default() };
    for (after, right) in [(99, Reason::NotGranted), (100, Reason::None), (200, Reason::NotGranted)] {
        let told = scene.ask_at("bills.pay", None, &grant, now.plus_seconds(after));
        assert_eq!(reason(told), Ok(right), "{after}");
    }
    let covers = |text: &str| vec![Pattern::new(text).expect("a pattern")];
    let narrower = Draft { role: Some((name("reader"), covers("orders.list"))), ..Draft::default() };
    assert_eq!(reason(scene.ask("orders.read", None, &narrower)), Ok(Reason::NotGranted));
    let fresh = Draft {
        role: Some((name("payer"), covers("bills.*"))),
        grant: Some((name("payer"), Some(name("berlin")), NONE, NONE)),
        ..Draft::default()
    };
    assert_eq!(reason(scene.ask("bills.pay", Some("berlin"), &fresh)), Ok(Reason::None));
    assert_eq!(reason(scene.ask("bills.pay", None, &fresh)), Ok(Reason::NotGranted));
    let told = scene.ask("bills.pay", Some("berlin"), &fresh).expect("explained");
    assert_eq!(texts(&told.sources[0].roles), ["payer"]);
    scene.done(support::grant(scene.ann, "boss")).await;
    let without = Draft { without: Some((name("boss"), None)), ..Draft::default() };
    assert_eq!(reason(scene.ask("bills.pay", None, &without)), Ok(Reason::NotGranted));
    scene.done(Command::CreateGroup { name: name("payers"), rule: Vec::new() }).await;
    let group = Draft { group: Some(name("nobody")), ..Draft::default() };
    assert_eq!(scene.ask("bills.pay", None, &group).err(), Some(Refusal::GroupUnknown));
    let role = Draft { grant: Some((name("nothing"), None, NONE, NONE)), ..Draft::default() };
    assert_eq!(scene.ask("bills.pay", None, &role).err(), Some(Refusal::RoleUnknown));
    // As things stand, nothing of it is so.
    assert_eq!(reason(scene.ask("bills.pay", None, &Draft::default())), Ok(Reason::None));
    assert_eq!(reason(scene.ask("orders.read", None, &Draft::default())), Ok(Reason::None));
}

/// PROPERTY: a review names everything that anybody holds once, with who made it and when, and who changed it last;
/// page by page as many rows as were asked for, whoever holds them;
/// what is taken back is gone from it, and what is given anew is new. A grant that does not stand is not renewed.
#[tokio::test]
async fn a_review_tells_since_when_and_by_whom() {
    let scene = Scene::new().await;
    let admin = scene.tenant.admin.subject;
    let start = scene.house.engine.now().to_deadline();
    let until = |seconds| scene.house.engine.now().plus_seconds(seconds).to_deadline();
    let limited = |until| Command::Grant {
        subject: scene.ann,
        role: name("reader"),
        workspace: Some(name("berlin")),
        from: NONE,
        until,
    };
    scene.done(limited(until(1_000))).await;
    scene.house.pass(10_000);
    let renew = |until| Command::RenewGrant {
        subject: scene.ann,
        role: name("reader"),
        workspace: Some(name("berlin")),
        until,
    };
    scene.done(renew(until(5_000))).await;
    let review = || {
        let view = scene.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let of = |limit| {
            let (mut from, mut rows) = (ReviewPlace::default(), vec![]);
            loop {
                let page = scene.house.engine.review(&scene.tenant.admin, &listing, (from, limit));
                let page = page.expect("read");
                assert!(page.rows.len() <= limit, "{limit}: {page:?}");
                rows.extend(page.rows);
                // A cursor goes through bytes.
                let cursors = scene
                    .house
                    .engine
                    .cursors(scene.tenant.id, tessera_model::Listed::all(tessera_model::ListKind::Review));
                let cursors = cursors.expect("cursors");
                let read = |next: ReviewPlace| ReviewPlace::read(&cursors, Some(&next.cursor(&cursors)));
                match page.next.map(read) {
                    Some(next) => from = next.expect("a place"),
                    None => return rows,
                }
            }
        };
        let rows = of(1);
        for limit in 2..=rows.len() + 1 {
            let places =
                |rows: &[tessera_engine::Reviewed]| rows.iter().map(|row| row.place).collect::<Vec<_>>();
            assert_eq!(places(&of(limit)), places(&rows), "{limit}");
        }
        rows
    };
    let rows = review();
    let of_ann: Vec<_> = rows.iter().filter(|row| row.who == Who::Subject(scene.ann)).collect();
    let [role, member] = &of_ann[..] else { panic!("{of_ann:?}") };
    assert_eq!(role.held, Held::Role(name("reader"), Some(name("berlin"))));
    assert_eq!(member.held, Held::Group(name("editors")));
    let note = role.made.as_ref().expect("a note");
    let by = Some(By::Subject(admin).text());
    assert_eq!((note.at, &note.by), (start, &by));
    let changed = role.changed.as_ref().expect("a note");
    assert_eq!((changed.at.0 - start.0, &changed.by), (10, &by));
    assert_eq!((role.until, member.changed.is_none()), (until(5_000), true));
    let groups: Vec<_> = rows.iter().filter(|row| row.who == Who::Group(name("staff"))).collect();
    assert!(groups.len() == 1 && groups[0].made.as_ref().is_some_and(|note| note.at == start));
    // Taken back and given anew, it is new.
    let back = Command::Ungrant { subject: scene.ann, role: name("reader"), workspace: Some(name("berlin")) };
    scene.done(back).await;
    assert_eq!(review().len(), rows.len() - 1);
    let engine = &scene.house.engine;
    let gone = engine.submit(&scene.tenant.admin, engine.command_id(), renew(NONE)).await;
    assert_eq!(gone.err(), Some(SubmitError::Refused(Refusal::GrantUnknown)));
    scene.done(limited(NONE)).await;
    let rows = review();
    let role = rows.iter().find(|row| row.who == Who::Subject(scene.ann)).expect("a row");
    let since = role.made.as_ref().map(|note| note.at.0 - start.0);
    assert_eq!((since, role.changed.is_none()), (Some(10), true));
}
