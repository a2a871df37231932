//! Files of tuples with `--json`.

use crate::json::Asked;

/// Windows of tuples stand in the files that are written: in YAML, and as an export has them; a tuple without one has that
/// of the command line.
pub(crate) fn windows(asked: &mut Asked, put: &impl Fn(&str, &str)) {
    let (user, until) = (r#"user: "user:dan", relation: viewer"#, 1_900_000_000_000_u64);
    put(
        "own.yaml",
        &format!(
            "- {{{user}, object: \"document:7\", until_ms: {until}}}\n- {{{user}, object: \"document:8\"}}\n"
        ),
    );
    asked.ask(0, "tessera relation write --file own.yaml --until +1h --tenant acme");
    let read = |asked: &mut Asked, object: &str| {
        asked.ask(0, &format!("tessera relation read --object {object} --tenant acme"))["tuples"][0].clone()
    };
    assert_eq!(read(asked, "document:7")["until_ms"], until);
    let hour = read(asked, "document:8")["until_ms"].as_u64().expect("an end");
    assert!(hour < until, "{hour}");
    asked.ask(0, "tessera relation export --object document:7 --output seven.ndjson --tenant acme");
    let removed = "tessera relation write --remove 'user:dan viewer document:7' --tenant acme";
    assert_eq!(asked.ask(0, removed)["removed"], 1);
    asked.ask(0, "tessera relation write --file seven.ndjson --strict --tenant acme");
    assert_eq!(read(asked, "document:7")["until_ms"], until);
    put("ill.yaml", &format!("- {{{user}, object: \"document:9\", until_ms: soon}}\n"));
    put("ill.ndjson", "{\"user\":\"user:dan\"}\n");
    for (file, place) in [("ill.yaml", "ill.yaml:1:"), ("ill.ndjson", "ill.ndjson:1:")] {
        let told = asked.ask(2, &format!("tessera relation write --file {file} --tenant acme"));
        assert!(told["error"]["message"].as_str().is_some_and(|text| text.contains(place)), "{told}");
    }
    asked.ask(0, "tessera relation write --remove 'user:dan viewer document:7' --remove 'user:dan viewer document:8' --tenant acme");
}

/// An explanation ends as its check does; an expansion says whether it is whole.
pub(crate) fn explained(asked: &mut Asked) {
    let told = asked.ask(0, "tessera relation explain user:ann viewer document:1 --tenant acme");
    assert_eq!(told["decision"], "permit");
    let told = asked.ask(1, "tessera relation explain user:bob viewer document:1 --tenant acme");
    assert_eq!((&told["decision"], &told["steps"][0]["holds"]), (&"deny".into(), &false.into()));
    assert_eq!(asked.ask(0, "tessera relation expand document:1 viewer --tenant acme")["left"], 0);
}
