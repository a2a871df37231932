//! Cursors of lists over the wire: each belongs to one list, and is sealed.

use crate::support;

use support::{House, name};
use tessera_client::wire::{
    CellRow, ClientRow, GrantRow, GroupRow, HolderRow, KeyRow, MemberRow, MembershipRow, PermissionRow,
    Request, ReviewRow, RoleRow, SessionRow, SubjectRow, TenantRow, WorkspaceRow,
};
use tessera_client::{Client, ClientError};
use tessera_model::record::SubjectKind;
use tessera_model::refresh::ClientTerms;
use tessera_model::{CursorFault, Deadline, Pattern, Private, PublicId, Refusal};

/// Some months after the houses' beginning, within the life of their keys.
const LATER: Deadline = Deadline(198_000_000);

/// A list, with its tenant's client and what it is narrowed to.
struct Place {
    client: Client,
    tenant: usize,
    list: &'static str,
    filter: usize,
    request: Request,
}

async fn cursor_of(place: &Place, request: &Request) -> Result<Option<Vec<u8>>, ClientError> {
    let next = |page: Result<Option<Vec<u8>>, ClientError>| page;
    macro_rules! read {
        ($type:ty) => {
            next(place.client.list::<$type>(request).await.map(|page| page.next))
        };
    }
    match place.list {
        "tenants" => read!(TenantRow),
        "subjects" => read!(SubjectRow),
        "sessions" => read!(SessionRow),
        "grants" => read!(GrantRow),
        "holders" => read!(HolderRow),
        "keys" => read!(KeyRow),
        "roles" => read!(RoleRow),
        "workspaces" => read!(WorkspaceRow),
        "clients" => read!(ClientRow),
        "groups" => read!(GroupRow),
        "members" => read!(MemberRow),
        "memberships" => read!(MembershipRow),
        "review" => read!(ReviewRow),
        _ => read!(PermissionRow),
    }
}

/// The lists of a tenant in which everything is there twice.
async fn places(client: &Client, tenant: usize) -> Vec<Place> {
    let order = async |request: Request| client.request(&request).await.expect("done");
    let machine =
        || Request::CreateSubject { kind: SubjectKind::Machine, identifiers: vec![], password: None };
    let subjects = [order(machine()).await, order(machine()).await].map(|made| made.subject.expect("an id"));
    for text in ["a", "b"] {
        order(Request::CreateWorkspace { name: name(text), parent: None, inherits: true }).await;
        order(Request::CreateClient { name: name(text), terms: ClientTerms::default() }).await;
        let patterns = vec![Pattern::new(&format!("things.{text}")).expect("a pattern")];
        order(Request::CreateRole { name: name(text), patterns }).await;
    }
    for subject in subjects {
        for (role, workspace) in [("a", None), ("a", Some("a")), ("b", None), ("b", Some("b"))] {
            let (from, until) = (Deadline::NONE, Deadline::NONE);
            let (role, workspace) = (name(role), workspace.map(name));
            order(Request::Grant { subject, role, workspace, from, until }).await;
        }
        for _ in 0..2 {
            order(Request::OpenSession { subject, device: None, proof: None }).await;
            order(Request::CreateKey {
                subject,
                patterns: vec![Pattern::new("tessera.check").expect("a pattern")],
                expires: LATER,
                description: Private::default(),
                client: None,
                networks: Vec::new(),
            })
            .await;
        }
    }
    for text in ["out", "one", "two"] {
        order(Request::CreateGroup { name: name(text), rule: Vec::new() }).await;
        for subject in subjects {
            let (from, until) = (Deadline::NONE, Deadline::NONE);
            order(Request::AddMember { group: name(text), subject, from, until }).await;
        }
    }
    for text in ["one", "two"] {
        let (group, member, from, until) = (name("out"), name(text), Deadline::NONE, Deadline::NONE);
        order(Request::AddSubgroup { group, member, from, until }).await;
    }
    let (after, limit) = (None, 1);
    let mut found = Vec::new();
    let mut add = |list, filter, request| {
        found.push(Place { client: client.clone(), tenant, list, filter, request });
    };
    add("subjects", 0, Request::ListSubjects { after: after.clone(), limit });
    add("roles", 0, Request::ListRoles { after: after.clone(), limit });
    add("workspaces", 0, Request::ListWorkspaces { after: after.clone(), limit });
    add("clients", 0, Request::ListClients { after: after.clone(), limit });
    add("permissions", 0, Request::ListPermissionNames { after: after.clone(), limit });
    add("keys", 0, Request::ListKeys { subject: None, after: after.clone(), limit });
    add("groups", 0, Request::ListGroups { within: None, after: after.clone(), limit });
    add("groups", 1, Request::ListGroups { within: Some(name("out")), after: after.clone(), limit });
    add("review", 0, Request::ListReview { after: after.clone(), limit });
    for (filter, text, nested) in [(1, "out", false), (2, "out", true), (3, "one", false)] {
        add(
            "members",
            filter,
            Request::ListMembers { group: name(text), nested, after: after.clone(), limit },
        );
    }
    for (filter, subject) in (1..).zip(subjects) {
        add("keys", filter, Request::ListKeys { subject: Some(subject), after: after.clone(), limit });
        add("sessions", filter, Request::ListSessions { subject, after: after.clone(), limit });
        add("memberships", filter, Request::ListMemberships { subject, after: after.clone(), limit });
        add("grants", filter, Request::ListGrants { subject, after: after.clone(), limit });
    }
    for (filter, role) in [(1, "a"), (2, "b")] {
        add("holders", filter, Request::ListHolders { role: name(role), after: after.clone(), limit });
    }
    found
}

/// PROPERTY: a cursor opens the list that it is of and no other: that of another list, tenant, subject or role is
/// refused by what does not fit, and so is each beginning of one, each changed bit and what was made up.
/// TC-20: cursors.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_belongs_to_one_list() {
    let house = House::open().await;
    let operator = house.operator().await;
    let mut all = Vec::new();
    for (no, text) in [(1, "acme"), (2, "other")] {
        let tenant = house.tenant(&operator, text).await;
        all.extend(places(&tenant.client, no).await);
    }
    all.push(Place {
        client: operator.clone(),
        tenant: 0,
        list: "tenants",
        filter: 0,
        request: Request::ListTenants { after: None, limit: 1 },
    });
    let mut cursors = Vec::new();
    for place in &all {
        let next = cursor_of(place, &place.request).await.expect("a page");
        cursors.push(next.unwrap_or_else(|| panic!("{} has one row only", place.list)));
    }
    for (from, cursor) in all.iter().zip(&cursors) {
        for to in &all {
            let mut request = to.request.clone();
            assert!(request.go_on(Some(Private::new(cursor.clone()))));
            let told = cursor_of(to, &request).await;
            let expected = if from.tenant != to.tenant {
                CursorFault::Tenant
            } else if from.list != to.list {
                CursorFault::List
            } else if from.filter != to.filter {
                CursorFault::Filter
            } else {
                assert!(told.is_ok(), "{}", from.list);
                continue;
            };
            let fault = match told {
                Err(ClientError::Refused(Refusal::CursorRefused(fault))) => fault,
                told => panic!("{} to {}: {:?}", from.list, to.list, told.map(|_| ())),
            };
            assert_eq!(fault, expected, "{} to {}", from.list, to.list);
        }
    }
    let (place, cursor) = (&all[0], &cursors[0]);
    let mut bad: Vec<Vec<u8>> = (0..cursor.len()).map(|end| cursor[..end].to_vec()).collect();
    for bit in 0..cursor.len() * 8 {
        let mut changed = cursor.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        bad.push(changed);
    }
    bad.extend([vec![0; cursor.len()], vec![255; 200], [cursor.as_slice(), &[0]].concat()]);
    for bytes in bad {
        let mut request = place.request.clone();
        request.go_on(Some(Private::new(bytes.clone())));
        let told = cursor_of(place, &request).await;
        assert!(
            matches!(told, Err(ClientError::Refused(Refusal::CursorRefused(_)))),
            "{bytes:?}: {:?}",
            told.map(|_| ())
        );
    }
}

/// PROPERTY: no list goes on from a bare number, whatever it would be narrowed to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bare_number_is_no_cursor() {
    let house = House::open().await;
    let operator = house.operator().await;
    let (after, limit) = (Some(Private::new(7_u64.to_le_bytes().to_vec())), 10);
    let made = operator
        .request(&Request::CreateSubject { kind: SubjectKind::Machine, identifiers: vec![], password: None })
        .await;
    let subject: PublicId = made.expect("made").subject.expect("an id");
    operator.request(&Request::CreateGroup { name: name("out"), rule: Vec::new() }).await.expect("made");
    let text = |text: &str| Private::new(text.as_bytes().to_vec());
    let role = name("tessera.admin");
    let lists = [
        Request::ListTenants { after: after.clone(), limit },
        Request::ListSubjects { after: after.clone(), limit },
        Request::ListPermissionNames { after: after.clone(), limit },
        Request::ListRoles { after: after.clone(), limit },
        Request::ListWorkspaces { after: after.clone(), limit },
        Request::ListGrants { subject, after: after.clone(), limit },
        Request::ListHolders { role, after: after.clone(), limit },
        Request::ListSessions { subject, after: after.clone(), limit },
        Request::ListClients { after: after.clone(), limit },
        Request::ListKeys { subject: None, after: after.clone(), limit },
        Request::ListMappings { after: after.clone(), limit },
        Request::WatchRelations { after: after.clone(), limit, wait_ms: None },
        Request::ListRelations {
            object: Some(text("a:1")),
            relation: None,
            subject: None,
            after: after.clone(),
            limit,
        },
        Request::ListGroups { within: None, after: after.clone(), limit },
        Request::ListMembers { group: name("out"), nested: false, after: after.clone(), limit },
        Request::ListMemberships { subject, after: after.clone(), limit },
        Request::ListServices { after: after.clone(), limit },
        Request::ListEntries { service: None, after: after.clone(), limit },
        Request::ListEntryUses { permission: None, after: after.clone(), limit },
        Request::ListDevices { subject, after: after.clone(), limit },
        Request::ListActings { subject, after: after.clone(), limit },
        Request::ListEntities { after: after.clone(), limit },
        Request::ListCells { after: after.clone(), limit },
        Request::ListPlacements { after: after.clone(), limit },
        Request::ListCopies { after: after.clone(), limit },
        Request::ListReview { after: after.clone(), limit },
    ];
    for request in lists {
        let told = operator.list::<CellRow>(&request).await.map(|_| ());
        let refused = matches!(told, Err(ClientError::Refused(Refusal::CursorRefused(_))));
        assert!(refused, "{}: {told:?}", request.kind().name());
    }
}
