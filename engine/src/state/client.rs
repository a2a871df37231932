//! Clients: what sessions are like that are opened through a key which names one.

use super::{Decided, Made, State};
use std::sync::Arc;
use tessera_model::limits::CLIENTS_MAX;
use tessera_model::record::PlaceRecord;
use tessera_model::refresh::{ClientRecord, ClientTerms};
use tessera_model::{Caller, ClientIndex, Event, Limit, Name, Place, Refusal, Settings};

/// What counts for a client: its own terms, and the tenant's settings where it has none.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) client: ClientIndex,
    /// The client's own; of the default client the tenant's.
    pub(super) own: ClientTerms,
}

impl Terms {
    fn of(settings: &Settings, record: Option<&ClientRecord>) -> Self {
        let or = |own: u32, tenants: u32| if own == 0 { tenants } else { own };
        let Some(record) = record else {
            let own = ClientTerms {
                refresh: settings.refresh_mode(),
                session_ttl_s: settings.session_ttl_s,
                session_idle_s: settings.session_idle_s,
                refresh_ttl_s: settings.refresh_ttl_s,
                sessions_max: 0,
                evict: false,
            };
            return Self { client: ClientIndex(0), own };
        };
        let terms = &record.terms;
        let session_ttl_s = or(terms.session_ttl_s, settings.session_ttl_s);
        let own = ClientTerms {
            session_ttl_s,
            session_idle_s: or(terms.session_idle_s, settings.session_idle_s).min(session_ttl_s),
            refresh_ttl_s: or(terms.refresh_ttl_s, settings.refresh_ttl_s),
            ..*terms
        };
        Self { client: record.index, own }
    }
}

impl State {
    /// The client that a caller stands for: the one that its key names, or that its session was opened
    /// through.
    pub(super) fn client_of(&self, caller: Caller) -> ClientIndex {
        match caller {
            Caller::Holder { place, .. } => self.positions.read(place.0).client,
            Caller::Operator { .. } | Caller::Bootstrap | Caller::Claimant | Caller::Node => ClientIndex(0),
        }
    }

    /// What counts for a client's sessions. `ClientUnknown` when it was deleted: nothing falls back to the
    /// default client.
    pub(super) fn terms(&self, client: ClientIndex) -> Result<Terms, Refusal> {
        let record = match client {
            ClientIndex(0) => None,
            named => Some(self.root.clients.get(&named).ok_or(Refusal::ClientUnknown)?),
        };
        Ok(Terms::of(&self.root.settings, record.map(|record| &**record)))
    }

    /// The index of a client by its name; the default client without one.
    pub(super) fn client_index(&self, name: Option<&Name>) -> Result<ClientIndex, Refusal> {
        match name {
            None => Ok(ClientIndex(0)),
            Some(name) => self.root.client_names.get(name).copied().ok_or(Refusal::ClientUnknown),
        }
    }

    pub(super) fn create_client(&self, name: &Name, terms: &ClientTerms) -> Result<Decided, Refusal> {
        if let Some(setting) = terms.fault() {
            return Err(Refusal::SettingOutOfBounds(setting));
        }
        Self::may_be_called(name)?;
        if self.root.client_names.contains_key(name) {
            return Err(Refusal::Duplicate);
        }
        if self.next.client >= CLIENTS_MAX {
            return Err(Limit::Clients.reached());
        }
        let index = ClientIndex(self.next.client);
        let record = ClientRecord { index, name: name.clone(), terms: *terms };
        Ok(Decided {
            made: Made { number: Some(index.0), ..Made::default() },
            ..Decided::of(Event::ClientChanged(record))
        })
    }

    pub(super) fn change_client(&self, name: &Name, terms: &ClientTerms) -> Result<Decided, Refusal> {
        let index = self.client_index(Some(name))?;
        if let Some(setting) = terms.fault() {
            return Err(Refusal::SettingOutOfBounds(setting));
        }
        let made = Made { number: Some(index.0), ..Made::default() };
        if self.root.clients.get(&index).is_some_and(|known| known.terms == *terms) {
            return Ok(Decided { made, ..Decided::nothing() });
        }
        let record = ClientRecord { index, name: name.clone(), terms: *terms };
        Ok(Decided { made, ..Decided::of(Event::ClientChanged(record)) })
    }

    pub(super) fn delete_client(&self, name: &Name) -> Result<Decided, Refusal> {
        Ok(Decided::of(Event::ClientRemoved(self.client_index(Some(name))?)))
    }

    /// Readers find the client that a key names in the root.
    pub(super) fn name_client(&mut self, record: &PlaceRecord) {
        self.unname_client(record.place);
        if record.key && record.refresh.client.0 != 0 {
            self.root.key_clients.insert_mut(record.place, (record.generation, record.refresh.client));
            self.root_changed = true;
        }
    }

    pub(super) fn unname_client(&mut self, place: Place) {
        self.root_changed |= self.root.key_clients.remove_mut(&place);
    }

    pub(super) fn apply_client(&mut self, record: &ClientRecord) {
        self.next.client = self.next.client.max(record.index.0 + 1);
        self.root.client_names.insert_mut(record.name.clone(), record.index);
        self.root.clients.insert_mut(record.index, Arc::new(record.clone()));
    }

    pub(super) fn apply_client_removed(&mut self, index: ClientIndex) {
        self.next.client = self.next.client.max(index.0 + 1);
        self.keep_given();
        if let Some(record) = self.root.clients.get(&index) {
            let name = record.name.clone();
            self.root.client_names.remove_mut(&name);
        }
        self.root.clients.remove_mut(&index);
        // Keys that name it live on, and open nothing more.
        self.end_where(|live, position| !live.key && position.client == index);
    }
}
