//! Cursors of lists, sealed by a key of their tenant: what comes back is what was given out.

use crate::engine::Engine;
use crate::house::House;
use tessera_crypto::compare::equal_arrays;
use tessera_crypto::digest::{derive_key, keyed};
use tessera_model::cursor::{CURSOR_BODY_BYTES, CURSOR_BYTES};
use tessera_model::{Cursor, CursorFault, Listed, Refusal, TenantId};

/// A cursor of one of a tenant's lists: makes and reads them.
pub struct Cursors {
    key: [u8; 32],
    tenant: TenantId,
    listed: Listed,
}

impl Engine {
    /// The cursors of a list of a tenant. It may wait for the disk.
    ///
    /// # Errors
    /// `TenantUnknown` for a tenant that does not exist, `TenantFailed` when its keys cannot be read.
    pub fn cursors(&self, tenant: TenantId, listed: Listed) -> Result<Cursors, Refusal> {
        let entry = self.house.entry(tenant).ok_or(Refusal::TenantUnknown)?;
        let keys = self.house.store.tenant_keys(tenant);
        let keys = keys.map_err(|error| House::unread(&entry, &error))?;
        Ok(Cursors { key: derive_key("tessera cursor v1", keys.index.expose()), tenant, listed })
    }
}

impl Cursors {
    /// The cursor at a place of the list.
    #[must_use]
    pub fn at(&self, at: u64) -> [u8; CURSOR_BYTES] {
        let body = Cursor { tenant: self.tenant, listed: self.listed, at }.body();
        let mut bytes = [0; CURSOR_BYTES];
        for (byte, from) in bytes.iter_mut().zip(body.iter().chain(&self.seal(&body))) {
            *byte = *from;
        }
        bytes
    }

    /// The place that a cursor stands at; 0, the beginning, without one.
    ///
    /// # Errors
    /// `CursorRefused` names what of it does not fit.
    pub fn place(&self, cursor: Option<&[u8]>) -> Result<u64, Refusal> {
        let Some(bytes) = cursor else { return Ok(0) };
        self.read(bytes).map_err(Refusal::CursorRefused)
    }

    fn read(&self, bytes: &[u8]) -> Result<u64, CursorFault> {
        let damaged = CursorFault::Damaged;
        let (body, seal) = bytes.split_first_chunk::<CURSOR_BODY_BYTES>().ok_or(damaged)?;
        let seal: &[u8; 8] = seal.try_into().map_err(|_| damaged)?;
        let cursor = Cursor::read(body).ok_or(damaged)?;
        // Another tenant's is sealed by another key.
        if cursor.tenant != self.tenant {
            return Err(CursorFault::Tenant);
        }
        if !equal_arrays(seal, &self.seal(body)) {
            return Err(damaged);
        }
        if cursor.listed.kind != self.listed.kind {
            return Err(CursorFault::List);
        }
        if cursor.listed.filter == self.listed.filter { Ok(cursor.at) } else { Err(CursorFault::Filter) }
    }

    fn seal(&self, body: &[u8; CURSOR_BODY_BYTES]) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, ..] = keyed(&self.key, &[body]);
        [a, b, c, d, e, f, g, h]
    }
}
