//! The invariants: what is answered and counted is compared with what was acknowledged, chains are walked.

use super::life::Node;
use super::world::World;
use tessera_model::{CheckQuery, HandleBytes, PermissionRef, Reason, Receipt, Revision, WorkspaceRef};
use tessera_storage::Store as _;

impl World {
    /// Asks about every session, as its tenant and as another one, and compares with what is known.
    pub(crate) fn look(&mut self, node: &Node) {
        let now = node.now();
        let mut told = Vec::new();
        let mut faults = Vec::new();
        for (no, tenant) in self.tenants.iter_mut().enumerate() {
            let foreign = (no + 1) % node.admins.len().max(1);
            for person in &mut tenant.people {
                for session in &mut person.sessions {
                    let Some(reason) = ask(node, no, &session.handle) else { continue };
                    self.counts.answers += 1;
                    told.push(reason.name());
                    let permitted = reason == Reason::None;
                    let (passed, may_have_passed) = (now >= session.ends.1, now >= session.ends.0);
                    let right = match (session.alive, person.granted) {
                        _ if passed => Some(false),
                        (Some(false), _) | (_, Some(false)) => Some(false),
                        _ if may_have_passed => None,
                        (Some(true), Some(true)) => Some(true),
                        (None, _) | (_, None) => None,
                    };
                    if right.is_some_and(|right| right != permitted) {
                        faults.push(format!(
                            "a session (alive {:?}, granted {:?}, passed {passed}) was answered {reason:?}",
                            session.alive, person.granted
                        ));
                    }
                    if session.alive.is_none() && reason == Reason::Revoked {
                        // What was seen once is durable: it must not come back.
                        session.alive = Some(false);
                    }
                    if foreign != no && ask(node, foreign, &session.handle) == Some(Reason::None) {
                        faults.push("a handle was good in another tenant".to_owned());
                    }
                }
                let Some(count) = failures(node, no, person) else { continue };
                told.push("failures");
                let (least, most) = person.failures;
                // What is pending may have been counted, or forgotten.
                if count < least || count > most {
                    faults.push(format!("{count} failed sign-ins are counted, of {least} to {most}"));
                }
            }
        }
        self.note(&told);
        self.faults.extend(faults);
        self.look_for_erased(node);
    }

    /// Walks every chain: what was acknowledged stands where its receipt says, and nothing stands twice.
    pub(crate) fn verify(&mut self, node: &Node) {
        let mut faults = Vec::new();
        let mut frames = 0;
        for tenant in &self.tenants {
            match (node.store.verify(tenant.id), node.store.history(tenant.id, Revision(0), usize::MAX)) {
                (Ok(verified), Ok(history)) => {
                    frames += verified.frames;
                    let mut ids: Vec<_> = history.iter().skip(1).map(|frame| frame.id.0).collect();
                    ids.sort_unstable();
                    let count = ids.len();
                    ids.dedup();
                    if ids.len() != count {
                        faults.push("a command stands in the history twice".to_owned());
                    }
                    for (revision, id) in &tenant.acknowledged {
                        let there = history.iter().find(|frame| frame.revision.0 == *revision);
                        if there.is_none_or(|frame| frame.id != *id) {
                            faults.push(format!("an acknowledged command is not at its revision {revision}"));
                        }
                    }
                }
                (Err(error), _) | (_, Err(error)) if node.is_up() => {
                    faults.push(format!("a chain does not verify: {error}"));
                }
                _ => {}
            }
        }
        self.counts.frames += frames;
        self.note(&frames);
        let usage = node.engine.usage();
        if usage.waiting > 0 || usage.awake > self.tenants.len() + 1 || usage.failed > 0 {
            faults.push(format!("at rest: {usage:?}"));
        }
        self.faults.extend(faults);
    }
}

/// What a handle is answered in a tenant; nothing while that is not awake.
fn ask(node: &Node, tenant: usize, handle: &HandleBytes) -> Option<Reason> {
    let admin = node.admins.get(tenant)?;
    let view = admin.entry.view().clone()?;
    let reading = node.engine.read(&view);
    let query = CheckQuery {
        handle,
        permission: PermissionRef::Name("proof.act"),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: None,
    };
    Some(node.engine.check(admin, &reading, &query).reason)
}

/// How many failed sign-ins of somebody are counted; nothing while the tenant is not awake.
fn failures(node: &Node, tenant: usize, person: &super::world::Person) -> Option<u32> {
    let admin = node.admins.get(tenant)?;
    let view = admin.entry.view().clone()?;
    let key = node.engine.identifier_hash(admin.entry.tenant, &person.identifier).ok()?;
    Some(view.listing().failures(&key, node.engine.now()).0)
}
