//! What is a scope and what is none, the one form of each, and what it reaches against an obvious matcher.

use super::*;

fn parse(text: &str) -> Result<String, (usize, ScopeFault)> {
    Scope::parse(text.as_bytes()).map(|scope| scope.to_string()).map_err(|error| (error.at, error.fault))
}

/// A generator of numbers: the same for the same seed.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("small") % below
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.next(from.len())]
    }
}

/// PROPERTY: what is a scope is written in one form; everything else is told with the byte and what is wrong there.
#[test]
fn scopes_read_or_are_told_with_the_byte() {
    for (text, form) in [
        ("media/files", "read:media/files"),
        ("update:media/files/*", "update:media/files/*"),
        ("*:**", "*:**"),
        ("approve:a.b/c-d_e", "approve:a.b/c-d_e"),
        ("read:a?z=1&b=x%2fy", "read:a?b=x/y&z=1"),
        ("read:a?b=%41%c3%a9%2A", "read:a?b=A%C3%A9%2A"),
        ("read:a?subject.level=5&workspace=berlin", "read:a?subject.level=5&workspace=berlin"),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(form), "{text}");
        assert_eq!(parse(form).as_deref(), Ok(form), "{text}");
    }
    let long = format!("read:a?b={}", "x".repeat(SCOPE_BYTES_MAX - 9));
    assert!(parse(&long).is_ok());
    for (text, at, fault) in [
        ("", 0, ScopeFault::EmptySegment),
        (":a", 0, ScopeFault::EmptyAction),
        ("read:", 5, ScopeFault::EmptySegment),
        ("read:a//b", 7, ScopeFault::EmptySegment),
        ("read:a/", 7, ScopeFault::EmptySegment),
        ("read:/a", 5, ScopeFault::EmptySegment),
        ("read:a/../b", 7, ScopeFault::Dots),
        ("re ad:a", 2, ScopeFault::BadCharacter),
        ("**:a", 0, ScopeFault::BadCharacter),
        ("read:a:b", 6, ScopeFault::BadCharacter),
        ("read:a%2fb", 6, ScopeFault::BadCharacter),
        ("read:\u{e9}", 5, ScopeFault::BadCharacter),
        ("read:fi*", 5, ScopeFault::PartWildcard),
        ("read:***", 5, ScopeFault::PartWildcard),
        ("read:**/a", 5, ScopeFault::WildcardInside),
        ("read:a?", 7, ScopeFault::EmptyFilter),
        ("read:a?b=1&", 11, ScopeFault::EmptyFilter),
        ("read:a?b=1&&c=2", 11, ScopeFault::EmptyFilter),
        ("read:a?=1", 7, ScopeFault::EmptyKey),
        ("read:a?b", 8, ScopeFault::EmptyValue),
        ("read:a?b=", 9, ScopeFault::EmptyValue),
        ("read:a?b=&c=1", 9, ScopeFault::EmptyValue),
        ("read:a?b=1&b=2", 11, ScopeFault::KeyRepeated),
        ("read:a?%62=1", 7, ScopeFault::BadCharacter),
        ("read:a?b=*", 9, ScopeFault::BadCharacter),
        ("read:a?b=1?c=2", 10, ScopeFault::BadCharacter),
        ("read:a?b=x=y", 10, ScopeFault::BadCharacter),
        ("read:a?b=x+y", 10, ScopeFault::BadCharacter),
        ("read:a?b=x#y", 10, ScopeFault::BadCharacter),
        ("read:a?b=%4", 9, ScopeFault::BadEscape),
        ("read:a?b=x%zz", 10, ScopeFault::BadEscape),
        ("read:a?b=%ff", 9, ScopeFault::BadValue),
        ("read:a?b=%00", 9, ScopeFault::BadValue),
        ("read:a?b=%c2%85", 9, ScopeFault::BadValue),
        ("a/b/c/d/e/f/g/h/i", 16, ScopeFault::TooManySegments),
        ("a?a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1", 34, ScopeFault::TooManyFilters),
    ] {
        assert_eq!(parse(text), Err((at, fault)), "{text}");
    }
    assert_eq!(parse(&format!("{long}x")), Err((SCOPE_BYTES_MAX, ScopeFault::TooLong)));
    assert_eq!(parse(&"a".repeat(124)), Err((0, ScopeFault::NameTooLong)), "read: is the name's part, too");
    assert!(parse(&"a".repeat(123)).is_ok());
    assert_eq!(
        Scope::parse(b"read:a\xff").map_err(|error| (error.at, error.fault)).err(),
        Some((6, ScopeFault::NotText))
    );
}

/// PROPERTY: reading is total: whatever the bytes, it is a scope or an error at one of them, and what is a scope has one
/// form, which reads as the same scope. METHOD: random bytes, and random pieces of scopes, which are some in a share.
#[test]
fn reading_is_total_and_printing_its_inverse() {
    const PIECES: [&str; 24] = [
        "read",
        "update",
        "*",
        "**",
        ":",
        "/",
        "media",
        "files",
        "?",
        "&",
        "=",
        "owner",
        "7",
        "%2f",
        "%C3%A9",
        "%",
        "a.b",
        "..",
        "subject.level",
        "workspace",
        "x",
        "@",
        "\u{e9}",
        "superadmin",
    ];
    let mut numbers = Numbers(7);
    let (mut good, mut bad) = (0, 0);
    for round in 0..60_000_usize {
        let mut bytes = Vec::new();
        if round.is_multiple_of(3) {
            for _ in 0..numbers.next(24) {
                bytes.push(u8::try_from(numbers.next(256)).expect("a byte"));
            }
        } else if round % 3 == 1 {
            for _ in 0..numbers.next(14) {
                bytes.extend_from_slice(numbers.pick(&PIECES).as_bytes());
            }
        } else {
            let text = random_scope(&mut numbers, true);
            bytes.extend_from_slice(text.as_bytes());
            if numbers.next(4) == 0 {
                let at = numbers.next(bytes.len());
                bytes[at] = b"/:?&=%*.\xff"[numbers.next(9)];
            }
        }
        match Scope::parse(&bytes) {
            Ok(scope) => {
                good += 1;
                let form = scope.to_string();
                assert!(form.len() <= SCOPE_BYTES_MAX, "{form}");
                let again = Scope::parse(form.as_bytes()).expect(&form);
                assert_eq!((again, again.to_string()), (scope, form.clone()));
                assert!(scope.contains(&again) && again.contains(&scope), "{form}");
            }
            Err(error) => {
                bad += 1;
                assert!(error.at <= bytes.len(), "{error}");
            }
        }
    }
    assert!(good > 12_000 && bad > 12_000, "{good} {bad}");
}

/// A scope of few words, so that they meet.
fn random_scope(numbers: &mut Numbers, held: bool) -> String {
    let actions: &[&str] = if held {
        &["read", "create", "update", "delete", "owner", "*", "superadmin", "approve"]
    } else {
        &["read", "create", "update", "delete", "manage", "approve", "superadmin"]
    };
    let mut text = format!("{}:", numbers.pick(actions));
    let parts = 1 + numbers.next(3);
    for part in 0..parts {
        if part > 0 {
            text.push('/');
        }
        let wild = held && numbers.next(3) == 0;
        let last = part + 1 == parts;
        text.push_str(match (wild, last) {
            (true, true) => numbers.pick(&["*", "**"]),
            (true, false) => "*",
            (false, _) => numbers.pick(&["media", "files"]),
        });
    }
    let mut keys = vec!["kind", "owner", "place"];
    let many = if held { [0, 0, 1, 1, 2][numbers.next(5)] } else { 1 + numbers.next(3) };
    for filter in 0..many {
        let key = keys.remove(numbers.next(keys.len()));
        text.push(if filter == 0 { '?' } else { '&' });
        text.push_str(&format!("{key}={}", numbers.pick(&["7", "8", "x/y", "x%2Fy", "%37"])));
    }
    text
}

/// The obvious matcher: texts taken apart by hand, lists written out, nothing shared with what is tested.
mod obvious {
    use std::collections::BTreeMap;

    fn decoded(value: &str) -> String {
        value.replace("%2F", "/").replace("%37", "7")
    }

    fn apart(scope: &str) -> (String, Vec<String>, BTreeMap<String, String>) {
        let (head, filters) = scope.split_once('?').unwrap_or((scope, ""));
        let (action, path) = head.split_once(':').expect("an action");
        let filters = filters.split('&').filter(|filter| !filter.is_empty()).map(|filter| {
            let (key, value) = filter.split_once('=').expect("a value");
            (key.to_owned(), decoded(value))
        });
        (action.to_owned(), path.split('/').map(str::to_owned).collect(), filters.collect())
    }

    fn all_of(action: &str) -> Vec<&str> {
        match action {
            "read" => vec!["read"],
            "create" => vec!["read", "create"],
            "update" => vec!["read", "create", "update"],
            "delete" => vec!["read", "create", "update", "delete"],
            "owner" => vec!["read", "create", "update", "delete", "manage", "admin", "owner"],
            "*" => vec!["read", "create", "update", "delete", "manage", "admin", "owner", "approve"],
            "superadmin" => {
                vec![
                    "read",
                    "create",
                    "update",
                    "delete",
                    "manage",
                    "admin",
                    "owner",
                    "approve",
                    "superadmin",
                ]
            }
            other => vec![other],
        }
    }

    fn path_fits(held: &[String], asked: &[String]) -> bool {
        match (held.first().map(String::as_str), asked.first()) {
            (None, None) => true,
            (Some("**"), Some(_)) => true,
            (Some(part), Some(found)) if part == "*" || part == found => path_fits(&held[1..], &asked[1..]),
            _ => false,
        }
    }

    pub(super) fn fits(held: &str, asked: &str) -> bool {
        let ((action, path, filters), (wanted, thing, said)) = (apart(held), apart(asked));
        all_of(&action).contains(&wanted.as_str())
            && path_fits(&path, &thing)
            && filters.iter().all(|(key, value)| said.get(key) == Some(value))
    }
}

struct Nothing;

impl ScopeAttributes for Nothing {
    fn workspace_is(&self, _value: &str) -> bool {
        false
    }

    fn subject_is(&self, _value: &str) -> bool {
        false
    }

    fn attribute_is(&self, _attribute: &crate::Name, _value: &str) -> bool {
        false
    }
}

/// PROPERTY: what a held scope lets through is what an obvious matcher says, by the compiled form and, without filters,
/// by the name of the permission; what a scope contains lets nothing through that it does not.
#[test]
fn scopes_reach_what_an_obvious_matcher_says() {
    let mut numbers = Numbers(11);
    let (mut yes, mut no, mut contained) = (0, 0, 0);
    for _ in 0..40_000 {
        let (mut held, asked) = (random_scope(&mut numbers, true), random_scope(&mut numbers, false));
        if numbers.next(2) == 0 {
            // Near to what is asked for, so that both answers are common.
            let (head, _) = asked.split_once('?').expect("filters");
            let (_, path) = head.split_once(':').expect("an action");
            held = format!("{}:{path}", numbers.pick(&["delete", "owner", "*", "superadmin"]));
        }
        let (outer, question) =
            (Scope::parse(held.as_bytes()).expect(&held), Scope::parse(asked.as_bytes()).expect(&asked));
        let right = obvious::fits(&held, &asked);
        if right {
            yes += 1
        } else {
            no += 1
        }
        let compiled = HeldScope::new(&outer);
        let answer = compiled.reaches(&question) && compiled.holds(&question, &Nothing);
        assert_eq!(answer, right, "{held} for {asked}");
        let mut room = [0; NAME_BYTES_MAX];
        let name = question.permission(&mut room).expect("concrete");
        assert_eq!(outer.reaches(name), compiled.reaches(&question), "{held} for {name}");
        if outer.filters().is_empty() {
            assert_eq!(outer.reaches(name), right, "{held} for {name}");
        }
        let single = Scope::of_permission(name).expect("a scope");
        assert_eq!((single.action(), single.path()), (question.action(), question.path()));
        assert!(question.head().0.as_str() == name || !question.head().1, "{asked}");
        let inner = random_scope(&mut numbers, true);
        let inner = Scope::parse(inner.as_bytes()).expect(&inner);
        if outer.contains(&inner) {
            contained += 1;
            assert!(
                right || !obvious::fits(&inner.to_string(), &asked),
                "{held} contains {inner}, not for {asked}"
            );
        }
    }
    assert!(yes > 8_000 && no > 8_000 && contained > 1_000, "{yes} {no} {contained}");
}

/// PROPERTY: no scope reaches a name that no scope can be asked for by, the engine's own permissions among them.
#[test]
fn odd_names_are_out_of_reach() {
    let everything = Scope::parse(b"superadmin:**").expect("a scope");
    for name in [
        "tessera.admin.keys",
        "orders.read",
        "a:b:c",
        "a/:read",
        "/a:read",
        "a//b:read",
        "a:",
        ":read",
        "a:re.ad",
    ] {
        assert!(!everything.reaches(name) && Scope::of_permission(name).is_none(), "{name}");
    }
    assert!(everything.reaches("media/files:superadmin"));
    assert!(!Scope::parse(b"*:**").expect("a scope").reaches("media/files:superadmin"));
}
