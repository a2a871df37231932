//! Reading a backup: its manifest, and every byte and every link of what that names.

use super::entry::{look, read};
use super::{FileNote, KEYS, MANIFEST, MANIFEST_BYTES_MAX, Manifest, Progress, STATE, TAIL, TenantNote, bad};
use crate::checkpoint::schema::{self, AsideRow, DirectoryRow, ERASING_KEY, Erasing, Life, Of};
use crate::checkpoint::segment::Segment;
use crate::disk::{self, Disk, real::Directory};
use crate::error::StorageError;
use crate::record::RecordError;
use crate::record::frame::{Form, FrameView};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use tessera_model::{Epoch, Revision, TenantId, UnixMillis};

/// A backup whose manifest was read.
pub struct Backup {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) manifest: Manifest,
}

/// What a whole look at a backup found: every byte is the one that was written, every link holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Checked {
    /// Frames whose links were followed.
    pub frames: u64,
    /// Entries of the checkpoint.
    pub entries: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

/// Where the frames of one tenant have led so far, and where its directory row says that the checkpoint stands.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    next: Revision,
    link: [u8; 32],
    row: Option<(Revision, [u8; 32])>,
}

impl Backup {
    /// Reads the manifest of the backup in a directory.
    ///
    /// # Errors
    /// When there is no backup, or one of a newer format; otherwise as the operating system reports.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let shown = path.display().to_string();
        if !path.is_dir() {
            return Err(bad(&shown, "there is no such directory: name one that `tessera backup` made"));
        }
        let directory = Directory::open(path).map_err(StorageError::while_doing("opening", &shown))?;
        Self::open_on(Arc::new(directory))
    }

    /// Reads the manifest of the backup on a disk.
    ///
    /// # Errors
    /// As [`Backup::open`].
    pub fn open_on(disk: Arc<dyn Disk>) -> Result<Self, StorageError> {
        let read = disk::read_at_most(&*disk, MANIFEST, MANIFEST_BYTES_MAX);
        let bytes = read.map_err(|error| {
            if error.kind() == ErrorKind::NotFound {
                bad(MANIFEST, "is missing: this is no backup, or one that was cut off; take another")
            } else if error.kind() == ErrorKind::FileTooLarge {
                bad(MANIFEST, "is over its cap: take another backup")
            } else {
                StorageError::while_doing("reading", MANIFEST)(error)
            }
        })?;
        let manifest = Manifest::decode(&bytes)?;
        Ok(Self { disk, manifest })
    }

    /// When it was taken.
    #[must_use]
    pub const fn made(&self) -> UnixMillis {
        self.manifest.made
    }

    /// The epoch of the directory that it was taken of.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.manifest.epoch
    }

    pub(super) fn note(&self, name: &'static str) -> Result<&FileNote, StorageError> {
        let found = self.manifest.files.iter().find(|note| &*note.name == name);
        found.ok_or_else(|| bad(MANIFEST, "does not name all files: take another backup"))
    }

    /// Looks at every byte and follows every chain of frames to the heads that the manifest names.
    ///
    /// # Errors
    /// [`StorageError::BadBackup`] names the file and what is wrong.
    pub fn verify(&self, progress: &Progress) -> Result<Checked, StorageError> {
        // First what was changed as a whole: only what was written is looked into. The sum has been seen to fit.
        progress.expect(2 * self.manifest.files.iter().map(|note| note.bytes).sum::<u64>());
        for note in &self.manifest.files {
            look(&*self.disk, note, progress)?;
        }
        let mut reaches = BTreeMap::new();
        let mut entries = 0;
        read(&*self.disk, self.note(STATE)?, progress, &mut |of, key, value| {
            entries += 1;
            take_state(&mut reaches, of, key, value).map_err(|error| inside(STATE, of, key, error))
        })?;
        for (tenant, reach) in &reaches {
            if reach.row.is_some_and(|row| row != (reach.next, reach.link)) {
                return Err(bad(STATE, format!("the history of tenant {tenant} does not lead to its head")));
            }
        }
        read(&*self.disk, self.note(TAIL)?, progress, &mut |of, key, value| {
            take_tail(&mut reaches, of, key, value).map_err(|error| inside(TAIL, of, key, error))
        })?;
        let kept = reaches.iter().filter(|(_, reach)| reach.row.is_some() || reach.next > Revision(0));
        let found = kept.map(|(tenant, reach)| (*tenant, reach.next, reach.link));
        let named = self.manifest.tenants.iter().map(|note| (note.tenant, note.next, note.link));
        if !found.eq(named) {
            return Err(bad(
                MANIFEST,
                "the files do not lead to the heads that it names: take another backup",
            ));
        }
        let frames = self.manifest.tenants.iter().map(|note| note.next.0).sum();
        let bytes = self.manifest.files.iter().map(|note| note.bytes).sum();
        self.note(KEYS)?;
        Ok(Checked { frames, entries, bytes })
    }

    pub(super) fn tenants(&self) -> &[TenantNote] {
        &self.manifest.tenants
    }
}

fn inside(file: &str, of: Of, key: &[u8], error: RecordError) -> StorageError {
    let tenant = tenant_of(key).unwrap_or_default();
    bad(file, format!("{}, tenant {tenant}: {}", of.name(), error.text()))
}

pub(super) fn tenant_of(key: &[u8]) -> Option<TenantId> {
    key.first_chunk().copied().map(u64::from_be_bytes).map(TenantId)
}

fn reach(reaches: &mut BTreeMap<TenantId, Reach>, tenant: TenantId) -> &mut Reach {
    reaches.entry(tenant).or_insert(Reach { next: Revision(0), link: [0; 32], row: None })
}

fn revision_of(key: &[u8]) -> Result<Revision, RecordError> {
    key.get(8..)
        .and_then(|rest| rest.try_into().ok())
        .map(u64::from_be_bytes)
        .map(Revision)
        .ok_or(RecordError::Short)
}

fn take_state(
    reaches: &mut BTreeMap<TenantId, Reach>,
    of: Of,
    key: &[u8],
    value: &[u8],
) -> Result<(), RecordError> {
    schema::open(of, key, value)?;
    if let (Of::Meta, ERASING_KEY) = (of, key) {
        return schema::decode::<Erasing>(of, key, value).map(drop);
    }
    let tenant = tenant_of(key).ok_or(RecordError::Short)?;
    match of {
        Of::Directory => {
            let row: DirectoryRow = schema::decode(of, key, value)?;
            if row.life == Life::Kept {
                reach(reaches, tenant).row = Some((row.next, row.link));
            }
            Ok(())
        }
        Of::Segment => {
            let segment = Segment::read(tenant, revision_of(key)?, value)?;
            let reach = reach(reaches, tenant);
            let continues =
                segment.first == reach.next && (segment.first == Revision(0) || segment.before == reach.link);
            if !continues {
                return Err(RecordError::BadHash);
            }
            segment.walk(|error| error, &mut |_| Ok(true))?;
            (reach.next, reach.link) = (segment.next, segment.link);
            Ok(())
        }
        Of::Bucket | Of::Row | Of::Share => Ok(()),
        Of::Meta | Of::Aside | Of::AsideFrame => Err(RecordError::BadNumber),
    }
}

fn take_tail(
    reaches: &mut BTreeMap<TenantId, Reach>,
    of: Of,
    key: &[u8],
    value: &[u8],
) -> Result<(), RecordError> {
    let body = schema::open(of, key, value)?;
    let tenant = tenant_of(key).ok_or(RecordError::Short)?;
    let reach = reach(reaches, tenant);
    match of {
        Of::AsideFrame => {
            let (view, len) = FrameView::read(body, Form::Journal)?;
            let before = view.genesis()?.unwrap_or(reach.link);
            let continues = len == body.len()
                && view.head.tenant == tenant
                && view.head.revision == reach.next
                && revision_of(key)? == reach.next
                && view.holds(&before, Form::Journal);
            if !continues {
                return Err(RecordError::BadHash);
            }
            (reach.next, reach.link) = (reach.next.next(), view.link);
            Ok(())
        }
        Of::Aside => {
            let row: AsideRow = schema::decode(of, key, value)?;
            if (row.next, row.link) == (reach.next, reach.link) { Ok(()) } else { Err(RecordError::BadHash) }
        }
        Of::Meta | Of::Directory | Of::Bucket | Of::Row | Of::Segment | Of::Share => {
            Err(RecordError::BadNumber)
        }
    }
}
