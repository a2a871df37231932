//! What stands aside in the checkpoint's file: frames that no actor could take into buckets, and the
//! damage of the tenants that a start refused. It lets the journal be used again without them.

use super::Checkpoint;
use super::read::{damage, fault, scan};
use super::schema::{self, ASIDE, ASIDE_FRAME, AsideRow, Of};
use crate::error::StorageError;
use crate::record::RecordError;
use redb::ReadTransaction;
use std::collections::BTreeMap;
use tessera_model::TenantId;

/// Frames that stand aside, by revision.
pub(crate) type AsideFrames = BTreeMap<u64, Vec<u8>>;

impl Checkpoint {
    /// Every tenant of which something stands aside.
    pub(crate) fn aside(&self) -> Result<Vec<(TenantId, AsideRow)>, StorageError> {
        self.read(|transaction| {
            let mut found = Vec::new();
            scan(transaction, ASIDE, &[], &mut |key, value| {
                let tenant = key.try_into().map(u64::from_be_bytes).map(TenantId);
                let tenant = tenant.map_err(|_| damage(Of::Aside, RecordError::Short.text(), None))?;
                let row: AsideRow =
                    schema::decode(Of::Aside, key, value).map_err(fault(Of::Aside, tenant))?;
                if row.schema != schema::SCHEMA {
                    return Err(StorageError::NewerFormat { found: row.schema, known: schema::SCHEMA });
                }
                found.push((tenant, row));
                Ok(true)
            })?;
            Ok(found)
        })
    }

    /// The frames of a tenant that stand aside.
    pub(crate) fn aside_frames(&self, tenant: TenantId) -> Result<AsideFrames, StorageError> {
        self.read(|transaction| frames(transaction, tenant))
    }
}

/// The frames of a tenant that stand aside, as the journal had them: only their own hash is verified.
pub(crate) fn frames(transaction: &ReadTransaction, tenant: TenantId) -> Result<AsideFrames, StorageError> {
    let mut found = AsideFrames::new();
    scan(transaction, ASIDE_FRAME, &schema::tenant_key(tenant), &mut |key, value| {
        let frame = schema::open(Of::AsideFrame, key, value).map_err(fault(Of::AsideFrame, tenant))?;
        let revision = key.last_chunk().copied().map(u64::from_be_bytes).unwrap_or_default();
        found.insert(revision, frame.to_vec());
        Ok(true)
    })?;
    Ok(found)
}

/// The keys of the frames of a tenant that stand aside below a revision, and whether others do above.
pub(crate) fn keys_below(
    transaction: &ReadTransaction,
    tenant: TenantId,
    below: u64,
) -> Result<(Vec<Vec<u8>>, bool), StorageError> {
    let (mut found, mut more) = (Vec::new(), false);
    scan(transaction, ASIDE_FRAME, &schema::tenant_key(tenant), &mut |key, _| {
        let revision = key.last_chunk().copied().map(u64::from_be_bytes).unwrap_or_default();
        more = revision >= below;
        if !more {
            found.push(key.to_vec());
        }
        Ok(!more)
    })?;
    Ok((found, more))
}
