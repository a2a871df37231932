//! Any bytes at the readers of scopes, of endpoint maps and of the requests that they are asked about.

use tessera_fuzz::{FindingError, Outcome, Run, Target};
use tessera_model::endpoint::{Endpoint, Requested, Router, sound};
use tessera_model::{Pattern, Scope};

fn told(found: Result<Run, FindingError>) {
    match found {
        Ok(run) => println!("{run}"),
        Err(finding) => panic!("{finding}"),
    }
}

/// Bytes as the texts that readers are given.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const SCOPES: [&str; 8] = [
    "read:orders",
    "read:shop/orders/*",
    "*:shop/**",
    "read:orders?tenant=acme&region=eu%20west",
    "manage:shop/orders/42?owner=%C3%A9",
    "write:orders?workspace=berlin",
    "read:**",
    "orders.read",
];

/// PROPERTY: any text is a scope or an error with its place; a scope contains itself, and what it names as its one
/// permission is reached by it and by nothing that it does not contain. METHOD: 200,000 changed scopes, each held
/// against good ones.
/// TC-83 in part: scopes.
#[test]
fn fuzz_scopes() {
    let good: Vec<Scope<'_>> = SCOPES.iter().filter_map(|text| Scope::parse(text.as_bytes()).ok()).collect();
    assert!(good.len() > 5, "the seeds are scopes");
    let target =
        Target::new("scope").seeds(SCOPES).words(": / * ** ? & = % %2F %00 read write manage . \\ #");
    told(target.bytes_max(1_200).run(|bytes| {
        let read = Scope::parse(bytes);
        if let Ok(scope) = &read {
            assert!(scope.contains(scope), "a scope does not contain itself");
            let mut room = [0; 128];
            if let Some(name) = scope.permission(&mut room) {
                assert!(scope.reaches(name), "a scope does not reach what it means");
                for other in good.iter().filter(|other| other.contains(scope)) {
                    assert!(other.reaches(name), "a scope is contained and reaches further");
                }
            }
            let (head, _) = scope.head();
            // An action of one letter has a longer name.
            assert!(head.len() <= bytes.len() + 32, "a head is longer than its scope");
            assert!(scope.filters().iter().all(|filter| filter.value().count() <= bytes.len()));
        }
        Outcome::of(&read.map(drop))
    }));
}

/// PROPERTY: any line is an endpoint or refused, any set of endpoints is a map or refused, and any target of a request
/// finds at most one of a map, which it finds alone, too; where somebody may read another request in it, none. METHOD: 200,000 changed maps, each
/// asked about a path of its own text.
/// TC-83 in part: endpoints.
#[test]
fn fuzz_endpoints() {
    let seeds = [
        "GET /orders read:orders\nPOST /orders write:orders\n/orders",
        "GET /orders/{id} read:orders/{id}\n* /orders/** read:orders\n/orders/42",
        "GET /a/*/c a.read\nGET /a/b/* a.read\nGET /a/b/c a.read\n/a/b/c?x=1",
        "DELETE /files/**  files.delete\n/files/%C3%A9/x",
    ];
    let words = "GET POST * / ** {id} %2F %20 .. // ? : read: orders.read \n";
    let target = Target::new("endpoints").seeds(seeds).words(words).bytes_max(2_048);
    told(target.run(|bytes| {
        let text = text(bytes);
        let mut endpoints = Vec::new();
        for line in text.lines() {
            let mut parts = line.split(' ').filter(|part| !part.is_empty());
            let mut part = || parts.next().unwrap_or_default();
            let (method, path, target) = (part(), part(), part());
            let Ok(target) = Pattern::new(target) else { continue };
            if let Ok(endpoint) = Endpoint::new(method, path, &target) {
                assert_eq!((endpoint.method(), endpoint.path()), (method, path));
                endpoints.push(endpoint);
            }
        }
        let found = sound(&endpoints);
        let asked = text.lines().last().unwrap_or_default();
        let requested = Requested::new(asked);
        if let (Ok(()), Ok(requested)) = (&found, &requested) {
            let router = Router::new(&endpoints);
            for method in ["GET", "POST", "BREW"] {
                let at = router.find(method, requested);
                let only = |at: usize| Router::new(&endpoints[at..=at]).find(method, requested).is_some();
                assert!(at.is_none_or(only), "a map found what does not match");
            }
        }
        Outcome::taken(&(endpoints.len().min(4), found.is_ok(), requested.is_ok()))
    }));
}
