//! At least one event of every kind, for the tests of the codec and the examples of docs/file.md.
#![allow(unreachable_pub, missing_docs, reason = "two tests use it, each in its own way")]

use tessera_model::catalogue::{EntryRecord, EntryText, Label, ServiceRecord};
use tessera_model::device::{DevicePolicyRecord, DeviceRecord};
use tessera_model::elevation::{ActedRecord, ActingEnd, ActingRecord, RequestRecord, RequestState};
use tessera_model::endpoint::{Endpoint, EndpointsRecord};
use tessera_model::grant_condition::{GrantCondition, GrantConditions, GrantConditionsRecord, Grantee};
use tessera_model::invitation::{InvitationRecord, InvitationState};
use tessera_model::policy::{EntityName, EntityRecord, PolicyRecord};
use tessera_model::record::{
    AttributeKind, AttributeRecord, AttributeValue, CommandIdRecord, EdgeWindow, FailureRecord, GrantRecord,
    GroupGrantRecord, GroupRecord, MemberRecord, PlaceRecord, RestrictionRecord, RoleRecord, SubjectKind,
    SubjectRecord, SubjectStatus, TenantRecord, TenantStatus, WorkspaceRecord,
};
use tessera_model::refresh::{ClientRecord, ClientTerms, EndReason, RefreshMode, RefreshRecord};
use tessera_model::relation::{RelationMappingRecord, RelationModelRecord, RelationRecord};
use tessera_model::rule::{GroupRule, Match, Term};
use tessera_model::visibility::{Details, Reach, SightRecord, VisibilityRecord};
use tessera_model::{
    CellId, ClientIndex, CommandId, Deadline, Epoch, Event, Generation, GroupId, Name, Network, Pattern,
    PermissionId, Place, Placement, PublicId, RestrictionId, Revision, RoleId, ServiceIndex, Settings,
    SubjectIndex, TenantId, Thumbprint, Trust, WorkspaceIndex,
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn refresh() -> RefreshRecord {
    RefreshRecord { number: 13, index: 0x10_0F0E, rotated_at: Deadline(17), client: ClientIndex(18) }
}

pub fn place() -> PlaceRecord {
    PlaceRecord {
        place: Place(1),
        generation: Generation(2),
        key: true,
        acr: 3,
        tag: [4; 16],
        subject: SubjectIndex(5),
        workspace: WorkspaceIndex(6),
        expires: Deadline(7),
        cut_off: 8,
        idle: Deadline(9),
        restriction: RestrictionId(10),
        device: 11,
        opened: Deadline(12),
        refresh: refresh(),
        side: true,
    }
}

/// At least one event of every kind.
pub fn every_event() -> Vec<Event> {
    let patterns = vec![Pattern::new("orders.*").unwrap(), Pattern::new("*").unwrap()];
    let value = |value| Event::AttributeChanged { subject: SubjectIndex(1), attribute: 2, value };
    vec![
        Event::TenantBorn { tenant: TenantId(1), at: Deadline(2) },
        Event::SettingsChanged(Settings::default()),
        Event::TenantChanged(TenantRecord {
            id: TenantId(1),
            name: name("acme"),
            status: TenantStatus::Suspended,
            created: Deadline(2),
        }),
        Event::BootstrapChanged { tag: [1; 16], until: Deadline(2) },
        Event::SubjectChanged(SubjectRecord {
            index: SubjectIndex(1),
            id: PublicId([2; 16]),
            kind: SubjectKind::Machine,
            status: SubjectStatus::Deleted,
            cut_off: 3,
            has_password: true,
            guest: true,
        }),
        Event::SubjectErased { subject: SubjectIndex(1), at: Deadline(2), done: true },
        Event::IdentifierTaken { hash: [1; 16], subject: SubjectIndex(2) },
        Event::IdentifierFreed { subject: SubjectIndex(2), hash: [1; 16] },
        Event::SetUpOffered { subject: SubjectIndex(1), tag: [2; 16], until: Deadline(3) },
        Event::FailuresCounted(FailureRecord {
            subject: SubjectIndex(0),
            key: [1; 16],
            count: 2,
            at: Deadline(3),
            until: Deadline(4),
        }),
        Event::AttributeDeclared(AttributeRecord { id: 1, name: name("age"), kind: AttributeKind::Integer }),
        value(None),
        value(Some(AttributeValue::Bool(true))),
        value(Some(AttributeValue::Integer(-5))),
        value(Some(AttributeValue::Text("gr\u{fc}n".into()))),
        Event::PermissionRegistered { id: PermissionId(1), name: name("orders.read") },
        Event::RoleChanged(RoleRecord {
            id: RoleId(1),
            name: name("clerk"),
            patterns: patterns.clone(),
            parents: vec![RoleId(2)],
            workspace: WorkspaceIndex(3),
        }),
        Event::RoleRemoved(RoleId(1)),
        Event::WorkspaceChanged(WorkspaceRecord {
            index: WorkspaceIndex(1),
            id: PublicId([2; 16]),
            name: name("emea"),
            parent: WorkspaceIndex(0),
            inherits: false,
            ceiling: patterns.clone(),
            owners: RoleId(2),
            personal: SubjectIndex(3),
        }),
        Event::WorkspaceRemoved(WorkspaceIndex(1)),
        Event::GrantAdded(GrantRecord {
            subject: SubjectIndex(1),
            role: RoleId(2),
            workspace: WorkspaceIndex(3),
            from: Deadline(4),
            until: Deadline(5),
        }),
        Event::GrantRemoved { subject: SubjectIndex(1), role: RoleId(2), workspace: WorkspaceIndex(3) },
        Event::GroupChanged(GroupRecord {
            id: GroupId(1),
            name: name("editors"),
            parents: vec![GroupId(2)],
            windows: vec![EdgeWindow { parent: GroupId(2), from: Deadline(3), until: Deadline(4) }],
            rule: None,
        }),
        Event::GroupChanged(GroupRecord {
            id: GroupId(2),
            name: name("grown"),
            parents: vec![],
            windows: vec![],
            rule: Some(GroupRule {
                terms: vec![Term { attribute: 1, matches: vec![Match::Is("18".into()), Match::Any] }],
                before: vec![Term { attribute: 1, matches: vec![Match::Ends("8".into())] }],
                settled: SubjectIndex(3),
            }),
        }),
        Event::GroupRemoved(GroupId(1)),
        Event::MemberAdded(MemberRecord {
            subject: SubjectIndex(1),
            group: GroupId(2),
            from: Deadline(3),
            until: Deadline(4),
        }),
        Event::MemberRemoved { subject: SubjectIndex(1), group: GroupId(2) },
        Event::GroupGrantAdded(GroupGrantRecord {
            group: GroupId(1),
            role: RoleId(2),
            workspace: WorkspaceIndex(3),
            from: Deadline(4),
            until: Deadline(5),
        }),
        Event::GroupGrantRemoved { group: GroupId(1), role: RoleId(2), workspace: WorkspaceIndex(3) },
        Event::GrantConditionsSet(conditions(Grantee::Subject(SubjectIndex(1)))),
        Event::GrantConditionsSet(conditions(Grantee::Group(GroupId(1)))),
        Event::RestrictionAdded(RestrictionRecord { id: RestrictionId(1), patterns }),
        Event::RestrictionRemoved(RestrictionId(1)),
        Event::SessionOpened { record: place(), evicted: vec![] },
        Event::SessionOpened { record: place(), evicted: vec![(Place(3), Generation(4))] },
        Event::NetworksBound {
            place: Place(1),
            generation: Generation(2),
            networks: vec![Network::parse("10.0.0.0/8").unwrap(), Network::parse("2001:db8::/32").unwrap()],
        },
        Event::ExpiresMoved { place: Place(1), generation: Generation(2), expires: Deadline(3) },
        Event::SessionTouched { place: Place(1), generation: Generation(2), idle: Deadline(3) },
        Event::SessionEnded { place: Place(1), generation: Generation(2), reason: EndReason::RefreshReused },
        Event::CutOffRaised { subject: SubjectIndex(1), count: 2, spared: (Place(3), Generation(4)) },
        Event::CommandRemembered(CommandIdRecord {
            id: CommandId([1; 16]),
            revision: Revision(2),
            fingerprint: 3,
        }),
        Event::CommandFloor { unix_ms: 1 },
        Event::SessionRefreshed {
            place: Place(1),
            generation: Generation(2),
            refresh: refresh(),
            idle: Deadline(3),
        },
        Event::ClientChanged(ClientRecord {
            index: ClientIndex(1),
            name: name("phone"),
            terms: ClientTerms {
                refresh: RefreshMode::Rotating,
                session_ttl_s: 2,
                session_idle_s: 3,
                refresh_ttl_s: 4,
                sessions_max: 5,
                evict: true,
            },
        }),
        Event::ClientRemoved(ClientIndex(1)),
        Event::RelationModelChanged(RelationModelRecord {
            version: 1,
            text: "model\n  schema 1.1\ntype user\n".into(),
            at: Deadline(2),
        }),
        Event::RelationWritten(RelationRecord {
            object: "document:1".into(),
            relation: "viewer".into(),
            subject: "team:a#member".into(),
            from: Deadline::NONE,
            until: Deadline(3),
        }),
        Event::RelationRemoved {
            object: "document:1".into(),
            relation: "viewer".into(),
            subject: "user:*".into(),
        },
        Event::PermissionMapped(RelationMappingRecord {
            permission: PermissionId(1),
            type_name: "document".into(),
            relation: "viewer".into(),
        }),
        Event::PermissionUnmapped { permission: PermissionId(1), type_name: "document".into() },
        Event::PoliciesChanged(PolicyRecord {
            version: 1,
            schema: Some("entity User;".into()),
            text: "permit (principal, action, resource);".into(),
            program: [1, 0, 0].into(),
            lenient: true,
            at: Deadline(2),
        }),
        Event::PoliciesRemoved { version: 1 },
        Event::EntityChanged(EntityRecord {
            name: EntityName { kind: "Document".into(), id: "1".into() },
            fact: [1, 0, 0, 0].into(),
        }),
        Event::EntityRemoved(EntityName { kind: "Document".into(), id: "1".into() }),
        Event::ServiceChanged(ServiceRecord {
            index: ServiceIndex(1),
            name: name("orders"),
            entries: vec![EntryRecord {
                permission: PermissionId(18),
                text: EntryText::new(
                    Some(name("read")),
                    vec![
                        Label::new("fa", "\u{62e}\u{648}\u{627}\u{646}\u{62f}\u{646}").unwrap(),
                        Label::new("en", "Read orders").unwrap(),
                    ],
                    "Sees every order.",
                    true,
                )
                .unwrap(),
                replaced_by: PermissionId(19),
            }],
        }),
        Event::ServiceRemoved(ServiceIndex(1)),
        Event::EndpointsChanged(EndpointsRecord {
            service: ServiceIndex(1),
            endpoints: vec![
                Endpoint::new("GET", "/orders/{id}", &Pattern::new("orders.read").unwrap()).unwrap(),
                Endpoint::new("*", "/files/**", &Pattern::new("scope=update:media/files?kind=x").unwrap())
                    .unwrap(),
            ],
        }),
        Event::EndpointsRemoved(ServiceIndex(1)),
        Event::DeviceChanged(DeviceRecord {
            subject: SubjectIndex(1),
            number: 2,
            id: PublicId([3; 16]),
            name: name("phone"),
            key: Thumbprint([4; 32]),
            trust: Trust::Managed,
            ceiling: RestrictionId(5),
            registered: Deadline(6),
            revoked: Deadline(7),
        }),
        Event::DeviceRemoved { subject: SubjectIndex(1), number: 2 },
        Event::DevicePolicyChanged(DevicePolicyRecord {
            required: true,
            ceilings: [RestrictionId(1), RestrictionId(2), RestrictionId(3), RestrictionId(4)],
        }),
        Event::ActingBegun(ActingRecord {
            subject: SubjectIndex(9),
            place: Place(1),
            generation: Generation(2),
            actor: SubjectIndex(3),
            by: (Place(4), Generation(5)),
            reason: "ticket 7".into(),
        }),
        Event::ActingNoted(ActedRecord {
            subject: SubjectIndex(9),
            number: 2,
            session: PublicId([5; 16]),
            actor: SubjectIndex(3),
            begun: Deadline(4),
            ends: Deadline(9),
            ended: Deadline(8),
            how: ActingEnd::Actor,
            reason: "ticket 7".into(),
        }),
        Event::ActingForgotten { subject: SubjectIndex(9), number: 2 },
        Event::RequestChanged(RequestRecord {
            number: 1,
            id: PublicId([2; 16]),
            subject: SubjectIndex(3),
            made_by: SubjectIndex(12),
            role: RoleId(4),
            workspace: WorkspaceIndex(5),
            duration_s: 6,
            reason: "on call".into(),
            made: Deadline(7),
            until: Deadline(8),
            state: RequestState::Approved,
            decided_by: SubjectIndex(9),
            decided: Deadline(10),
            granted_until: Deadline(11),
        }),
        Event::RequestRemoved { number: 1 },
        Event::InvitationChanged(InvitationRecord {
            number: 1,
            id: PublicId([2; 16]),
            hash: [3; 16],
            workspace: WorkspaceIndex(4),
            role: RoleId(5),
            grant_until: Deadline(6),
            guest: true,
            inviter: SubjectIndex(7),
            restriction: RestrictionId(8),
            tag: [9; 16],
            sent: 10,
            made: Deadline(11),
            until: Deadline(12),
            state: InvitationState::Accepted,
            subject: SubjectIndex(13),
            decided: Deadline(14),
        }),
        Event::InvitationRemoved { number: 1 },
        Event::InvitationErased { number: 1 },
        Event::PersonalRoleChanged { role: RoleId(1) },
        Event::VisibilityChanged(VisibilityRecord {
            version: 3,
            rules: vec![
                SightRecord {
                    role: RoleId(0),
                    reach: Reach::default(),
                    details: Details::default(),
                    attributes: vec![],
                },
                SightRecord {
                    role: RoleId(7),
                    reach: Reach::ALL,
                    details: Details::ALL,
                    attributes: vec![name("team"), name("title")],
                },
            ],
        }),
        Event::CreatorNoted { subject: SubjectIndex(9), by: SubjectIndex(4) },
        Event::TenantLeaving { to: CellId(3), epoch: Epoch(4), from: Epoch(2) },
        Event::TenantStays,
        Event::TenantMoved { to: CellId(3), epoch: Epoch(4) },
        Event::TenantArrived { from: Epoch(2), into: Epoch(4), upto: Revision(9) },
        Event::FleetHeard { epoch: Epoch(4) },
        Event::TenantCopyGone,
        Event::TenantPlaced(Placement { tenant: TenantId(1), epoch: Epoch(2), cell: CellId(3) }),
        Event::NamesSkipped { role: 1, group: 2 },
        Event::NumbersKept { client: 1, device: 2, request: 3 },
        Event::RefreshKeyMade { number: 1, at: Deadline(2) },
        Event::RefreshKeyDropped { number: 1 },
        Event::NumbersSkipped { tenant: 1, subject: 2, permission: 3, workspace: 4 },
    ]
}

/// One condition of each kind.
fn conditions(grantee: Grantee) -> GrantConditionsRecord {
    let texts =
        ["hours Mon-Fri 08:00-18:00 UTC", "networks 10.0.0.0/8", "device managed", "acr 2", "step-up 300"];
    let all = texts.iter().map(|text| GrantCondition::parse(text).unwrap()).collect();
    let conditions = GrantConditions::new(all).unwrap();
    GrantConditionsRecord { grantee, role: RoleId(2), workspace: WorkspaceIndex(3), conditions }
}
