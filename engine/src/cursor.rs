//! Cursors of lists, sealed by a key of their tenant: what comes back is what was given out.

use crate::engine::Engine;
use crate::house::House;
use tessera_crypto::compare::equal_arrays;
use tessera_crypto::digest::{derive_key, hash, keyed};
use tessera_model::cursor::{CURSOR_BODY_BYTES, CURSOR_BYTES};
use tessera_model::{Cursor, CursorFault, ListKind, Listed, Refusal, TenantId};

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

impl Engine {
    /// The cursors of a list of relations that is narrowed to all of `about`. It may wait for the disk.
    ///
    /// # Errors
    /// As [`Engine::cursors`].
    pub fn relation_cursors(
        &self,
        tenant: TenantId,
        kind: ListKind,
        about: &[&str],
    ) -> Result<Cursors, Refusal> {
        // Parts vary in length: each stands behind its own.
        let framed: Vec<([u8; 8], &[u8])> =
            about.iter().map(|part| ((part.len() as u64).to_le_bytes(), part.as_bytes())).collect();
        let parts: Vec<&[u8]> = framed.iter().flat_map(|(length, part)| [length.as_slice(), part]).collect();
        let mut filter = [0; 16];
        filter.iter_mut().zip(hash(&parts)).for_each(|(byte, from)| *byte = from);
        self.cursors(tenant, Listed { kind, filter })
    }
}

impl Cursors {
    /// The cursor behind a name, or behind anything else that is no number; `at` stands beside it.
    #[must_use]
    pub fn behind(&self, at: u64, tail: &[u8]) -> Vec<u8> {
        let body = Cursor { tenant: self.tenant, listed: self.listed, at }.body();
        let seal = self.seal(&[&body, tail]);
        [body.as_slice(), tail, &seal].concat()
    }

    /// What [`Cursors::behind`] was given; none without a cursor.
    ///
    /// # Errors
    /// `CursorRefused` names what of it does not fit.
    pub fn tail<'a>(&self, cursor: Option<&'a [u8]>) -> Result<Option<(u64, &'a [u8])>, Refusal> {
        cursor.map(|bytes| self.read(bytes).map_err(Refusal::CursorRefused)).transpose()
    }

    /// The cursor at a place of the list.
    #[must_use]
    pub fn at(&self, at: u64) -> [u8; CURSOR_BYTES] {
        let body = Cursor { tenant: self.tenant, listed: self.listed, at }.body();
        let mut bytes = [0; CURSOR_BYTES];
        for (byte, from) in bytes.iter_mut().zip(body.iter().chain(&self.seal(&[&body]))) {
            *byte = *from;
        }
        bytes
    }

    /// The place that a cursor stands at; 0, the beginning, without one.
    ///
    /// # Errors
    /// `CursorRefused` names what of it does not fit.
    pub fn place(&self, cursor: Option<&[u8]>) -> Result<u64, Refusal> {
        match self.tail(cursor)? {
            None => Ok(0),
            Some((at, [])) => Ok(at),
            Some(_) => Err(Refusal::CursorRefused(CursorFault::Damaged)),
        }
    }

    fn read<'a>(&self, bytes: &'a [u8]) -> Result<(u64, &'a [u8]), CursorFault> {
        let damaged = CursorFault::Damaged;
        let (body, rest) = bytes.split_first_chunk::<CURSOR_BODY_BYTES>().ok_or(damaged)?;
        let (tail, seal) = rest.split_last_chunk::<8>().ok_or(damaged)?;
        let cursor = Cursor::read(body).ok_or(damaged)?;
        // Another tenant's is sealed by another key.
        if cursor.tenant != self.tenant {
            return Err(CursorFault::Tenant);
        }
        if !equal_arrays(seal, &self.seal(&[body, tail])) {
            return Err(damaged);
        }
        if cursor.listed.kind != self.listed.kind {
            return Err(CursorFault::List);
        }
        if cursor.listed.filter == self.listed.filter {
            Ok((cursor.at, tail))
        } else {
            Err(CursorFault::Filter)
        }
    }

    fn seal(&self, parts: &[&[u8]]) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, ..] = keyed(&self.key, parts);
        [a, b, c, d, e, f, g, h]
    }
}
