//! Endpoints: which permission a request to an application needs, by its method and path.
//!
//! Of the endpoints that a request matches the narrowest counts. Two that match one request, neither of them
//! narrower, are refused when they are registered unless what both match is registered too, so that there is always
//! one. A path that applications read in more than one way matches nothing.

mod path;
mod router;

pub use path::{PathError, PathFault, Requested};
pub use router::Router;

use crate::id::ServiceIndex;
use crate::limits::{
    ENDPOINT_BYTES_MAX, ENDPOINT_MAP_BYTES_MAX, ENDPOINT_SEGMENTS_MAX, ENDPOINTS_MAX, NAME_BYTES_MAX,
};
use crate::name::Pattern;
use crate::named::Limit;
use crate::refusal::Refusal;
use crate::scope::{FilterTarget, Scope};
use path::{is_literal, part_of_pattern};
use std::collections::BTreeSet;

/// LIMIT: a method, bytes: the longest that is registered has 17 (`UPDATEREDIRECTREF`).
const METHOD_BYTES_MAX: usize = 32;
/// Any method.
const ANY: &str = "*";
/// All further parts of a path, at least one.
const REST: &str = "**";

/// Whether a text is a method (RFC 9110 section 9.1), in capitals as all that are registered.
#[must_use]
pub fn is_method(text: &str) -> bool {
    (1..=METHOD_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}

/// What stands between two slashes of a pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part<'a> {
    /// This, by its bytes; nothing at the end of a path that ends with a slash.
    Is(&'a str),
    /// Anything, but not nothing.
    One,
    /// Anything from here on, but not nothing.
    Rest,
}

impl<'a> Part<'a> {
    const fn form(self) -> &'a str {
        match self {
            Self::Is(text) => text,
            Self::One => "*",
            Self::Rest => REST,
        }
    }
}

fn parts(path: &str) -> impl Iterator<Item = Part<'_>> {
    path.get(1..).unwrap_or_default().split('/').map(part_of_pattern)
}

/// How what one endpoint matches lies to what another one does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lies {
    Same,
    Within,
    Around,
    /// Some is in both, and some in each alone.
    Across,
    Apart,
}

impl Lies {
    /// Both of two things that are matched one by one.
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Apart, _) | (_, Self::Apart) => Self::Apart,
            (Self::Same, one) | (one, Self::Same) => one,
            (Self::Within, Self::Within) => Self::Within,
            (Self::Around, Self::Around) => Self::Around,
            _ => Self::Across,
        }
    }
}

/// An endpoint of a service: the requests that it matches, and what they need.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Endpoint {
    method: Box<str>,
    path: Box<str>,
    target: Pattern,
}

/// Whether a request can ask for it: a permission, or a scope with what a request can say.
fn is_one(target: &Pattern) -> bool {
    let said = |scope: Scope<'_>| scope.filters().iter().all(|filter| FilterTarget::may_be_said(filter.key));
    target.scope().map_or_else(|| target.exact().is_some(), |scope| scope.is_concrete() && said(scope))
}

impl Endpoint {
    /// Puts an endpoint together. The method is one in capitals, or `*` for any. A path begins with `/`; of its
    /// parts `*` or a word in braces (`{id}`) matches any one part, `**` as the last one all further ones. The
    /// target is a permission's name or a scope that can be asked for, with what is always said of its request.
    ///
    /// # Errors
    /// `LimitReached` for a path that is too long or has too many parts, [`Refusal::Malformed`] for what does not
    /// read.
    pub fn new(method: &str, path: &str, target: &Pattern) -> Result<Self, Refusal> {
        if path.len() > ENDPOINT_BYTES_MAX {
            return Err(Limit::EndpointBytes.reached());
        }
        let Some(below) = path.strip_prefix('/') else { return Err(Refusal::Malformed) };
        if below.split('/').count() > ENDPOINT_SEGMENTS_MAX {
            return Err(Limit::EndpointSegments.reached());
        }
        let mut left = below.split('/').count();
        let sound = below.split('/').all(|part| {
            left -= 1;
            match part_of_pattern(part) {
                Part::Is("") | Part::Rest => left == 0,
                Part::Is(text) => is_literal(text),
                Part::One => true,
            }
        });
        if (method == ANY || is_method(method)) && sound && is_one(target) {
            Ok(Self { method: method.into(), path: path.into(), target: target.clone() })
        } else {
            Err(Refusal::Malformed)
        }
    }

    /// Which of the three does not read, of what [`Endpoint::new`] has refused: `method`, `needs` or `path`, and what is
    /// expected there.
    #[must_use]
    pub fn fault(method: &str, target: &Pattern) -> (&'static str, &'static str) {
        if method != ANY && !is_method(method) {
            ("method", "a method is in capitals, or * for any")
        } else if is_one(target) {
            (
                "path",
                "a path begins with /, and has * or a word in braces for any one part, ** as the last one for the rest",
            )
        } else {
            ("needs", "one permission, or a scope that can be asked for, with filters that a request can say")
        }
    }

    /// The method; `*` for any.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The pattern of paths.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The permission or scope that a request needs.
    #[must_use]
    pub const fn target(&self) -> &Pattern {
        &self.target
    }

    /// The name of the permission that its target means, written into `room` where it is a scope.
    #[must_use]
    pub fn permission<'r>(&'r self, room: &'r mut [u8; NAME_BYTES_MAX]) -> Option<&'r str> {
        match self.target.scope() {
            Some(scope) => scope.permission(room),
            None => self.target.exact(),
        }
    }

    /// Bytes of its texts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.method.len() + self.path.len() + self.target.as_str().len()
    }

    /// Whether no request makes it doubtful which of two endpoints counts: what they match is apart, or that of
    /// one lies within that of the other; and no path is told from another by case alone. A slash at the end tells no
    /// two apart here, for some applications ignore it.
    #[must_use]
    pub fn is_clear_of(&self, other: &Self) -> bool {
        self.beside(other) == Beside::Clear
    }

    fn beside(&self, other: &Self) -> Beside {
        let of = |lies| if lies == Lies::Across { Beside::Across } else { Beside::Clear };
        let same = |lies| if lies == Lies::Same { Beside::Same } else { of(lies) };
        let mut lies = match (&*self.method, &*other.method) {
            (one, other) if one == other => Lies::Same,
            (_, ANY) => Lies::Within,
            (ANY, _) => Lies::Around,
            _ => Lies::Apart,
        };
        let (mut one, mut two) = (parts(&self.path), parts(&other.path));
        // Of paths alone, until they part.
        loop {
            let next = match (one.next(), two.next()) {
                (None, None) => return same(lies),
                (None, Some(Part::Is(""))) | (Some(Part::Is("")), None) => return of(lies),
                (None, Some(_)) | (Some(_), None) => return Beside::Clear,
                // With the paths' last parts everything behind them is compared.
                (Some(Part::Rest), Some(Part::Rest)) => return same(lies),
                (Some(Part::Is("")), Some(Part::Rest | Part::One))
                | (Some(Part::Rest | Part::One), Some(Part::Is(""))) => return Beside::Clear,
                (Some(_), Some(Part::Rest)) => return of(lies.and(Lies::Within)),
                (Some(Part::Rest), Some(_)) => return of(lies.and(Lies::Around)),
                (Some(Part::Is(one)), Some(Part::Is(two))) if one == two => Lies::Same,
                (Some(Part::Is(one)), Some(Part::Is(two))) => {
                    return if one.eq_ignore_ascii_case(two) { Beside::Same } else { Beside::Clear };
                }
                (Some(Part::Is(_)), Some(Part::One)) => Lies::Within,
                (Some(Part::One), Some(Part::Is(_))) => Lies::Around,
                (Some(Part::One), Some(Part::One)) => Lies::Same,
            };
            lies = lies.and(next);
        }
    }

    /// What two endpoints match that lie across, in the one form in which [`forms`] writes it; with a slash at the end
    /// or without, where one of them has one.
    fn meeting<'a>(&'a self, other: &'a Self) -> [Form<'a>; 2] {
        let method: &str = if &*self.method == ANY { &other.method } else { &self.method };
        let (mut path, mut slashed) = (String::new(), false);
        let (mut one, mut two) = (parts(&self.path), parts(&other.path));
        let mut put = |part: Part<'_>| {
            path.push('/');
            path.push_str(part.form());
        };
        loop {
            match (one.next(), two.next()) {
                (None, None) => break,
                (None, Some(_)) | (Some(_), None) => {
                    slashed = true;
                    break;
                }
                (Some(Part::Rest), Some(Part::Rest)) => put(Part::Rest),
                (Some(Part::Rest), Some(part)) => {
                    put(part);
                    two.by_ref().for_each(&mut put);
                    break;
                }
                (Some(part), Some(Part::Rest)) => {
                    put(part);
                    one.by_ref().for_each(&mut put);
                    break;
                }
                (Some(Part::One), Some(part)) | (Some(part), Some(_)) => put(part),
            }
        }
        let other = if slashed { format!("{path}/") } else { path.clone() };
        [(method, path), (method, other)]
    }
}

/// A method, and a path in which each wildcard is written in one way.
type Form<'a> = (&'a str, String);

/// How two endpoints lie to each other when it is asked which of them counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Beside {
    /// Whatever both match, one is narrower.
    Clear,
    /// Only what matches what both match, and no more, could count before them.
    Across,
    /// Nothing could.
    Same,
}

fn forms(endpoints: &[Endpoint]) -> BTreeSet<Form<'_>> {
    let form = |endpoint: &'_ Endpoint| {
        let mut path = String::new();
        for part in parts(&endpoint.path) {
            path.push('/');
            path.push_str(part.form());
        }
        path
    };
    endpoints.iter().map(|endpoint| (&*endpoint.method, form(endpoint))).collect()
}

/// Looks at the endpoints of a service as a whole.
///
/// # Errors
/// `LimitReached` for too many or too many bytes, [`Refusal::EndpointAmbiguous`] when it would be doubtful which of
/// two counts.
///
/// COST: compares each with each, some 131,000 comparisons at the most.
pub fn sound(endpoints: &[Endpoint]) -> Result<(), Refusal> {
    if endpoints.len() > ENDPOINTS_MAX {
        return Err(Limit::Endpoints.reached());
    }
    if endpoints.iter().map(Endpoint::bytes).sum::<usize>() > ENDPOINT_MAP_BYTES_MAX {
        return Err(Limit::EndpointMapBytes.reached());
    }
    if ambiguous(endpoints).is_some() { Err(Refusal::EndpointAmbiguous) } else { Ok(()) }
}

/// The first two endpoints, by their places, of which it would be doubtful which counts.
#[must_use]
pub fn ambiguous(endpoints: &[Endpoint]) -> Option<(usize, usize)> {
    let known = forms(endpoints);
    let clear = |one: &Endpoint, other: &Endpoint| match one.beside(other) {
        Beside::Clear => true,
        Beside::Across => one.meeting(other).iter().any(|form| known.contains(form)),
        Beside::Same => false,
    };
    let placed = || endpoints.iter().enumerate();
    placed().find_map(|(at, first)| {
        let mut rest = placed().skip(at + 1);
        rest.find(|(_, other)| !clear(first, other)).map(|(beside, _)| (at, beside))
    })
}

/// The endpoints of a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EndpointsRecord {
    /// Whose.
    pub service: ServiceIndex,
    /// All of them, in the order in which they were registered; at least one.
    pub endpoints: Vec<Endpoint>,
}

impl EndpointsRecord {
    /// About how many bytes of memory they take, without what is compared with requests ([`Router::bytes`]).
    #[must_use]
    pub fn bytes(&self) -> usize {
        let texts = self.endpoints.iter().map(Endpoint::bytes).sum::<usize>();
        size_of::<Self>() + self.endpoints.capacity() * size_of::<Endpoint>() + texts
    }
}

#[cfg(test)]
mod tests;
