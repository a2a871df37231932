//! Restrictions: the masks that a key's permissions must lie in.

use crate::bits::Bits;
use crate::chunked::Chunked;
use crate::roles::{Permissions, compile};
use std::sync::Arc;
use tessera_model::limits::RESTRICTIONS_MAX;
use tessera_model::record::RestrictionRecord;
use tessera_model::scope::HeldScope;
use tessera_model::{Pattern, PermissionId, RestrictionId};

/// What a restriction lets through, word by word.
#[derive(Clone, Copy)]
pub(crate) enum Mask<'a> {
    /// It restricts nothing.
    Nothing,
    /// These, and nothing beyond them.
    Words(&'a [u64]),
    /// These in the first word, and everything beyond it.
    Ceiling(u64),
}

impl Mask<'_> {
    /// The word at a position.
    pub(crate) fn word(self, at: usize) -> u64 {
        match self {
            Self::Words(words) => words.get(at).copied().unwrap_or(0),
            Self::Ceiling(word) if at == 0 => word,
            Self::Nothing | Self::Ceiling(_) => u64::MAX,
        }
    }
}

/// All restrictions of a tenant. One that is not here lets nothing through.
#[derive(Clone)]
pub(crate) struct Restrictions {
    bits: Chunked<Bits>,
    patterns: Chunked<Option<Arc<[Pattern]>>>,
    /// The scopes with filters, which lie in no mask.
    scopes: Chunked<Option<Arc<[HeldScope]>>>,
    count: u32,
}

impl Restrictions {
    pub(crate) fn new() -> Self {
        Self {
            bits: Chunked::new(RESTRICTIONS_MAX),
            patterns: Chunked::new(RESTRICTIONS_MAX),
            scopes: Chunked::new(RESTRICTIONS_MAX),
            count: 0,
        }
    }

    /// Whether the restriction lets the permission through; 0 restricts nothing.
    #[inline]
    pub(crate) fn lets_through(&self, restriction: RestrictionId, permission: PermissionId) -> bool {
        restriction == RestrictionId(0) || self.masks(restriction, permission)
    }

    #[inline(never)]
    fn masks(&self, restriction: RestrictionId, permission: PermissionId) -> bool {
        match restriction.lets_through() {
            Some(word) => permission.0 >= u64::BITS || word >> permission.0 & 1 == 1,
            None => self.bits.get(restriction.0).is_some_and(|bits| bits.holds(permission)),
        }
    }

    /// The scopes with filters that it has beside its mask.
    pub(crate) fn scopes(&self, restriction: RestrictionId) -> &[HeldScope] {
        let held = match restriction.lets_through() {
            Some(_) => None,
            None => self.scopes.get(restriction.0),
        };
        held.and_then(Option::as_ref).map_or(&[], |held| held)
    }

    /// What it lets through.
    pub(crate) fn mask(&self, restriction: RestrictionId) -> Mask<'_> {
        match restriction.lets_through() {
            Some(word) => Mask::Ceiling(word),
            None if restriction == RestrictionId(0) => Mask::Nothing,
            None => Mask::Words(self.bits.get(restriction.0).map_or(&[], Bits::words)),
        }
    }

    pub(crate) fn put(&mut self, record: &RestrictionRecord, permissions: &Permissions) {
        self.remove(record.id);
        if record.id == RestrictionId(0) || record.id.0 >= RESTRICTIONS_MAX {
            return;
        }
        self.bits.set(record.id.0, compile(&record.patterns, permissions));
        self.patterns.set(record.id.0, Some(record.patterns.as_slice().into()));
        let filtered = record.patterns.iter().filter_map(Pattern::scope);
        let filtered = filtered.filter(|scope| !scope.filters().is_empty());
        let held: Vec<_> = filtered.map(|scope| HeldScope::new(&scope)).collect();
        if !held.is_empty() {
            self.scopes.set(record.id.0, Some(held.into()));
        }
        self.count += 1;
    }

    pub(crate) fn remove(&mut self, id: RestrictionId) {
        if self.patterns.get(id.0).is_some_and(Option::is_some) {
            self.bits.set(id.0, Bits::default());
            self.patterns.set(id.0, None);
            if self.scopes.get(id.0).is_some_and(Option::is_some) {
                self.scopes.set(id.0, None);
            }
            self.count -= 1;
        }
    }

    /// Raises the bit of a new permission in those whose patterns cover it.
    pub(crate) fn registered(&mut self, id: PermissionId, name: &str, permissions: &Permissions) {
        let covers = |patterns: &Arc<[Pattern]>| patterns.iter().any(|pattern| pattern.covers(name));
        let known = self.patterns.iter().filter_map(|(id, patterns)| Some((id, patterns.as_ref()?)));
        let concerned: Vec<u32> = known.filter(|(_, patterns)| covers(patterns)).map(|(id, _)| id).collect();
        for restriction in concerned {
            let bits = self.bits.get(restriction).cloned().unwrap_or_default();
            if let Some(bits) = bits.with(id, permissions.words()) {
                self.bits.set(restriction, bits);
            }
        }
    }

    /// Compiles all of them anew.
    pub(crate) fn renamed(&mut self, permissions: &Permissions) {
        let known = self.patterns.iter().filter_map(|(id, patterns)| Some((id, patterns.as_ref()?)));
        let all: Vec<_> = known.map(|(id, patterns)| (id, compile(patterns, permissions))).collect();
        for (id, bits) in all {
            self.bits.set(id, bits);
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }
}
