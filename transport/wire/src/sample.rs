//! Values for tests and for the examples in docs/wire.md: the same for the same number.

use std::net::IpAddr;
use tessera_model::catalogue::{EntryText, Label, ServiceEntry};
use tessera_model::elevation::{ActingEnd, RequestState};
use tessera_model::endpoint::Endpoint;
use tessera_model::invitation::InvitationState;
use tessera_model::load::{LoadField, LoadGrant, LoadRow, Loaded, Rejected};
use tessera_model::policy::EntityName;
use tessera_model::record::{AttributeKind, AttributeValue, SubjectKind, SubjectStatus, TenantStatus};
use tessera_model::refresh::{ClientTerms, RefreshMode};
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationRecord};
use tessera_model::settings::SettingsChange;
use tessera_model::visibility::{Circle, Detail, Details, Reach, VisibilityRule};
use tessera_model::{
    Challenge, Condition, Deadline, DeviceKey, DeviceProof, Epoch, GrantCondition, GrantConditions,
    Identifier, IdentifierKind, Limit, Name, Network, Origin, Pattern, Private, PublicId, Receipt, Refusal,
    Revision, Setting, Settings, TenantId, Thumbprint, Trust, UnixMillis,
};

/// A value made from a number.
pub(crate) trait Sample: Sized {
    fn sample(nth: u64) -> Self;
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn pick<T: Copy>(from: &[T], nth: u64) -> T {
    from[usize::try_from(nth).expect("small") % from.len()]
}

impl<T: Sample> Sample for Option<T> {
    fn sample(nth: u64) -> Self {
        if nth % 3 == 2 { None } else { Some(T::sample(nth)) }
    }
}

fn load_row(nth: u64) -> LoadRow {
    let values = Vec::<(Name, Option<AttributeValue>)>::sample(nth);
    let grant = |workspace| LoadGrant {
        role: name("reader"),
        workspace,
        from: Deadline::NONE,
        until: Deadline::sample(nth),
    };
    LoadRow {
        kind: SubjectKind::sample(nth),
        suspended: bool::sample(nth + 1),
        identifiers: Vec::sample(nth),
        password: Private::sample(nth + 1),
        values: values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        grants: [None, Some(name("berlin"))].into_iter().map(grant).collect(),
        serial: nth,
    }
}

macro_rules! samples {
    ($($type:ty: |$nth:ident| $value:expr;)*) => {
        $(impl Sample for $type {
            fn sample($nth: u64) -> Self { $value }
        })*
    };
}

samples! {
    u32: |nth| 7 + u32::try_from(nth).expect("small");
    u64: |nth| 1_000_000 + nth;
    bool: |nth| nth.is_multiple_of(2);
    IpAddr: |nth| pick(&["192.0.2.7", "2001:db8::7"], nth).parse().expect("an address");
    TenantId: |nth| TenantId(0x0001_0000_0000_0002 + nth);
    Name: |nth| name(pick(&["orders.read", "acme", "x"], nth));
    String: |nth| pick(&["a listed bucket is missing", "x"], nth).to_owned();
    Vec<Pattern>: |nth| ["orders.*", "scope=update:media/files?owner=7"].iter().take(usize::try_from(nth % 3).expect("small"))
        .map(|text| Pattern::new(text).expect("a pattern")).collect();
    Vec<Condition>: |nth| ["department=sales|support", "mail=*@example.org"].iter()
        .take(usize::try_from(nth % 3).expect("small"))
        .map(|text| Condition::new(text).expect("a condition")).collect();
    GrantConditions: |nth| {
        let texts = ["hours Mon-Fri 08:00-18:00 Europe/Berlin", "networks 10.0.0.0/8 2001:db8::/32", "acr 2"];
        let some = texts.iter().take(usize::try_from(nth % 4).expect("small"));
        let all = some.map(|text| GrantCondition::parse(text).expect("a condition")).collect();
        GrantConditions::new(all).expect("of each kind one")
    };
    Vec<Name>: |nth| (0..nth % 3).map(Name::sample).collect();
    Vec<Network>: |nth| ["10.0.0.0/8", "2001:db8::/32"].iter().take(usize::try_from(nth % 3).expect("small"))
        .map(|text| Network::parse(text).expect("a network")).collect();
    Vec<Origin>: |nth| ["https://app.example.com", "http://localhost:3000"].iter()
        .take(usize::try_from(nth % 3).expect("small")).map(|text| Origin::new(text).expect("an origin")).collect();
    PublicId: |nth| PublicId::new(1_764_100_000_000 + nth, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    Private: |nth| Private::new(pick(&["correct horse", "", "battery staple"], nth).as_bytes().to_vec());
    Deadline: |nth| if nth % 4 == 3 { Deadline::NONE } else { Deadline(186_000_000) };
    TenantStatus: |nth| pick(&[TenantStatus::Active, TenantStatus::Suspended], nth);
    SubjectStatus: |nth| pick(&[SubjectStatus::Active, SubjectStatus::Deleted], nth);
    SubjectKind: |nth| pick(&[SubjectKind::Person, SubjectKind::Machine], nth);
    AttributeKind: |nth| pick(&[AttributeKind::Bool, AttributeKind::Integer, AttributeKind::Text], nth);
    Identifier: |nth| {
        let kinds = [IdentifierKind::Email, IdentifierKind::Phone, IdentifierKind::Username];
        let typed = ["Amy.Poe@EXAMPLE.org", "+44 20 7946-0958", "amy.poe"];
        Identifier::new(pick(&kinds, nth), pick(&typed, nth)).expect("an identifier")
    };
    Vec<Identifier>: |nth| (0..=nth % 3).map(Identifier::sample).collect();
    Vec<(Name, Option<AttributeValue>)>: |nth| {
        let values = [Some(AttributeValue::Bool(true)), Some(AttributeValue::Integer(-3)),
            Some(AttributeValue::Text("gold".into())), None];
        let mut all: Vec<_> = values.into_iter().map(|value| (name("tier"), value)).collect();
        all.truncate(1 + usize::try_from(nth % 4).expect("small"));
        all
    };
    Vec<PublicId>: |nth| (0..nth % 3).map(PublicId::sample).collect();
    ClientTerms: |nth| ClientTerms {
        refresh: pick(&[RefreshMode::Rotating, RefreshMode::Fixed, RefreshMode::Off], nth),
        session_ttl_s: 3_600 + u32::sample(nth),
        session_idle_s: 0,
        refresh_ttl_s: 600,
        sessions_max: u32::sample(nth),
        evict: bool::sample(nth),
    };
    Settings: |nth| Settings { session_ttl_s: 3_600 + u32::sample(nth), ..Settings::default() };
    SettingsChange: |nth| SettingsChange::of(|setting| match setting {
        Setting::SessionTtl => Some(3_600 + u32::sample(nth)),
        Setting::SessionsMax => Some(5),
        _ => None,
    });
    Vec<LoadRow>: |nth| (0..=nth % 3).map(load_row).collect();
    Loaded: |nth| Loaded {
        made: 40,
        known: u32::sample(nth),
        rejected: [Refusal::Duplicate, Limit::GrantsPerSubject.reached()].into_iter().zip(0..)
            .map(|(refusal, row)| Rejected { row, field: LoadField::Identifier, nth: 1, refusal })
            .take(usize::try_from(nth % 3).expect("small")).collect(),
    };
    UnixMillis: |nth| UnixMillis(1_764_100_000_000 + nth);
    RelationRecord: |nth| RelationRecord {
        object: pick(&["document:1", "folder:a"], nth).into(),
        relation: pick(&["viewer", "parent"], nth).into(),
        subject: pick(&["user:ann", "team:a#member", "user:*"], nth).into(),
        from: Deadline::NONE,
        until: Deadline::sample(nth),
    };
    Vec<RelationRecord>: |nth| (0..nth % 3).map(RelationRecord::sample).collect();
    Vec<(u32, RelationRecord)>: |nth| (0..nth % 2).map(|one| (0, RelationRecord { until: Deadline::NONE, ..RelationRecord::sample(one) })).collect();
    Vec<RelationChange>: |nth| (0..=nth % 3).map(|one| RelationChange {
        act: pick(&[RelationAct::Write, RelationAct::Remove, RelationAct::Require], one),
        condition: pick(&[RelationCondition::Any, RelationCondition::Present, RelationCondition::Absent], one),
        tuple: RelationRecord::sample(one),
    }).collect();
    Vec<EntityName>: |nth| (0..nth % 3).map(|one| {
        EntityName::new("Document", pick(&["1", "", "a:b"], one)).expect("a name")
    }).collect();
    EntryText: |nth| EntryText::new(
        Option::sample(nth + 1),
        [("en", "Read orders"), ("fa", "\u{62e}\u{648}\u{627}\u{646}\u{62f}\u{646}")].into_iter()
            .take(usize::try_from(nth % 3).expect("small"))
            .map(|(language, text)| Label::new(language, text).expect("a label")).collect(),
        pick(&["", "Sees every order."], nth),
        bool::sample(nth),
    ).expect("a text");
    Vec<Endpoint>: |nth| [("GET", "/orders/{id}", "orders.read"), ("*", "/files/**", "scope=update:media/files")]
        .into_iter().take(usize::try_from(nth % 3).expect("small"))
        .map(|(method, path, target)| {
            Endpoint::new(method, path, &Pattern::new(target).expect("a pattern")).expect("an endpoint")
        }).collect();
    Vec<ServiceEntry>: |nth| (0..nth % 3).map(|one| ServiceEntry {
        permission: Name::sample(one),
        text: EntryText { deprecated: true, ..EntryText::sample(one) },
        replaced_by: Option::sample(one + 1),
    }).collect();
    Thumbprint: |nth| Thumbprint([u8::try_from(nth % 200).expect("small") + 1; 32]);
    DeviceKey: |nth| if nth.is_multiple_of(2) { DeviceKey::Ed25519([9; 32]) } else {
        let mut point = [7; 65];
        point[0] = 4;
        DeviceKey::P256(point)
    };
    Challenge: |nth| Challenge::new(Deadline::sample(nth), [u8::try_from(nth % 200).expect("small"); 16], [8; 16]);
    DeviceProof: |nth| DeviceProof {
        key: DeviceKey::sample(nth),
        signature: [5; 64],
        challenge: Challenge::sample(nth),
    };
    Trust: |nth| pick(&Trust::ALL, nth);
    ActingEnd: |nth| pick(&ActingEnd::ALL, nth);
    RequestState: |nth| pick(
        &[RequestState::Open, RequestState::Approved, RequestState::Refused, RequestState::Withdrawn],
        nth,
    );
    InvitationState: |nth| pick(
        &[
            InvitationState::Open,
            InvitationState::Accepted,
            InvitationState::Declined,
            InvitationState::Withdrawn,
            InvitationState::Erased,
        ],
        nth,
    );
    Reach: |nth| pick(&[Reach::ALL, Reach::default(), Reach::default().with(Circle::Group)], nth);
    Details: |nth| pick(&[Details::default().with(Detail::Email).with(Detail::Groups), Details::ALL], nth);
    Vec<VisibilityRule>: |nth| (0..nth % 3).map(|one| VisibilityRule {
        role: Option::sample(one + 1),
        reach: Reach::sample(one),
        details: Details::sample(one),
        attributes: Vec::sample(one + 1),
    }).collect();
    crate::event::EventDetails: |nth| crate::event::EventDetails((0..nth % 3).map(|one| format!("role=clerk {one}")).collect());
    Vec<String>: |nth| (0..nth % 3).map(|one| format!("question-{one}")).collect();
    Receipt: |nth| Receipt { epoch: Epoch(1), revision: Revision(41 + nth) };
}
