//! Invitations, guests and personal workspaces with `--json`.

use crate::json::{Asked, text};
use serde_json::{Value, json};

fn rows<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object[field].as_array().unwrap_or_else(|| panic!("no {field}: {object}"))
}

/// People are invited, answer, and are guests; persons get workspaces of their own.
pub(crate) fn invitations(asked: &mut Asked) {
    let mut order = |line: &str| asked.ask(0, &format!("tessera {line} --tenant acme"));
    order("settings set registration=open");
    order("workspace create atrium");
    order("role create hosts tessera.admin.grants");
    order("role create visitors atrium.read");
    order("user create hana@example.org");
    order("grant add hana@example.org hosts");
    order("session open hana@example.org --save hana.session");
    let refused = asked.ask(1, "tessera invitation send gus@example.org atrium visitors --tenant acme");
    assert_eq!(refused["error"]["code"], 200, "{refused}");
    let mut send = |whom: &str, more: &str| {
        asked
            .ask(0, &format!("tessera invitation send {whom} atrium visitors {more} --key-file hana.session"))
    };
    let first = send("gus@example.org", "--guest --save gus.invitation");
    assert_eq!(first["identifier"], "gus@example.org");
    let second = text(&send("ida@example.org", "--expires +1d --save ida.invitation"), "invitation");
    let third = text(&send("jo@example.org", "--until +9d --save jo.invitation"), "invitation");
    send("kim@example.org", "--save kim.invitation");
    let own = |line: &str| format!("tessera invitation {line} --key-file hana.session");
    asked.ask(0, &own(&format!("resend {second} --save ida-again.invitation")));
    asked.ask(0, &own(&format!("withdraw {third}")));
    asked.ask(0, "tessera invitation decline --secret-file kim.invitation");
    let join = "echo 'a long pass phrase' | tessera invitation join --password-stdin --secret-file";
    let joined = asked.ask(0, &format!("{join} gus.invitation"));
    let gus = text(&joined, "subject");
    let again = asked.ask(1, &format!("{join} gus.invitation"));
    assert_eq!(again["error"]["name"], "SecretWrong", "{again}");
    let mut order = |line: &str| asked.ask(0, &format!("tessera {line} --tenant acme"));
    order("user create ida@example.org");
    order("session open ida@example.org --save ida.session");
    asked.ask(0, "tessera invitation accept --secret-file ida-again.invitation --key-file ida.session");
    let mut order = |line: &str| asked.ask(0, &format!("tessera {line} --tenant acme"));
    let listed = order("invitation list --by hana@example.org --all");
    let states: Vec<_> = rows(&listed, "invitations").iter().map(|row| text(row, "state")).collect();
    assert_eq!(states, ["accepted", "accepted", "withdrawn", "declined"]);
    let of_jo = order("invitation list --for JO@example.org");
    assert_eq!(rows(&of_jo, "invitations")[0]["invitation"], json!(third));
    let erased = order("invitation erase jo@example.org --yes");
    assert_eq!((&erased["erased"], &erased["invitations"]), (&json!(true), &json!([third])));
    assert_eq!(rows(&order("invitation list --for jo@example.org"), "invitations").len(), 0);
    assert_eq!(rows(&order("invitation list"), "invitations")[2]["state"], "erased");
    assert_eq!(rows(&order("invitation list --open"), "invitations").len(), 0);
    let explained = order(&format!("explain {gus} atrium.read --workspace atrium"));
    assert_eq!(explained["sources"][0]["withheld"], false, "{explained}");
    let users = order("user list --all");
    assert!(rows(&users, "subjects").iter().any(|row| row["subject"] == json!(gus) && row["guest"] == true));
    order(&format!("user guest {gus} --off"));
    assert_eq!(order("workspace personal show")["role"], Value::Null);
    assert_eq!(order("workspace personal set visitors")["role"], "visitors");
    let made = order("workspace personal make ida@example.org");
    let listed = order("workspace list");
    let personal = rows(&listed, "workspaces").iter().find(|row| row["id"] == made["id"]);
    assert_eq!(personal.expect("the workspace")["personal"], made["subject"]);
    order("workspace personal set --none");
    order("user delete ida@example.org --yes");
    order(&format!("user delete {gus} --yes"));
    order("workspace delete atrium");
    order("settings set registration=closed");
}
