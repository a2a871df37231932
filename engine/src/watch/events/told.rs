//! What is told of an event to whoever reads the history: a name that stays, whom it is about, and what it says.
//!
//! Secrets, tags and hashes are never told. What is private of a person is told to whoever may see that, and of whom was
//! erased the word `erased`.

use crate::list::Listing;
use crate::root::Root;
use tessera_model::record::AttributeValue;
use tessera_model::relation::RelationRecord;
use tessera_model::visibility::Detail;
use tessera_model::{Deadline, Event, GroupId, PermissionId, RoleId, SubjectIndex, WorkspaceIndex};

/// LIMIT: bytes of one detail: the longest name of a relation's side fits.
const DETAIL_BYTES_MAX: usize = 1_024;

/// What is told of one event.
pub(crate) struct Told {
    pub(crate) kind: &'static str,
    /// Whom it is about; 0 for nobody in particular.
    pub(crate) subject: SubjectIndex,
    /// What of a subject it tells; none for what everybody is told who sees it.
    pub(crate) detail: Option<Detail>,
    /// `name=value`, in a fixed order.
    pub(crate) details: Vec<String>,
    /// Names of relations' sides that it tells.
    pub(crate) names: Vec<String>,
}

/// Tells events by what the tenant is now: names are those of now, and what is gone is told by its number.
pub(crate) struct Teller<'a> {
    pub(crate) root: &'a Root,
    pub(crate) listing: &'a Listing,
    /// Whether its reader may read what is private of subjects.
    pub(crate) private: bool,
}

/// Details in the making.
#[derive(Default)]
struct Details(Vec<String>);

impl Details {
    fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        let mut text = format!("{name}={value}");
        if text.len() > DETAIL_BYTES_MAX {
            let end = (0..=DETAIL_BYTES_MAX - 4).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.truncate(end);
            text.push_str(" ...");
        }
        self.0.push(text);
        self
    }

    fn maybe(self, name: &str, value: Option<impl std::fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// An end or a beginning, in seconds since 1970.
    fn at(self, name: &str, at: Deadline) -> Self {
        self.maybe(name, (at != Deadline::NONE).then(|| at.to_millis().0 / 1_000))
    }
}

/// Nobody in particular.
const NOBODY: SubjectIndex = SubjectIndex(0);

fn told(kind: &'static str, subject: SubjectIndex, details: Details) -> Option<Told> {
    Some(Told { kind, subject, detail: detail_of(kind), details: details.0, names: Vec::new() })
}

/// What of a subject a kind of events tells.
fn detail_of(kind: &str) -> Option<Detail> {
    match kind {
        "subject.changed" | "password.offered" | "sign-in.failed" => Some(Detail::Status),
        "subject.creator" => Some(Detail::Creator),
        "attribute.changed" => Some(Detail::Attributes),
        "sessions.ended" | "acting.begun" => Some(Detail::Sessions),
        _ => match kind.split_once('.') {
            Some(("grant", _)) => Some(Detail::Grants),
            Some(("member", _)) => Some(Detail::Groups),
            Some(("request", _)) => Some(Detail::Requests),
            Some(("device", _)) => Some(Detail::Devices),
            Some(("key", _)) => Some(Detail::Keys),
            Some(("session", _)) => Some(Detail::Sessions),
            Some(_) | None => None,
        },
    }
}

fn plain(kind: &'static str) -> Option<Told> {
    told(kind, NOBODY, Details::default())
}

impl Teller<'_> {
    fn role(&self, role: RoleId) -> String {
        self.listing.role_name(role).map_or_else(|| format!("#{}", role.0), |name| name.as_str().to_owned())
    }

    fn workspace(&self, index: WorkspaceIndex) -> Option<String> {
        let name = self.listing.workspace_name(index).map(|name| name.as_str().to_owned());
        (index.0 != 0).then(|| name.unwrap_or_else(|| format!("#{}", index.0)))
    }

    fn group(&self, group: GroupId) -> String {
        self.listing
            .group_name(group)
            .map_or_else(|| format!("#{}", group.0), |name| name.as_str().to_owned())
    }

    fn permission(&self, id: PermissionId) -> String {
        let name = self.root.permissions.get(&id.0);
        name.map_or_else(|| format!("#{}", id.0), |name| name.as_str().to_owned())
    }

    /// What is private of a subject, or the word that stands for it.
    fn private(&self, subject: SubjectIndex, detail: Detail, value: impl std::fmt::Display) -> String {
        if self.root.erased.contains_key(&subject) {
            "erased".to_owned()
        } else if self.private && self.listing.shows(subject, detail) {
            value.to_string()
        } else {
            "hidden".to_owned()
        }
    }

    fn grant(&self, (role, workspace): (RoleId, WorkspaceIndex)) -> Details {
        Details::default().with("role", self.role(role)).maybe("workspace", self.workspace(workspace))
    }

    /// What is told of an event; nothing of what the engine keeps for itself.
    pub(crate) fn tell(&self, event: &Event) -> Option<Told> {
        self.of_subjects(event)
            .or_else(|| self.of_grants(event))
            .or_else(|| self.of_sessions(event))
            .or_else(|| self.of_nouns(event))
            .or_else(|| self.of_relations(event))
            .or_else(|| of_tenant(event))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about something else")]
    fn of_subjects(&self, event: &Event) -> Option<Told> {
        let none = Details::default;
        match event {
            Event::SubjectChanged(record) => {
                let details = none().with("kind", record.kind.name()).with("status", record.status.name());
                told("subject.changed", record.index, details.with("password", record.has_password))
            }
            Event::SubjectErased { subject, done, .. } => {
                told("subject.erased", *subject, none().with("done", done))
            }
            Event::IdentifierTaken { subject, .. } => told("identifier.added", *subject, none()),
            Event::IdentifierFreed { subject, .. } => told("identifier.removed", *subject, none()),
            Event::SetUpOffered { subject, until, .. } => {
                told("password.offered", *subject, none().at("until", *until))
            }
            Event::FailuresCounted(record) => {
                told("sign-in.failed", record.subject, none().with("count", record.count))
            }
            Event::AttributeChanged { subject, attribute, value } => {
                let name = self.listing.attributes().find(|known| known.id == *attribute);
                let name =
                    name.map_or_else(|| format!("#{attribute}"), |known| known.name.as_str().to_owned());
                let value = value.as_ref().map(|value| match value {
                    AttributeValue::Bool(value) => value.to_string(),
                    AttributeValue::Integer(value) => value.to_string(),
                    AttributeValue::Text(text) => text.to_string(),
                });
                let value = value.unwrap_or_default();
                let value = self.private(*subject, Detail::Attributes, value);
                told("attribute.changed", *subject, none().with("attribute", name).with("value", value))
            }
            Event::CreatorNoted { subject, by } => {
                told("subject.creator", *subject, none().maybe("by", self.listing.shown_id(*by)))
            }
            Event::DeviceChanged(record) => {
                let name = self.private(record.subject, Detail::Devices, record.name.as_str());
                let details =
                    none().with("device", record.id).with("name", name).at("revoked", record.revoked);
                told("device.changed", record.subject, details)
            }
            Event::DeviceRemoved { subject, .. } => told("device.removed", *subject, none()),
            Event::MemberAdded(record) => {
                let details = none().with("group", self.group(record.group)).at("from", record.from);
                told("member.added", record.subject, details.at("until", record.until))
            }
            Event::MemberRemoved { subject, group } => {
                told("member.removed", *subject, none().with("group", self.group(*group)))
            }
            _ => None,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about something else")]
    fn of_grants(&self, event: &Event) -> Option<Told> {
        match event {
            Event::GrantAdded(record) => {
                let details = self.grant((record.role, record.workspace)).at("from", record.from);
                told("grant.added", record.subject, details.at("until", record.until))
            }
            Event::GrantRemoved { subject, role, workspace } => {
                told("grant.removed", *subject, self.grant((*role, *workspace)))
            }
            Event::GrantConditionsSet(record) => {
                use tessera_model::grant_condition::Grantee;
                let details = self.grant((record.role, record.workspace));
                match record.grantee {
                    Grantee::Subject(subject) => told("grant.conditions", subject, details),
                    Grantee::Group(group) => {
                        told("grant.conditions", NOBODY, details.with("group", self.group(group)))
                    }
                }
            }
            Event::GroupGrantAdded(record) => {
                let details =
                    self.grant((record.role, record.workspace)).with("group", self.group(record.group));
                let details = details.at("from", record.from).at("until", record.until);
                told("group.grant.added", NOBODY, details)
            }
            Event::GroupGrantRemoved { group, role, workspace } => {
                let details = self.grant((*role, *workspace)).with("group", self.group(*group));
                told("group.grant.removed", NOBODY, details)
            }
            Event::RequestChanged(record) => {
                let state = record.state.name(false);
                let because = self.private(record.subject, Detail::Requests, &record.reason);
                let details = self.grant((record.role, record.workspace)).with("request", record.id);
                told("request.changed", record.subject, details.with("state", state).with("because", because))
            }
            Event::RequestRemoved { .. } => plain("request.removed"),
            Event::InvitationChanged(record) => {
                let details = self.grant((record.role, record.workspace)).with("invitation", record.id);
                told("invitation.changed", record.subject, details.with("state", record.state.name(false)))
            }
            Event::InvitationRemoved { .. } => plain("invitation.removed"),
            Event::InvitationErased { .. } => plain("invitation.erased"),
            _ => None,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about something else")]
    fn of_sessions(&self, event: &Event) -> Option<Told> {
        let none = Details::default;
        let place = |place: &tessera_model::Place, life: &tessera_model::Generation| {
            none().with("place", format!("{}/{}", place.0, life.0))
        };
        match event {
            Event::SessionOpened { record, evicted } => {
                let kind = if record.key { "key.made" } else { "session.opened" };
                let id = tessera_model::PublicId::of_place(record.opened, record.place, record.generation);
                let details = place(&record.place, &record.generation).with("id", id);
                let details = details.at("expires", record.expires).with("evicted", evicted.len());
                told(kind, record.subject, details)
            }
            Event::NetworksBound { place: at, generation, .. } => {
                told("key.bound", NOBODY, place(at, generation))
            }
            Event::ExpiresMoved { place: at, generation, expires } => {
                told("session.shortened", NOBODY, place(at, generation).at("expires", *expires))
            }
            Event::SessionTouched { place: at, generation, .. } => {
                told("session.touched", NOBODY, place(at, generation))
            }
            Event::SessionRefreshed { place: at, generation, .. } => {
                told("session.refreshed", NOBODY, place(at, generation))
            }
            Event::SessionEnded { place: at, generation, .. } => {
                told("session.ended", NOBODY, place(at, generation))
            }
            Event::CutOffRaised { subject, .. } => told("sessions.ended", *subject, none()),
            Event::ActingBegun(record) => {
                let because = self.private(record.subject, Detail::Sessions, &record.reason);
                let details = none().maybe("actor", self.listing.shown_id(record.actor));
                told("acting.begun", record.subject, details.with("because", because))
            }
            _ => None,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about something else")]
    fn of_nouns(&self, event: &Event) -> Option<Told> {
        let none = Details::default;
        match event {
            Event::PermissionRegistered { name, .. } => {
                told("permission.registered", NOBODY, none().with("permission", name.as_str()))
            }
            Event::RoleChanged(record) => {
                let patterns: Vec<&str> = record.patterns.iter().map(|pattern| pattern.as_str()).collect();
                let details = none().with("role", record.name.as_str()).with("patterns", patterns.join(" "));
                told("role.changed", NOBODY, details)
            }
            Event::RoleRemoved(role) => told("role.removed", NOBODY, none().with("role", self.role(*role))),
            Event::WorkspaceChanged(record) => {
                let details = none().with("workspace", record.name.as_str());
                told(
                    "workspace.changed",
                    record.personal,
                    details.maybe("parent", self.workspace(record.parent)),
                )
            }
            Event::WorkspaceRemoved(index) => {
                told("workspace.removed", NOBODY, none().maybe("workspace", self.workspace(*index)))
            }
            Event::GroupChanged(record) => {
                told("group.changed", NOBODY, none().with("group", record.name.as_str()))
            }
            Event::GroupRemoved(group) => {
                told("group.removed", NOBODY, none().with("group", self.group(*group)))
            }
            Event::AttributeDeclared(record) => {
                told("attribute.declared", NOBODY, none().with("attribute", record.name.as_str()))
            }
            Event::ServiceChanged(record) => {
                told("service.changed", NOBODY, none().with("service", record.name.as_str()))
            }
            Event::ServiceRemoved(_) => plain("service.removed"),
            Event::EndpointsChanged(_) => plain("endpoints.changed"),
            Event::EndpointsRemoved(_) => plain("endpoints.removed"),
            Event::ClientChanged(record) => {
                told("client.changed", NOBODY, none().with("client", record.name.as_str()))
            }
            Event::ClientRemoved(_) => plain("client.removed"),
            Event::PoliciesChanged(record) => {
                told("policies.changed", NOBODY, none().with("version", record.version))
            }
            Event::PoliciesRemoved { version } => {
                told("policies.removed", NOBODY, none().with("version", version))
            }
            _ => None,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about something else")]
    fn of_relations(&self, event: &Event) -> Option<Told> {
        let none = Details::default;
        let tuple = |kind, object: &str, relation: &str, subject: &str| {
            let details = none().with("user", subject).with("relation", relation).with("object", object);
            let names = vec![object.to_owned(), subject.to_owned()];
            Some(Told { kind, subject: NOBODY, detail: None, details: details.0, names })
        };
        let entity = |kind, name: &tessera_model::policy::EntityName| {
            let text = format!("{}:{}", name.kind, name.id);
            let details = none().with("entity", &text);
            Some(Told { kind, subject: NOBODY, detail: None, details: details.0, names: vec![text] })
        };
        match event {
            Event::RelationModelChanged(record) => {
                told("relation.model", NOBODY, none().with("version", record.version))
            }
            Event::RelationWritten(RelationRecord { object, relation, subject, .. }) => {
                tuple("relation.written", object, relation, subject)
            }
            Event::RelationRemoved { object, relation, subject } => {
                tuple("relation.removed", object, relation, subject)
            }
            Event::PermissionMapped(record) => {
                let details = none().with("permission", self.permission(record.permission));
                let details = details.with("type", &record.type_name).with("relation", &record.relation);
                told("mapping.set", NOBODY, details)
            }
            Event::PermissionUnmapped { permission, type_name } => {
                let details = none().with("permission", self.permission(*permission)).with("type", type_name);
                told("mapping.removed", NOBODY, details)
            }
            Event::EntityChanged(record) => entity("entity.changed", &record.name),
            Event::EntityRemoved(name) => entity("entity.removed", name),
            _ => None,
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is left is the engine's own")]
fn of_tenant(event: &Event) -> Option<Told> {
    let none = Details::default;
    match event {
        Event::TenantBorn { tenant, .. } => told("tenant.born", NOBODY, none().with("tenant", tenant)),
        Event::SettingsChanged(_) => plain("settings.changed"),
        Event::TenantChanged(record) => {
            let details = none().with("tenant", record.id).with("name", record.name.as_str());
            told("tenant.changed", NOBODY, details.with("status", record.status.name()))
        }
        Event::BootstrapChanged { until, .. } => told("operator.offered", NOBODY, none().at("until", *until)),
        Event::RefreshKeyMade { number, .. } => {
            told("refresh-key.made", NOBODY, none().with("number", number))
        }
        Event::RefreshKeyDropped { number } => {
            told("refresh-key.dropped", NOBODY, none().with("number", number))
        }
        Event::DevicePolicyChanged(_) => plain("device-policy.changed"),
        Event::PersonalRoleChanged { .. } => plain("personal-role.changed"),
        Event::VisibilityChanged(record) => {
            told("visibility.changed", NOBODY, none().with("version", record.version))
        }
        _ => None,
    }
}
