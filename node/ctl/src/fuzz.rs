//! Any bytes at the readers of the command line: store files, spans of time, profiles.

use crate::link::Who;
use crate::reach::TenantRef;
use crate::settings::Change;
use crate::{when, yaml};
use tessera_fuzz::{FindingError, Outcome, Run, Target};

fn told(found: Result<Run, FindingError>) {
    match found {
        Ok(run) => println!("{run}"),
        Err(finding) => panic!("{finding}"),
    }
}

/// PROPERTY: any text is a tree of YAML or an error with its place. METHOD: 200,000 changed store files.
/// TC-83 in part: store files.
#[test]
fn fuzz_yaml() {
    let store = "name: a\nmodel: |\n  model\n    schema 1.1\n  type user\ntuples:\n  - user: user:ann\n    relation: viewer\n    object: document:1\ntests:\n  - name: one\n    check:\n      - user: user:ann\n        object: document:1\n        assertions:\n          viewer: true\n    list_objects: [{user: \"user:ann\", type: document}]\n";
    let words = "- : | > & * ! ? # { } [ ] , \" ' --- ... \n \t << %YAML true ~";
    told(Target::new("yaml").seeds([store, "{\"a\": [1, null]}", "a: &x 1\nb: *x\n"]).words(words).run(
        |bytes| {
            let read = yaml::read(&String::from_utf8_lossy(bytes));
            Outcome::of(&read.map_err(|error| error.what))
        },
    ));
}

/// PROPERTY: any text is a span of time, a tenant, a change of a setting or somebody, or not. METHOD: 50,000 texts.
#[test]
fn fuzz_spans() {
    let target = Target::new("span")
        .seeds(["90s", "30m", "2h", "7d", "18446744073709551615w", "system", "acr=2", "amy@example.org"])
        .share(50_000);
    told(target.run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let read = [when::seconds(&text).is_ok(), when::setting(&text).is_ok(), when::overlap(&text).is_ok()];
        drop(when::patience(&text));
        drop(text.parse::<when::When>());
        drop((text.parse::<TenantRef>().ok(), text.parse::<Change>().ok(), text.parse::<Who>().ok()));
        Outcome::taken(&read)
    }));
}
