//! Everything about relations of one tenant: the model, the tuples, and the questions about both.

use crate::ancestors::Ancestors;
use crate::error::{AskError, ModelError, NameError};
use crate::flat::Flat;
use crate::model::Model;
use crate::question::{Ask, Question, Subject, TupleRef};
use crate::schema::{Allowed, Schema};
use crate::search::{Stop, Truth, Walk};
use crate::seen::Node;
use crate::text::{ObjectText, SubjectText, is_relation_name};
use crate::tuples::{Named, Tuples, Window, Written};
use crate::words::{RelationId, TypeId, Words};
use std::sync::Arc;
use tessera_model::UnixMillis;

/// A model and the tuples under it. A clone shares everything that is not changed afterwards.
///
/// Tuples that no longer fit the model stay, and count in no answer.
#[derive(Clone)]
pub struct Relations {
    pub(crate) words: Arc<Words>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) tuples: Tuples,
    /// Heights are not kept any more: an edit would have cost too much.
    pub(crate) deep: bool,
    /// At least the greatest of all heights.
    pub(crate) highest: u8,
    /// Sets within sets, flattened.
    pub(crate) flat: Flat,
    /// Ways through folders, flattened.
    pub(crate) ancestors: Ancestors,
}

/// An answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Whether the subject is in the relation.
    pub permitted: bool,
    /// Until when that holds by time alone.
    pub valid_until: UnixMillis,
    /// Objects in relations and tuples that were looked at.
    pub steps: u32,
}

/// A tuple that fits the model.
pub(crate) struct Admitted<'a> {
    pub(crate) object: (TypeId, &'a str),
    pub(crate) relation: RelationId,
    pub(crate) subject: Named<'a>,
}

impl Default for Relations {
    fn default() -> Self {
        Self::new()
    }
}

impl Relations {
    /// No model and no tuple.
    #[must_use]
    pub fn new() -> Self {
        Self {
            words: Arc::default(),
            schema: Arc::default(),
            tuples: Tuples::new(),
            deep: false,
            highest: 0,
            flat: Flat::new(),
            ancestors: Ancestors::new(),
        }
    }

    /// Puts a model in the place of the present one. Tuples stay as they are.
    ///
    /// # Errors
    ///
    /// What is wrong with the model; the present one stays then.
    pub fn set_model(&mut self, model: &Model) -> Result<(), ModelError> {
        let mut words = Words::clone(&self.words);
        let schema = Schema::compile(model, &mut words)?;
        self.tuples.objects.learn(&words);
        (self.words, self.schema) = (Arc::new(words), Arc::new(schema));
        self.nest_all();
        self.flatten_all();
        self.lead_all();
        Ok(())
    }

    /// Puts a tuple back that was stored before, whether it fits the model or not.
    ///
    /// # Errors
    ///
    /// A text that is no tuple, or too many names.
    pub fn restore(&mut self, tuple: &TupleRef<'_>, window: Window) -> Result<Written, NameError> {
        let object = ObjectText::parse(tuple.object)?;
        let subject = SubjectText::parse(tuple.subject)?;
        if !is_relation_name(tuple.relation) {
            return Err(NameError::Malformed);
        }
        if self.stored(tuple).is_none() {
            let words = Arc::make_mut(&mut self.words);
            let names = [tuple.relation, subject.relation.unwrap_or(tuple.relation)];
            let relations = names.iter().all(|name| words.intern_relation(name).is_some());
            let types = [object.type_name, subject.object.type_name];
            if !relations || !types.iter().all(|name| words.intern_type(name).is_some()) {
                return Err(NameError::TooMany);
            }
            self.tuples.objects.learn(words);
        }
        let one = self.stored(tuple).ok_or(NameError::Malformed)?;
        self.put(&one, window)
    }

    /// How many tuples are stored, those that do not count included.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.tuples.len()
    }

    /// Whether no tuple is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the model has this type, and the type this relation.
    #[must_use]
    pub fn has_relation(&self, type_name: &str, relation: &str) -> bool {
        self.relation(type_name, relation).is_ok()
    }

    pub(crate) fn known_type(&self, name: &str) -> Result<TypeId, NameError> {
        let known = self.words.type_id(name).filter(|type_id| self.schema.knows(*type_id));
        known.ok_or(NameError::TypeUnknown)
    }

    pub(crate) fn relation(&self, type_name: &str, relation: &str) -> Result<(TypeId, RelationId), AskError> {
        let type_id = self.known_type(type_name).map_err(AskError::Query)?;
        let relation = self.words.relation_id(relation);
        let relation = relation.filter(|relation| self.schema.rule(type_id, *relation).is_some());
        Ok((type_id, relation.ok_or(AskError::Query(NameError::RelationUnknown))?))
    }

    /// Reads a tuple and holds it against the model.
    pub(crate) fn admit<'a>(&self, tuple: &TupleRef<'a>) -> Result<Admitted<'a>, NameError> {
        let object = ObjectText::parse(tuple.object)?;
        let subject = SubjectText::parse(tuple.subject)?;
        let type_id = self.known_type(object.type_name)?;
        let relation = self.words.relation_id(tuple.relation).ok_or(NameError::RelationUnknown)?;
        let set = match subject.relation {
            None => RelationId::NONE,
            Some(name) => self.words.relation_id(name).ok_or(NameError::RelationUnknown)?,
        };
        let allowed = Allowed {
            type_id: self.known_type(subject.object.type_name)?,
            relation: set,
            wildcard: subject.object.is_wildcard(),
        };
        self.schema.admits(type_id, relation, allowed)?;
        let subject = Named { allowed, id: subject.object.id };
        Ok(Admitted { object: (type_id, object.id), relation, subject })
    }

    /// Whether a tuple may be written.
    ///
    /// # Errors
    ///
    /// What of it does not fit the model.
    pub fn admits(&self, tuple: &TupleRef<'_>) -> Result<(), NameError> {
        self.admit(tuple).map(|_| ())
    }

    /// Writes a tuple, or changes its window.
    ///
    /// # Errors
    ///
    /// What of it does not fit the model; nothing is written then.
    pub fn write(&mut self, tuple: &TupleRef<'_>, window: Window) -> Result<Written, NameError> {
        let one = self.admit(tuple)?;
        self.put(&one, window)
    }

    fn put(&mut self, one: &Admitted<'_>, window: Window) -> Result<Written, NameError> {
        let written = self.tuples.write(one.object, one.relation, one.subject, window);
        if written == Some(Written::Same) {
            return Ok(Written::Same);
        }
        if let Some(named) = self.nested(one) {
            self.nest(one);
            self.flatten(named);
        }
        if let Some(both) = self.leading(one) {
            self.lead(both);
        }
        written.ok_or(NameError::TooMany)
    }

    /// Takes a tuple out, whether it fits the model or not. Says whether it was there.
    pub fn remove(&mut self, tuple: &TupleRef<'_>) -> bool {
        let Some(one) = self.stored(tuple) else { return false };
        let (named, leading) = (self.nested(&one), self.leading(&one));
        let was = self.tuples.remove(one.object, one.relation, one.subject);
        // WHY: by its number, which may be nobody's now: then it has no list any more.
        if let Some(named) = named.filter(|_| was) {
            self.flatten(named);
        }
        if let Some(both) = leading.filter(|_| was) {
            self.lead(both);
        }
        was
    }

    /// The window of a stored tuple.
    #[must_use]
    pub fn window(&self, tuple: &TupleRef<'_>) -> Option<Window> {
        let one = self.stored(tuple)?;
        let (about, edge) = self.tuples.find(one.object, one.relation, one.subject)?;
        Some(self.tuples.window(about, edge))
    }

    /// Reads a tuple without holding it against the model.
    fn stored<'a>(&self, tuple: &TupleRef<'a>) -> Option<Admitted<'a>> {
        let object = ObjectText::parse(tuple.object).ok()?;
        let subject = SubjectText::parse(tuple.subject).ok()?;
        let allowed = Allowed {
            type_id: self.words.type_id(subject.object.type_name)?,
            relation: match subject.relation {
                None => RelationId::NONE,
                Some(name) => self.words.relation_id(name)?,
            },
            wildcard: subject.object.is_wildcard(),
        };
        Some(Admitted {
            object: (self.words.type_id(object.type_name)?, object.id),
            relation: self.words.relation_id(tuple.relation)?,
            subject: Named { allowed, id: subject.object.id },
        })
    }

    /// Whether a subject is in a relation to an object.
    ///
    /// # Errors
    ///
    /// Names that the model does not have, tuples of the question that do not fit it, and answers that
    /// cost more or lie deeper than one may. None of them is a permit.
    pub fn check(&self, ask: &Ask<'_>, tuple: &TupleRef<'_>) -> Result<Answer, AskError> {
        let (stored, mut looked) = (self.both_stored(tuple), 0);
        if let Some(answer) = stored.as_ref().and_then(|both| self.swift(ask, both, &mut looked)) {
            return Ok(answer);
        }
        let found = self.search(ask, tuple, stored.map(|both| (both.node(), both.subject())));
        // What was looked at for nothing is paid with an answer, too.
        found.map(|answer| Answer { steps: answer.steps.saturating_add(looked), ..answer })
    }

    /// The same, where the search has to tell.
    #[inline(never)]
    pub(crate) fn search(
        &self,
        ask: &Ask<'_>,
        tuple: &TupleRef<'_>,
        stored: Option<(Node, Subject)>,
    ) -> Result<Answer, AskError> {
        let mut question = Question::new(self, ask)?;
        let (node, subject) = match stored {
            Some(both) => both,
            None => question.both(tuple)?,
        };
        let permitted = question.permits(node, subject)?;
        Ok(Answer { permitted, valid_until: question.valid_until(), steps: question.spent() })
    }
}

impl Question<'_> {
    /// Whether the subject is in the node's relation.
    pub(crate) fn permits(&self, node: Node, subject: Subject) -> Result<bool, AskError> {
        let quick = match self.rule(node) {
            Some(rule) if rule.union_only => self.reach(node, subject, 0, false),
            Some(_) => Walk::new(self, subject).node(node, 0),
            None => return Ok(false),
        };
        let permitted = match quick {
            Ok(Truth::Yes) => Ok(true),
            Ok(Truth::No) => Ok(false),
            Err(Stop::Failed(error)) => Err(error),
            // A circle was seen. Whether something too deep stands beside it was not looked at.
            Ok(Truth::Round) | Err(Stop::Unsettled) => self.exact(node, subject),
        };
        self.solvent()?;
        permitted
    }
}
