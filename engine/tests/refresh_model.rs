//! Random lives of families beside a slow, obvious model that was written from the rules alone.

use crate::support;

use std::collections::BTreeMap;
use std::sync::Arc;
use support::{House, START_MS, System, Tenant};
use tessera_engine::{Bound, EngineConfig, Entropy, Standing, SubmitError};
use tessera_model::refresh::{ClientTerms, RefreshMode, RefreshSecret};
use tessera_model::{Command, CommandId, Handle, Name, PublicId, Refusal, UnixMillis};
use tessera_storage::{Memory, Store};

/// Numbers from a seed, printed on failure.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % most
    }

    fn pick(&mut self, most: usize) -> usize {
        self.below(most as u64) as usize
    }
}

/// What a client's sessions are like, in seconds.
#[derive(Clone, Copy)]
struct Rules {
    rotates: bool,
    ttl: u64,
    idle: u64,
    refresh: u64,
}

/// The default client, a fixed one and a short rotating one.
const CLIENTS: [Rules; 3] = [
    Rules { rotates: true, ttl: 7_200, idle: 600, refresh: 300 },
    Rules { rotates: false, ttl: 3_000, idle: 400, refresh: 200 },
    Rules { rotates: true, ttl: 1_000, idle: 120, refresh: 7_200 },
];
const GRACE: u64 = 10;

/// One family as the model sees it. Instants are in ms.
struct Family {
    client: usize,
    session: Handle,
    id: PublicId,
    /// Every handle that was given, the newest last.
    given: Vec<Handle>,
    expires: u64,
    idle: u64,
    /// When the newest was given, rounded up to the second.
    given_at: u64,
    ended: bool,
}

impl Family {
    fn lives(&self, now: u64) -> bool {
        !self.ended && now < self.expires && now < self.idle
    }
}

fn number(handle: &Handle) -> u8 {
    RefreshSecret::parse(&handle.secret).number
}

/// What a refresh comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    /// A handle that was never given before.
    Successor,
    /// The newest again.
    Same,
    /// It happened before, and nothing is given.
    Silent,
    Refused(Refusal),
    /// The family is over: which of the two refusals tells it is not the model's matter.
    Over,
}

/// The model: families, keys, and when the tenant woke.
struct Model {
    families: Vec<Family>,
    keys: Vec<u8>,
    left: BTreeMap<u8, u64>,
    woken: u64,
    /// Ids of refreshes that were done: family, which handle, through which client.
    done: Vec<(CommandId, usize, usize, usize)>,
}

impl Model {
    /// What the rules say of handle `which` of a family, and what they make of the family.
    fn refresh(&mut self, (at, which): (usize, usize), client: usize, repeats: bool, now: u64) -> Fate {
        let key = self.keys.last().copied().expect("a key");
        let family = &mut self.families[at];
        let rules = CLIENTS[family.client];
        if !self.keys.contains(&number(&family.given[which])) || !family.lives(now) {
            return Fate::Over;
        }
        if client != family.client {
            return Fate::Refused(Refusal::WrongClient);
        }
        let newest = family.given.len() - 1;
        let since = family.given_at.max(self.woken);
        let again = which + 1 == newest && now < since + GRACE * 1_000;
        if repeats {
            return if again || which == newest { Fate::Same } else { Fate::Silent };
        }
        if which == newest {
            if now >= family.given_at + rules.refresh * 1_000 {
                return Fate::Refused(Refusal::RefreshExpired);
            }
            let idle = ((now / 1_000 + rules.idle) * 1_000).min(family.expires).max(family.idle);
            let given_at = now.div_ceil(1_000) * 1_000;
            if rules.rotates {
                let before = number(&family.given[newest]);
                if before != key {
                    self.left.insert(before, given_at);
                }
            } else {
                // Of a handle that stays, only what moves far enough is written.
                let far = idle - family.idle >= 60_000.min(rules.idle * 250)
                    || family.idle < family.expires && idle == family.expires
                    || given_at - family.given_at >= 60_000.min(rules.refresh * 250);
                if !far {
                    return Fate::Same;
                }
            }
            (family.idle, family.given_at) = (idle, given_at);
            return if rules.rotates { Fate::Successor } else { Fate::Same };
        }
        if again {
            return Fate::Same;
        }
        family.ended = true;
        Fate::Refused(Refusal::RefreshReused)
    }

    fn rotate(&mut self, at_once: bool, now: u64) {
        let newest = self.keys.last().copied().expect("a key");
        let next = (1..=255).cycle().skip(usize::from(newest)).find(|number| !self.keys.contains(number));
        let recent = |at: u64| now <= at + 60_000;
        let woken = recent(self.woken);
        let named = |key: &u8| {
            let families = || self.families.iter().filter(|family| family.lives(now));
            woken
                || families().any(|family| number(family.given.last().expect("one")) == *key)
                || self.left.get(key).is_some_and(|left| recent(*left))
        };
        let kept: Vec<u8> = self.keys.iter().copied().filter(|key| !at_once && named(key)).collect();
        self.keys = kept;
        self.keys.push(next.expect("a number"));
        if at_once {
            for family in &mut self.families {
                family.ended = true;
            }
        }
    }
}

struct Life {
    house: House,
    tenant: Tenant,
    /// Keys of the three clients' callers, to bind again after a restart.
    callers: Vec<Handle>,
    bound: Vec<Bound>,
    amy: PublicId,
    store: Arc<dyn Store>,
    model: Model,
}

fn config() -> EngineConfig {
    EngineConfig { idle_sleep_ms: 1_000, checkpoint_every_ms: u64::MAX, ..EngineConfig::default() }
}

impl Life {
    async fn begin() -> Self {
        let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
        let house = House::configured(Arc::clone(&store), START_MS, config()).await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
        house.role(&tenant, "reader", &["orders.read"]).await;
        house.grant(&tenant, amy, "reader").await;
        let change = |settings: &mut tessera_model::Settings| {
            settings.refresh = u32::from(RefreshMode::Rotating.number());
            settings.session_ttl_s = CLIENTS[0].ttl as u32;
            settings.session_idle_s = CLIENTS[0].idle as u32;
            settings.refresh_ttl_s = CLIENTS[0].refresh as u32;
        };
        house.set(&tenant, change).await;
        let mut callers = vec![tenant.admin_key];
        for (name, rules) in ["phone", "desk"].into_iter().zip(&CLIENTS[1..]) {
            let terms = ClientTerms {
                refresh: if rules.rotates { RefreshMode::Rotating } else { RefreshMode::Fixed },
                session_ttl_s: rules.ttl as u32,
                session_idle_s: rules.idle as u32,
                refresh_ttl_s: rules.refresh as u32,
                ..ClientTerms::default()
            };
            let name = Name::new(name).expect("a name");
            house.submit(&tenant.admin, Command::CreateClient { name: name.clone(), terms }).await;
            let command = Command::CreateKey {
                subject: tenant.admin.subject,
                patterns: Vec::new(),
                expires: UnixMillis(START_MS).plus_seconds(300 * 86_400).to_deadline(),
                description: Default::default(),
                client: Some(name),
                networks: Vec::new(),
            };
            callers.push(house.submit(&tenant.admin, command).await.made.handle.expect("a key"));
        }
        let model = Model {
            families: Vec::new(),
            keys: vec![1],
            left: BTreeMap::new(),
            woken: START_MS,
            done: Vec::new(),
        };
        let mut life = Self { house, tenant, callers, bound: Vec::new(), amy, store, model };
        life.bind().await;
        life
    }

    async fn bind(&mut self) {
        self.bound.clear();
        for caller in &self.callers {
            self.bound.push(self.house.bind(caller).await);
        }
        self.tenant.admin = self.bound[0].clone();
    }

    fn now(&self) -> u64 {
        self.house.engine.now().0
    }

    async fn open(&mut self, dice: &mut Dice) {
        let (client, now) = (dice.pick(3), self.now());
        let made = self.house.open(&self.bound[client], self.amy).await.expect("opened").made;
        let family = Family {
            client,
            session: made.handle.expect("a handle"),
            id: made.session.expect("an id"),
            given: vec![made.refresh.expect("a refresh handle")],
            expires: made.expires.expect("an end").0,
            idle: made.idle_until.expect("an end").0,
            given_at: now.div_ceil(1_000) * 1_000,
            ended: false,
        };
        let second = now / 1_000;
        assert_eq!(family.expires, (second + CLIENTS[client].ttl) * 1_000);
        assert_eq!(family.idle, ((second + CLIENTS[client].idle) * 1_000).min(family.expires));
        self.model.families.push(family);
    }

    async fn refresh(&mut self, dice: &mut Dice) {
        let Some(most) = self.model.families.len().checked_sub(1) else { return };
        // Mostly one of the newest families: old ones are over.
        let at = most - dice.pick((most + 1).min(4));
        let newest = self.model.families[at].given.len() - 1;
        let which = match dice.below(10) {
            0..=5 => newest,
            6..=8 => newest.saturating_sub(1),
            _ => dice.pick(newest + 1),
        };
        let client = if dice.below(8) == 0 { dice.pick(3) } else { self.model.families[at].client };
        let id = self.house.engine.command_id();
        self.use_handle((at, which), client, id, false).await;
    }

    /// Sends the same command once more.
    async fn repeat(&mut self, dice: &mut Dice) {
        let Some(most) = self.model.done.len().checked_sub(1) else { return };
        let (id, at, which, client) = self.model.done[most - dice.pick((most + 1).min(3))];
        // Ids are remembered for 15 minutes.
        if id.unix_ms() + 600_000 > self.now() {
            self.use_handle((at, which), client, id, true).await;
        }
    }

    async fn use_handle(&mut self, (at, which): (usize, usize), client: usize, id: CommandId, repeats: bool) {
        let now = self.now();
        let handle = self.model.families[at].given[which];
        let (before, idle) = (self.model.families[at].given_at, self.model.families[at].idle);
        let fate = self.model.refresh((at, which), client, repeats, now);
        let told = self.house.engine.refresh(&self.bound[client], id, &handle.to_bytes()).await;
        let family = &mut self.model.families[at];
        let told = match told {
            Err(SubmitError::Refused(Refusal::SessionUnknown)) => Fate::Over,
            Err(SubmitError::Refused(Refusal::RefreshReused)) if fate == Fate::Over => Fate::Over,
            Err(SubmitError::Refused(refusal)) => Fate::Refused(refusal),
            Err(SubmitError::Unknown | SubmitError::Wait { .. }) => panic!("neither answered nor refused"),
            Ok(done) => {
                assert_eq!(done.repeat, repeats);
                match done.made.refresh {
                    None => Fate::Silent,
                    Some(given) => {
                        let known = family.given.iter().any(|known| known.to_bytes() == given.to_bytes());
                        let newest = family.given.last().expect("one").to_bytes() == given.to_bytes();
                        assert_eq!(known, newest, "an older handle was given again");
                        assert_eq!(done.made.idle_until, Some(UnixMillis(family.idle)));
                        let until = family.given_at + CLIENTS[family.client].refresh * 1_000;
                        assert_eq!(done.made.refresh_until, Some(UnixMillis(until.min(family.expires))));
                        if !known {
                            assert_eq!(Some(&number(&given)), self.model.keys.last(), "made by an old key");
                            family.given.push(given);
                        }
                        if known { Fate::Same } else { Fate::Successor }
                    }
                }
            }
        };
        assert_eq!(told, fate, "handle {which} of family {at} through client {client}, repeat {repeats}");
        let moved = (family.given_at, family.idle) != (before, idle);
        if moved && !repeats {
            self.model.done.push((id, at, which, client));
        }
    }

    /// Something that was never given: nothing happens, whatever it looks like.
    async fn forge(&mut self, dice: &mut Dice) {
        let Some(most) = self.model.families.len().checked_sub(1) else { return };
        let family = &self.model.families[dice.pick(most + 1)];
        let handle = *family.given.last().expect("one");
        let mut secret = handle.secret;
        secret[dice.pick(20)] ^= 1 << dice.below(8);
        let forged = Handle { secret, ..handle };
        let told = self.house.refresh(&self.bound[family.client], &forged).await;
        assert_eq!(told.err(), Some(Refusal::SessionUnknown.into()));
    }

    async fn restart(&mut self, checkpoint: bool) {
        if checkpoint {
            assert!(self.house.engine.checkpoint().await);
        }
        let now = self.now();
        self.house = House::configured(Arc::clone(&self.store), now, config()).await;
        self.bind().await;
        (self.model.woken, self.model.left) = (now, BTreeMap::new());
    }

    async fn sleep(&mut self) {
        self.house.pass(1_000);
        assert!(self.house.engine.checkpoint().await);
        let entry = Arc::clone(&self.tenant.admin.entry);
        while entry.standing() != Standing::Asleep {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        self.bind().await;
        (self.model.woken, self.model.left) = (self.now(), BTreeMap::new());
    }

    async fn rotate(&mut self, at_once: bool) {
        let now = self.now();
        self.model.rotate(at_once, now);
        let done = self.house.submit(&self.tenant.admin, Command::RotateRefreshKeys { now: at_once }).await;
        assert_eq!(done.made.number, self.model.keys.last().map(|number| u32::from(*number)));
    }

    async fn revoke(&mut self, dice: &mut Dice) {
        let Some(most) = self.model.families.len().checked_sub(1) else { return };
        let family = &mut self.model.families[dice.pick(most + 1)];
        family.ended = true;
        let session = family.id;
        self.house.submit(&self.tenant.admin, Command::EndSession { session }).await;
    }

    async fn step(&mut self, dice: &mut Dice) {
        match dice.below(100) {
            0..=9 => self.open(dice).await,
            10..=54 => self.refresh(dice).await,
            55..=62 => self.repeat(dice).await,
            63..=67 => self.forge(dice).await,
            68..=84 => self.house.pass(dice.below(6_000)),
            85..=89 => self.house.pass(10_000 + dice.below(60_000)),
            90 => self.house.pass(dice.below(600_000)),
            91..=92 => self.restart(dice.below(2) == 0).await,
            93 => self.sleep().await,
            94..=96 => self.rotate(false).await,
            97 if dice.below(3) == 0 => self.rotate(true).await,
            _ => self.revoke(dice).await,
        }
        let now = self.now();
        for (at, family) in self.model.families.iter().enumerate() {
            let permitted = self.house.check(&self.tenant, &family.session, "orders.read").is_permit();
            assert_eq!(permitted, family.lives(now), "the session of family {at}");
        }
    }
}

/// PROPERTY: whatever happens to families (used handles, lost replies, forgeries, other clients, time,
/// restarts, sleep, rotated and leaked keys, revocations), each refresh is answered as the rules say, and a
/// session lives exactly as long as they say. METHOD: random lives beside the model above.
#[tokio::test]
async fn families_live_as_the_model_says() {
    let mut seed = [0; 8];
    System.fill(&mut seed);
    let given = std::env::var("TESSERA_SEED").ok().and_then(|text| text.parse().ok());
    let first: u64 = given.unwrap_or(u64::from_le_bytes(seed));
    let lives = std::env::var("TESSERA_LIVES").ok().and_then(|text| text.parse().ok()).unwrap_or(16);
    let (mut successors, mut reused) = (0, 0);
    for nth in 0..lives {
        let seed = first.wrapping_add(nth);
        eprintln!("TESSERA_SEED={seed}");
        let mut dice = Dice(seed | 1);
        let mut life = Life::begin().await;
        for _ in 0..200 {
            life.step(&mut dice).await;
        }
        successors += life.model.families.iter().map(|family| family.given.len() - 1).sum::<usize>();
        reused += life.model.families.iter().filter(|family| family.ended).count();
    }
    assert!(
        successors as u64 > lives * 5 && reused as u64 > lives,
        "{successors} successors, {reused} ended"
    );
}
