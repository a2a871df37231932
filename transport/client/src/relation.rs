//! Relations: who is what to whom, asked and changed by name, with typed answers.
//!
//! An error of a question is a [`Refusal`]; [`Refusal::openfga_code`] gives the number that `OpenFGA` has for it.

use crate::client::{Client, unexpected};
use crate::error::ClientError;
use crate::pages::Pages;
use std::time::Duration;
use tessera_model::relation::{RelationChange, RelationRecord};
use tessera_model::{Private, Receipt, Refusal, UnixMillis};
use tessera_wire::{
    Made, Page, RelationAnswerRow, RelationEventRow, RelationNameRow, RelationStepRow, Request,
};

/// What comes along with a question about relations.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Tuples that count in this question only.
    pub contextual: Vec<RelationRecord>,
    /// The receipt of a write that the answer must have seen.
    pub at_least: Option<Receipt>,
}

/// One question of a batch.
#[derive(Clone, Debug)]
pub struct RelationQuestion {
    /// Is this subject in this relation to this object?
    pub tuple: RelationRecord,
    /// Tuples that count in this question only.
    pub contextual: Vec<RelationRecord>,
    /// What the answer is to be called by: 1 to 36 letters, digits, `-` and `_`; another one for each question of a
    /// batch.
    pub correlation: String,
}

/// The answer to a question about relations.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Related {
    /// Whether the subject is in the relation.
    pub permitted: bool,
    /// Until when that holds by time alone.
    pub valid_until: UnixMillis,
    /// Objects in relations and tuples that were looked at.
    pub steps: u32,
}

/// The answer to a question of a batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RelationAnswer {
    /// What its question was called.
    pub correlation: String,
    /// The answer; an error is that of this question alone, and no permit.
    pub answer: Result<Related, Refusal>,
}

fn private(text: &str) -> Private {
    Private::new(text.as_bytes().to_vec())
}

/// Tuples of the only question.
fn along(contextual: &[RelationRecord]) -> Vec<(u32, RelationRecord)> {
    contextual.iter().map(|tuple| (0, tuple.clone())).collect()
}

fn related(row: &RelationAnswerRow) -> Result<Result<Related, Refusal>, ClientError> {
    let RelationAnswerRow { permitted, valid_until, steps, .. } = *row;
    if row.code == 0 {
        return Ok(Ok(Related { permitted, valid_until, steps }));
    }
    let refusal = u16::try_from(row.code).ok().and_then(Refusal::from_code);
    refusal.map(Err).ok_or_else(unexpected)
}

impl Client {
    /// Is this subject in this relation to this object?
    ///
    /// # Errors
    /// [`ClientError`]; none is a permit. `Refusal::RelationUnknown` for what the model does not have,
    /// `Refusal::RelationTooDeep` and `Refusal::RelationBudget` where there is no answer.
    pub async fn check_relation(
        &self,
        tuple: RelationRecord,
        beside: &Beside,
    ) -> Result<Related, ClientError> {
        let request = Request::CheckRelations {
            checks: vec![tuple],
            contextual: along(&beside.contextual),
            correlations: Vec::new(),
            at_least: beside.at_least,
        };
        let row = self.list::<RelationAnswerRow>(&request).await?.rows.pop().ok_or_else(unexpected)?;
        related(&row)?.map_err(ClientError::Refused)
    }

    /// Many such questions at once, answered as of one instant, each with the tuples that came with it; answers come in
    /// the order of their questions.
    ///
    /// # Errors
    /// [`ClientError`] for the batch; what is wrong with one question is its own answer.
    pub async fn check_relations(
        &self,
        questions: &[RelationQuestion],
        at_least: Option<Receipt>,
    ) -> Result<Vec<RelationAnswer>, ClientError> {
        let contextual = (0_u32..).zip(questions).flat_map(|(number, question)| {
            question.contextual.iter().map(move |tuple| (number, tuple.clone()))
        });
        let request = Request::CheckRelations {
            checks: questions.iter().map(|question| question.tuple.clone()).collect(),
            contextual: contextual.collect(),
            correlations: questions.iter().map(|question| question.correlation.clone()).collect(),
            at_least,
        };
        let rows = self.list::<RelationAnswerRow>(&request).await?.rows;
        if rows.len() != questions.len() {
            return Err(unexpected());
        }
        let answers = rows.into_iter().zip(questions).map(|(row, question)| {
            // An answer to another question is none.
            if row.correlation.as_deref() != Some(&*question.correlation) {
                return Err(unexpected());
            }
            Ok(RelationAnswer { answer: related(&row)?, correlation: question.correlation.clone() })
        });
        answers.collect()
    }

    /// Why such a question has its answer: the way to a tuple, or what takes it away.
    ///
    /// # Errors
    /// As [`Client::check_relation`].
    pub async fn explain_relation(
        &self,
        check: RelationRecord,
        beside: &Beside,
    ) -> Result<Vec<RelationStepRow>, ClientError> {
        let (contextual, at_least) = (along(&beside.contextual), beside.at_least);
        let request = Request::ExplainRelation { check, contextual, at_least };
        Ok(self.list::<RelationStepRow>(&request).await?.rows)
    }

    /// One level of a relation to an object: who stands there, and which sets count.
    ///
    /// # Errors
    /// As [`Client::check_relation`].
    pub async fn expand_relation(
        &self,
        (object, relation): (&str, &str),
        beside: &Beside,
    ) -> Result<Vec<RelationStepRow>, ClientError> {
        let request = Request::ExpandRelation {
            object: private(object),
            relation: private(relation),
            contextual: along(&beside.contextual),
            at_least: beside.at_least,
        };
        Ok(self.list::<RelationStepRow>(&request).await?.rows)
    }

    /// The objects of a type to which a subject is in a relation. The list is whole, or an error.
    #[must_use]
    pub fn related_objects(
        &self,
        [subject, relation, type_name]: [&str; 3],
        beside: &Beside,
    ) -> Pages<RelationNameRow> {
        self.pages(Request::ListRelationObjects {
            subject: private(subject),
            relation: private(relation),
            type_name: private(type_name),
            contextual: along(&beside.contextual),
            at_least: beside.at_least,
            after: None,
            limit: 0,
        })
    }

    /// The subjects of a type (`user`), or its sets (`team#member`), that are in a relation to an object; everybody of a
    /// type is named as `type:*`. The list is whole, or an error.
    #[must_use]
    pub fn related_subjects(
        &self,
        [object, relation, type_name]: [&str; 3],
        beside: &Beside,
    ) -> Pages<RelationNameRow> {
        self.pages(Request::ListRelationSubjects {
            object: private(object),
            relation: private(relation),
            type_name: private(type_name),
            contextual: along(&beside.contextual),
            at_least: beside.at_least,
            after: None,
            limit: 0,
        })
    }

    /// Writes and removes tuples: up to 1,000 are one command, and all happen or none.
    ///
    /// # Errors
    /// [`ClientError`]: `Refusal::RelationMismatch` for a tuple that does not fit the model, `Refusal::RelationExists` and
    /// `Refusal::RelationMissing` for a condition that does not hold.
    pub async fn change_relations(&self, changes: Vec<RelationChange>) -> Result<Made, ClientError> {
        self.request(&Request::ChangeRelations { changes }).await
    }

    /// What became of tuples and of the model behind a cursor, as soon as there is something, or when `wait` is over (30 s
    /// at most); without a cursor only where to begin.
    ///
    /// # Errors
    /// [`ClientError`]: `Refusal::CursorRefused`, `Refusal::Restored` for a cursor of elsewhere.
    pub async fn watch_relations(
        &self,
        cursor: Option<Vec<u8>>,
        wait: Duration,
    ) -> Result<Page<RelationEventRow>, ClientError> {
        let wait_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        let request =
            Request::WatchRelations { after: cursor.map(Private::new), limit: 0, wait_ms: Some(wait_ms) };
        // The answer comes some time behind the end of the wait.
        self.with_deadline(wait.saturating_add(self.deadline())).list(&request).await
    }
}
