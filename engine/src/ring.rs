//! The refresh keys of one tenant: the actor makes handles by them, callers' tasks verify them.

use crate::state::Unsigned;
use tessera_crypto::digest::refresh_mac;
use tessera_crypto::{Key, compare};
use tessera_model::refresh::RefreshSecret;
use tessera_model::{CellId, Handle, HandleBytes, HandleKind, Refusal, TenantId};
use tessera_storage::{StorageError, Store};

/// Refresh keys by their number.
pub(crate) enum Ring {
    /// Those that there are.
    Keys(Vec<(u8, Key)>),
    /// The key file does not read: nothing can be told from a forgery.
    Unreadable,
}

/// What a handle of an unknown number is hashed with, so that it costs what any other costs.
const NO_KEY: [u8; 32] = [0; 32];

fn head(bytes: &HandleBytes) -> [u8; 20] {
    bytes.first_chunk().copied().unwrap_or([0; 20])
}

impl Ring {
    /// The keys of a tenant that was loaded, and erases those that its state does not know: a crash came
    /// before they were used, or before they were erased.
    pub(crate) fn load(store: &dyn Store, tenant: TenantId, known: &[u8]) -> Self {
        match store.tenant_keys(tenant) {
            Ok(keys) => {
                let ring = Self::Keys(keys.refresh);
                if ring.numbers().any(|number| !known.contains(&number)) {
                    erase(store, tenant, known);
                }
                ring.kept(known)
            }
            Err(StorageError::KeysMissing(_)) => Self::Keys(Vec::new()),
            Err(error) => {
                tracing::error!(%tenant, %error, "no refresh: the tenant's keys cannot be read");
                Self::Unreadable
            }
        }
    }

    fn numbers(&self) -> impl Iterator<Item = u8> + '_ {
        let keys = if let Self::Keys(keys) = self { keys.as_slice() } else { &[] };
        keys.iter().map(|(number, _)| *number)
    }

    /// The ring with one more key.
    pub(crate) fn with(&self, number: u8, key: [u8; 32]) -> Self {
        let Self::Keys(keys) = self else { return Self::Unreadable };
        let others = keys.iter().filter(|(known, _)| *known != number).cloned();
        Self::Keys(others.chain([(number, Key::new(key))]).collect())
    }

    /// The ring without the keys that are not named.
    pub(crate) fn kept(&self, numbers: &[u8]) -> Self {
        let Self::Keys(keys) = self else { return Self::Unreadable };
        Self::Keys(keys.iter().filter(|(number, _)| numbers.contains(number)).cloned().collect())
    }

    fn key(&self, number: u8) -> Option<&Key> {
        let Self::Keys(keys) = self else { return None };
        keys.iter().find(|(known, _)| *known == number).map(|(_, key)| key)
    }

    /// Makes a handle. `None` when its key is not there.
    pub(crate) fn sign(&self, cell: CellId, tenant: TenantId, unsigned: &Unsigned) -> Option<Handle> {
        let Unsigned { place, generation, tag, number, index } = *unsigned;
        let key = self.key(number)?;
        let blank = Handle { kind: HandleKind::Refresh, cell, tenant, place, generation, secret: [0; 20] };
        let mac = refresh_mac(key.expose(), &head(&blank.to_bytes()), &tag, (number, index));
        Some(Handle { secret: RefreshSecret { number, index, mac }.to_bytes(), ..blank })
    }

    /// What a handle says of itself, if it was made here for the life of a place with this tag. One hash,
    /// whatever it is.
    ///
    /// # Errors
    /// `SessionUnknown` when it was not, `TenantFailed` when nobody can tell: the load has told why.
    pub(crate) fn verify(&self, handle: &Handle, tag: Option<[u8; 16]>) -> Result<Unsigned, Refusal> {
        if matches!(self, Self::Unreadable) {
            return Err(Refusal::TenantFailed);
        }
        let RefreshSecret { number, index, mac } = RefreshSecret::parse(&handle.secret);
        let key = self.key(number);
        let (with, over) = (key.map_or(&NO_KEY, Key::expose), tag.unwrap_or_default());
        let made = refresh_mac(with, &head(&handle.to_bytes()), &over, (number, index));
        match (compare::equal_arrays(&made, &mac), key, tag) {
            (true, Some(_), Some(tag)) => {
                Ok(Unsigned { place: handle.place, generation: handle.generation, tag, number, index })
            }
            (true | false, _, _) => Err(Refusal::SessionUnknown),
        }
    }
}

/// Erases the refresh keys that are not named; what fails is repeated when the tenant is loaded next.
pub(crate) fn erase(store: &dyn Store, tenant: TenantId, known: &[u8]) {
    if let Err(error) = store.keep_refresh_keys(tenant, known) {
        tracing::warn!(%tenant, %error, "refresh keys that nobody needs could not be erased yet");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_model::{Generation, Place};

    fn unsigned() -> Unsigned {
        Unsigned { place: Place(5), generation: Generation(3), tag: [4; 16], number: 2, index: 70_000 }
    }

    /// PROPERTY: what was made verifies, with its own tag and key alone.
    #[test]
    fn what_was_made_verifies() {
        let ring = Ring::Keys(Vec::new()).with(1, [1; 32]).with(2, [2; 32]);
        let handle = ring.sign(CellId(7), TenantId(9), &unsigned()).expect("a key");
        let read = ring.verify(&handle, Some([4; 16]));
        assert!(read.is_ok_and(|read| (read.number, read.index) == (2, 70_000) && read.place == Place(5)));
        assert!(ring.verify(&handle, Some([5; 16])).is_err());
        assert!(ring.verify(&handle, None).is_err());
        assert!(ring.kept(&[1]).verify(&handle, Some([4; 16])).is_err());
        assert!(ring.with(2, [3; 32]).verify(&handle, Some([4; 16])).is_err());
        assert!(ring.kept(&[1]).sign(CellId(7), TenantId(9), &unsigned()).is_none());
        assert!(matches!(Ring::Unreadable.verify(&handle, Some([4; 16])), Err(Refusal::TenantFailed)));
    }

    /// PROPERTY: no single changed bit of a refresh handle verifies (TC-20). METHOD: every bit of its 40
    /// bytes; those that still parse as a handle are verified.
    #[test]
    fn tc_20_no_changed_bit_verifies() {
        let ring = Ring::Keys(Vec::new()).with(1, [1; 32]).with(2, [2; 32]).with(3, [3; 32]);
        let bytes = ring.sign(CellId(7), TenantId(9), &unsigned()).expect("a key").to_bytes();
        let mut parsed = 0;
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(handle) = Handle::parse(&changed) else { continue };
            parsed += 1;
            assert!(ring.verify(&handle, Some([4; 16])).is_err(), "bit {bit}");
        }
        assert!(parsed > 300, "{parsed}");
    }
}
