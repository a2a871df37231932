//! Any bytes at the readers of scopes, of endpoint maps and of the requests that they are asked about, of what devices
//! prove, and of the conditions of grants.

use tessera_fuzz::{FindingError, Outcome, Run, Target};
use tessera_model::endpoint::{Endpoint, Requested, Router, sound};
use tessera_model::{
    Challenge, Deadline, DeviceKey, DeviceProof, GrantCondition, Pattern, Scope, Thumbprint, possession,
};

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

/// PROPERTY: any text is a device's key, a challenge, a proof, a thumbprint or the file of a private key, or is not;
/// what is one has one text and one form of bytes. METHOD: 200,000 changed texts, each read as all of them.
/// TC-83 in part: what devices prove.
#[test]
fn fuzz_device_proofs() {
    let mut point = [7; 65];
    point[0] = 4;
    let challenge = Challenge::new(Deadline(9), [1; 16], [2; 16]);
    let keys = [DeviceKey::Ed25519([5; 32]), DeviceKey::P256(point)];
    let proofs = keys.map(|key| DeviceProof { key, signature: [3; 64], challenge });
    let file = possession::pem_of(&[6; 48]);
    let mut seeds: Vec<Vec<u8>> = proofs.iter().map(|proof| proof.to_string().into_bytes()).collect();
    seeds.extend(keys.map(|key| key.to_string().into_bytes()));
    seeds.extend([challenge.to_string().into_bytes(), Thumbprint([8; 32]).to_string().into_bytes()]);
    seeds.push(file.expose().to_vec());
    let words = "- _ + / = \n -----BEGIN PRIVATE KEY----- -----END AQ Ag BA";
    told(Target::new("device-proof").seeds(seeds).words(words).bytes_max(600).run(|bytes| {
        let text = text(bytes);
        let mut kinds = Vec::new();
        if let Some(key) = DeviceKey::parse(&text) {
            assert_eq!(key.to_string(), text, "a key has two texts");
            assert_eq!(DeviceKey::from_bytes(key.bytes()), Some(key));
            kinds.push("key");
        }
        if let Some(challenge) = Challenge::parse(&text) {
            let (until, number, seal) = challenge.parts();
            assert_eq!(Challenge::new(until, number, seal), challenge);
            kinds.push("challenge");
        }
        for proof in [DeviceProof::parse(&text), DeviceProof::from_bytes(bytes)].into_iter().flatten() {
            assert_eq!(DeviceProof::from_bytes(&proof.to_bytes()), Some(proof), "a proof has two forms");
            kinds.push("proof");
        }
        if let Some(thumbprint) = Thumbprint::parse(&text) {
            assert_eq!(thumbprint.to_string(), text, "a thumbprint has two texts");
            kinds.push("thumbprint");
        }
        if possession::pkcs8_of(&text).is_some() {
            kinds.push("file");
        }
        if kinds.is_empty() { Outcome::refused(&text.len().min(96)) } else { Outcome::taken(&kinds) }
    }));
}

/// PROPERTY: any text is the condition of a grant or an error that says what is wrong; what is one writes as a text
/// that reads as the same. METHOD: 200,000 changed conditions.
/// TC-83 in part: conditions of grants.
#[test]
fn fuzz_grant_conditions() {
    let seeds = [
        "hours mon-fri 08:00-18:00 Europe/Berlin",
        "hours sat,sun 00:00-24:00, mon 22:00-24:00 UTC",
        "networks 10.0.0.0/8 2001:db8::/32",
        "device managed",
        "acr 2",
        "step-up 300",
    ];
    assert!(
        seeds.iter().filter(|text| GrantCondition::parse(text).is_ok()).count() > 3,
        "seeds are conditions"
    );
    let words =
        "hours networks device acr step-up mon-fri sat , : - 24:00 UTC Europe/Berlin / :: known managed 255";
    told(Target::new("grant-condition").seeds(seeds).words(words).bytes_max(1_200).run(|bytes| {
        let read = GrantCondition::parse(&text(bytes));
        if let Ok(condition) = &read {
            assert!(condition.is_sound(), "a condition was taken that is not sound");
            assert_eq!(GrantCondition::parse(&condition.to_string()).as_ref(), Ok(condition), "two texts");
        }
        Outcome::of(&read.map(|condition| condition.kind()))
    }));
}
