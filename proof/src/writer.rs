//! One writer of the proof: a subject of its own, a few kinds of commands, and a memory of what was
//! acknowledged. What is in flight when the node dies is known again by repeating its command id.

use crate::node::{Trouble, patiently};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tessera_client::wire::Request;
use tessera_client::{Client, ClientError};
use tessera_model::{
    CheckQuery, Deadline, Decision, Handle, HandleBytes, Name, PermissionRef, PublicId, Receipt, Revision,
    TenantId, WorkspaceRef,
};

/// Counts of all writers, and the flag that ends them.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) acknowledged: AtomicU64,
    pub(crate) checked: AtomicU64,
    pub(crate) violations: AtomicU64,
    pub(crate) unknown: AtomicU64,
    pub(crate) stop: AtomicBool,
    /// Violations are expected: they are counted and not told.
    pub(crate) planted: AtomicBool,
    /// The highest position of each tenant that was acknowledged.
    acked: Mutex<BTreeMap<TenantId, Revision>>,
    /// What one writer of each tenant held at its end, by the key of the tenant's admin.
    sides: Mutex<BTreeMap<String, Side>>,
}

/// What a writer held: its subject, and a handle of every session that it ever opened.
#[derive(Clone)]
pub(crate) struct Side {
    pub(crate) subject: PublicId,
    pub(crate) role: Name,
    pub(crate) handles: Vec<HandleBytes>,
}

impl Side {
    /// What is answered to a handle.
    pub(crate) async fn check(
        &self,
        client: &Client,
        handle: &HandleBytes,
        at_least: Receipt,
    ) -> Result<Decision, ClientError> {
        let query = CheckQuery {
            handle,
            permission: PermissionRef::Name("proof.act"),
            workspace: WorkspaceRef::Tenant,
            at_least,
            address: None,
        };
        patiently(|| client.check(&query)).await
    }
}

impl Tally {
    /// The highest position of each tenant that was acknowledged so far.
    pub(crate) fn acked(&self) -> BTreeMap<TenantId, Revision> {
        self.acked.lock().map(|acked| acked.clone()).unwrap_or_default()
    }

    /// What one writer of each tenant held at its end.
    pub(crate) fn sides(&self) -> BTreeMap<String, Side> {
        self.sides.lock().map(|sides| sides.clone()).unwrap_or_default()
    }
}

/// What is known of one session.
struct Held {
    handle: HandleBytes,
    id: PublicId,
    /// `None` when the outcome of its end is not known.
    alive: Option<bool>,
}

/// A writer.
pub(crate) struct Writer {
    client: Client,
    tenant: TenantId,
    admin: String,
    subject: PublicId,
    role: Name,
    sessions: Vec<Held>,
    /// Whether the grant stands; `None` when that is not known.
    granted: Option<bool>,
    dice: u64,
    tally: Arc<Tally>,
}

/// LIMIT: sessions that a writer opens at once while it fills.
const IN_FLIGHT: u32 = 64;
/// LIMIT: sessions that a writer looks at after each step; all of them at the end.
const LOOKED_AT: usize = 8;

impl Writer {
    pub(crate) fn new(
        client: Client,
        (tenant, admin, subject): (TenantId, String, PublicId),
        role: Name,
        seed: u64,
        tally: Arc<Tally>,
    ) -> Self {
        let (sessions, granted, dice) = (Vec::new(), Some(false), seed | 1);
        Self { client, tenant, admin, subject, role, sessions, granted, dice, tally }
    }

    fn roll(&mut self, most: u64) -> u64 {
        // xorshift64*: enough to choose what to do next.
        self.dice ^= self.dice >> 12;
        self.dice ^= self.dice << 25;
        self.dice ^= self.dice >> 27;
        (self.dice.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % most
    }

    /// Opens so many sessions, [`IN_FLIGHT`] at a time.
    pub(crate) async fn fill(mut self, count: u32) -> Result<Self, Trouble> {
        let mut left = count;
        while left > 0 {
            let some = left.min(IN_FLIGHT);
            let asked: Vec<_> = (0..some)
                .map(|_| {
                    let (client, subject) = (self.client.clone(), self.subject);
                    tokio::spawn(async move {
                        client.request(&Request::OpenSession { subject, device: None, proof: None }).await
                    })
                })
                .collect();
            for made in asked {
                self.hold(&made.await??)?;
                self.tally.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            left -= some;
        }
        Ok(self)
    }

    /// Works until told to stop, then looks at everything that it was ever told.
    pub(crate) async fn work(mut self) -> Result<(), Trouble> {
        while !self.tally.stop.load(Ordering::Relaxed) {
            match self.roll(8) {
                0..=2 => self.open().await?,
                3 | 4 => self.end().await?,
                5 => self.set_grant(false).await?,
                _ => self.set_grant(true).await?,
            }
            let from = self.sessions.len().saturating_sub(LOOKED_AT);
            self.look(from).await?;
        }
        self.look(0).await?;
        let handles = self.sessions.iter().map(|held| held.handle).collect();
        if let Ok(mut sides) = self.tally.sides.lock() {
            let side = Side { subject: self.subject, role: self.role.clone(), handles };
            sides.entry(self.admin.clone()).or_insert(side);
        }
        Ok(())
    }

    /// Orders a command; true when it is acknowledged, false when nobody knows.
    async fn order(&self, request: &Request) -> Result<Option<tessera_client::wire::Made>, Trouble> {
        match self.client.request(request).await {
            Ok(made) => {
                self.tally.acknowledged.fetch_add(1, Ordering::Relaxed);
                if let Ok(mut acked) = self.tally.acked.lock() {
                    let highest = acked.entry(self.tenant).or_insert(Revision(0));
                    *highest = made.receipt.revision.max(*highest);
                }
                Ok(Some(made))
            }
            Err(
                ClientError::OutcomeUnknown(_) | ClientError::DeadlinePassed | ClientError::Unreachable(_),
            ) => {
                self.tally.unknown.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
            Err(error) => Err(format!("a command was turned down: {error}").into()),
        }
    }

    async fn open(&mut self) -> Result<(), Trouble> {
        let Some(made) =
            self.order(&Request::OpenSession { subject: self.subject, device: None, proof: None }).await?
        else {
            return Ok(());
        };
        self.hold(&made)
    }

    fn hold(&mut self, made: &tessera_client::wire::Made) -> Result<(), Trouble> {
        // A repeat's handle is not given again; the session lives and nobody holds it.
        if let (Some(handle), Some(id)) = (&made.handle, made.session) {
            let handle = handle.expose().try_into().map_err(|_| "a handle of another length")?;
            self.sessions.push(Held { handle, id, alive: Some(true) });
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), Trouble> {
        let count = self.sessions.len() as u64;
        if count == 0 {
            return Ok(());
        }
        let at = usize::try_from(self.roll(count))?;
        let Some(id) = self.sessions.get(at).map(|held| held.id) else { return Ok(()) };
        let ended = self.order(&Request::EndSession { session: id }).await?;
        if let Some(held) = self.sessions.get_mut(at) {
            held.alive = match (ended, held.alive) {
                (Some(_), _) => Some(false),
                (None, Some(false)) => Some(false),
                (None, _) => None,
            };
        }
        Ok(())
    }

    async fn set_grant(&mut self, on: bool) -> Result<(), Trouble> {
        let (subject, role, none) = (self.subject, self.role.clone(), Deadline::NONE);
        let request = if on {
            Request::Grant { subject, role, workspace: None, from: none, until: none }
        } else {
            Request::Ungrant { subject, role, workspace: None }
        };
        self.granted = self.order(&request).await?.map(|_| on);
        Ok(())
    }

    /// Asks about sessions and compares with what was acknowledged.
    async fn look(&self, from: usize) -> Result<(), Trouble> {
        for held in self.sessions.iter().skip(from) {
            let query = CheckQuery {
                handle: &held.handle,
                permission: PermissionRef::Name("proof.act"),
                workspace: WorkspaceRef::Tenant,
                at_least: Receipt::default(),
                address: None,
            };
            let decision = patiently(|| self.client.check(&query)).await?;
            self.tally.checked.fetch_add(1, Ordering::Relaxed);
            let wanted = match (held.alive, self.granted) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                (None, _) | (_, None) => None,
            };
            if wanted.is_some_and(|wanted| wanted != decision.is_permit()) {
                self.tally.violations.fetch_add(1, Ordering::Relaxed);
                if self.tally.planted.load(Ordering::Relaxed) {
                    continue;
                }
                let place = Handle::parse(&held.handle).map(|handle| handle.place.0).unwrap_or_default();
                let said = decision.reason.name();
                let line = format!(
                    "violation: subject {}, session {} (place {place}): acknowledged {:?}/{:?}, answered {said}\n",
                    self.subject, held.id, held.alive, self.granted
                );
                drop(std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()));
            }
        }
        Ok(())
    }
}
