//! Which endpoint counts, against a list that is looked through; what is doubtful; and paths that are read in one way.

use super::*;
use crate::scope::tests::Numbers;

fn endpoint(method: &str, path: &str) -> Result<Endpoint, Refusal> {
    Endpoint::new(method, path, &Pattern::new("a.read").expect("a pattern"))
}

/// PROPERTY: an endpoint is a method in capitals, a path of plain parts with wildcards where they may stand, and one
/// permission or scope that can be asked for.
#[test]
fn endpoints_read_or_are_refused() {
    for path in ["/", "/a", "/a/", "/a/*/b", "/a/{id}/b/**", "/**", "/a.b~c!$&'()+,=:@", "/{a_1}/"] {
        assert!(endpoint("GET", path).is_ok() && endpoint("*", path).is_ok(), "{path}");
    }
    for path in [
        "", "a", "//", "/a//b", "/a/../b", "/.", "/**/a", "/a**", "/a*", "/{}", "/{a", "/a%20b", "/a;b",
        "/a?b", "/\u{e9}", "/{a-b}",
    ] {
        assert_eq!(endpoint("GET", path), Err(Refusal::Malformed), "{path}");
    }
    for method in ["get", "", "G T", "GET\n", &"A".repeat(33), "**"] {
        assert_eq!(endpoint(method, "/a"), Err(Refusal::Malformed), "{method}");
    }
    assert_eq!(endpoint("GET", &format!("/{}", "a".repeat(256))), Err(Limit::EndpointBytes.reached()));
    assert_eq!(endpoint("GET", &"/a".repeat(33)), Err(Limit::EndpointSegments.reached()));
    for (target, good) in [
        ("scope=read:media/files?kind=x", true),
        ("scope=read:media/*", false),
        ("scope=*:media/files", false),
        ("scope=read:media/files?subject=x", false),
        ("scope=read:media/files?subject.level=5", false),
        ("scope=read:media/files?workspace=x", false),
        ("orders.*", false),
    ] {
        let target = Pattern::new(target).expect(target);
        assert_eq!(Endpoint::new("GET", "/", &target).is_ok(), good, "{}", target.as_str());
    }
    let many: Vec<_> = (0..513).map(|no| endpoint("GET", &format!("/{no}")).expect("sound")).collect();
    assert_eq!(sound(&many), Err(Limit::Endpoints.reached()));
    assert_eq!(sound(&many[..512]), Ok(()));
}

/// PROPERTY: a target that applications read in more than one way is read in none.
#[test]
fn doubtful_targets_are_no_paths() {
    for (good, parts) in [
        ("/", vec![""]),
        ("/a/b?c=/../x", vec!["a", "b"]),
        ("/a/", vec!["a", ""]),
        ("/a%20b/%C3%A9%3F", vec!["a%20b", "%C3%A9%3F"]),
        ("/a*b", vec!["a*b"]),
        ("/...", vec!["..."]),
    ] {
        assert_eq!(Requested::new(good).expect(good).parts(), parts, "{good}");
    }
    for (bad, at, fault) in [
        ("", 0, PathFault::NoPath),
        ("a", 0, PathFault::NoPath),
        ("http://a/b", 0, PathFault::NoPath),
        ("*", 0, PathFault::NoPath),
        ("//a", 1, PathFault::EmptySegment),
        ("/a//b", 3, PathFault::EmptySegment),
        ("/a//", 3, PathFault::EmptySegment),
        ("/a/../b", 3, PathFault::Dots),
        ("/a/.", 3, PathFault::Dots),
        ("/a/%2e%2e/b", 3, PathFault::Escaped),
        ("/a/.%2e", 4, PathFault::Escaped),
        ("/a%2fb", 2, PathFault::Escaped),
        ("/a%5Cb", 2, PathFault::Escaped),
        ("/a%252fb", 2, PathFault::Escaped),
        ("/%61dmin", 1, PathFault::Escaped),
        ("/a%3Bb", 2, PathFault::Escaped),
        ("/a%00", 2, PathFault::Escaped),
        ("/a%0d%0a", 2, PathFault::Escaped),
        ("/a;b=c", 2, PathFault::BadCharacter),
        ("/a/..;/b", 5, PathFault::BadCharacter),
        ("/a\\b", 2, PathFault::BadCharacter),
        ("/a#b", 2, PathFault::BadCharacter),
        ("/a b", 2, PathFault::BadCharacter),
        ("/\u{e9}", 1, PathFault::BadCharacter),
        ("/a%", 2, PathFault::BadEscape),
        ("/a%2", 2, PathFault::BadEscape),
        ("/a%gg", 2, PathFault::BadEscape),
        ("/%c3", 1, PathFault::NotText),
        ("/%c0%ae", 1, PathFault::NotText),
    ] {
        let found = Requested::new(bad).map_err(|error| (error.at, error.fault)).err();
        assert_eq!(found, Some((at, fault)), "{bad}");
    }
    let long = |parts: usize| "/a".repeat(parts);
    assert!(Requested::new(&long(32)).is_ok() && Requested::new(&long(33)).is_err());
    assert!(Requested::new(&format!("/{}", "a".repeat(URI_BYTES))).is_err());
    let mut numbers = Numbers(5);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..30_000 {
        let text: String = (0..numbers.next(10))
            .map(|_| ["/", "a", "%2", "e", ".", "%C3%A9", "?", "\\", "/b"][numbers.next(9)])
            .collect();
        match Requested::new(&text) {
            Ok(found) => {
                read += 1;
                let path = text.split('?').next().expect("a path");
                assert_eq!(format!("/{}", found.parts().join("/")), path);
            }
            Err(error) => {
                refused += 1;
                assert!(error.at <= text.len());
            }
        }
    }
    assert!(read > 2_000 && refused > 10_000, "{read} {refused}");
}

const URI_BYTES: usize = crate::limits::URI_BYTES_MAX;

/// Obvious answers: every path of few parts is tried.
mod obvious {
    pub(super) type Shown<'a> = (&'a str, &'a str);

    fn fits(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern.first(), path.first()) {
            (None, None) => true,
            (Some(&"**"), Some(part)) => !part.is_empty(),
            (Some(&"*"), Some(part)) => !part.is_empty() && fits(&pattern[1..], &path[1..]),
            (Some(one), Some(part)) => one == part && fits(&pattern[1..], &path[1..]),
            _ => false,
        }
    }

    fn apart(path: &str) -> Vec<&str> {
        path[1..].split('/').collect()
    }

    pub(super) fn matches((method, pattern): Shown<'_>, (by, path): Shown<'_>) -> bool {
        (method == "*" || method == by) && fits(&apart(pattern), &apart(path))
    }

    /// Whether two patterns want words at one place that differ by case alone, behind words that fit both.
    pub(super) fn apart_by_case<'a>(one: &'a str, other: &'a str, words: &[&'a str]) -> bool {
        let (one, other) = (apart(one), apart(other));
        (0..one.len().min(other.len())).any(|at| {
            let mut before: Vec<Vec<&'a str>> = vec![Vec::new()];
            for _ in 0..at {
                let mut longer = Vec::new();
                for path in &before {
                    for word in words {
                        let mut path = path.clone();
                        path.push(*word);
                        longer.push(path);
                    }
                }
                before = longer;
            }
            one[at] != other[at]
                && one[at].eq_ignore_ascii_case(other[at])
                && before.iter().any(|path| fits(&one[..at], path) && fits(&other[..at], path))
        })
    }

    /// Whether a part of the path differs from one of a pattern by case alone, all before it fitting.
    pub(super) fn near((_, pattern): Shown<'_>, (_, path): Shown<'_>) -> bool {
        let (pattern, path) = (apart(pattern), apart(path));
        (0..pattern.len().min(path.len())).any(|at| {
            fits(&pattern[..at], &path[..at])
                && pattern[at] != path[at]
                && pattern[at].eq_ignore_ascii_case(path[at])
        })
    }
}

/// PROPERTY: of the endpoints that match a request that one counts whose requests all of the others match, too; there
/// is always one, for what would be in doubt is refused when it is registered; and a path that is told from a registered
/// one by case alone matches nothing. METHOD: random maps, and every request of few words, against a list of them.
#[test]
fn the_narrowest_endpoint_counts() {
    let mut requests = Vec::new();
    let words = ["a", "b", "c", "A"];
    for method in ["GET", "PUT"] {
        requests.push((method, "/".to_owned()));
        for one in words {
            requests.extend([(method, format!("/{one}")), (method, format!("/{one}/"))]);
            for two in words {
                requests.extend([(method, format!("/{one}/{two}")), (method, format!("/{one}/{two}/"))]);
                for three in words {
                    let path = format!("/{one}/{two}/{three}");
                    requests.extend([(method, format!("{path}/")), (method, format!("{path}/c"))]);
                    requests.push((method, path));
                }
            }
        }
    }
    let mut numbers = Numbers(3);
    let (mut clear, mut doubtful, mut found, mut nothing, mut near) = (0, 0, 0, 0, 0);
    for _ in 0..400 {
        let mut shown = Vec::new();
        for _ in 0..1 + numbers.next(4) {
            let parts = 1 + numbers.next(3);
            let path: String = (0..parts)
                .map(|part| {
                    let last = part + 1 == parts;
                    let word = ["a", "b", "*", "*", "*", "*", "A"][numbers.next(7)];
                    let end = ["**", "**", word, ""][numbers.next(4)];
                    format!("/{}", if last { end } else { word })
                })
                .collect();
            shown.push((["GET", "PUT", "*"][numbers.next(3)], path));
        }
        let shown: Vec<(&str, &str)> = shown.iter().map(|(method, path)| (*method, path.as_str())).collect();
        let endpoints: Vec<_> =
            shown.iter().map(|(method, path)| endpoint(method, path).expect(path)).collect();
        // Which requests each matches, and which lies within which.
        let matches = |one: &(&str, &str)| -> Vec<bool> {
            requests.iter().map(|(method, path)| obvious::matches(*one, (method, path))).collect()
        };
        let sets: Vec<Vec<bool>> = shown.iter().map(matches).collect();
        let held = |one: &[bool], other: &[bool]| one.iter().zip(other).all(|(one, other)| !one || *other);
        let within: Vec<Vec<bool>> =
            sets.iter().map(|one| sets.iter().map(|other| held(one, other)).collect()).collect();
        // Two that match the same requests, or some together and some each alone; or paths apart by case alone.
        let doubt = (0..shown.len()).any(|one| {
            (0..one).any(|two| {
                let meet = sets[one].iter().zip(&sets[two]).any(|(first, second)| *first && *second);
                let nested = within[one][two] != within[two][one];
                meet && !nested || obvious::apart_by_case(shown[one].1, shown[two].1, &words)
            })
        });
        match sound(&endpoints) {
            Err(refusal) => {
                assert_eq!(refusal, Refusal::EndpointAmbiguous);
                assert!(doubt, "{shown:?} is refused");
                doubtful += 1;
            }
            Ok(()) => {
                assert!(!doubt, "{shown:?} is taken");
                clear += 1;
                let router = Router::new(&endpoints);
                for (at, (method, path)) in requests.iter().enumerate() {
                    let asked = (*method, path.as_str());
                    let fit: Vec<usize> = (0..shown.len()).filter(|one| sets[*one][at]).collect();
                    let narrowest = |one: &&usize| fit.iter().all(|other| within[**one][*other]);
                    let in_doubt = shown.iter().any(|one| obvious::near(*one, asked));
                    let right = fit.iter().find(narrowest).copied().filter(|_| !in_doubt);
                    assert_eq!(
                        router.find(method, &Requested::new(path).expect(path)),
                        right,
                        "{shown:?} for {asked:?}"
                    );
                    assert!(!fit.is_empty() || right.is_none());
                    if right.is_some() {
                        found += 1
                    } else {
                        nothing += 1
                    }
                    near += usize::from(in_doubt && !fit.is_empty());
                }
            }
        }
    }
    assert!(clear > 80 && doubtful > 80, "{clear} {doubtful}");
    assert!(found * 4 > nothing && nothing * 4 > found && near > 50, "{found} {nothing} {near}");
}
