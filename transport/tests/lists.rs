//! Lists over the wire: whole and without doubles under writes.

use crate::support;

use std::collections::{BTreeMap, BTreeSet};
use support::{House, Tenant, name};
use tessera_client::wire::{
    ClientRow, GrantRow, HolderRow, KeyRow, PermissionRow, Request, RoleRow, SessionRow, Shape, SubjectRow,
    WorkspaceRow,
};
use tessera_client::{Client, Pages};
use tessera_model::record::SubjectKind;
use tessera_model::refresh::ClientTerms;
use tessera_model::{Deadline, Name, Pattern, Private, PublicId};

/// Some months after the houses' beginning, within the life of their keys.
const LATER: Deadline = Deadline(198_000_000);

/// Pseudo-random numbers from a seed (splitmix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % end as u64).expect("small")
    }
}

/// What one list should hold: the slow answer.
#[derive(Default)]
struct Model {
    /// What is there now.
    there: BTreeSet<String>,
    /// What has been there since the walk began.
    throughout: BTreeSet<String>,
    /// What was there at some time of the walk.
    ever: BTreeSet<String>,
}

impl Model {
    fn add(&mut self, row: String) {
        self.ever.insert(row.clone());
        self.there.insert(row);
    }

    fn remove(&mut self, row: &str) {
        self.there.remove(row);
        self.throughout.remove(row);
    }

    fn begin(&mut self) {
        (self.throughout, self.ever) = (self.there.clone(), self.there.clone());
    }

    fn gone(&mut self, of: impl Fn(&str) -> bool) {
        let gone: Vec<String> = self.there.iter().filter(|row| of(row)).cloned().collect();
        gone.iter().for_each(|row| self.remove(row));
    }
}

/// A walk over one list: its pages and what came.
struct Walk<T> {
    list: &'static str,
    pages: Pages<T>,
    row: fn(&T) -> String,
    seen: Vec<String>,
    ended: bool,
}

impl<T: Shape> Walk<T> {
    fn new(client: &Client, list: &'static str, request: Request, row: fn(&T) -> String) -> Self {
        Self { list, pages: client.pages(request), row, seen: Vec::new(), ended: false }
    }

    /// Reads one page.
    async fn step(&mut self) {
        match self.pages.page().await {
            Some(page) => self.seen.extend(page.expect("a page").iter().map(self.row)),
            None => self.ended = true,
        }
    }

    /// Compares what came with what had to come.
    fn judge(&self, world: &World, seed: u64) {
        let model = &world.models[self.list];
        let once: BTreeSet<&String> = self.seen.iter().collect();
        assert_eq!(once.len(), self.seen.len(), "{} seed {seed}: something came twice", self.list);
        let missing: Vec<_> = model.throughout.iter().filter(|row| !once.contains(row)).collect();
        assert!(missing.is_empty(), "{} seed {seed}: {missing:?} is missing", self.list);
        let made_up: Vec<_> = once.iter().filter(|row| !model.ever.contains(**row)).collect();
        assert!(made_up.is_empty(), "{} seed {seed}: {made_up:?} was never there", self.list);
    }
}

fn at(first: impl ToString, workspace: Option<&Name>) -> String {
    format!("{} @{}", first.to_string(), workspace.map(ToString::to_string).unwrap_or_default())
}

const LISTS: [&str; 9] =
    ["subjects", "sessions", "grants", "holders", "keys", "roles", "workspaces", "clients", "permissions"];

/// A tenant, what it holds, and how it changes.
struct World {
    client: Client,
    amy: PublicId,
    models: BTreeMap<&'static str, Model>,
    subjects: Vec<PublicId>,
    sessions: Vec<PublicId>,
    keys: Vec<PublicId>,
    names: u32,
}

fn none() -> Private {
    Private::new(Vec::new())
}

impl World {
    async fn new(tenant: &Tenant) -> Self {
        let models = LISTS.into_iter().map(|list| (list, Model::default())).collect();
        let client = tenant.client.clone();
        let (subjects, sessions, keys) = (Vec::new(), Vec::new(), Vec::new());
        let mut world = Self { client, amy: PublicId([0; 16]), models, subjects, sessions, keys, names: 0 };
        world.amy = world.subject().await;
        // What a tenant is born with.
        for row in world.client.pages::<SubjectRow>(subjects_from(0)).up_to(1_000).await.expect("rows") {
            world.model("subjects").add(row.subject.to_string());
        }
        for row in world.client.pages::<RoleRow>(roles_from(0)).up_to(1_000).await.expect("rows") {
            world.model("roles").add(row.name.to_string());
        }
        for row in world.client.pages::<PermissionRow>(names_from(0)).up_to(10_000).await.expect("rows") {
            world.model("permissions").add(row.name.to_string());
        }
        for row in world.client.pages::<KeyRow>(keys_from(0)).up_to(1_000).await.expect("rows") {
            world.model("keys").add(row.session.to_string());
        }
        world.role("r0").await;
        world.role("r1").await;
        world
    }

    fn model(&mut self, list: &str) -> &mut Model {
        self.models.get_mut(list).expect("a list")
    }

    async fn order(&self, request: Request) -> tessera_client::wire::Made {
        let kind = request.kind().name();
        match self.client.request(&request).await {
            Ok(made) => made,
            Err(error) => panic!("{kind}: {error}"),
        }
    }

    async fn subject(&mut self) -> PublicId {
        let request =
            Request::CreateSubject { kind: SubjectKind::Machine, identifiers: vec![], password: None };
        let id = self.order(request).await.subject.expect("an id");
        self.model("subjects").add(id.to_string());
        self.subjects.push(id);
        id
    }

    async fn role(&mut self, role: &str) {
        let patterns = vec![Pattern::new("things.*").expect("a pattern")];
        self.order(Request::CreateRole { name: name(role), patterns }).await;
        self.model("roles").add(role.to_owned());
    }

    fn fresh(&mut self, beginning: &str) -> String {
        self.names += 1;
        format!("{beginning}{}", self.names)
    }

    fn pick(&mut self, random: &mut Seeded, list: &str, beginning: &str) -> Option<String> {
        let there: Vec<&String> =
            self.models[list].there.iter().filter(|row| row.starts_with(beginning)).collect();
        (!there.is_empty()).then(|| there[random.below(there.len())].clone())
    }

    /// A grant of `role` to somebody, somewhere; or taken back.
    async fn grant(&mut self, random: &mut Seeded, role: &str, subject: PublicId, give: bool) {
        let workspace = match random.below(3) {
            0 => None,
            _ => self.pick(random, "workspaces", "w").map(|text| name(&text)),
        };
        let (role_name, window) = (name(role), random.below(2) == 0);
        let until = if window { LATER } else { Deadline::NONE };
        if give {
            let (from, workspace) = (Deadline::NONE, workspace.clone());
            self.order(Request::Grant { subject, role: role_name, workspace, from, until }).await;
        } else {
            self.order(Request::Ungrant { subject, role: role_name, workspace: workspace.clone() }).await;
        }
        let (held, of_amy) = (at(subject, workspace.as_ref()), at(role, workspace.as_ref()));
        let amy = self.amy;
        if role == "r0" {
            let model = self.model("holders");
            if give { model.add(held) } else { model.remove(&held) }
        }
        if subject == amy {
            let model = self.model("grants");
            if give { model.add(of_amy) } else { model.remove(&of_amy) }
        }
    }

    /// One random change.
    async fn change(&mut self, random: &mut Seeded) {
        let kind = random.below(20);
        let somebody = self.subjects[random.below(self.subjects.len())];
        match kind {
            0 | 1 => drop(self.subject().await),
            2 if somebody != self.amy && self.subjects.len() > 5 => {
                self.order(Request::DeleteSubject { subject: somebody }).await;
                self.subjects.retain(|id| *id != somebody);
                self.model("subjects").remove(&somebody.to_string());
                self.model("holders").gone(|row| row.starts_with(&somebody.to_string()));
            }
            3..=5 => self.grant(random, "r0", somebody, true).await,
            6 => self.grant(random, "r0", somebody, false).await,
            7 | 16..=18 => {
                let role = self.pick(random, "roles", "r").expect("one");
                let amy = self.amy;
                self.grant(random, &role, amy, true).await;
            }
            8 => {
                let role = self.pick(random, "roles", "r").expect("one");
                let amy = self.amy;
                self.grant(random, &role, amy, false).await;
            }
            9 => {
                let made =
                    self.order(Request::OpenSession { subject: self.amy, device: None, proof: None }).await;
                let id = made.session.expect("an id");
                self.sessions.push(id);
                self.model("sessions").add(id.to_string());
            }
            10 if self.sessions.len() > 3 => {
                let id = self.sessions.swap_remove(random.below(self.sessions.len()));
                self.order(Request::EndSession { session: id }).await;
                self.model("sessions").remove(&id.to_string());
            }
            11 => self.key().await,
            12 if self.keys.len() > 3 => {
                let id = self.keys.swap_remove(random.below(self.keys.len()));
                self.order(Request::RevokeKey { key: id }).await;
                self.model("keys").remove(&id.to_string());
                self.model("sessions").remove(&id.to_string());
            }
            13 | 19 => self.named(random).await,
            14 => self.unnamed(random).await,
            _ => {
                let fresh = self.fresh("things.p");
                self.order(Request::RegisterPermission { name: name(&fresh) }).await;
                self.model("permissions").add(fresh);
            }
        }
    }

    async fn key(&mut self) {
        let request = Request::CreateKey {
            subject: self.amy,
            patterns: vec![Pattern::new("tessera.check").expect("a pattern")],
            expires: LATER,
            description: none(),
            client: None,
            networks: Vec::new(),
        };
        let id = self.order(request).await.session.expect("an id");
        self.keys.push(id);
        self.model("keys").add(id.to_string());
        self.model("sessions").add(id.to_string());
    }

    /// A role, workspace or client more.
    async fn named(&mut self, random: &mut Seeded) {
        match random.below(3) {
            0 => {
                let fresh = self.fresh("r");
                self.role(&format!("{fresh}x")).await;
            }
            1 => {
                let fresh = self.fresh("w");
                let request = Request::CreateWorkspace { name: name(&fresh), parent: None, inherits: true };
                self.order(request).await;
                self.model("workspaces").add(fresh);
            }
            _ => {
                let fresh = self.fresh("c");
                let request = Request::CreateClient { name: name(&fresh), terms: ClientTerms::default() };
                self.order(request).await;
                self.model("clients").add(fresh);
            }
        }
    }

    /// A role, workspace or client less, with the grants that name it.
    async fn unnamed(&mut self, random: &mut Seeded) {
        match random.below(3) {
            0 => {
                let Some(role) = self.pick(random, "roles", "r").filter(|role| role.ends_with('x')) else {
                    return;
                };
                self.order(Request::DeleteRole { name: name(&role) }).await;
                self.model("roles").remove(&role);
                self.model("grants").gone(|row| row.starts_with(&format!("{role} @")));
            }
            1 => {
                let Some(workspace) = self.pick(random, "workspaces", "w").filter(|_| random.below(2) == 0)
                else {
                    return;
                };
                self.order(Request::DeleteWorkspace { name: name(&workspace) }).await;
                self.model("workspaces").remove(&workspace);
                for list in ["grants", "holders"] {
                    self.model(list).gone(|row| row.ends_with(&format!(" @{workspace}")));
                }
            }
            _ => {
                let Some(client) = self.pick(random, "clients", "c").filter(|_| random.below(2) == 0) else {
                    return;
                };
                self.order(Request::DeleteClient { name: name(&client) }).await;
                self.model("clients").remove(&client);
            }
        }
    }
}

fn subjects_from(limit: u32) -> Request {
    Request::ListSubjects { after: None, limit }
}

fn roles_from(limit: u32) -> Request {
    Request::ListRoles { after: None, limit }
}

fn names_from(limit: u32) -> Request {
    Request::ListPermissionNames { after: None, limit }
}

fn keys_from(limit: u32) -> Request {
    Request::ListKeys { subject: None, after: None, limit }
}

/// PROPERTY: while everything changes, a walk over the pages of each list gives what was there throughout
/// exactly once, nothing twice, and nothing that was never there. METHOD: nine walks at once, pages of one to
/// eight rows, with random changes between any two pages, beside plain sets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_whole_under_writes() {
    let house = House::open().await;
    let operator = house.operator().await;
    let mut came = BTreeMap::new();
    for seed in 0..6 {
        let tenant = house.tenant(&operator, &format!("acme{seed}")).await;
        let (mut world, mut random) = (World::new(&tenant).await, Seeded(seed));
        for _ in 0..400 {
            world.change(&mut random).await;
        }
        world.models.values_mut().for_each(Model::begin);
        let (client, amy) = (world.client.clone(), world.amy);
        let mut limit = || u32::try_from(random.below(8) + 1).expect("small");
        let mut subjects = Walk::new(&client, "subjects", subjects_from(limit()), |row: &SubjectRow| {
            row.subject.to_string()
        });
        let request = Request::ListSessions { subject: amy, after: None, limit: limit() };
        let mut sessions =
            Walk::new(&client, "sessions", request, |row: &SessionRow| row.session.to_string());
        let request = Request::ListGrants { subject: amy, after: None, limit: limit() };
        let mut grants =
            Walk::new(&client, "grants", request, |row: &GrantRow| at(&row.role, row.workspace.as_ref()));
        let request = Request::ListHolders { role: name("r0"), after: None, limit: limit() };
        let mut holders =
            Walk::new(&client, "holders", request, |row: &HolderRow| at(row.subject, row.workspace.as_ref()));
        let mut keys = Walk::new(&client, "keys", keys_from(limit()), |row: &KeyRow| row.session.to_string());
        let mut roles =
            Walk::new(&client, "roles", roles_from(limit()), |row: &RoleRow| row.name.to_string());
        let request = Request::ListWorkspaces { after: None, limit: limit() };
        let mut workspaces =
            Walk::new(&client, "workspaces", request, |row: &WorkspaceRow| row.name.to_string());
        let request = Request::ListClients { after: None, limit: limit() };
        let mut clients = Walk::new(&client, "clients", request, |row: &ClientRow| row.name.to_string());
        let mut names = Walk::new(&client, "permissions", names_from(limit()), |row: &PermissionRow| {
            row.name.to_string()
        });
        macro_rules! each {
            ($walk:ident => $do:expr) => {{
                {
                    let $walk = &mut subjects;
                    $do
                }
                {
                    let $walk = &mut sessions;
                    $do
                }
                {
                    let $walk = &mut grants;
                    $do
                }
                {
                    let $walk = &mut holders;
                    $do
                }
                {
                    let $walk = &mut keys;
                    $do
                }
                {
                    let $walk = &mut roles;
                    $do
                }
                {
                    let $walk = &mut workspaces;
                    $do
                }
                {
                    let $walk = &mut clients;
                    $do
                }
                {
                    let $walk = &mut names;
                    $do
                }
            }};
        }
        let mut left = LISTS.len();
        while left > 0 {
            left = 0;
            each!(walk => {
                if !walk.ended {
                    left += 1;
                    for _ in 0..random.below(4) {
                        world.change(&mut random).await;
                    }
                    walk.step().await;
                }
            });
        }
        each!(walk => {
            println!("seed {seed}: {} rows of {}", walk.seen.len(), walk.list);
            *came.entry(walk.list).or_insert(0) += walk.seen.len();
            walk.judge(&world, seed);
        });
    }
    assert!(came.len() == LISTS.len() && came.values().all(|rows| *rows > 10), "{came:?}");
}
