//! What a door asks with a handle or a public id in hand, so that it hashes nothing and knows no row.

use crate::bound::Bound;
use crate::check::{Live, alive};
use crate::engine::Engine;
use crate::list::Page;
use crate::order::RootCell;
use crate::read::PermissionList;
use crate::table::Table;
use crate::view::Reading;
use tessera_model::limits::PAGE_ROWS_MAX;
use tessera_model::query::Introspection;
use tessera_model::{
    Generation, HandleBytes, Identifier, IdentifierKind, Name, Place, Private, PublicId, Reason, Refusal,
    Row, RowKind, SubjectIndex, UnixMillis, WorkspaceRef,
};

/// LIMIT: identifiers or profile texts of one subject that are read at once.
const COLD_ROWS_MAX: usize = 1_000;

impl Engine {
    /// What is known about a live session or key of a bound connection's tenant.
    ///
    /// # Errors
    /// The [`Reason`] why it is not alive.
    pub fn introspect(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        handle: &HandleBytes,
    ) -> Result<Introspection, Reason> {
        if !bound.entry.is_active() {
            return Err(Reason::TenantClosed);
        }
        reading.introspect(&self.house.tagger, handle)
    }

    /// Everything that a session or key may do in a workspace.
    ///
    /// # Errors
    /// The [`Reason`] why there is nothing to list.
    pub fn list_permissions(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        handle: &HandleBytes,
        workspace: WorkspaceRef<'_>,
    ) -> Result<PermissionList, Reason> {
        if !bound.entry.is_active() {
            return Err(Reason::TenantClosed);
        }
        reading.list_permissions(&self.house.tagger, handle, workspace)
    }

    /// The identifiers of a subject, from its cold rows. It may wait for the disk.
    ///
    /// # Errors
    /// `NotReady` when the rows cannot be read.
    pub fn identifiers(&self, bound: &Bound, subject: SubjectIndex) -> Result<Vec<Identifier>, Refusal> {
        let rows = self.cold_rows(bound, RowKind::Identifier, subject)?;
        Ok(rows
            .iter()
            .filter_map(|(_, value)| {
                let (kind, typed) = value.expose().split_first()?;
                let kind = IdentifierKind::from_number(*kind)?;
                Identifier::new(kind, std::str::from_utf8(typed).ok()?).ok()
            })
            .collect())
    }

    /// The undeclared attributes of a subject, from its cold rows. It may wait for the disk.
    ///
    /// # Errors
    /// `NotReady` when the rows cannot be read.
    pub fn profile(&self, bound: &Bound, subject: SubjectIndex) -> Result<Vec<(Name, Private)>, Refusal> {
        let rows = self.cold_rows(bound, RowKind::Profile, subject)?;
        Ok(rows
            .into_iter()
            .filter_map(|(key, value)| {
                let name = std::str::from_utf8(key.get(4..)?).ok()?;
                Some((Name::new(name).ok()?, value))
            })
            .collect())
    }

    fn cold_rows(
        &self,
        bound: &Bound,
        kind: RowKind,
        subject: SubjectIndex,
    ) -> Result<Vec<(Vec<u8>, Private)>, Refusal> {
        let key = Row::subject_key(subject, &[]);
        self.house.store.rows(bound.entry.tenant, kind, &key, COLD_ROWS_MAX).map_err(|_| Refusal::NotReady)
    }
}

impl Reading<'_> {
    /// A page of the live sessions and keys of a subject, by place, beginning at the cursor. It walks
    /// the table: off the hot path.
    #[must_use]
    pub fn sessions(&self, subject: SubjectIndex, cursor: u64, limit: usize) -> Page<Introspection> {
        let root = self.view.root.load();
        let Some(id) = root.subjects.get(&subject).map(|record| record.id) else {
            return Page { rows: Vec::new(), next: None };
        };
        let from = u32::try_from(cursor).unwrap_or(u32::MAX);
        let mut found = places(&self.view.table).skip_while(|place| *place < from).filter_map(|place| {
            let fields = self.view.table.place(place)?.read();
            let [w0, w1, w2, ..] = fields;
            let (generation, _) = crate::check::halves(w0);
            if Live::of(&fields).subject != subject {
                return None;
            }
            let (_, live, _) = alive(&root, &fields, (generation, (w1, w2)), self.now).ok()?;
            let (place, generation) = (Place(place), Generation(generation));
            Some(Introspection {
                tenant: root.tenant,
                subject: id,
                subject_index: subject,
                id: PublicId::of_place(live.opened, place, generation),
                place,
                generation,
                key: live.key,
                authenticated_at: live.opened.to_millis(),
                expires: live.expires.to_millis(),
                idle_until: if live.key { UnixMillis(u64::MAX) } else { live.idle.to_millis() },
                workspace: live.workspace,
                seen: self.seen,
            })
        });
        let rows: Vec<_> = found.by_ref().take(limit.clamp(1, PAGE_ROWS_MAX)).collect();
        let next = found.next().map(|following| u64::from(following.place.0));
        Page { rows, next }
    }
}

/// The places of the chunks that exist. Chunks are made in the order of their places.
fn places(table: &Table) -> impl Iterator<Item = u32> {
    (0..tessera_model::limits::PLACES_MAX).take_while(|place| table.place(*place).is_some())
}
