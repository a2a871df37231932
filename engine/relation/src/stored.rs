//! Reading stored tuples, page by page, and holding them against a model that is to come.

use crate::edges::Edge;
use crate::error::{ModelError, NameError};
use crate::model::Model;
use crate::objects::{ObjectId, hash};
use crate::relations::Relations;
use crate::schema::{Allowed, Schema};
use crate::text::ObjectText;
use crate::tuples::Window;
use crate::words::{RelationId, Words};
use std::sync::atomic::{AtomicBool, Ordering};

/// LIMIT: objects and tuples looked at for one page: some 10 ms.
const LOOKED_AT_MAX: u64 = 100_000;
/// Orphans that are named beside their count.
const EXAMPLES: usize = 12;

/// A stored tuple.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// `type:id`, `type:id#relation` or `type:*`.
    pub subject: String,
    /// The relation.
    pub relation: String,
    /// `type:id`.
    pub object: String,
    /// From when and until when it counts.
    pub window: Window,
}

/// Objects of a type that tuples are about.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Known {
    /// Each with its number, which is good until the tenant is loaded anew: `type:id`.
    pub objects: Vec<(u32, String)>,
    /// The number to go on from; none when that was all.
    pub next: Option<u32>,
    /// Objects that were looked at for it, of whatever type.
    pub looked_at: u64,
}

/// Which tuples are wanted. Empty parts want all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Filter<'a> {
    /// `type:id`, or `type:` for every object of a type.
    pub object: &'a str,
    /// The relation.
    pub relation: &'a str,
    /// A subject in full.
    pub subject: &'a str,
}

/// Where a page ended: number of the object and the edge that was looked at last, 0 before the first. Good
/// until the tenant is loaded anew.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Mark {
    /// The object's number.
    pub object: u32,
    /// The edge.
    pub edge: u64,
}

impl Mark {
    /// Its bytes: the object's number, then the edge.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        let parts = self.object.to_le_bytes().into_iter().chain(self.edge.to_le_bytes());
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        bytes
    }

    /// The mark with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (object, edge) = bytes.split_first_chunk::<4>()?;
        let edge: [u8; 8] = edge.try_into().ok()?;
        Some(Self { object: u32::from_le_bytes(*object), edge: u64::from_le_bytes(edge) })
    }
}

/// One page of tuples.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// The tuples.
    pub tuples: Vec<Stored>,
    /// Where to go on; none when that was all.
    pub next: Option<Mark>,
    /// Tuples that were looked at for it.
    pub looked_at: u64,
}

/// What a model would do to the stored tuples.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Orphans {
    /// Tuples that do not fit it.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<Stored>,
}

/// Shares in which the tuples of a tenant go into a checkpoint.
pub const SHARES: u32 = 1_024;

/// The share of the tuples about an object. Stands on disk: it stays as it is.
#[must_use]
pub fn share_of(object: &str) -> u32 {
    let (type_name, id) = object.split_once(':').unwrap_or((object, ""));
    hash(hash(0, type_name), id) & (SHARES - 1)
}

impl Relations {
    /// The tuples of one share.
    #[must_use]
    pub fn share(&self, no: u32) -> Vec<Stored> {
        let mut told = Vec::new();
        for about in self.tuples.objects.share(no, SHARES - 1) {
            let edges = self.tuples.objects.get(about).into_iter().flat_map(|object| object.forward().iter());
            told.extend(edges.filter_map(|edge| self.told(about, edge)));
        }
        told
    }

    fn text(&self, object: ObjectId) -> Option<String> {
        let one = self.tuples.objects.get(object)?;
        Some(format!("{}:{}", self.words.type_name(one.type_id), one.id()))
    }

    fn told(&self, about: ObjectId, edge: Edge) -> Option<Stored> {
        let mut subject = self.text(ObjectId(edge.object()))?;
        if edge.set() != RelationId::NONE.0 {
            subject = format!("{subject}#{}", self.words.relation_name(RelationId(edge.set())));
        }
        Some(Stored {
            subject,
            relation: self.words.relation_name(RelationId(edge.relation())).to_owned(),
            object: self.text(about)?,
            window: self.tuples.window(about, edge),
        })
    }

    /// Stored tuples behind `after`, those that do not fit the model included; at most `limit`.
    ///
    /// # Errors
    ///
    /// A part of the filter that cannot be a name.
    pub fn read(&self, filter: &Filter<'_>, after: Option<Mark>, limit: usize) -> Result<Page, NameError> {
        self.page(filter, after, limit, LOOKED_AT_MAX)
    }

    /// A page for which at most `looks` objects and tuples are looked at.
    fn page(
        &self,
        filter: &Filter<'_>,
        after: Option<Mark>,
        limit: usize,
        looks: u64,
    ) -> Result<Page, NameError> {
        let mut page = Page::default();
        let relation = match filter.relation {
            "" => None,
            name => match self.words.relation_id(name) {
                Some(relation) => Some(relation),
                None => return Ok(page),
            },
        };
        let (type_name, id) = match filter.object {
            "" => ("", ""),
            object => object.split_once(':').ok_or(NameError::Malformed)?,
        };
        let type_id = self.words.type_id(type_name);
        if !type_name.is_empty() && type_id.is_none() {
            return Ok(page);
        }
        let only = match (type_id, id) {
            (Some(type_id), id) if !id.is_empty() => {
                ObjectText::parse(filter.object)?;
                match self.tuples.objects.find(type_id, id) {
                    Some(object) => Some(object),
                    None => return Ok(page),
                }
            }
            _ => None,
        };
        let first = only.map_or(after.map_or(0, |mark| mark.object), |object| object.0);
        for (about, object) in self.tuples.objects.places(first) {
            if only.is_some_and(|only| only != about) {
                break;
            }
            let from =
                after.filter(|mark| mark.object == about.0).map_or(0, |mark| mark.edge.saturating_add(1));
            // Forgotten objects and those of another type are looked at as well. Where a page begins is
            // not where it ends: it gets on.
            page.looked_at += 1;
            if page.looked_at > looks {
                page.next = Some(Mark { object: about.0, edge: from.saturating_sub(1) });
                return Ok(page);
            }
            let Some(object) = object else { continue };
            if type_id.is_some_and(|type_id| type_id != object.type_id) {
                continue;
            }
            for edge in object.forward().from(Edge(from)) {
                page.looked_at += 1;
                let wanted = relation.is_none_or(|relation| relation.0 == edge.relation());
                let told = if wanted { self.told(about, edge) } else { None };
                if let Some(told) =
                    told.filter(|told| filter.subject.is_empty() || told.subject == filter.subject)
                {
                    page.tuples.push(told);
                }
                if page.tuples.len() >= limit || page.looked_at > looks {
                    // Whatever its window becomes: this tuple was told.
                    page.next = Some(Mark { object: about.0, edge: edge.key().0 | 0xf });
                    return Ok(page);
                }
            }
        }
        Ok(page)
    }

    /// The objects of a type that a tuple is about, those that do not fit the model included, from a number on; at
    /// most `limit`.
    #[must_use]
    pub fn known(&self, type_name: &str, from: u32, limit: usize) -> Known {
        let mut known = Known::default();
        let Some(type_id) = self.words.type_id(type_name) else { return known };
        for (about, object) in self.tuples.objects.places(from) {
            if known.objects.len() >= limit || known.looked_at >= LOOKED_AT_MAX {
                known.next = Some(about.0);
                break;
            }
            known.looked_at += 1;
            let wanted = object.filter(|object| object.type_id == type_id && !object.forward().is_empty());
            if let Some(object) = wanted {
                known.objects.push((about.0, format!("{type_name}:{}", object.id())));
            }
        }
        known
    }

    /// Whether a tuple names everybody of a type.
    #[must_use]
    pub fn names_everybody(&self, type_name: &str) -> bool {
        self.words.type_id(type_name).and_then(|type_id| self.tuples.objects.wildcard(type_id)).is_some()
    }

    /// Which stored tuples would not fit `model`. Given up where `gone` says that nobody waits for it any more: what is
    /// told then is not whole.
    ///
    /// # Errors
    ///
    /// What is wrong with the model itself.
    pub fn orphans(&self, model: &Model, gone: Option<&AtomicBool>) -> Result<Orphans, ModelError> {
        let mut words = Words::clone(&self.words);
        let schema = Schema::compile(model, &mut words)?;
        let mut orphans = Orphans::default();
        for (about, object) in self.tuples.objects.iter() {
            if gone.is_some_and(|gone| gone.load(Ordering::Relaxed)) {
                break;
            }
            for edge in object.forward().iter() {
                let named = self.tuples.objects.get(ObjectId(edge.object()));
                let allowed = named.map(|named| Allowed {
                    type_id: named.type_id,
                    relation: RelationId(edge.set()),
                    wildcard: edge.set() == RelationId::NONE.0 && named.is_everybody(),
                });
                let fits = allowed.is_some_and(|allowed| {
                    schema.admits(object.type_id, RelationId(edge.relation()), allowed).is_ok()
                });
                if !fits {
                    orphans.count += 1;
                    if orphans.examples.len() < EXAMPLES {
                        orphans.examples.extend(self.told(about, edge));
                    }
                }
            }
        }
        Ok(orphans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::TupleRef;
    use std::collections::BTreeSet;
    use tessera_model::Deadline;

    const MODEL: &str = "model\n  schema 1.1\ntype user\ntype group\n  relations\n    define member: [user, group#member]\ntype doc\n  relations\n    define owner: [user]\n    define viewer: [user, user:*, group#member]\n";

    /// PROPERTY: pages of any size, however few looks each may take, give every wanted tuple once; forgotten
    /// objects cost looks and end no list. METHOD: compared with a plain list, over filters of every kind.
    #[test]
    fn pages_give_every_tuple_once() {
        let mut relations = Relations::new();
        relations.set_model(&Model::parse(MODEL).unwrap()).unwrap();
        let (mut plain, mut dice) = (BTreeSet::new(), 5_u64);
        let mut below = |bound: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            (dice >> 33) % bound
        };
        for step in 0..1_500 {
            let subject = match below(4) {
                0 => format!("group:g{}#member", below(9)),
                _ => format!("user:u{}", below(60)),
            };
            let (relation, object) = match below(3) {
                0 => ("member", format!("group:g{}", below(9))),
                1 if subject.starts_with("user") => ("owner", format!("doc:d{}", below(90))),
                _ => ("viewer", format!("doc:d{}", below(90))),
            };
            let tuple = TupleRef { subject: &subject, relation, object: &object };
            let told = (subject.clone(), relation.to_owned(), object.clone());
            if step > 800 && below(10) < 8 {
                assert_eq!(relations.remove(&tuple), plain.remove(&told));
            } else {
                relations.write(&tuple, Window::ALWAYS).unwrap();
                plain.insert(told);
            }
        }
        // Whole ranges of numbers are forgotten.
        for gone in
            plain.iter().filter(|(_, _, object)| object.starts_with("doc:d1")).cloned().collect::<Vec<_>>()
        {
            let (subject, relation, object) = (&*gone.0, &*gone.1, &*gone.2);
            assert!(relations.remove(&TupleRef { subject, relation, object }) && plain.remove(&gone));
        }
        let some = plain.iter().next().unwrap().clone();
        for (object, relation, subject) in [
            ("", "", ""),
            ("doc:", "", ""),
            ("doc:", "owner", ""),
            ("", "", &*some.0),
            ("group:g3", "", ""),
            ("", "member", "user:u7"),
        ] {
            let filter = Filter { object, relation, subject };
            let wanted = |one: &&(String, String, String)| {
                (object.is_empty() || one.2 == object || (object.ends_with(':') && one.2.starts_with(object)))
                    && (relation.is_empty() || one.1 == relation)
                    && (subject.is_empty() || one.0 == subject)
            };
            let expected: Vec<_> = plain.iter().filter(wanted).cloned().collect();
            for (limit, looks) in [(1, 1), (1_000, 1), (3, 2), (7, 5), (1_000, 13), (2, 100_000)] {
                let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
                loop {
                    let page = relations.page(&filter, after, limit, looks).unwrap();
                    assert!(page.tuples.len() <= limit && page.tuples.len() as u64 <= looks + 1);
                    found.extend(page.tuples.into_iter().map(|one| (one.subject, one.relation, one.object)));
                    pages += 1;
                    assert!(page.next.is_none() || page.next > after, "the list does not get on");
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                found.sort_unstable();
                assert_eq!(found, expected, "{filter:?} by {limit} and {looks}, {pages} pages");
            }
        }
        for type_name in ["doc", "group", "user", "nothing"] {
            let of_type = |one: &&(String, String, String)| one.2.starts_with(&format!("{type_name}:"));
            let expected: BTreeSet<String> = plain.iter().filter(of_type).map(|one| one.2.clone()).collect();
            for limit in [1, 7, 1_000] {
                let (mut found, mut from) = (Vec::new(), Some(0));
                while let Some(at) = from {
                    let known = relations.known(type_name, at, limit);
                    assert!(known.objects.len() <= limit && known.objects.iter().all(|(no, _)| *no >= at));
                    found.extend(known.objects.into_iter().map(|(_, name)| name));
                    from = known.next;
                }
                assert_eq!(found.len(), expected.len());
                assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected, "{type_name} by {limit}");
            }
        }
        assert!(!relations.names_everybody("user"));
        let everybody = TupleRef { subject: "user:*", relation: "viewer", object: "doc:d7" };
        for there in [true, false] {
            if there {
                relations.write(&everybody, Window::ALWAYS).unwrap();
            } else {
                assert!(relations.remove(&everybody));
            }
            assert_eq!(
                (relations.names_everybody("user"), relations.names_everybody("group")),
                (there, false)
            );
        }
        let page = relations.page(&Filter { object: "doc:d1", ..Filter::default() }, None, 10, 10).unwrap();
        assert_eq!(page, Page::default());
        // Nothing wanted is there, and still a page ends after its looks.
        let none = Filter { subject: "user:nobody", ..Filter::default() };
        assert!(relations.page(&none, None, 10, 10).unwrap().next.is_some());
    }

    /// PROPERTY: a tuple whose window changes between two pages is told once.
    #[test]
    fn a_window_that_changes_does_not_tell_a_tuple_twice() {
        let mut relations = Relations::new();
        relations.set_model(&Model::parse(MODEL).unwrap()).unwrap();
        for subject in ["user:a", "user:b", "user:c"] {
            relations
                .write(&TupleRef { subject, relation: "owner", object: "doc:1" }, Window::ALWAYS)
                .unwrap();
        }
        let first = relations.read(&Filter::default(), None, 1).unwrap();
        let (one, window) = (&first.tuples[0], Window { until: Deadline(5), ..Window::ALWAYS });
        let tuple = TupleRef { subject: &one.subject, relation: &one.relation, object: &one.object };
        relations.write(&tuple, window).unwrap();
        let rest = relations.read(&Filter::default(), first.next, 10).unwrap();
        assert_eq!(rest.tuples.len(), 2);
        assert!(!rest.tuples.iter().any(|other| other.subject == one.subject));
    }
}
