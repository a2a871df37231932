//! What a door asks with a handle or a public id in hand, so that it hashes nothing and knows no row.

use crate::admit::Done;
use crate::beside::placed;
use crate::bound::{Bound, by_address};
use crate::check::{Live, UsedFrom, alive};
use crate::engine::Engine;
use crate::house::House;
use crate::list::Page;
use crate::order::RootCell;
use crate::read::PermissionList;
use crate::root::Root;
use crate::submit::SubmitError;
use crate::table::Fields;
use crate::view::Reading;
use std::net::IpAddr;
use tessera_model::limits::{PAGE_PLACES_MAX, PAGE_ROWS_MAX, PLACES_MAX};
use tessera_model::query::Introspection;
use tessera_model::{
    ClientIndex, Command, CommandId, Deadline, Generation, HandleBytes, Identifier, IdentifierKind, Name,
    Network, Pattern, Place, Private, PublicId, Reason, Refusal, Row, RowKind, SubjectIndex, UnixMillis,
    WorkspaceRef,
};

/// LIMIT: identifiers or profile texts of one subject that are read at once.
const COLD_ROWS_MAX: usize = 1_000;

impl Engine {
    /// What is known about a live session or key of a bound connection's tenant, used from the address that the
    /// caller says, who needs the permission [`crate::ADDRESS`] for it, or from where [`Engine::check`] takes it to be.
    ///
    /// # Errors
    /// The [`Reason`] why it is not alive.
    pub fn introspect(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        (handle, said): (&HandleBytes, Option<IpAddr>),
    ) -> Result<Introspection, Reason> {
        if !bound.entry.is_active() {
            return Err(Reason::TenantClosed);
        }
        self.looking_there(bound, (handle, said), |from| reading.introspect(&self.house.tagger, handle, from))
    }

    /// As [`Engine::introspect`], wherever the handle is used from: for what is ordered about it.
    ///
    /// # Errors
    /// The [`Reason`] why it is not alive.
    pub fn locate(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        handle: &HandleBytes,
    ) -> Result<Introspection, Reason> {
        if !bound.entry.is_active() {
            return Err(Reason::TenantClosed);
        }
        reading.introspect(&self.house.tagger, handle, UsedFrom::Anywhere)
    }

    /// Looks at a handle where it is said to be used; where nothing is said and it matters, as [`Engine::check`]
    /// does.
    fn looking_there<T>(
        &self,
        bound: &Bound,
        (handle, said): (&HandleBytes, Option<IpAddr>),
        look: impl Fn(UsedFrom<'_>) -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        match look(UsedFrom::Address(&said)) {
            Err(reason) if by_address(reason) && said.is_none() => {
                look(UsedFrom::Address(&bound.address_of(handle)))
            }
            looked => looked,
        }
    }

    /// The public id of what a handle of a bound connection's tenant is or was: what has ended may be
    /// ended again.
    #[must_use]
    pub fn id_of(&self, reading: &Reading<'_>, handle: &HandleBytes) -> Option<PublicId> {
        reading.id_of(&self.house.tagger, handle)
    }

    /// Everything that a session or key may do in a workspace, used from where [`Engine::introspect`] says.
    ///
    /// # Errors
    /// The [`Reason`] why there is nothing to list.
    pub fn list_permissions(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        (handle, said): (&HandleBytes, Option<IpAddr>),
        workspace: WorkspaceRef<'_>,
    ) -> Result<PermissionList, Reason> {
        if !bound.entry.is_active() {
            return Err(Reason::TenantClosed);
        }
        let tagger = &self.house.tagger;
        // Where policies or conditions may ask for it, the address that a check takes.
        let asked = reading.root.policed.is_some() || reading.root.rules.has_conditions();
        let policed = asked && said.is_none();
        let said = if policed { bound.address_of(handle) } else { said };
        self.looking_there(bound, (handle, said), |from| {
            reading.list_permissions(tagger, (handle, from), workspace)
        })
    }

    /// The identifiers of a subject, from its cold rows. It may wait for the disk.
    ///
    /// # Errors
    /// `TenantFailed` when a row is damaged, `NotReady` when the node is ending.
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
    /// `TenantFailed` when a row is damaged, `NotReady` when the node is ending.
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

    /// What a key is for, from its cold row. It may wait for the disk.
    ///
    /// # Errors
    /// `TenantFailed` when the row is damaged, `NotReady` when the node is ending.
    pub fn key_description(&self, bound: &Bound, found: &Introspection) -> Result<Private, Refusal> {
        let key = Row::description_key(found.subject_index, found.place, found.generation);
        let read = self.house.store.row(bound.entry.tenant, RowKind::KeyDescription, &key);
        let read = read.map_err(|error| House::unread(&bound.entry, &error))?;
        Ok(read.value.unwrap_or_else(|| Private::new(Vec::new())))
    }

    /// Makes a key in place of an old one, which lives on for a while.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, or Unknown.
    pub async fn rotate_key(
        &self,
        bound: &Bound,
        id: CommandId,
        rotation: Rotation,
    ) -> Result<Done, SubmitError> {
        let view = self.view_of(bound)?;
        let old = self.read(&view).key(rotation.key);
        // Without an old key `decide` says what is wrong, or that this is a repeat.
        let description = match old {
            Some(old) => self.key_description(bound, &old.found)?,
            None => Private::default(),
        };
        let Rotation { key, expires, patterns, networks, overlap_s } = rotation;
        let command = Command::RotateKey { key, expires, patterns, networks, overlap_s, description };
        self.submit(bound, id, command).await
    }

    pub(crate) fn cold_rows(
        &self,
        bound: &Bound,
        kind: RowKind,
        subject: SubjectIndex,
    ) -> Result<Vec<(Vec<u8>, Private)>, Refusal> {
        let key = Row::subject_key(subject, &[]);
        let read = self.house.store.rows(bound.entry.tenant, kind, &key, COLD_ROWS_MAX);
        read.map_err(|error| House::unread(&bound.entry, &error).into())
    }
}

/// A live key, with what only lists ask for.
#[derive(Clone, Debug)]
pub struct KeyFound {
    /// What it is.
    pub found: Introspection,
    /// What it covers of its owner's permissions; empty for all of them.
    pub patterns: Vec<Pattern>,
    /// When it was last used, to the minute; `NONE` for never.
    pub last_used: Deadline,
    /// The client that it names, and that client's name unless it was deleted.
    pub client: Option<(ClientIndex, Option<Name>)>,
    /// From where it may be used; empty for anywhere.
    pub networks: Vec<Network>,
}

/// How a key is rotated.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The old key's public id.
    pub key: PublicId,
    /// When the new one ends; `NONE` for when the old one would have.
    pub expires: Deadline,
    /// What the new one may cover; empty for the same.
    pub patterns: Vec<Pattern>,
    /// From where the new one may be used; empty for the same.
    pub networks: Vec<Network>,
    /// How long the old one lives on, s.
    pub overlap_s: u32,
}

impl Reading<'_> {
    /// A page of the live sessions and keys of a subject, by place, beginning at the cursor. It walks
    /// the table: off the hot path.
    #[must_use]
    pub fn sessions(&self, subject: SubjectIndex, cursor: u64, limit: usize) -> Page<Introspection> {
        let root = self.view.root.load();
        self.walk(&root, (cursor, limit), |live| live.subject == subject, |_, found| found)
    }

    /// A page of the live keys of a subject, or of everybody, by place, beginning at the cursor. It walks
    /// the table: off the hot path.
    #[must_use]
    pub fn keys(&self, subject: Option<SubjectIndex>, cursor: u64, limit: usize) -> Page<KeyFound> {
        let root = self.view.root.load();
        let meant = |live: &Live| live.key && subject.is_none_or(|subject| live.subject == subject);
        self.walk(&root, (cursor, limit), meant, |live, found| key_found(&root, live, found))
    }

    /// The live key with this public id.
    #[must_use]
    pub fn key(&self, id: PublicId) -> Option<KeyFound> {
        let (root, (place, _)) = (self.view.root.load(), id.place());
        let (live, found) = self.at(&root, place.0)?;
        (live.key && found.id == id).then(|| key_found(&root, &live, found))
    }

    /// How many sessions and keys live, and how many places were looked at for it: all. Off the hot path.
    pub(crate) fn count_live(&self) -> (u64, u64, u64) {
        let (root, mut counts) = (self.view.root.load(), (0, 0, 0));
        for place in 0..PLACES_MAX {
            let Some(words) = self.view.table.place(place) else { break };
            counts.2 += 1;
            let fields = words.read();
            let [w0, w1, w2, ..] = fields;
            let (generation, _) = crate::check::halves(w0);
            if let Ok((_, live, _)) = alive(&root, &fields, (generation, (w1, w2)), self.now) {
                if live.key { counts.1 += 1 } else { counts.0 += 1 }
            }
        }
        counts
    }

    /// What lives at the places from the cursor on, as many as asked for. A page ends after [`PAGE_PLACES_MAX`] of them, whatever it holds.
    fn walk<T>(
        &self,
        root: &Root,
        (cursor, limit): (u64, usize),
        meant: impl Fn(&Live) -> bool,
        row: impl Fn(&Live, Introspection) -> T,
    ) -> Page<T> {
        let (limit, from) = (limit.clamp(1, PAGE_ROWS_MAX), u32::try_from(cursor).unwrap_or(u32::MAX));
        let mut page = Page { rows: Vec::new(), next: None, walked: 0 };
        // The places of the chunks that exist: chunks are made in their order.
        for place in (from..PLACES_MAX).take_while(|place| self.view.table.place(*place).is_some()) {
            if page.walked == PAGE_PLACES_MAX {
                page.next = Some(u64::from(place));
                break;
            }
            page.walked += 1;
            let Some((live, found)) = self.at(root, place).filter(|(live, _)| meant(live)) else { continue };
            if page.rows.len() == limit {
                page.next = Some(u64::from(place));
                break;
            }
            page.rows.push(row(&live, found));
        }
        page
    }

    /// What lives at a place.
    pub(crate) fn at(&self, root: &Root, place: u32) -> Option<(Live, Introspection)> {
        let fields = self.view.table.place(place)?.read();
        let [w0, w1, w2, ..] = fields;
        let (generation, _) = crate::check::halves(w0);
        let (_, live, _) = alive(root, &fields, (generation, (w1, w2)), self.now).ok()?;
        let subject = root.subjects.get(&live.subject)?.id;
        let (place, generation) = (Place(place), Generation(generation));
        let at: (&dyn Fn(Place) -> Fields, _) = (&|place| self.whole(place), self.now);
        placed(root, &fields, (place, generation.0), UsedFrom::Anywhere, at).ok()?;
        let (device, actor) = Self::besides(root, &fields, (place, generation));
        let found = Introspection {
            tenant: root.tenant,
            subject,
            subject_index: live.subject,
            id: PublicId::of_place(live.opened, place, generation),
            place,
            generation,
            key: live.key,
            authenticated_at: live.opened.to_millis(),
            expires: live.expires.to_millis(),
            idle_until: if live.key { UnixMillis(u64::MAX) } else { live.idle.to_millis() },
            workspace: live.workspace,
            device,
            actor,
            seen: self.seen,
        };
        Some((live, found))
    }
}

fn key_found(root: &Root, live: &Live, found: Introspection) -> KeyFound {
    let restriction = root.restrictions.get(&live.restriction);
    let patterns = restriction.map(|record| record.patterns.clone()).unwrap_or_default();
    // A key that was made and not used yet has the moment of its making there.
    let last_used = if live.idle > live.opened { live.idle } else { Deadline::NONE };
    let named = root.key_clients.get(&found.place).filter(|(life, _)| *life == found.generation);
    let client =
        named.map(|(_, client)| (*client, root.clients.get(client).map(|record| record.name.clone())));
    let networks = root.sides.get(&(found.place, found.generation));
    let networks = networks.map(|networks| networks.to_vec()).unwrap_or_default();
    KeyFound { found, patterns, last_used, client, networks }
}
