//! Endpoints of services: which permission a request to an application needs.

use super::{Decided, State};
use crate::root::EndpointMap;
use std::sync::Arc;
use tessera_model::endpoint::{Endpoint, EndpointsRecord, Router};
use tessera_model::limits::NAME_BYTES_MAX;
use tessera_model::{Event, Name, Refusal, ServiceIndex};

impl State {
    pub(super) fn set_endpoints(&self, name: &Name, endpoints: &[Endpoint]) -> Result<Decided, Refusal> {
        let service = self.root.service_names.get(name).copied().ok_or(Refusal::ServiceUnknown)?;
        let service = ServiceIndex(service);
        // Whether they are sound together was looked at before the queue. What is asked for must be there to be granted,
        // and no other service's to say.
        for endpoint in endpoints {
            let mut room = [0; NAME_BYTES_MAX];
            let permission = endpoint.permission(&mut room).and_then(|name| self.permission_id(name));
            let permission = permission.ok_or(Refusal::PermissionUnknown)?;
            if self.root.entries.get(&permission.0).is_some_and(|owner| *owner != service.0) {
                return Err(Refusal::PermissionOwned);
            }
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
