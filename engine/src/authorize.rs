//! Authorization of requests to applications: which permission a request needs, and whether its holder has it.

use crate::bound::Bound;
use crate::engine::Engine;
use crate::list::Listing;
use crate::root::Root;
use crate::view::Reading;
use std::sync::Arc;
use tessera_model::catalogue::{BETWEEN, ServiceRecord};
use tessera_model::endpoint::{Endpoint, Requested, is_method};
use tessera_model::limits::NAME_BYTES_MAX;
use tessera_model::{CheckQuery, Decision, Name, Pattern, PermissionRef, Reason, Scope, ServiceIndex};

/// What somebody wants to do with an application.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// What a scope says, `[action:]path[?filters]`.
    Scope(&'a str),
    /// A request: a service's name, the method, and the target (path and query).
    Request(&'a str, &'a str, &'a str),
    /// An action of a service: the service's name, and an entry's permission, in full or behind the service's name.
    Action(&'a str, &'a str),
}

/// What was asked for, and whether it may be done.
#[derive(Clone, Debug)]
pub struct Authorized {
    /// Whether.
    pub decision: Decision,
    /// The permission that was asked; `None` where nothing is known to be asked for.
    pub permission: Option<Name>,
}

/// What a request turns out to need.
enum Needed<'a> {
    Permission(&'a Name),
    Target(&'a Pattern),
}

fn registered<'r>(root: &'r Root, name: &str) -> Result<&'r Arc<ServiceRecord>, Reason> {
    let index = Name::new(name).ok().and_then(|name| root.service_names.get(&name).copied());
    index.and_then(|index| root.services.get(&index)).ok_or(Reason::ServiceUnknown)
}

fn endpoint<'r>(root: &'r Root, (name, method, target): (&str, &str, &str)) -> Result<&'r Pattern, Reason> {
    let service = registered(root, name)?;
    if !is_method(method) {
        return Err(Reason::RequestDoubtful);
    }
    let requested = Requested::new(target).map_err(|_| Reason::RequestDoubtful)?;
    let map = root.endpoints.get(&service.index.0).ok_or(Reason::EndpointUnknown)?;
    let found = map.router.find(method, &requested).and_then(|at| map.record.endpoints.get(at));
    found.map(Endpoint::target).ok_or(Reason::EndpointUnknown)
}

/// The entry that an action means: that of its name, else the only one that is called so behind the service's name.
/// COST: looks up four names, whatever the service has registered.
fn action<'r>(root: &'r Root, (name, action): (&str, &str)) -> Result<&'r Name, Reason> {
    let service = registered(root, name)?;
    let entry = |text: &str| {
        let id = root.rules.permission(PermissionRef::Name(text))?;
        let own = root.entries.get(&id.0) == Some(&service.index.0);
        root.rules.permission_name(id).filter(|_| own)
    };
    if let Some(permission) = entry(action) {
        return Ok(permission);
    }
    let behind = |between: char| {
        let mut room = [0; NAME_BYTES_MAX];
        let mut end = 0;
        let mut sign = [0; 4];
        for text in [service.name.as_str(), &*between.encode_utf8(&mut sign), action] {
            room.get_mut(end..end + text.len())?.copy_from_slice(text.as_bytes());
            end += text.len();
        }
        entry(str::from_utf8(room.get(..end)?).ok()?)
    };
    let mut found = BETWEEN.into_iter().filter_map(behind);
    match (found.next(), found.next()) {
        (Some(permission), None) if !action.is_empty() => Ok(permission),
        _ => Err(Reason::EndpointUnknown),
    }
}

impl Engine {
    /// Whether a session or key may do something with an application; the permission of the query does not count. A
    /// handle that opens nothing is denied for that before it is looked at what is asked for.
    #[must_use]
    pub fn authorize(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        query: &CheckQuery<'_>,
        wanted: Wanted<'_>,
    ) -> Authorized {
        let deny = |reason| {
            let alive = self.introspect(bound, reading, (query.handle, query.address));
            let reason = alive.err().unwrap_or(reason);
            Authorized { decision: Decision::deny(reason, reading.seen()), permission: None }
        };
        let root: &Root = &reading.root;
        let needed = match wanted {
            Wanted::Scope(text) => {
                return match Scope::parse(text.as_bytes()) {
                    Ok(scope) => self.asked(bound, reading, query, &scope),
                    Err(_) => deny(Reason::ScopeMalformed),
                };
            }
            Wanted::Request(service, method, target) => {
                endpoint(root, (service, method, target)).map(Needed::Target)
            }
            Wanted::Action(service, name) => action(root, (service, name)).map(Needed::Permission),
        };
        let name = match needed {
            Err(reason) => return deny(reason),
            Ok(Needed::Permission(name)) => name.as_str(),
            Ok(Needed::Target(target)) => match (target.scope(), target.exact()) {
                (Some(scope), _) => return self.asked(bound, reading, query, &scope),
                (None, Some(name)) => name,
                (None, None) => return deny(Reason::EndpointUnknown),
            },
        };
        match Scope::of_permission(name) {
            Some(scope) => self.asked(bound, reading, query, &scope),
            None => {
                let query = CheckQuery { permission: PermissionRef::Name(name), ..*query };
                let decision = self.check(bound, reading, &query);
                Authorized { decision, permission: Name::new(name).ok() }
            }
        }
    }

    fn asked(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        query: &CheckQuery<'_>,
        scope: &Scope<'_>,
    ) -> Authorized {
        let mut room = [0; NAME_BYTES_MAX];
        let permission = scope.permission(&mut room).and_then(|name| Name::new(name).ok());
        Authorized { decision: self.check_scope(bound, reading, query, scope), permission }
    }
}

impl Listing {
    /// The endpoints of a service, in the order in which they were registered.
    #[must_use]
    pub fn endpoints(&self, service: ServiceIndex) -> &[Endpoint] {
        self.0.endpoints.get(&service.0).map_or(&[], |map| &map.record.endpoints)
    }
}
