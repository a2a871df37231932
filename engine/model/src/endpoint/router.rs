//! The endpoints of a service as a tree of parts: what a request is compared with.

use super::{ANY, Endpoint, Part, Requested, parts};

/// LIMIT: nodes of a tree: 512 endpoints of 32 parts, and its root.
type NodeIndex = u16;

/// What of a path is looked at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Node {
    /// What comes next, by its text, sorted.
    literals: Vec<(Box<str>, NodeIndex)>,
    one: Option<NodeIndex>,
    /// Endpoints of paths that end here, and of all that go on: method and number. A certain method comes before
    /// any method.
    here: Vec<(Box<str>, u16)>,
    rest: Vec<(Box<str>, u16)>,
}

/// Finds the endpoint that counts for a request. COST: looks at the parts of the path at most once for each endpoint.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Router(Vec<Node>);

/// An application that is asked with the first answers as if it were asked with the second where it has nothing of its
/// own for it (RFC 9110 section 9.3.2).
const ANSWERED_AS: (&str, &str) = ("HEAD", "GET");

fn named(endpoints: &[(Box<str>, u16)], wanted: &str) -> Option<usize> {
    let found = endpoints.iter().find(|(known, _)| &**known == wanted);
    found.map(|(_, number)| usize::from(*number))
}

/// Whether an application that ignores endings, or compares letters otherwise than by their bytes, may take a part of
/// a path for one that is registered.
fn may_be_meant(part: &str, known: &str) -> bool {
    let ending = part.strip_prefix(known).is_some_and(|ending| ending.starts_with('.'));
    // A byte over 127 is encoded, with a first digit from 8 on.
    let not_ascii = part.as_bytes().windows(2).any(|pair| matches!(pair, [b'%', b'8'..=b'f']));
    !known.is_empty() && (ending || not_ascii)
}

/// What a walk through the tree comes to.
#[derive(Default)]
struct Walk {
    found: Option<usize>,
    /// Somebody may read another path in it, for which another endpoint counts: a part differs by case alone from one
    /// that is registered there; or one that is registered in a narrower place differs by an ending (`.json`), or the
    /// path itself by a slash at its end.
    doubtful: bool,
    /// A narrower endpoint matches the method as which the request may be answered.
    answered: bool,
}

impl Walk {
    fn take(&mut self, endpoints: &[(Box<str>, u16)], method: &str) {
        if self.found.is_some() {
            return;
        }
        self.found = named(endpoints, method);
        if self.found.is_some() {
            return;
        }
        self.answered |= method == ANSWERED_AS.0 && named(endpoints, ANSWERED_AS.1).is_some();
        self.found = named(endpoints, ANY);
        self.doubtful |= self.answered && self.found.is_some();
    }

    /// Takes what a path's end finds; where it finds nothing and the same path with a slash more or less does, it is
    /// in doubt what is found further on.
    fn end(&mut self, endpoints: &[(Box<str>, u16)], others: &[(Box<str>, u16)], method: &str) {
        let has = |endpoints| named(endpoints, method).or_else(|| named(endpoints, ANY)).is_some();
        if self.found.is_none() && !has(endpoints) {
            self.doubtful |= has(others);
            self.answered |= method == ANSWERED_AS.0 && named(others, ANSWERED_AS.1).is_some();
        }
        self.take(endpoints, method);
    }
}

impl Router {
    /// The tree of endpoints that were found sound together.
    #[must_use]
    pub fn new(endpoints: &[Endpoint]) -> Self {
        let mut router = Self(vec![Node::default()]);
        for (number, endpoint) in (0..).zip(endpoints) {
            router.put(endpoint, number);
        }
        router
    }

    fn put(&mut self, endpoint: &Endpoint, number: u16) {
        let mut at = 0;
        for part in parts(endpoint.path()) {
            let next = NodeIndex::try_from(self.0.len()).unwrap_or(NodeIndex::MAX);
            let Some(node) = self.0.get_mut(usize::from(at)) else { return };
            let found = match part {
                Part::Rest => return node.rest.push((endpoint.method().into(), number)),
                Part::One => *node.one.get_or_insert(next),
                Part::Is(text) => match node.literals.binary_search_by(|(known, _)| (**known).cmp(text)) {
                    Ok(place) => node.literals.get(place).map_or(0, |(_, found)| *found),
                    Err(place) => {
                        node.literals.insert(place, (text.into(), next));
                        next
                    }
                },
            };
            if found == next {
                self.0.push(Node::default());
            }
            at = found;
        }
        if let Some(node) = self.0.get_mut(usize::from(at)) {
            node.here.push((endpoint.method().into(), number));
        }
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of_list = |list: &Vec<(Box<str>, u16)>| {
            let texts = list.iter().map(|(text, _)| text.len()).sum::<usize>();
            list.capacity() * size_of::<(Box<str>, u16)>() + texts
        };
        let of_node = |node: &Node| of_list(&node.literals) + of_list(&node.here) + of_list(&node.rest);
        self.0.capacity() * size_of::<Node>() + self.0.iter().map(of_node).sum::<usize>()
    }

    /// The number of the endpoint that counts for a request; none where nothing matches, or where somebody may read
    /// another request in it for which a narrower one counts. Allocates nothing.
    #[must_use]
    pub fn find(&self, method: &str, requested: &Requested<'_>) -> Option<usize> {
        let mut walk = Walk::default();
        self.walk(0, method, requested.parts(), &mut walk);
        walk.found.filter(|_| !walk.doubtful)
    }

    fn child(&self, node: &Node, part: &str) -> Result<NodeIndex, usize> {
        let place = node.literals.binary_search_by(|(known, _)| (**known).cmp(part))?;
        node.literals.get(place).map(|(_, next)| *next).ok_or(place)
    }

    /// Literal parts come before any one part, and that before all the rest: what is found first is the narrowest.
    /// The walk goes on all the same, to see what is in doubt.
    fn walk(&self, at: NodeIndex, method: &str, left: &[&str], walk: &mut Walk) {
        let Some(node) = self.0.get(usize::from(at)) else { return };
        let with_slash = || {
            let slashed = self.child(node, "").ok().and_then(|next| self.0.get(usize::from(next)));
            slashed.map_or(&[][..], |slashed| &slashed.here)
        };
        let Some((part, further)) = left.split_first() else {
            walk.end(&node.here, with_slash(), method);
            return;
        };
        if part.is_empty() {
            walk.end(with_slash(), &node.here, method);
            return;
        }
        match self.child(node, part) {
            Ok(next) => self.walk(next, method, further, walk),
            Err(_) => {
                walk.doubtful |= node.literals.iter().any(|(known, _)| known.eq_ignore_ascii_case(part));
            }
        }
        walk.doubtful |=
            walk.found.is_none() && node.literals.iter().any(|(known, _)| may_be_meant(part, known));
        if let Some(next) = node.one {
            self.walk(next, method, further, walk);
        }
        walk.take(&node.rest, method);
    }
}
