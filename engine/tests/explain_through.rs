//! Questions that are asked through a session or key: an explanation says what a check says, and acting on it turns
//! the answer.

use crate::support;

use std::collections::BTreeMap;
use std::net::IpAddr;
use support::{House, Tenant, key};
use tessera_engine::{Bound, Cut, Draft, Explained, Facts, Why};
use tessera_model::{
    CheckQuery, Command, Deadline, Decision, Handle, Name, Network, Pattern, PermissionRef, Private,
    PublicId, Reason, Receipt, Refusal, Thumbprint, Trust, WorkspaceRef,
};

const NONE: Deadline = Deadline::NONE;
const PERMISSIONS: [&str; 5] =
    ["orders.read", "bills.pay", "tessera.check", "tessera.admin.roles", "nothing"];
const SEEDS: u64 = 40;
const STEPS: u32 = 9;
/// The sessions from here on are those in which somebody acts.
const FIRST_ACTING: usize = 5;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::new(text).expect("a pattern")).collect()
}

/// Numbers from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % limit as u64).expect("small")
    }
}

/// One of ann's sessions and keys.
struct One {
    handle: Handle,
    id: PublicId,
}

/// Ann, who holds something in the tenant and in berlin; sue, who may act for her; and every way to ask for ann.
struct Scene {
    house: House,
    tenant: Tenant,
    ann: PublicId,
    sue: PublicId,
    devices: Vec<PublicId>,
    ones: Vec<One>,
}

impl Scene {
    async fn new() -> Self {
        let (house, tenant, ann) = House::with_ann().await;
        let sue = house.person(&tenant, "sue@example.org", "correct horse").await;
        house.role(&tenant, "reader", &["orders.read"]).await;
        house.role(&tenant, "payer", &["bills.*"]).await;
        house.role(&tenant, "support", &["tessera.sessions.open", "tessera.check"]).await;
        house.role(&tenant, "keeper", &["tessera.admin.keys"]).await;
        // Nobody makes a key for somebody else that covers more than they may do.
        house.role(&tenant, "wide", &["orders.*", "bills.*"]).await;
        house.grant(&tenant, tenant.admin.subject, "wide").await;
        for role in ["support", "keeper"] {
            house.grant(&tenant, sue, role).await;
        }
        house.grant(&tenant, ann, "reader").await;
        let (devices, ones) = (Vec::new(), Vec::new());
        let mut scene = Self { house, tenant, ann, sue, devices, ones };
        scene.done(Command::CreateWorkspace { name: name("berlin"), parent: None, inherits: true }).await;
        scene.open_all().await;
        // Nobody begins to act for somebody who stands above them.
        scene.house.grant(&scene.tenant, ann, "tessera.admin").await;
        scene
    }

    async fn done(&self, command: Command) {
        self.house.submit(&self.tenant.admin, command).await;
    }

    /// A session of somebody on a new device.
    async fn on_device(&mut self, subject: PublicId, no: u8) -> Handle {
        let (label, key) = (name(&format!("device{no}")), Thumbprint([no; 32]));
        let register = Command::RegisterDevice { subject, name: label, key };
        let device = self.house.submit(&self.tenant.admin, register).await.made.device.expect("an id");
        self.devices.push(device);
        let view = self.tenant.admin.entry.view();
        let record = view.as_ref().expect("awake").listing().subject(subject).expect("a subject").clone();
        drop(view);
        let (subject, seen_cut_off) = (record.index, record.cut_off);
        let device = Some(device.into());
        let open = Command::OpenSession { subject, seen_cut_off, identifier: None, acr: 0, device };
        self.house.submit(&self.tenant.admin, open).await.made.handle.expect("a handle")
    }

    async fn acting(&mut self, by: &Bound, texts: &[&str]) {
        let (subject, patterns) = (self.ann, patterns(texts));
        let act = Command::Impersonate { subject, patterns, ttl_s: 3_600, reason: "ticket 7".into() };
        let handle = self.house.submit(by, act).await.made.handle.expect("a handle");
        self.add(handle);
    }

    fn add(&mut self, handle: Handle) {
        let view = self.tenant.admin.entry.view();
        let reading = self.house.engine.read(view.as_ref().expect("awake"));
        let there = Some("192.0.2.7".parse().expect("an address"));
        let found = self.house.engine.introspect(&self.tenant.admin, &reading, (&handle.to_bytes(), there));
        let id = found.expect("alive").id;
        drop(reading);
        drop(view);
        self.ones.push(One { handle, id });
    }

    async fn open_all(&mut self) {
        let expires = self.house.engine.now().plus_seconds(3_000).to_deadline();
        let network = Network::parse("192.0.2.0/24").expect("a network");
        let plain = self.house.sign_in(&self.tenant, "ann@example.org", "correct horse").await;
        self.add(plain.expect("signed in"));
        let masked = key(self.ann, patterns(&["orders.*", "tessera.check"]), expires, Private::default());
        let bound = Command::CreateKey {
            subject: self.ann,
            patterns: patterns(&["orders.*", "bills.*"]),
            expires,
            description: Private::default(),
            client: None,
            networks: vec![network],
        };
        for command in [masked, bound] {
            let made = self.house.submit(&self.tenant.admin, command).await.made.handle.expect("a key");
            self.add(made);
        }
        for no in [1, 2] {
            let handle = self.on_device(self.ann, no).await;
            self.add(handle);
        }
        let own = self.house.sign_in(&self.tenant, "sue@example.org", "correct horse").await.expect("in");
        let own = self.house.bind(&own).await;
        self.acting(&own, &["orders.*"]).await;
        self.acting(&own, &["*"]).await;
        let desk = self.on_device(self.sue, 3).await;
        let desk = self.house.bind(&desk).await;
        self.acting(&desk, &["*"]).await;
        let made = Command::CreateKey {
            subject: self.sue,
            patterns: patterns(&["tessera.sessions.open", "orders.*"]),
            expires,
            description: Private::default(),
            client: None,
            networks: vec![network],
        };
        let made = self.house.submit(&own, made).await.made.handle.expect("a key");
        let there = Some("192.0.2.7".parse().expect("an address"));
        let bot = self.house.engine.hello_from(&made.to_bytes(), None, there).expect("bound");
        self.acting(&bot, &["orders.*"]).await;
    }

    fn check(&self, one: &One, asked: (&str, Option<&str>), address: Option<IpAddr>) -> Decision {
        let view = self.tenant.admin.entry.view();
        let reading = self.house.engine.read(view.as_ref().expect("awake"));
        let query = CheckQuery {
            handle: &one.handle.to_bytes(),
            permission: PermissionRef::Name(asked.0),
            workspace: asked.1.map_or(WorkspaceRef::Tenant, WorkspaceRef::Name),
            at_least: Receipt::default(),
            address,
        };
        self.house.engine.check(&self.tenant.admin, &reading, &query)
    }

    fn explain(
        &self,
        id: PublicId,
        asked: (&str, Option<&str>),
        address: Option<IpAddr>,
    ) -> Result<Explained, Refusal> {
        let view = self.tenant.admin.entry.view();
        let view = view.as_ref().expect("awake");
        let reading = self.house.engine.read(view);
        let why = Why {
            subject: self.ann,
            through: Some(self.house.engine.through(&self.tenant.admin, &reading, (self.ann, id))?),
            permission: name(asked.0),
            workspace: asked.1.map(name),
            resource: None,
            context: None,
            entities: None,
            at: reading.now(),
        };
        let facts = Facts { address, ..Facts::default() };
        view.listing().explain(&why, &Draft { facts, ..Draft::default() })
    }

    /// Changes something that gives or cuts.
    async fn edit(&self, random: &mut Random) {
        let mut byte = |below| random.below(below);
        let some = |which: usize| match which {
            0 => patterns(&["orders.*", "tessera.sessions.open"]),
            1 => patterns(&["bills.pay", "tessera.*"]),
            2 => patterns(&["tessera.check"]),
            _ => Vec::new(),
        };
        let place = if byte(2) == 0 { None } else { Some(name("berlin")) };
        let role = name(["reader", "payer", "tessera.admin"][byte(3)]);
        let device = self.devices[byte(3)];
        let trust = if byte(2) == 0 { Trust::Unverified } else { Trust::Managed };
        let (from, until) = (NONE, if byte(3) == 0 { self.soon() } else { NONE });
        let support = name("support");
        let command = match byte(10) {
            0 | 1 => Command::Grant { subject: self.ann, role, workspace: place, from, until },
            2 | 3 => Command::Ungrant { subject: self.ann, role, workspace: place },
            4 => Command::SetCeiling { name: name("berlin"), patterns: some(byte(5)) },
            5 => Command::LimitDevice { device, patterns: some(byte(5)) },
            6 => Command::LimitTrust { trust, patterns: some(byte(5)) },
            7 => Command::TrustDevice { device, trust },
            _ => Command::Grant {
                subject: self.sue,
                role: support,
                workspace: None,
                from: NONE,
                until: self.soon(),
            },
        };
        let over = matches!(command, Command::Grant { subject, .. } if subject == self.sue);
        let id = self.house.engine.command_id();
        // What does not stand cannot be taken.
        drop(self.house.engine.submit(&self.tenant.admin, id, command).await);
        if over || byte(4) == 0 {
            self.house.pass(120_000);
        }
    }

    fn soon(&self) -> Deadline {
        self.house.engine.now().plus_seconds(100).to_deadline()
    }

    /// Undoes what an explanation says that it cuts; false where the session or key itself would have to be another.
    async fn undo(&self, told: &Explained) -> bool {
        for ceiling in &told.ceilings {
            self.done(Command::SetCeiling { name: ceiling.clone(), patterns: Vec::new() }).await;
        }
        for cut in &told.cuts {
            match cut {
                Cut::Restriction(_) | Cut::Networks(_) => return false,
                Cut::Level(trust, _) => {
                    self.done(Command::LimitTrust { trust: *trust, patterns: Vec::new() }).await;
                }
                Cut::Device(device, _) => {
                    self.done(Command::LimitDevice { device: *device, patterns: Vec::new() }).await;
                }
                Cut::Actor(actor) => {
                    assert_eq!(*actor, Some(self.sue));
                    let role = if told.reason == Reason::ActorGone { "support" } else { "tessera.admin" };
                    // What lets the actor act may be cut by the actor's own device.
                    for trust in [Trust::Unverified, Trust::Managed] {
                        self.done(Command::LimitTrust { trust, patterns: Vec::new() }).await;
                    }
                    self.done(Command::LimitDevice { device: self.devices[2], patterns: Vec::new() }).await;
                    let command = Command::Grant {
                        subject: self.sue,
                        role: name(role),
                        workspace: None,
                        from: NONE,
                        until: NONE,
                    };
                    drop(
                        self.house
                            .engine
                            .submit(&self.tenant.admin, self.house.engine.command_id(), command)
                            .await,
                    );
                }
            }
        }
        true
    }

    /// Takes back the grant that an explanation names first.
    async fn take(&self, told: &Explained) {
        let source = told.sources.iter().find(|source| source.holds).expect("a Permit names what gives it");
        let (role, workspace) = (source.roles[0].clone(), source.workspace.clone());
        self.done(Command::Ungrant { subject: self.ann, role, workspace }).await;
    }
}

/// PROPERTY: an explanation through a session or key says what a check of it says, reason and moment, whatever stands beside
/// it: a mask, networks, the ceilings of a device and of its level, and whoever acts, within theirs. What denies
/// is named; undone, the answer is a Permit or names another reason; and without the grants that a Permit names, one
/// after another, it is a Deny. METHOD: random changes, every session, permission and place asked after each, and one of
/// the answers acted on.
#[tokio::test]
async fn an_explanation_says_what_a_check_says() {
    let (mut seen, mut undone, mut taken) = (BTreeMap::new(), 0, 0);
    let (inside, outside) = ("192.0.2.9".parse().ok(), "198.51.100.1".parse().ok());
    for seed in 0..SEEDS {
        let scene = Scene::new().await;
        let mut random = Random(seed);
        for step in 0..STEPS {
            scene.edit(&mut random).await;
            let mut denied = Vec::new();
            let mut permitted = Vec::new();
            for (at, one) in scene.ones.iter().enumerate() {
                for permission in PERMISSIONS {
                    for (workspace, address) in
                        [(None, inside), (Some("berlin"), inside), (None, outside), (Some("berlin"), None)]
                    {
                        let asked = (permission, workspace);
                        let right = scene.check(one, asked, address);
                        let told = scene.explain(one.id, asked, address);
                        if told.as_ref().err() == Some(&Refusal::SessionUnknown) {
                            // The actor's power went, and a command has noted it.
                            assert_eq!(right.reason, Reason::Revoked);
                            continue;
                        }
                        let told = told.expect("explained");
                        let label = format!("seed {seed}, step {step}, session {at}, {asked:?}, {address:?}");
                        assert_eq!(
                            (told.reason, told.valid_until),
                            (right.reason, right.valid_until),
                            "{label}"
                        );
                        // What whoever acts is bound to is told to nobody: neither networks nor device nor level.
                        let acting = at >= FIRST_ACTING;
                        let named = |cut: &Cut| matches!(cut, Cut::Actor(Some(id)) if *id == scene.sue);
                        for cut in told.cuts.iter().filter(|_| acting) {
                            assert!(matches!(cut, Cut::Restriction(_)) || named(cut), "{label}: {cut:?}");
                        }
                        let cut = |is: fn(&Cut) -> bool| told.cuts.iter().any(is);
                        match told.reason {
                            Reason::None => {
                                assert!(
                                    told.cuts.is_empty() && told.ceilings.is_empty(),
                                    "{label}: {told:?}"
                                );
                                permitted.push((at, asked, address));
                            }
                            Reason::Restricted => assert!(cut(|cut| matches!(cut, Cut::Restriction(_)))),
                            Reason::BeyondDevice => {
                                assert!(
                                    cut(|cut| matches!(
                                        cut,
                                        Cut::Level(..) | Cut::Device(..) | Cut::Actor(_)
                                    )),
                                    "{label}"
                                );
                            }
                            Reason::BeyondActor | Reason::ActorGone => {
                                assert!(cut(|cut| matches!(cut, Cut::Actor(_))), "{label}");
                            }
                            Reason::AddressNotAllowed => {
                                let own = cut(|cut| matches!(cut, Cut::Networks(_)));
                                assert!(own || acting && told.cuts.iter().any(named), "{label}");
                            }
                            Reason::BeyondCeiling => assert!(!told.ceilings.is_empty(), "{label}"),
                            _ => {}
                        }
                        let undoable = matches!(
                            told.reason,
                            Reason::BeyondCeiling
                                | Reason::BeyondDevice
                                | Reason::BeyondActor
                                | Reason::ActorGone
                        );
                        // Nor is their device, so that nobody is told what to undo there.
                        let theirs = told.reason == Reason::BeyondDevice
                            && !cut(|cut| matches!(cut, Cut::Level(..) | Cut::Device(..)));
                        let kept = cut(|cut| matches!(cut, Cut::Restriction(_) | Cut::Networks(_)));
                        if undoable && !theirs && !kept {
                            denied.push((at, asked, address));
                        }
                        *seen.entry(format!("{:?}", told.reason)).or_insert(0) += 1;
                    }
                }
            }
            if step % 2 == 0 && !denied.is_empty() {
                let (at, asked, address) = denied[random.below(denied.len())];
                let told = scene.explain(scene.ones[at].id, asked, address).expect("explained");
                if scene.undo(&told).await {
                    // A command notes that the actor's power went meanwhile.
                    let Ok(then) = scene.explain(scene.ones[at].id, asked, address) else { continue };
                    let ungranted = told.reason.is_ungranted() && then.reason == told.reason;
                    assert!(then.reason != told.reason || ungranted, "seed {seed}, step {step}: {told:?}");
                    undone += u32::from(!ungranted);
                }
            } else if !permitted.is_empty() {
                let (at, asked, address) = permitted[random.below(permitted.len())];
                for _ in 0..4 {
                    let Ok(told) = scene.explain(scene.ones[at].id, asked, address) else { break };
                    if told.reason != Reason::None {
                        break;
                    }
                    scene.take(&told).await;
                }
                let Ok(told) = scene.explain(scene.ones[at].id, asked, address) else { continue };
                assert!(told.reason.is_ungranted(), "seed {seed}, step {step}: {told:?}");
                taken += 1;
            }
        }
    }
    println!("{seen:?}, {undone} undone, {taken} taken");
    for reason in [
        "None",
        "Restricted",
        "BeyondDevice",
        "BeyondActor",
        "ActorGone",
        "AddressNotAllowed",
        "BeyondCeiling",
    ] {
        assert!(seen.get(reason).is_some_and(|count| *count > 20), "{reason}: {seen:?}");
    }
    assert!(undone > 10 && taken > 10, "{undone}, {taken}");
}

/// PROPERTY: a session or key that ended is none to ask through, and so is one of somebody else; one whose time is over
/// is told so, as a check tells it.
#[tokio::test]
async fn what_ended_is_not_asked_through() {
    let scene = Scene::new().await;
    let asked = ("orders.read", None);
    let [plain, masked, ..] = &scene.ones[..] else { panic!("sessions") };
    scene.done(Command::EndSession { session: plain.id }).await;
    assert_eq!(scene.explain(plain.id, asked, None).err(), Some(Refusal::SessionUnknown));
    let bobs = scene.house.person(&scene.tenant, "bob@example.org", "correct horse").await;
    let made = key(bobs, patterns(&["orders.*"]), scene.soon(), Private::default());
    let made = scene.house.submit(&scene.tenant.admin, made).await.made;
    let id = made.session.expect("an id");
    assert_eq!(scene.explain(id, asked, None).err(), Some(Refusal::SessionUnknown));
    scene.house.pass(4_000_000);
    let told = scene.explain(masked.id, asked, None).expect("explained");
    assert_eq!(told.reason, Reason::Expired);
    assert_eq!(scene.check(masked, asked, None).reason, Reason::Expired);
}
