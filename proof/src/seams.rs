//! What an engine inside a proof stands on: a clock, randomness from a seed, an operator and tenants.

use crate::node::Trouble;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tessera_engine::{Bound, Clock, Engine, Entropy};
use tessera_model::{Caller, Command, Handle, Name, TenantId, UnixMillis};

/// 2026-01-01 in ms.
pub(crate) const START_MS: u64 = 1_767_225_600_000;
/// The tag that an operator's one-time secret has in a proof.
pub(crate) const ONE_TIME: [u8; 16] = [7; 16];

/// Numbers from a seed (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `most`; 0 where that is 0.
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.next() % most.max(1)
    }

    /// An index below `most`.
    pub(crate) fn index(&mut self, most: usize) -> usize {
        usize::try_from(self.below(most as u64)).unwrap_or_default()
    }
}

/// Randomness from a seed, for an engine.
pub(crate) struct Seeded(Mutex<Dice>);

impl Seeded {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(Mutex::new(Dice::new(seed)))
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        let Ok(mut dice) = self.0.lock() else { return };
        for piece in bytes.chunks_mut(8) {
            let drawn = dice.next().to_le_bytes();
            piece.iter_mut().zip(drawn).for_each(|(to, from)| *to = from);
        }
    }
}

/// A clock that stands.
pub(crate) struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> UnixMillis {
        UnixMillis(START_MS)
    }
}

/// A clock over a runtime's paused time: it goes with it, and can be stepped forward.
pub(crate) struct Stepped {
    begun: tokio::time::Instant,
    /// Wall time at the beginning, with all steps.
    base: AtomicU64,
}

impl Stepped {
    pub(crate) fn new(base: u64) -> Self {
        Self { begun: tokio::time::Instant::now(), base: AtomicU64::new(base) }
    }

    pub(crate) fn step(&self, ms: u64) {
        self.base.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for Stepped {
    fn now(&self) -> UnixMillis {
        let passed = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or_default();
        UnixMillis(self.base.load(Ordering::SeqCst) + passed)
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or_default()
    }
}

/// Claims the operator of a new engine.
pub(crate) async fn operator(engine: &Engine) -> Result<(Handle, Bound), Trouble> {
    let until = engine.now().plus_seconds(1_800).to_deadline();
    let offer = Command::OfferBootstrap { tag: ONE_TIME, until };
    engine.submit_system(Caller::Node, engine.command_id(), offer).await?;
    let claim = Command::ClaimOperator { tag: ONE_TIME, name: Name::new("proof")? };
    let done = engine.submit_system(Caller::Bootstrap, engine.command_id(), claim).await?;
    let key = done.made.handle.ok_or("no key in the reply")?;
    Ok((key, bind(engine, &key).await?))
}

/// Makes a tenant, and binds its admin's key.
pub(crate) async fn tenant(
    engine: &Engine,
    operator: &Bound,
    name: &str,
) -> Result<(TenantId, Handle, Bound), Trouble> {
    let command = Command::CreateTenant { name: Name::new(name)? };
    let made = engine.submit(operator, engine.command_id(), command).await?.made;
    let (id, key) = (made.tenant.ok_or("no tenant in the reply")?, made.handle.ok_or("no key")?);
    Ok((id, key, bind(engine, &key).await?))
}

/// Binds a credential, waiting while its tenant wakes.
pub(crate) async fn bind(engine: &Engine, handle: &Handle) -> Result<Bound, Trouble> {
    for _ in 0..20_000 {
        match engine.hello(&handle.to_bytes(), None) {
            Ok(bound) => return Ok(bound),
            Err(tessera_engine::HelloRefusal::NotReady) => {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            Err(refused) => return Err(format!("a credential was turned down: {refused:?}").into()),
        }
    }
    Err("a tenant did not wake".into())
}
