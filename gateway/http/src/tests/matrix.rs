//! Who may ask for what: the matrix of permissions as a golden text, held against the door itself.

use super::House;
use super::operations::request;
use crate::list::READ;
use crate::operation::{Act, Needs, Operation};
use crate::table::OPERATIONS;
use serde_json::json;
use std::fmt::Write as _;
use tessera_engine::{BUILT_IN, PEOPLE};
use tessera_model::Pattern;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/surface/permissions.txt");

/// Whether this permission alone is enough for an operation.
fn suffices(operation: &Operation, permission: &str) -> bool {
    let names = matches!(operation.act, Act::List(list) if list.is_of_names());
    let people = matches!(operation.act, Act::List(list) if list.is_of_people());
    match operation.needs {
        Needs::Nothing | Needs::Credential => true,
        Needs::Permission(needed) | Needs::OwnOr(needed) => {
            permission == needed || names && permission == READ || people && permission == PEOPLE
        }
    }
}

/// The whole text; a role is what its patterns cover.
fn matrix(roles: &[(String, Vec<Pattern>)]) -> String {
    let mut text = "Who may ask for what: the operations of the HTTP door beside the permissions and roles of the engine.\n\
        Made from the table of operations of this door.\n\n\
        x is enough, . is not. `own`: a session about its own subject, without any permission; `-` asks for no credential,\n\
        `*` for any that is alive. The columns are the permissions by number, then the roles that every tenant is born with.\n\
        Rows of a load that bring grants along need tessera.admin.grants too.\n\n"
        .to_owned();
    for (number, permission) in (1..).zip(BUILT_IN) {
        writeln!(text, "{number:>4}  {permission}").expect("a text");
    }
    let width = OPERATIONS.iter().map(|one| one.id.len()).max().unwrap_or(0);
    let path = OPERATIONS.iter().map(|one| one.path.len()).max().unwrap_or(0);
    let numbers: String = (1..=BUILT_IN.len()).map(|number| format!("{number:>3}")).collect();
    let heads: String = roles.iter().map(|(name, _)| format!("  {name}")).collect();
    writeln!(text, "\n{:width$}  {:6} {:path$}  own{numbers}{heads}", "operation", "method", "path")
        .expect("a text");
    for one in OPERATIONS {
        let own = match one.needs {
            Needs::Nothing => "-",
            Needs::Credential => "*",
            Needs::OwnOr(_) => "x",
            Needs::Permission(_) => ".",
        };
        let sign = |enough: bool| if enough { "x" } else { "." };
        let signs: String = BUILT_IN.iter().map(|name| format!("  {}", sign(suffices(one, name)))).collect();
        let held = roles.iter().map(|(name, patterns)| {
            let covers = |permission: &str| patterns.iter().any(|pattern| pattern.covers(permission));
            let enough = BUILT_IN.iter().any(|name| covers(name) && suffices(one, name));
            format!("  {:<1$}", sign(enough), name.len())
        });
        let line = format!(
            "{:width$}  {:6} {:path$}  {own:>3}{signs}{}",
            one.id,
            one.verb.name().to_uppercase(),
            one.path,
            held.collect::<String>()
        );
        writeln!(text, "{}", line.trim_end()).expect("a text");
    }
    text
}

/// PROPERTY: the golden text is what the table says. METHOD: the roles are those of a newborn tenant.
#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_of_permissions_is_current() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let roles = house.ask("GET /v1/roles", &admin, None).await.expect(200).json();
    let roles: Vec<(String, Vec<Pattern>)> = roles["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let texts = row["patterns"].as_array().expect("patterns").iter();
            let patterns = texts.map(|text| Pattern::new(text.as_str().expect("a text")).expect("a pattern"));
            (row["name"].as_str().expect("a name").to_owned(), patterns.collect())
        })
        .collect();
    assert_eq!(roles.len(), 2, "{roles:?}");
    let text = matrix(&roles);
    if std::env::var("TESSERA_GOLDEN").as_deref() == Ok("write") {
        std::fs::write(GOLDEN, &text).expect("written");
    }
    let golden = std::fs::read_to_string(GOLDEN).expect("docs/surface/permissions.txt");
    assert!(golden == text, "TESSERA_GOLDEN=write cargo test -p tessera-gateway-http, and name the change");
}

/// PROPERTY: the door refuses whoever has one permission alone exactly where the matrix has no sign. METHOD: every
/// operation that needs a permission, with a key of each permission in turn.
#[tokio::test(flavor = "multi_thread")]
async fn the_door_holds_to_the_matrix() {
    let house = House::with(|config| {
        config.limits = crate::Limits { source_per_second: 100_000, ..crate::Limits::default() };
    })
    .await;
    let (_, admin) = house.tenant("acme").await;
    let (mut let_in, mut kept_out) = (0, 0);
    for (number, permission) in (1..).zip(BUILT_IN) {
        let role = json!({ "name": format!("only{number}"), "patterns": [permission] });
        house.ask("POST /v1/roles", &admin, Some(role)).await.expect(200);
        let machine = json!({ "kind": "machine", "identifiers": [format!("machine{number}")] });
        let machine =
            house.ask("POST /v1/subjects", &admin, Some(machine)).await.expect(200).string("subject");
        let granted = json!({ "role": format!("only{number}") });
        let line = format!("POST /v1/subjects/{machine}/grants");
        house.ask(&line, &admin, Some(granted)).await.expect(200);
        let made = json!({ "patterns": [permission], "expires": "2026-12-01T00:00:00Z" });
        let line = format!("POST /v1/subjects/{machine}/keys");
        let key = house.ask(&line, &admin, Some(made)).await.expect(200).string("handle");
        let asked = OPERATIONS.iter().filter(|one| one.needs.permission().is_some());
        // What ends everybody's sessions ends no key.
        for one in asked {
            let (line, (kind, mut content)) = request(one);
            if one.id == "load_subjects" {
                content = "{\"username\":\"amy\"}".to_owned();
            }
            let reply = house.post(&line, &key, (kind, &content)).await;
            let refused = reply.status == 403 && reply.code() == 200;
            assert_eq!(refused, !suffices(one, permission), "{} with {permission}: {reply:?}", one.id);
            if refused { kept_out += 1 } else { let_in += 1 }
        }
    }
    assert!(let_in > 100 && kept_out > 1_000, "{let_in} {kept_out}");
}
