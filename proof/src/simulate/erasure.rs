//! Somebody who is made to be erased: whatever cuts it off, the erasure ends with its notice, and from then on nothing
//! of the erased reads, neither from the store nor from the bytes of before with the keys of now.

use super::life::{DEADLINE, Node, PASSWORD};
use super::world::{Phase, World};
use std::sync::Arc;
use std::time::Duration;
use tessera_engine::SubmitError;
use tessera_model::record::SubjectKind;
use tessera_model::{
    Command, Event, Identifier, IdentifierKind, Private, PublicId, Revision, Row, RowKind, SubjectIndex,
    TenantId,
};
use tessera_storage::disk::Disk as _;
use tessera_storage::disk::simulated::{Fault, Simulated};
use tessera_storage::{Embedded, Replay, StorageError, Store as _};

/// Calls to the disk within which the power goes in an erasure: a whole one takes some fifty.
const CALLS: u64 = 60;
/// The notice is asked for so often, a tenth of a second apart: together the deadline.
const ASKED: u32 = 1_200;

/// Somebody who is erased.
pub(crate) struct Doomed {
    /// The index of the tenant.
    tenant: usize,
    subject: PublicId,
    index: SubjectIndex,
    /// Everything on disk before the erasure.
    before: Simulated,
    /// Whether the notice was given, and whether what a loss of power left was looked at since.
    noticed: bool,
    looked: bool,
}

impl World {
    /// Makes somebody and has the power go while that one is erased.
    pub(crate) async fn erase_one(&mut self, node: &Node) {
        self.order_some(node).await;
        let tenant = self.dice.index(self.tenants.len());
        let name = format!("doomed{}", self.dice.next());
        let Ok(identifier) = Identifier::new(IdentifierKind::Username, &name) else { return };
        let Some(admin) = node.admins.get(tenant) else { return };
        let who = (SubjectKind::Person, vec![identifier]);
        let password = Some(Private::new(PASSWORD.as_bytes().to_vec()));
        let made = node.engine.create_subject(admin, node.engine.command_id(), who, password);
        // Nobody is erased who may not be there.
        let Ok(Ok(made)) = tokio::time::timeout(DEADLINE, made).await else { return };
        let view = admin.entry.view().clone();
        let found =
            made.made.subject.zip(view).and_then(|(id, view)| Some((id, view.listing().subject(id)?.index)));
        let Some((subject, index)) = found else { return self.fault("somebody who was made is not there") };
        if self.dice.below(2) == 0 {
            self.checkpoint(node).await;
        }
        if !node.is_up() || admin.entry.is_away() {
            return;
        }
        let doomed =
            Doomed { tenant, subject, index, before: node.disk.image(), noticed: false, looked: false };
        if !self.reads_behind(&doomed, &doomed.before) {
            self.fault("somebody is not found on the disk before the erasure");
        }
        self.doomed.push(doomed);
        node.disk.plant(node.disk.calls() + 1 + self.dice.below(CALLS), Fault::PowerCut);
        self.finish_erasures(node).await;
    }

    /// Waits until each erasure that was begun is done, or the node has fallen.
    pub(crate) async fn finish_erasures(&mut self, node: &Node) {
        self.enter(Phase::Erase, node.disk.is_off());
        for at in 0..self.doomed.len() {
            let open = self.doomed.get(at).filter(|doomed| !doomed.noticed);
            let Some((tenant, subject)) = open.map(|doomed| (doomed.tenant, doomed.subject)) else {
                continue;
            };
            let noticed = self.erased(node, tenant, subject).await;
            if let Some(doomed) = self.doomed.get_mut(at) {
                doomed.noticed = noticed;
            }
            self.counts.erased += u64::from(noticed);
            self.note(&("erased", noticed));
        }
        self.enter(Phase::Work, node.disk.is_off());
    }

    /// Orders an erasure until its notice comes; false where the node fell before.
    async fn erased(&mut self, node: &Node, tenant: usize, subject: PublicId) -> bool {
        let Some(admin) = node.admins.get(tenant) else { return false };
        for _ in 0..ASKED {
            // What has moved meanwhile is erased where it is.
            if !node.is_up() || admin.entry.is_away() {
                return false;
            }
            let order =
                node.engine.submit(admin, node.engine.command_id(), Command::EraseSubject { subject });
            match tokio::time::timeout(DEADLINE, order).await {
                Ok(Ok(done)) if done.made.erased == Some(true) => return true,
                Ok(Ok(_) | Err(SubmitError::Unknown)) | Err(_) => {}
                Ok(Err(SubmitError::Refused(refusal) | SubmitError::Wait { refusal, .. })) => {
                    if !matches!(refusal.code(), 300..=399 | 229) {
                        self.fault(format!("an erasure was turned down: {refusal}"));
                        return false;
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if node.is_up() {
            self.fault("an erasure does not end");
        }
        false
    }

    /// Once somebody was to be erased: nothing is left of whom it was said of, everybody else's parts are whole.
    pub(crate) fn look_for_erased(&mut self, node: &Node) {
        let (mut faults, mut answers) = (Vec::new(), 0);
        if self.doomed.is_empty() {
            return;
        }
        for doomed in self.doomed.iter().filter(|doomed| doomed.noticed) {
            let Some(tenant) = self.tenants.get(doomed.tenant) else { continue };
            answers += 1;
            if rows(&node.store, tenant.id, doomed.index).contains(&Ok(true)) {
                faults.push("somebody reads behind the notice of its erasure");
            }
        }
        for (tenant, admin) in self.tenants.iter().zip(&node.admins) {
            let Some(view) = admin.entry.view().clone() else { continue };
            for person in &tenant.people {
                let Some(index) = view.listing().subject(person.subject).map(|record| record.index) else {
                    continue;
                };
                answers += 1;
                // Without power nothing reads.
                if rows(&node.store, tenant.id, index).contains(&Ok(false)) {
                    faults.push("somebody else's part is gone with an erasure");
                }
            }
        }
        self.counts.answers += answers;
        self.faults.extend(faults.into_iter().map(str::to_owned));
    }

    /// What a loss of power left opens nothing of those whose erasure was told done: not with every byte of before.
    pub(crate) fn look_behind_erased(&mut self, left: &Simulated) {
        let mut doomed = std::mem::take(&mut self.doomed);
        for one in doomed.iter_mut().filter(|one| one.noticed && !one.looked) {
            one.looked = true;
            self.counts.answers += 1;
            if self.reads_behind(one, left) {
                self.fault("the keys behind a notice open what was erased");
            }
        }
        self.doomed = doomed;
    }

    /// Whether something of somebody reads from everything of before with the key file of now.
    fn reads_behind(&mut self, doomed: &Doomed, now: &Simulated) -> bool {
        let Some(tenant) = self.tenants.get(doomed.tenant).map(|tenant| tenant.id) else { return false };
        let mixed = doomed.before.image();
        for name in KEYS {
            match bytes_of(now, name) {
                Ok(bytes) => mixed.tamper(name, |held| *held = bytes),
                Err(error) => self.fault(format!("{name} is not there: {error}")),
            }
        }
        match Embedded::open_on(Arc::new(mixed), super::options()) {
            Ok(store) => reads(&store, tenant, doomed.index),
            Err(error) => {
                self.fault(format!("a directory of before does not open with the keys of now: {error}"));
                false
            }
        }
    }
}

/// Both copies of the key file.
const KEYS: [&str; 2] = ["keys-a", "keys-b"];

fn bytes_of(disk: &Simulated, name: &str) -> std::io::Result<Vec<u8>> {
    let file = disk.open(name)?;
    let mut bytes = vec![0; usize::try_from(file.size()?).unwrap_or_default()];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Whether somebody has a password and an identifier, where that can be read.
fn rows(store: &Embedded, tenant: TenantId, subject: SubjectIndex) -> [Result<bool, ()>; 2] {
    let key = Row::subject_key(subject, &[]);
    let password = store.row(tenant, RowKind::Password, &key).map(|row| row.value.is_some());
    let identifiers = store.rows(tenant, RowKind::Identifier, &key, 10).map(|rows| !rows.is_empty());
    let told = |read: Result<bool, StorageError>| read.map_err(drop);
    [told(password), told(identifiers)]
}

/// Whether a row, the history or a load tells anything private of somebody.
fn reads(store: &Embedded, tenant: TenantId, subject: SubjectIndex) -> bool {
    let tells = |events: &[Event]| {
        events
            .iter()
            .any(|event| matches!(event, Event::IdentifierTaken { subject: of, .. } if *of == subject))
    };
    let history = store.history(tenant, Revision(0), usize::MAX);
    let mut told = history.is_ok_and(|frames| frames.iter().any(|frame| tells(&frame.events)));
    let load = store.load(tenant, &mut |replay| {
        told |= match replay {
            Replay::Bucket(bucket) => tells(&bucket.events),
            Replay::Frame(frame) => tells(&frame.events),
        };
    });
    // A bucket whose key was erased is not loaded: nothing of it reads.
    drop(load);
    told || rows(store, tenant, subject).contains(&Ok(true))
}
