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

/// LIMIT: tuples looked at for one page: some 10 ms.
const LOOKED_AT_MAX: usize = 100_000;
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

/// Where a page ended: number of the object and the edge behind it. Good until the tenant is loaded anew.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Mark {
    /// The object's number.
    pub object: u32,
    /// The edge.
    pub edge: u64,
}

/// One page of tuples.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// The tuples.
    pub tuples: Vec<Stored>,
    /// Where to go on; none when that was all.
    pub next: Option<Mark>,
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
            let edges = self.tuples.objects.get(about).into_iter().flat_map(|object| object.forward.iter());
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
        let mut looked_at = 0;
        for (about, object) in self.tuples.objects.from(first) {
            if only.is_some_and(|only| only != about) {
                break;
            }
            if type_id.is_some_and(|type_id| type_id != object.type_id) {
                continue;
            }
            let from =
                after.filter(|mark| mark.object == about.0).map_or(0, |mark| mark.edge.saturating_add(1));
            for edge in object.forward.range(Edge(from), Edge(u64::MAX)) {
                looked_at += 1;
                let wanted = relation.is_none_or(|relation| relation.0 == edge.relation());
                let told = if wanted { self.told(about, edge) } else { None };
                if let Some(told) =
                    told.filter(|told| filter.subject.is_empty() || told.subject == filter.subject)
                {
                    page.tuples.push(told);
                }
                if page.tuples.len() >= limit || looked_at >= LOOKED_AT_MAX {
                    page.next = Some(Mark { object: about.0, edge: edge.0 });
                    return Ok(page);
                }
            }
        }
        Ok(page)
    }

    /// Which stored tuples would not fit `model`.
    ///
    /// # Errors
    ///
    /// What is wrong with the model itself.
    pub fn orphans(&self, model: &Model) -> Result<Orphans, ModelError> {
        let mut words = Words::clone(&self.words);
        let schema = Schema::compile(model, &mut words)?;
        let mut orphans = Orphans::default();
        for (about, object) in self.tuples.objects.from(0) {
            for edge in object.forward.iter() {
                let named = self.tuples.objects.get(ObjectId(edge.object()));
                let allowed = named.map(|named| Allowed {
                    type_id: named.type_id,
                    relation: RelationId(edge.set()),
                    wildcard: edge.set() == RelationId::NONE.0 && named.id() == "*",
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
