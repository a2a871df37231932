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

fn of_method(endpoints: &[(Box<str>, u16)], method: &str) -> Option<usize> {
    let named = |wanted: &str| endpoints.iter().find(|(known, _)| &**known == wanted);
    named(method).or_else(|| named(ANY)).map(|(_, number)| usize::from(*number))
}

/// What a walk through the tree comes to.
#[derive(Default)]
struct Walk {
    found: Option<usize>,
    /// A part differs from one that is registered there by case alone: whoever ignores case reads another path.
    doubtful: bool,
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

    /// The number of the endpoint that counts for a request; none where nothing matches. Allocates nothing.
    #[must_use]
    pub fn find(&self, method: &str, requested: &Requested<'_>) -> Option<usize> {
        let mut walk = Walk::default();
        self.walk(0, method, requested.parts(), &mut walk);
        walk.found.filter(|_| !walk.doubtful)
    }

    /// Literal parts come before any one part, and that before all the rest: what is found first is the narrowest.
    /// The walk goes on all the same, to see what is in doubt.
    fn walk(&self, at: NodeIndex, method: &str, left: &[&str], walk: &mut Walk) {
        let Some(node) = self.0.get(usize::from(at)) else { return };
        let Some((part, further)) = left.split_first() else {
            walk.found = walk.found.or_else(|| of_method(&node.here, method));
            return;
        };
        match node.literals.binary_search_by(|(known, _)| (**known).cmp(*part)) {
            Ok(place) => {
                if let Some((_, next)) = node.literals.get(place) {
                    self.walk(*next, method, further, walk);
                }
            }
            Err(_) => {
                walk.doubtful |= node.literals.iter().any(|(known, _)| known.eq_ignore_ascii_case(part))
            }
        }
        if part.is_empty() {
            return;
        }
        if let Some(next) = node.one {
            self.walk(next, method, further, walk);
        }
        walk.found = walk.found.or_else(|| of_method(&node.rest, method));
    }
}
