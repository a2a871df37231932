//! The guide to HTTP against a real node: its shell lines, its applications, TLS, and a real nginx before it.

mod develop;

use develop::{Node, free, started, until_listens};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// `tessera dev` in a folder, and where its HTTP door is.
fn develop(folder: &Path) -> (Node, String) {
    started(folder, true, &[])
}

/// The lines of the document's `sh` blocks.
fn script() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/http.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let blocks = text.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap_or_default()).collect()
}

/// PROPERTY: every line of the guide does what it says, and so does what the node prints to try.
#[test]
fn the_guide_is_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_node, http) = started(folder.path(), true, &[("TESSERA_LOG__FILTER", "debug")]);
    let printed = std::fs::read_to_string(folder.path().join("log")).expect("the log");
    let tried: Vec<&str> = printed.lines().filter(|line| line.trim_start().starts_with("curl ")).collect();
    assert_eq!(tried.len(), 2, "{printed}");
    let tried = tried.join(" --fail-with-body\n");
    let script = script().replace("127.0.0.1:7481", &http);
    assert!(script.lines().count() > 15);
    let whole = format!("set -euo pipefail\n{script}\n{tried} --fail-with-body | grep permit\n");
    let ran =
        Command::new("bash").args(["-xc", &whole]).current_dir(folder.path()).output().expect("bash runs");
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "{}\n{}", told(&ran.stdout), told(&ran.stderr));
    // The log tells of every request, and no secret of one (TC-74).
    let log = std::fs::read_to_string(folder.path().join("log")).expect("the log");
    assert!(log.contains("answered") && log.contains("/v1/public/sign-in"), "{log}");
    let mut secrets = vec!["a long pass phrase".to_owned()];
    for file in ["session.json", "kept.json", "refreshed.json"] {
        let text = std::fs::read_to_string(folder.path().join(file)).expect("an answer");
        secrets.extend(
            text.split('"')
                .filter(|part| part.starts_with("tess_") || part.starts_with("tref_"))
                .map(str::to_owned),
        );
    }
    assert!(secrets.len() >= 4, "{}", secrets.len());
    assert!(secrets.iter().all(|secret| !log.contains(secret.as_str())), "the log holds a secret");
}

/// Runs a shell script in a folder; what it printed.
fn bash(folder: &Path, script: &str) -> String {
    let script = format!("set -euo pipefail\n{script}");
    let ran = Command::new("bash").args(["-c", &script]).current_dir(folder).output().expect("bash runs");
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "{script}\n{}\n{}", told(&ran.stdout), told(&ran.stderr));
    told(&ran.stdout)
}

/// Whether a program is here; says so when it is not.
fn installed(program: &str) -> bool {
    let found = Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        println!("skipped: {program} is not installed (.ci/run installs it)");
    }
    found
}

/// PROPERTY: over TLS both versions of HTTP are spoken, with the certificate of QUIC; after a hangup new
/// connections get the new one; plain text is not answered there.
#[test]
fn both_versions_are_spoken_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let (node, http) = started(folder.path(), false, &[]);
    let port = http.rsplit(':').next().expect("a port");
    let ask = |version: &str| {
        format!(
            "curl -sS {version} --fail-with-body --cacert .tessera/data/certificate.pem -o told -w '%{{http_version}} ' \
             -D head -H \"Authorization: Bearer $(cat .tessera/demo-admin.key)\" https://localhost:{port}/v1/me
             grep -qi '^strict-transport-security: max-age' head; grep -q '\"kind\":\"key\"' told\n"
        )
    };
    let spoken = bash(folder.path(), &format!("{}{}", ask("--http1.1"), ask("--http2")));
    assert_eq!(spoken.trim(), "1.1 2");
    // Without a name of its own in TLS the door is the same.
    assert!(bash(folder.path(), &format!("curl -sS http://{http}/v1/me || true")).is_empty());
    std::fs::remove_file(folder.path().join(".tessera/data/certificate.pem")).expect("removed");
    let hangup = Command::new("kill").args(["-HUP", &node.0.id().to_string()]).status();
    assert!(hangup.expect("kill runs").success());
    // The new certificate is made at the hangup; a client that trusts it alone gets through then.
    let until = format!(
        "for _ in $(seq 600); do if {{ {} }} 2>/dev/null; then exit 0; fi; sleep 0.05; done; exit 1",
        ask("--http2")
    );
    bash(folder.path(), &until);
}

/// PROPERTY: small applications in Python and Node let in who may, and nobody else; not either when the
/// node is gone.
#[test]
fn small_applications_are_protected() {
    let folder = tempfile::tempdir().expect("a folder");
    let (node, http) = develop(folder.path());
    let key = std::fs::read_to_string(folder.path().join(".tessera/demo-admin.key")).expect("a key");
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/examples");
    let mut applications = Vec::new();
    for (program, file) in [("python3", "protected.py"), ("node", "protected.mjs")] {
        if !installed(program) {
            continue;
        }
        let mut child = Command::new(program)
            .arg(format!("{examples}/{file}"))
            .env("TESSERA", format!("http://{http}"))
            .env("TESSERA_KEY", key.trim())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut port).expect("its port");
        applications.push((Node(child), format!("http://127.0.0.1:{}/orders", port.trim())));
    }
    let status = "curl -s -o /dev/null -w '%{http_code}'";
    let session = "-H \"Authorization: Bearer $(cat .tessera/amy.session)\"";
    for (_, url) in &applications {
        let asked =
            format!("{status} {session} {url}; {status} {url}; {status} -H 'Authorization: Bearer x' {url}");
        assert_eq!(bash(folder.path(), &asked), "200403403", "{url}");
    }
    let ask = format!("curl -sS --fail-with-body -H 'Authorization: Bearer {}'", key.trim());
    let signed_in = format!(
        "{ask} -X PATCH --json '{{\"refresh\":\"rotating\"}}' http://{http}/v1/settings > /dev/null
         {ask} --json '{{\"identifiers\":[\"kim@example.org\"],\"password\":\"a long pass phrase\"}}' \
           http://{http}/v1/subjects > /dev/null
         {ask} --json '{{\"identifier\":\"kim@example.org\",\"password\":\"a long pass phrase\"}}' \
           http://{http}/v1/sign-in | sed 's/.*\"refresh_handle\":\"\\([^\"]*\\)\".*/\\1/'"
    );
    let mut refresh = bash(folder.path(), &signed_in).trim().to_owned();
    for (_, url) in &applications {
        let url = url.replace("/orders", "/refresh");
        let next = bash(folder.path(), &format!("curl -sS -d {refresh} {url}"));
        assert!(next.starts_with("tref_") && next != refresh, "{url}: {next}");
        let bad = format!("{status} -d tref_x {url}; {status} -d {next} {}", url.replace("/refresh", "/"));
        assert_eq!(bash(folder.path(), &bad), "403403", "{url}");
        refresh = next;
    }
    drop(node);
    for (_, url) in &applications {
        assert_eq!(bash(folder.path(), &format!("{status} {session} {url}")), "403", "{url}");
    }
}

/// The guide's block of a language, with a node and an application in their places.
fn block(language: &str, http: &str, application: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/http.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let begin = format!("```{language}\n");
    let block = text.split(&begin).nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    block
        .replace("127.0.0.1:7481", http)
        .replace("reverse_proxy application", &format!("reverse_proxy {application}"))
}

/// PROPERTY: the real Caddy lets in who may, tells the application who it is whatever the request said,
/// and lets nobody in when the node is gone.
#[test]
fn caddy_asks_for_each_request() {
    if !installed("caddy") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (node, http) = develop(folder.path());
    let (front, behind) = (free(false), free(false));
    let configuration = format!(
        "{{\nadmin off\nauto_https off\n}}\nhttp://{front} {{\nroute {{\n{}\n}}\n}}\n\
         http://{behind} {{\nrespond \"for {{http.request.header.X-Tessera-Subject}}.\"\n}}\n",
        block("caddy", &http, &behind)
    );
    std::fs::write(folder.path().join("Caddyfile"), configuration).expect("written");
    let log = std::fs::File::create(folder.path().join("caddy.log")).expect("a file");
    let child = Command::new("caddy")
        .args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"])
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .stderr(Stdio::from(log))
        .spawn()
        .expect("caddy runs");
    let _proxy = Node(child);
    until_listens(&front);
    let ask = |headers: &str| format!("curl -s -w ' %{{http_code}}' {headers} http://{front}/orders");
    let session = "-H \"Authorization: Bearer $(cat .tessera/amy.session)\" -H 'X-Tessera-Subject: admin'";
    for method in ["", "-X POST -d x=1"] {
        let passed = bash(folder.path(), &ask(&format!("{session} {method}")));
        let named = passed.starts_with("for 0") && !passed.contains("admin");
        assert!(named && passed.ends_with(". 200"), "{passed}");
    }
    assert!(bash(folder.path(), &ask("")).ends_with(" 401"));
    assert!(bash(folder.path(), &ask("-H 'X-Tessera-Subject: admin'")).ends_with(" 401"));
    // A live credential of another tenant than the guide's lines name.
    let key = "-H \"Authorization: Bearer $(cat .tessera/operator.key)\"";
    assert!(bash(folder.path(), &ask(key)).ends_with(" 401"));
    drop(node);
    assert!(bash(folder.path(), &ask(session)).ends_with(" 502"));
}

/// PROPERTY: the real nginx lets in who may, tells the application who it is whatever the request said,
/// and lets nobody in when the node is gone.
#[test]
fn nginx_asks_for_each_request() {
    if !installed("nginx") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (node, http) = develop(folder.path());
    let (front, behind) = (free(false), free(false));
    let locations = locations(0, &http, &behind);
    let proxy = nginx(folder.path(), &locations, (&front, &behind));
    let ask = |headers: &str| format!("curl -s -w ' %{{http_code}}' {headers} http://{front}/orders");
    let session = "-H \"Authorization: Bearer $(cat .tessera/amy.session)\" -H 'X-Tessera-Subject: admin'";
    let passed = bash(folder.path(), &ask(session));
    assert!(
        passed.starts_with("for 0") && passed.ends_with(". 200") && !passed.contains("admin"),
        "{passed}"
    );
    assert!(bash(folder.path(), &ask("")).ends_with(" 401"));
    // A live credential of another tenant than the guide's lines name.
    let key = "-H \"Authorization: Bearer $(cat .tessera/operator.key)\"";
    assert!(bash(folder.path(), &ask(key)).ends_with(" 401"));
    drop(node);
    assert!(bash(folder.path(), &ask(session)).ends_with(" 500"));
    end(proxy);
}

/// The guide's nth block of lines for nginx, with a node and an application in their places.
fn locations(nth: usize, http: &str, application: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/http.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let mut blocks = text.split("```nginx\n").skip(1 + nth);
    let block = blocks.next().and_then(|block| block.split("```").next()).expect("a block");
    block.replace("127.0.0.1:7481", http).replace("http://application", &format!("http://{application}"))
}

/// A running nginx, with an application behind it that tells what it was told.
fn nginx(folder: &Path, locations: &str, (front, behind): (&str, &str)) -> Node {
    let configuration = format!(
        "daemon off; error_log /dev/null; pid nginx.pid; worker_processes 1; events {{}}\nhttp {{ access_log off; \
         client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n\
         server {{ listen {front}; {locations} }}\n\
         server {{ listen {behind}; location / {{ return 200 \"for $http_x_tessera_subject.\"; }} }} }}"
    );
    std::fs::write(folder.join("nginx.conf"), configuration).expect("written");
    let prefix = folder.to_str().expect("text").to_owned() + "/";
    // Its workers outlive a killed master: they must not hold the test's own output.
    let child = Command::new("nginx")
        .args(["-p", &prefix, "-c", "nginx.conf"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx runs");
    let proxy = Node(child);
    until_listens(front);
    proxy
}

/// Ends an nginx: SIGTERM lets the workers end with their master.
fn end(mut proxy: Node) {
    drop(Command::new("kill").args(["-TERM", &proxy.0.id().to_string()]).status());
    drop(proxy.0.wait());
}

/// PROPERTY: the real nginx lets a request pass where the endpoints of the service say so, by the method and the target as
/// the browser sent them; what nothing matches, and what can be read in more than one way, does not pass, whatever headers
/// the request brings.
#[test]
fn nginx_asks_with_the_request() {
    if !installed("nginx") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (node, http) = develop(folder.path());
    let (front, behind) = (free(false), free(false));
    let tessera = env!("CARGO_BIN_EXE_tessera");
    let entries = r#"{"entries": [{"permission": "orders.read"}, {"permission": "orders.write"}]}"#;
    let endpoints = r#"{"endpoints": [{"method": "GET", "path": "/orders/{id}", "needs": "orders.read"}, {"method": "*", "path": "/orders/**", "needs": "orders.write"}]}"#;
    bash(
        folder.path(),
        &format!(
            "echo '{entries}' | '{tessera}' service set orders - --profile .tessera
             echo '{endpoints}' | '{tessera}' service set-endpoints orders - --profile .tessera"
        ),
    );
    let front_of = locations(0, &http, &behind);
    let (pass, _) = front_of.split_once("location = /_may").expect("two locations");
    let proxy = nginx(folder.path(), &format!("{pass}{}", locations(1, &http, &behind)), (&front, &behind));
    let session = "-H \"Authorization: Bearer $(cat .tessera/amy.session)\"";
    let lies = "-H 'X-Original-URI: /orders/7' -H 'X-Forwarded-Uri: /orders/7' -H 'X-Original-Method: GET' -H 'X-Forwarded-Method: GET'";
    for (line, status) in [
        ("/orders/7", "200"),
        ("/orders/7?page=2", "200"),
        ("-X DELETE /orders/7", "403"),
        ("/orders/7/lines", "403"),
        ("/other", "403"),
        ("/other/../orders/7", "403"),
        ("/orders/%2e%2e/orders/7", "403"),
        ("//orders/7", "403"),
        ("/Orders/7", "403"),
    ] {
        let (options, path) = line.rsplit_once(' ').unwrap_or(("", line));
        for headers in ["", lies] {
            let ask = format!(
                "curl -s -o told --path-as-is -w '%{{http_code}}' {session} {headers} {options} 'http://{front}{path}'"
            );
            assert_eq!(bash(folder.path(), &ask), status, "{line} {headers}");
        }
    }
    assert_eq!(
        bash(folder.path(), &format!("curl -s -o told -w '%{{http_code}}' http://{front}/orders/7")),
        "401"
    );
    drop(node);
    end(proxy);
}

/// PROPERTY: a change that was made over QUIC is a change for whoever read the record over HTTP: its tag is another, and
/// what was ordered on the old one is refused with nothing done.
#[test]
fn a_change_over_quic_is_seen_by_conditions() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_node, http) = develop(folder.path());
    let tessera = env!("CARGO_BIN_EXE_tessera");
    let told = bash(
        folder.path(),
        &format!(
            "T=http://{http}; KEY=$(cat .tessera/demo-admin.key)
             ask() {{ curl -sS -o told -w '%{{http_code}} ' -D head -H \"Authorization: Bearer $KEY\" \"$@\"; }}
             tag() {{ sed -n 's/^etag: //Ip' head | tr -d '\\r'; }}
             ask --json '{{\"name\":\"shared\",\"patterns\":[\"orders.read\"]}}' $T/v1/roles
             ask $T/v1/roles/shared; OLD=$(tag)
             ask -H \"If-None-Match: $OLD\" $T/v1/roles/shared
             '{tessera}' role change shared orders.write --profile .tessera > /dev/null
             ask -H \"If-None-Match: $OLD\" $T/v1/roles/shared; NEW=$(tag); test \"$OLD\" != \"$NEW\"
             ask -X PUT -H \"If-Match: $OLD\" --json '{{\"patterns\":[\"orders.none\"]}}' $T/v1/roles/shared
             grep -q '\"field\":\"if-match\"' told
             ask -X DELETE -H \"If-Match: $OLD\" $T/v1/roles/shared
             ask $T/v1/roles/shared; grep -q 'orders.write' told; test \"$NEW\" = \"$(tag)\"
             ask -X PUT -H \"If-Match: $NEW\" --json '{{\"patterns\":[\"orders.none\"]}}' $T/v1/roles/shared
             '{tessera}' role list --profile .tessera --json | grep -q orders.none"
        ),
    );
    assert_eq!(
        told.split_whitespace().collect::<Vec<_>>(),
        ["200", "200", "304", "200", "412", "412", "200", "200"]
    );
}
