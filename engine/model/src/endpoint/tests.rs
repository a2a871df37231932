//! Which endpoint counts, against a list that is looked through; what is doubtful; and paths that are read in one way.

use super::*;
use crate::scope::tests::Numbers;
use std::collections::BTreeMap;

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
#[expect(clippy::too_many_lines, reason = "one row for each target")]
fn doubtful_targets_are_no_paths() {
    for (good, parts) in [
        ("/", vec![""]),
        ("/a/b?c=/../x", vec!["a", "b"]),
        ("/a/", vec!["a", ""]),
        ("/a%20b/%C3%A9%22", vec!["a%20b", "%C3%A9%22"]),
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
        ("/a%3Fb", 2, PathFault::Escaped),
        ("/a%23", 2, PathFault::Escaped),
        ("/a%20", 2, PathFault::Escaped),
        ("/a%20/b", 2, PathFault::Escaped),
        ("/%20a", 1, PathFault::Escaped),
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

    fn method_fits(method: &str, by: &str) -> bool {
        method == "*" || method == by
    }

    pub(super) fn matches((method, pattern): Shown<'_>, (by, path): Shown<'_>) -> bool {
        method_fits(method, by) && fits(&apart(pattern), &apart(path))
    }

    /// Without a slash at the end.
    pub(super) fn bare(path: &str) -> &str {
        if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path }
    }

    /// The same of one who ignores slashes at the end.
    pub(super) fn matches_bare((method, pattern): Shown<'_>, (by, path): Shown<'_>) -> bool {
        matches((method, bare(pattern)), (by, bare(path)))
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
    fn by_case(pattern: &str, path: &str) -> bool {
        let (pattern, path) = (apart(pattern), apart(path));
        (0..pattern.len().min(path.len())).any(|at| {
            fits(&pattern[..at], &path[..at])
                && pattern[at] != path[at]
                && pattern[at].eq_ignore_ascii_case(path[at])
        })
    }

    /// Words, then any one part, then all the rest: how narrow a pattern is, from the front.
    fn narrow(pattern: &[&str]) -> Vec<usize> {
        pattern
            .iter()
            .map(|part| ["*", "**"].iter().position(|wild| wild == part).map_or(0, |at| at + 1))
            .collect()
    }

    /// Whether a part of the path begins with one of a pattern and an ending, or has letters that are no ASCII beside
    /// it, and what was found is no narrower there.
    fn by_ending(found: &str, pattern: &str, path: &str) -> bool {
        let (found, pattern, path) = (apart(found), apart(pattern), apart(path));
        (0..pattern.len().min(path.len())).any(|at| {
            let known = pattern[at];
            let begins = path[at].starts_with(&format!("{known}."));
            let meant = !matches!(known, "" | "*" | "**") && (begins || path[at].contains('%'));
            let here = &found[..at.min(found.len())];
            meant && fits(&pattern[..at], &path[..at]) && narrow(here) >= narrow(&pattern[..at])
        })
    }

    /// Whether somebody may read another request in it, for which what was found does not count: by case, by an
    /// ending, by a slash at the end, or by answering HEAD as GET.
    pub(super) fn doubtful(
        all: &[Shown<'_>],
        found: Shown<'_>,
        (by, path): Shown<'_>,
        within: impl Fn(&str, &str) -> bool,
    ) -> bool {
        let narrower = |other: &str| within(bare(other), bare(found.1));
        let strictly = |other: &str| narrower(other) && !within(bare(found.1), bare(other));
        all.iter().any(|(method, pattern)| {
            let bare_fits = matches_bare(("*", pattern), (by, path));
            let fits = matches(("*", pattern), (by, path));
            let by_slash = method_fits(method, by) && bare_fits && strictly(pattern);
            let as_get = by == "HEAD" && *method == "GET" && found.0 == "*";
            let by_get = as_get && (fits && narrower(pattern) || bare_fits && strictly(pattern));
            by_slash || by_get || by_case(pattern, path) || by_ending(found.1, pattern, path)
        })
    }
}

/// PROPERTY: of the endpoints that match a request that one counts whose requests all of the others match, too; there
/// is always one, for what would be in doubt is refused when it is registered, unless what both match is registered, too;
/// and a request in which somebody may read another one that needs something else matches nothing: by case, by an ending,
/// by a slash at its end, or by answering HEAD as GET. METHOD: random maps, and every request of few words, against a list
/// of them.
#[test]
#[expect(clippy::too_many_lines, reason = "the obvious answer beside the router's")]
fn the_narrowest_endpoint_counts() {
    let mut requests = Vec::new();
    let words = ["a", "b", "c", "A", "a.b", "%C3%A9"];
    for method in ["GET", "PUT", "HEAD"] {
        requests.push((method, "/".to_owned()));
        for one in words {
            requests.extend([(method, format!("/{one}")), (method, format!("/{one}/"))]);
            for two in words {
                requests.extend([(method, format!("/{one}/{two}")), (method, format!("/{one}/{two}/"))]);
                for three in &words[..4] {
                    let path = format!("/{one}/{two}/{three}");
                    requests.extend([(method, format!("{path}/")), (method, format!("{path}/c"))]);
                    requests.push((method, path));
                }
            }
        }
    }
    let paths: Vec<&str> =
        requests.iter().filter(|(method, _)| *method == "GET").map(|(_, path)| path.as_str()).collect();
    // Looked up, for few patterns come again and again.
    let known = std::cell::RefCell::new(BTreeMap::<(String, String), bool>::new());
    let within_paths = |one: &str, other: &str| {
        let matches = |pattern, path| obvious::matches(("*", pattern), ("", path));
        *known
            .borrow_mut()
            .entry((one.to_owned(), other.to_owned()))
            .or_insert_with(|| paths.iter().all(|path| !matches(one, path) || matches(other, path)))
    };
    let mut numbers = Numbers(3);
    let (mut clear, mut doubtful, mut completed, mut found, mut nothing, mut near) = (0, 0, 0, 0, 0, 0);
    for _ in 0..300 {
        let mut shown = Vec::new();
        for _ in 0..1 + numbers.next(4) {
            let parts = 1 + numbers.next(3);
            let path: String = (0..parts)
                .map(|part| {
                    let last = part + 1 == parts;
                    let word = ["a", "b", "*", "*", "*", "*", "A"][numbers.next(7)];
                    let end = ["**", "**", word, word, ""][numbers.next(5)];
                    format!("/{}", if last { end } else { word })
                })
                .collect();
            shown.push((["GET", "PUT", "HEAD", "*", "*"][numbers.next(5)], path));
        }
        // Some that lie across are completed.
        let drawn: Vec<_> = shown.iter().map(|(method, path)| endpoint(method, path).expect(path)).collect();
        for (at, one) in drawn.iter().enumerate() {
            for other in drawn[..at].iter().filter(|other| one.beside(other) == Beside::Across) {
                let [(method, path), _] = one.meeting(other);
                let method = ["GET", "PUT", "HEAD", "*"].into_iter().find(|known| *known == method);
                if numbers.next(4) > 0 && !shown.iter().any(|(_, known)| *known == path) {
                    shown.push((method.expect("one of theirs"), path));
                }
            }
        }
        let shown: Vec<(&str, &str)> = shown.iter().map(|(method, path)| (*method, path.as_str())).collect();
        let endpoints: Vec<_> =
            shown.iter().map(|(method, path)| endpoint(method, path).expect(path)).collect();
        // Which requests each matches, of those who tell slashes at the end apart and of those who do not.
        let sets = |matches: fn(obvious::Shown<'_>, obvious::Shown<'_>) -> bool| -> Vec<Vec<bool>> {
            let one = |shown: &(&str, &str)| {
                requests.iter().map(|(method, path)| matches(*shown, (method, path))).collect()
            };
            shown.iter().map(one).collect()
        };
        let (sets, bare) = (sets(obvious::matches), sets(obvious::matches_bare));
        let held = |one: &[bool], other: &[bool]| one.iter().zip(other).all(|(one, other)| !one || *other);
        let both = |one: &[bool], other: &[bool]| -> Vec<bool> {
            one.iter().zip(other).map(|(one, other)| *one && *other).collect()
        };
        // Two that match the same requests, or some together and some each alone, which no other one matches and nothing
        // else; or paths apart by case alone.
        let in_doubt = |sets: &[Vec<bool>], (one, two): (usize, usize), same: bool| {
            let meet = both(&sets[one], &sets[two]);
            let (first, second) = (held(&sets[one], &sets[two]), held(&sets[two], &sets[one]));
            let across = !first && !second && !sets.contains(&meet);
            meet.contains(&true) && (across || same && first && second)
        };
        let doubt = (0..shown.len()).any(|one| {
            (0..one).any(|two| {
                in_doubt(&sets, (one, two), true)
                    || in_doubt(&bare, (one, two), false)
                    || obvious::apart_by_case(shown[one].1, shown[two].1, &words[..4])
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
                let pairs = || (0..shown.len()).flat_map(|one| (0..one).map(move |two| (one, two)));
                completed +=
                    usize::from(pairs().any(|(one, two)| !endpoints[one].is_clear_of(&endpoints[two])));
                let router = Router::new(&endpoints);
                for (at, (method, path)) in requests.iter().enumerate() {
                    let asked = (*method, path.as_str());
                    let fit: Vec<usize> = (0..shown.len()).filter(|one| sets[*one][at]).collect();
                    let narrowest = |one: &&usize| fit.iter().all(|other| held(&sets[**one], &sets[*other]));
                    let narrowest = fit.iter().find(narrowest).copied();
                    assert_eq!(narrowest.is_some(), !fit.is_empty());
                    let read = |one: &usize| !obvious::doubtful(&shown, shown[*one], asked, within_paths);
                    let right = narrowest.filter(read);
                    assert_eq!(
                        router.find(method, &Requested::new(path).expect(path)),
                        right,
                        "{shown:?} for {asked:?}"
                    );
                    found += usize::from(right.is_some());
                    nothing += usize::from(fit.is_empty());
                    near += usize::from(right.is_none() && !fit.is_empty());
                }
            }
        }
    }
    assert!(clear > 80 && doubtful > 50 && completed > 5, "{clear} {doubtful} {completed}");
    assert!(found > 5_000 && nothing > 5_000 && near > 5_000, "{found} {nothing} {near}");
}

fn found<'a>(shown: &[(&'a str, &'a str)], method: &str, path: &str) -> Option<&'a str> {
    let endpoints: Vec<_> = shown.iter().map(|(method, path)| endpoint(method, path).expect(path)).collect();
    assert_eq!(sound(&endpoints), Ok(()), "{shown:?}");
    let at = Router::new(&endpoints).find(method, &Requested::new(path).expect(path))?;
    Some(shown[at].1)
}

/// PROPERTY: a request that an application may answer as another one does not come to a wider endpoint than that one: a
/// slash at its end, an ending, a letter that is no ASCII, HEAD. What is registered so itself counts.
#[test]
fn nothing_escapes_to_a_wider_endpoint() {
    let media =
        [("GET", "/files/{id}"), ("*", "/files/**"), ("POST", "/files/{id}/approval"), ("GET", "/invoices")];
    let (wide, approval) = (Some("/files/**"), Some("/files/{id}/approval"));
    for (method, path, right) in [
        ("POST", "/files/7/approval", approval),
        ("POST", "/files/7/approval/", None),
        ("POST", "/files/7/approval.json", None),
        ("POST", "/files/7/approval%C3%A9", None),
        ("POST", "/files/7/%EF%BD%81pproval", None),
        ("POST", "/files/7/APPROVAL", None),
        ("PUT", "/files/7/approval/", wide),
        ("POST", "/files/7/approval-2", wide),
        ("GET", "/files/7/", None),
        ("HEAD", "/files/7", None),
        ("HEAD", "/files/7/", None),
        ("HEAD", "/files/7/x", wide),
        ("PUT", "/files/7/", wide),
        ("GET", "/invoices/", None),
    ] {
        assert_eq!(found(&media, method, path), right, "{method} {path}");
    }
    let told = [
        ("*", "/**"),
        ("GET", "/a/"),
        ("GET", "/b"),
        ("HEAD", "/b"),
        ("GET", "/c"),
        ("GET", "/c.json"),
        ("GET", "/d"),
        ("GET", "/d/"),
        ("POST", "/d"),
    ];
    for (method, path, right) in [
        ("GET", "/a", None),
        ("HEAD", "/a", None),
        ("PUT", "/a", Some("/**")),
        ("HEAD", "/b", Some("/b")),
        ("HEAD", "/b/", None),
        ("GET", "/c.json", Some("/c.json")),
        ("POST", "/c.json", None),
        ("GET", "/d/", Some("/d/")),
        ("POST", "/d/", None),
    ] {
        assert_eq!(found(&told, method, path), right, "{method} {path}");
    }
}

/// PROPERTY: what lies across is taken when that is registered which both match, whatever its wildcards are called, and
/// then that counts; of two that match the same nothing helps.
#[test]
fn a_map_is_completed_by_what_two_match() {
    let sound = |shown: &[(&str, &str)]| {
        let all: Vec<_> = shown.iter().map(|(method, path)| endpoint(method, path).expect(path)).collect();
        sound(&all)
    };
    let across = [("GET", "/files/{id}"), ("GET", "/{kind}/new"), ("GET", "/files/new")];
    assert_eq!(sound(&across[..2]), Err(Refusal::EndpointAmbiguous));
    assert_eq!(found(&across, "GET", "/files/new"), Some("/files/new"));
    for (shown, right) in [
        (&[("*", "/a/{x}"), ("GET", "/{y}/{z}"), ("GET", "/a/*")][..], Ok(())),
        (&[("*", "/a/{x}"), ("GET", "/{y}/{z}"), ("*", "/a/b")], Err(Refusal::EndpointAmbiguous)),
        (&[("GET", "/a/**"), ("GET", "/{y}/b/{z}/"), ("GET", "/a/b/*/")], Ok(())),
        (&[("GET", "/a/**"), ("GET", "/{y}/b/**"), ("GET", "/a/b/**")], Ok(())),
        (&[("GET", "/a/**"), ("GET", "/{y}/b/**"), ("GET", "/a/b")], Err(Refusal::EndpointAmbiguous)),
        // A slash at the end is ignored by some.
        (&[("GET", "/a/{x}"), ("GET", "/{y}/b/")], Err(Refusal::EndpointAmbiguous)),
        (&[("GET", "/a/{x}"), ("GET", "/{y}/b/"), ("GET", "/a/b")], Ok(())),
        (&[("GET", "/a/{x}"), ("GET", "/{y}/b/"), ("GET", "/a/b/")], Ok(())),
        (&[("GET", "/a/{x}"), ("GET", "/a/{y}"), ("GET", "/a/b")], Err(Refusal::EndpointAmbiguous)),
        (&[("GET", "/a"), ("GET", "/A"), ("GET", "/a/b")], Err(Refusal::EndpointAmbiguous)),
    ] {
        assert_eq!(sound(shown), right, "{shown:?}");
    }
}

/// PROPERTY: what a map is said to take in memory is no less than its nodes take, of many short parts too.
#[test]
fn a_map_of_many_parts_is_counted() {
    let path = |no: usize| format!("/{no}{}", "/a".repeat(31));
    let endpoints: Vec<_> = (0..100).map(|no| endpoint("GET", &path(no)).expect("sound")).collect();
    let router = Router::new(&endpoints);
    let record = EndpointsRecord { service: ServiceIndex(1), endpoints };
    let nodes = 100 * 32;
    // A node holds three lists and a number, and has itself a place in the list of the one before it.
    let least = nodes * (3 * size_of::<Vec<u8>>() + size_of::<(Box<str>, u16)>());
    assert!(record.bytes() + router.bytes() >= least, "{} {} {least}", record.bytes(), router.bytes());
}
