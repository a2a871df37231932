//! Frames: what is sealed of their events, a part for each owner, and their rows.

use super::row::{is_masked, key_row, owner_of, sealed};
use super::{FRAME, KeyHeld, Part, PartKey, Place, TENANT, Vault, damaged};
use crate::batch::Staged;
use crate::error::StorageError;
use crate::record::event::{is_private, outlives_its_key};
use crate::record::frame::FrameView;
use crate::record::{Field, Reader};
use crate::store::FrameRead;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tessera_model::invitation::invitation_of;
use tessera_model::{CommandKind, Event, Revision, Row, RowKind, SubjectIndex, TenantId};

/// Keys of owners that are on their way to the disk: a batch's own, until it is durable.
pub(crate) type Fresh = BTreeMap<(TenantId, SubjectIndex), Arc<PartKey>>;

/// What a frame stores sealed.
pub(crate) struct Sealed {
    pub(crate) parts: Vec<Vec<u8>>,
    /// The rows as they are stored, those of new keys among them.
    pub(crate) rows: Vec<Row>,
    /// The new keys: they count when the frame is taken.
    pub(crate) fresh: Fresh,
    /// Whether the fingerprint stands sealed, at the beginning of the first subject's part.
    pub(crate) hides_fingerprint: bool,
}

/// Seals for one frame.
struct Sealer<'a> {
    vault: &'a dyn Vault,
    tenant: TenantId,
    known: &'a Fresh,
    fresh: Fresh,
    rows: Vec<Row>,
}

impl Sealer<'_> {
    /// The key of an owner, made when there is none yet; `None` when it was erased.
    fn key(&mut self, owner: SubjectIndex) -> Result<Option<Arc<PartKey>>, StorageError> {
        let whose = (self.tenant, owner);
        if let Some(key) = self.known.get(&whose).or_else(|| self.fresh.get(&whose)) {
            return Ok(Some(Arc::clone(key)));
        }
        match self.vault.held(self.tenant, owner)? {
            KeyHeld::Key(key) => Ok(Some(key)),
            KeyHeld::Erased => Ok(None),
            KeyHeld::Never => {
                let (slot, key) = self.vault.draw(self.tenant)?;
                self.rows.push(key_row(owner, slot));
                self.fresh.insert(whose, Arc::clone(&key));
                Ok(Some(key))
            }
        }
    }

    fn row(&mut self, row: &Row) -> Result<(), StorageError> {
        let plain = row.value.is_none() && !is_masked(row.kind, &row.key);
        if plain || row.kind == RowKind::SubjectKey {
            self.rows.push(row.clone());
            return Ok(());
        }
        // Of an erased owner nothing is kept any more.
        if let Some(key) = self.key(owner_of(row.kind, &row.key))? {
            let row = sealed(self.tenant, row, &key)?;
            self.rows.push(row);
        }
        Ok(())
    }
}

/// Seals what is private of a frame's events and rows.
pub(crate) fn seal(
    vault: &dyn Vault,
    known: &Fresh,
    (tenant, revision): (TenantId, Revision),
    staged: &Staged,
) -> Result<Sealed, StorageError> {
    let Staged { events, rows, fingerprint, kind, .. } = staged;
    if rows.is_empty() && !events.iter().any(is_private) {
        // As of nearly every command: it is about nobody.
        return Ok(Sealed {
            parts: Vec::new(),
            rows: Vec::new(),
            fresh: Fresh::new(),
            hides_fingerprint: false,
        });
    }
    let mut sealer = Sealer { vault, tenant, known, fresh: Fresh::new(), rows: Vec::new() };
    let mut private: BTreeMap<SubjectIndex, Vec<u8>> = BTreeMap::new();
    // A fingerprint tells who guesses what was ordered: it goes with the first of those whom that is about. Of an erasure
    // it tells nothing that does not stay, and its repeat has to be known for one when the key is gone.
    let hides = !matches!(kind, CommandKind::EraseSubject | CommandKind::EraseInvitation);
    let owners = events.iter().filter(|event| is_private(event)).filter_map(Field::owner);
    let stored = rows.iter().filter(|row| row.value.is_some()).map(|row| owner_of(row.kind, &row.key));
    let owners: BTreeSet<_> = owners.chain(stored).filter(|owner| *owner != TENANT).collect();
    for owner in owners.iter().filter(|_| hides) {
        if sealer.key(*owner)?.is_some() {
            private.insert(*owner, fingerprint.to_le_bytes().to_vec());
            break;
        }
    }
    // Where only the tenant has something, as a failed sign-in of nobody, it goes with that.
    let of_tenant = owners.is_empty() && events.iter().any(is_private);
    if hides && of_tenant {
        private.insert(TENANT, fingerprint.to_le_bytes().to_vec());
    }
    let mut one = Vec::new();
    for event in events {
        one.clear();
        event.put_private(&mut one);
        if !one.is_empty() {
            private.entry(event.owner().unwrap_or(TENANT)).or_default().extend_from_slice(&one);
        }
    }
    let mut parts = Vec::with_capacity(private.len());
    for (owner, plain) in private {
        // Of an erased owner nothing is kept any more.
        if let Some(key) = sealer.key(owner)? {
            let place = Place { tenant, owner, kind: FRAME, key: &revision.0.to_le_bytes() };
            parts.push(key.seal(&place, &plain)?);
        }
    }
    for row in rows {
        sealer.row(row)?;
    }
    Ok(Sealed {
        parts,
        rows: sealer.rows,
        fresh: sealer.fresh,
        hides_fingerprint: hides && (of_tenant || !owners.is_empty()),
    })
}

/// What a frame says, its parts opened. What was erased is blank, or passed over where it says nothing then.
pub(crate) fn read(view: &FrameView<'_>, vault: &dyn Vault, file: &str) -> Result<FrameRead, StorageError> {
    let tenant = view.head.tenant;
    let wrong = |what: &str| {
        let what = format!("revision {}: {what}", view.head.revision.0);
        damaged(file, what, tenant)
    };
    let (mut frame, parts) = view.decode().map_err(|error| wrong(error.text()))?;
    let mut opened: BTreeMap<SubjectIndex, Option<Vec<u8>>> = BTreeMap::new();
    for part in &parts {
        let plain = match vault.held(tenant, part.owner)? {
            KeyHeld::Erased => None,
            KeyHeld::Never => return Err(wrong("it is sealed under a key that was never made")),
            KeyHeld::Key(key) => {
                let revision = view.head.revision.0.to_le_bytes();
                let place = Place { tenant, owner: part.owner, kind: FRAME, key: &revision };
                Some(key.open(&place, part).ok_or_else(|| wrong("a sealed part does not open"))?)
            }
        };
        if opened.insert(part.owner, plain).is_some() {
            return Err(wrong("two sealed parts of one owner"));
        }
    }
    let mut readers: BTreeMap<SubjectIndex, Option<Reader<'_>>> =
        opened.iter().map(|(owner, plain)| (*owner, plain.as_deref().map(Reader::new))).collect();
    let first = opened.keys().find(|owner| **owner != TENANT).copied().unwrap_or(TENANT);
    if view.hides_fingerprint()
        && let Some(Some(input)) = readers.get_mut(&first)
    {
        frame.fingerprint = u64::take(input).map_err(|error| wrong(error.text()))?;
    }
    let mut events = Vec::with_capacity(frame.events.len());
    for mut event in std::mem::take(&mut frame.events) {
        if is_private(&event) {
            let owner = held_by(&event, |owner| readers.contains_key(&owner));
            match readers.get_mut(&owner) {
                Some(Some(input)) => {
                    event.take_private(input).map_err(|error| wrong(error.text()))?;
                }
                // What came behind the erasure was not sealed any more.
                None if !matches!(vault.held(tenant, owner)?, KeyHeld::Erased) => {
                    return Err(wrong("a sealed part is missing"));
                }
                Some(None) | None if !outlives_its_key(&event) => continue,
                Some(None) | None => {}
            }
        }
        events.push(event);
    }
    for input in readers.into_values().flatten() {
        input.end().map_err(|error| wrong(error.text()))?;
    }
    Ok(FrameRead { events, ..frame })
}

/// Under whose key what is private of an event stands in its frame. Before invitations had keys of their own that was the
/// tenant's.
fn held_by(event: &Event, has_part: impl Fn(SubjectIndex) -> bool) -> SubjectIndex {
    let owner = event.owner().unwrap_or(TENANT);
    let of_before = invitation_of(owner).is_some() && !has_part(owner) && has_part(TENANT);
    if of_before { TENANT } else { owner }
}

/// As [`read`], where no keys are: whatever is sealed is blank, and stays unknown.
pub(crate) fn read_blank(view: &FrameView<'_>, file: &str) -> Result<FrameRead, StorageError> {
    let wrong = |error: crate::record::RecordError| damaged(file, error.text().to_owned(), view.head.tenant);
    let (mut frame, _sealed): (_, Vec<Part<'_>>) = view.decode().map_err(wrong)?;
    frame.events.retain(outlives_its_key);
    Ok(frame)
}
