//! Setting frames aside: what no actor can take into buckets is copied into the checkpoint's file as it
//! is, so that the journal goes round for everybody else and an operator still finds it.

use super::Embedded;
use super::read::Window;
use crate::batch::Head;
use crate::checkpoint::Entry;
use crate::checkpoint::schema::{self, ASIDE, ASIDE_FRAME, AsideDamage, AsideRow, Of};
use crate::error::{Damage, StorageError};
use crate::tail::Spot;
use tessera_model::{Revision, TenantId};

/// Bytes of frames that one transaction sets aside.
const ASIDE_BYTES: usize = 4 * 1024 * 1024;

type Entries = Vec<Entry>;

impl Embedded {
    /// Sets the frames of a tenant aside that the journal has of it, for a load to read them there.
    pub(super) fn set_tenant_aside(&self, tenant: TenantId) -> Result<(), StorageError> {
        self.shared.intake.settle(tenant);
        let _one = self.finishing.lock();
        let _pin = self.pins.read();
        let (head, spots): (Head, Vec<Spot>) = {
            let tail = self.shared.tail.lock();
            let Some(tailed) = tail.tenants.get(&tenant) else { return Ok(()) };
            (tailed.head, tailed.spots.iter().filter(|spot| !spot.is_aside()).copied().collect())
        };
        if spots.is_empty() {
            return Ok(());
        }
        self.write_aside(&head, None, &spots)?;
        tracing::warn!(%tenant, frames = spots.len(), "the frames of a tenant that failed were set aside");
        self.shared.tail.lock().note_aside(tenant, head.next);
        Ok(())
    }

    /// Sets aside what the journal has of tenants that the start refused, with their damage. Called
    /// before the journal is covered.
    pub(super) fn set_withheld_aside(&self) -> Result<(), StorageError> {
        let _pin = self.pins.read();
        let withheld = self.shared.tail.lock().refused.withheld.clone();
        for (tenant, withheld) in withheld {
            let damage = self.shared.tail.lock().refused.some.get(&tenant).cloned();
            self.write_aside(&withheld.head, damage.as_ref(), &withheld.spots)?;
            let frames = withheld.spots.len();
            tracing::warn!(%tenant, frames, "the frames of a damaged tenant were set aside");
            self.shared.tail.lock().refused.withheld.remove(&tenant);
        }
        Ok(())
    }

    /// Writes frames as they stand, whole or not. Repeated, it writes the same again.
    fn write_aside(&self, head: &Head, damage: Option<&Damage>, spots: &[Spot]) -> Result<(), StorageError> {
        let tenant = head.tenant;
        let key = schema::tenant_key(tenant);
        let damage = damage.map(|damage| AsideDamage {
            file: damage.file.clone(),
            offset: damage.offset,
            what: damage.what.as_ref().into(),
        });
        let row = AsideRow {
            schema: schema::SCHEMA,
            slot: head.slot,
            epoch: head.epoch,
            next: head.next,
            link: head.link,
            damage,
        };
        let (mut entries, mut bytes, mut window) = (Entries::new(), 0, Window::default());
        for (at, spot) in spots.iter().enumerate().filter(|(_, spot)| !spot.is_aside()) {
            let frame = match window.frame(self, tenant, spots.get(at..).unwrap_or_default()) {
                Ok(frame) => frame,
                Err(error) => {
                    // Whoever loads the tenant finds the frame missing.
                    tracing::error!(%tenant, revision = spot.revision, %error, "a frame cannot be set aside");
                    continue;
                }
            };
            let key = schema::segment_key(tenant, Revision(spot.revision));
            let mut value = frame.to_vec();
            schema::close(Of::AsideFrame, &key, &mut value);
            bytes += value.len();
            entries.push((ASIDE_FRAME, key, Some(value)));
            if bytes >= ASIDE_BYTES {
                self.shared.checkpoint.write_now(&entries)?;
                entries.clear();
                bytes = 0;
            }
        }
        // The row comes last: without it nothing stands aside.
        entries.push((ASIDE, key.to_vec(), Some(schema::encode(Of::Aside, &key, &row))));
        self.shared.checkpoint.write_now(&entries)
    }
}
