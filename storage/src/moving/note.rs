//! What is known of tenants that are being taken, beside what was copied of them; and what is opened by an operator's
//! word.

use crate::batch::Head;
use crate::checkpoint::read as table;
use crate::checkpoint::schema::{
    self, ARRIVING_KEY, ARRIVING_MAX, ArrivingRows, DIRECTORY, Life, META, Of, SCHEMA,
};
use crate::embedded::Embedded;
use crate::error::StorageError;
use crate::moving::Adopted;
use crate::store::Store as _;
use tessera_model::record::TenantRecord;
use tessera_model::{Epoch, TenantId};

/// A tenant of which something was copied, and that was not opened, or is nobody's tenant yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arriving {
    /// What is known of it.
    pub record: TenantRecord,
    /// Where the copy stands, in the epoch that it is to have here; none where it is not whole.
    pub head: Option<Head>,
}

/// Whether what was copied of a tenant waits: also where it was opened, and nobody knows it as a tenant yet.
fn waits((tenant, life): (TenantId, Life), adopted: Adopted<'_>) -> bool {
    match life {
        Life::Arriving => true,
        Life::Kept => !adopted(tenant),
        Life::Forgotten => false,
    }
}

impl Embedded {
    fn noted_arrivals(&self) -> Result<ArrivingRows, StorageError> {
        let found = self.shared.checkpoint.value(META, Of::Meta, ARRIVING_KEY)?;
        Ok(found.unwrap_or(ArrivingRows { schema: SCHEMA, records: Vec::new() }))
    }

    /// Notes it, and forgets what is known of those that were opened or dropped since.
    pub(super) fn note_arriving(
        &self,
        record: &TenantRecord,
        adopted: Adopted<'_>,
    ) -> Result<(), StorageError> {
        let _one = self.noting.lock();
        let mut found = self.noted_arrivals()?;
        if found.records.contains(record) {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(found.records.len());
        for known in found.records {
            let row = self.shared.checkpoint.directory(known.id)?;
            if known.id != record.id && row.is_some_and(|row| waits((known.id, row.life), adopted)) {
                kept.push(known);
            }
        }
        if kept.len() >= ARRIVING_MAX {
            return Err(StorageError::BadCopy("too many tenants were copied here and never opened"));
        }
        kept.push(record.clone());
        found.records = kept;
        let value = schema::encode(Of::Meta, ARRIVING_KEY, &found);
        self.shared.checkpoint.write_now(&[(META, ARRIVING_KEY.to_vec(), Some(value))])
    }

    pub(super) fn arriving_now(&self, adopted: Adopted<'_>) -> Result<Vec<Arriving>, StorageError> {
        let noted = self.noted_arrivals()?.records;
        let mut found = Vec::with_capacity(noted.len());
        for record in noted {
            let row = self.shared.checkpoint.directory(record.id)?;
            if let Some(row) = row.filter(|row| waits((record.id, row.life), adopted)) {
                let head = (!row.keys.is_empty()).then(|| table::head_of(record.id, &row));
                found.push(Arriving { record, head });
            }
        }
        Ok(found)
    }

    pub(super) fn claim_tenant(&self, tenant: TenantId, epoch: Epoch) -> Result<Head, StorageError> {
        let _one = self.finishing.lock();
        let row = self.shared.checkpoint.directory(tenant)?;
        let mut row = row.ok_or(StorageError::TenantUnknown(tenant))?;
        let whole = match row.life {
            Life::Kept => true,
            Life::Arriving => !row.keys.is_empty(),
            Life::Forgotten => false,
        };
        if !whole || tenant == TenantId::SYSTEM {
            return Err(StorageError::TenantUnknown(tenant));
        }
        if row.life == Life::Kept && self.has_tail(tenant) {
            // What stands in the journal goes into the checkpoint first.
            return Err(StorageError::Busy);
        }
        if row.life == Life::Arriving {
            self.safe.forget(tenant);
        }
        (row.life, row.epoch) = (Life::Kept, row.epoch.max(epoch));
        let key = schema::tenant_key(tenant);
        let value = schema::encode(Of::Directory, &key, &row);
        self.shared.checkpoint.write_now(&[(DIRECTORY, key.to_vec(), Some(value))])?;
        {
            let mut tail = self.shared.tail.lock();
            tail.forgotten.remove(&tenant);
            if let Some(tailed) = tail.tenants.get_mut(&tenant) {
                tailed.head.epoch = tailed.head.epoch.max(epoch);
            }
            // The lane may remember where it stood before.
            tail.returned.insert(tenant);
        }
        Ok(self.shared.raised(table::head_of(tenant, &row)))
    }
}
