//! Endpoints of services: which permission a request to an application needs.

use super::{Decided, State};
use crate::root::EndpointMap;
use std::sync::Arc;
use tessera_model::endpoint::{Endpoint, EndpointsRecord, Router, sound};
use tessera_model::limits::NAME_BYTES_MAX;
use tessera_model::{Event, Name, Refusal, ServiceIndex};

impl State {
    pub(super) fn set_endpoints(&self, name: &Name, endpoints: &[Endpoint]) -> Result<Decided, Refusal> {
        let service = self.root.service_names.get(name).copied().ok_or(Refusal::ServiceUnknown)?;
        let service = ServiceIndex(service);
        sound(endpoints)?;
        // What is asked for must be there to be granted.
        for endpoint in endpoints {
            let mut room = [0; NAME_BYTES_MAX];
            let scope = endpoint.target().scope();
            let permission = match &scope {
                Some(scope) => scope.permission(&mut room),
                None => endpoint.target().exact(),
            };
            permission.and_then(|name| self.permission_id(name)).ok_or(Refusal::PermissionUnknown)?;
        }
        let known = self.root.endpoints.get(&service.0);
        let event = if endpoints.is_empty() {
            known.map(|_| Event::EndpointsRemoved(service))
        } else {
            let record = EndpointsRecord { service, endpoints: endpoints.to_vec() };
            let same = known.is_some_and(|known| known.record == record);
            (!same).then_some(Event::EndpointsChanged(record))
        };
        Ok(Decided { events: event.into_iter().collect(), ..Decided::default() })
    }

    pub(super) fn apply_endpoints(&mut self, record: &EndpointsRecord) {
        self.apply_endpoints_removed(record.service);
        let map = EndpointMap { record: record.clone(), router: Router::new(&record.endpoints) };
        self.root.service_bytes += map.bytes();
        self.root.endpoints.insert_mut(record.service.0, Arc::new(map));
    }

    pub(super) fn apply_endpoints_removed(&mut self, service: ServiceIndex) {
        if let Some(known) = self.root.endpoints.get(&service.0) {
            self.root.service_bytes -= known.bytes();
            self.root.endpoints.remove_mut(&service.0);
        }
    }
}
