//! Relations between objects and subjects: asked about, listed, explained, read and written.

use crate::client::{Client, unexpected};
use crate::error::ClientError;
use crate::lane::Answer;
use crate::pages::Pages;
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationRecord};
use tessera_model::{Deadline, Private, Receipt, Refusal};
use tessera_wire::{
    Made, RelationAnswerRow, RelationDecision, RelationModelRow, RelationNameRow, RelationQuery, RelationRow,
    RelationStepRow, RelationTrialRow, RelationVersionRow, Request,
};

/// What comes beside a question about relations. The default is nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// Tuples that count in this question only, beside the stored ones.
    pub contextual: &'a [RelationRecord],
    /// The position that the answer must have seen; zero asks for nothing.
    pub at_least: Receipt,
}

impl Beside<'_> {
    fn contextual(&self) -> Vec<(u32, RelationRecord)> {
        self.contextual.iter().map(|tuple| (0, tuple.clone())).collect()
    }

    fn at_least(&self) -> Option<Receipt> {
        (self.at_least != Receipt::default()).then_some(self.at_least)
    }
}

/// A step of an expansion or explanation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RelationStep {
    /// How deep it stands.
    pub depth: u32,
    /// Expansion: 1 or, 2 and, 3 but not, 4 tuples, 5 computed, 6 from, 7 so many more, which an answer does not hold;
    /// explanation: 11 set, 12 tuple, 13 taken away, 14 not told.
    pub kind: u32,
    /// What it says.
    pub told: String,
    /// Explanation: whether the subject is in it.
    pub holds: bool,
    /// Of 7: how many steps of the expansion stand behind this one and are not told.
    pub left: Option<u32>,
}

/// A tuple without a window: who is what to whom.
#[must_use]
pub fn tuple(subject: &str, relation: &str, object: &str) -> RelationRecord {
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    RelationRecord { subject: subject.into(), relation: relation.into(), object: object.into(), from, until }
}

fn private(text: &str) -> Private {
    Private::new(text.as_bytes().to_vec())
}

fn shown(text: &Private) -> Result<String, ClientError> {
    String::from_utf8(text.expose().to_vec()).map_err(|_| unexpected())
}

fn steps(rows: Vec<RelationStepRow>) -> Result<Vec<RelationStep>, ClientError> {
    let step = |row: RelationStepRow| {
        let told = shown(&row.told)?;
        Ok(RelationStep { depth: row.depth, kind: row.kind, told, holds: row.holds, left: row.left })
    };
    rows.into_iter().map(step).collect()
}

/// The refusal of a code in an answer.
fn refused(code: u32) -> ClientError {
    let refusal = u16::try_from(code).ok().and_then(Refusal::from_code);
    refusal.map_or_else(unexpected, ClientError::Refused)
}

impl Client {
    /// Is a subject in a relation to an object? Alone in a flat frame: the quickest question about relations.
    ///
    /// ```no_run
    /// # async fn example(client: tessera_client::Client) -> Result<(), tessera_client::ClientError> {
    /// use tessera_client::wire::RelationQuery;
    /// use tessera_client::{Beside, tuple};
    ///
    /// let model = "model\n  schema 1.1\ntype user\ntype document\n  relations\n    define viewer: [user]\n";
    /// client.set_relation_model(model, false).await?;
    /// let written = client.write_relations(&[tuple("user:ann", "viewer", "document:1")]).await?;
    /// let (object, relation, subject) = ("document:1", "viewer", "user:ann");
    /// let query = RelationQuery { object, relation, subject, at_least: written.receipt };
    /// assert!(client.check_relation(&query).await?.permitted);
    /// let readable = client.list_relation_objects(subject, relation, "document", Beside::default()).await?;
    /// assert_eq!(readable, ["document:1"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Any [`ClientError`], and `ClientError::Refused` where there is no answer: unknown names, and what lies too deep or
    /// costs too much. None of them is a permit.
    pub async fn check_relation(&self, query: &RelationQuery<'_>) -> Result<RelationDecision, ClientError> {
        let write = |out: &mut tessera_wire::Outbox, id| out.check_relation(id, query);
        let Answer::Relation(decision) = self.read("check_relation", &write).await? else {
            return Err(unexpected());
        };
        if decision.code == 0 { Ok(decision) } else { Err(refused(decision.code.into())) }
    }

    /// The same with tuples that count in this question only.
    ///
    /// # Errors
    /// As [`Client::check_relation`]; `Refusal::RelationMismatch` and others for such a tuple that does not fit the model.
    pub async fn check_relation_with(
        &self,
        check: &RelationRecord,
        beside: Beside<'_>,
    ) -> Result<RelationAnswerRow, ClientError> {
        let checks = std::slice::from_ref(check);
        let rows = self.check_relations(checks, (beside.contextual(), Vec::new()), beside.at_least).await?;
        let row = rows.into_iter().next().ok_or_else(unexpected)?;
        if row.code == 0 { Ok(row) } else { Err(refused(row.code)) }
    }

    /// Up to 1,024 checks at once, with tuples that count in one of them only (by its number) and what the caller calls
    /// each (none, or one for each). The answers are in their order; each has its own code where there is no answer.
    ///
    /// # Errors
    /// Any [`ClientError`]; no answer is given then.
    pub async fn check_relations(
        &self,
        checks: &[RelationRecord],
        (contextual, correlations): (Vec<(u32, RelationRecord)>, Vec<String>),
        at_least: Receipt,
    ) -> Result<Vec<RelationAnswerRow>, ClientError> {
        let at_least = Beside { at_least, ..Beside::default() }.at_least();
        let request = Request::CheckRelations { checks: checks.to_vec(), contextual, correlations, at_least };
        let rows = self.list::<RelationAnswerRow>(&request).await?.rows;
        if rows.len() == checks.len() { Ok(rows) } else { Err(unexpected()) }
    }

    /// The objects of a type to which a subject is in a relation, all pages of them.
    ///
    /// # Errors
    /// As [`Client::check_relation`].
    pub async fn list_relation_objects(
        &self,
        subject: &str,
        relation: &str,
        type_name: &str,
        beside: Beside<'_>,
    ) -> Result<Vec<String>, ClientError> {
        let request = Request::ListRelationObjects {
            subject: private(subject),
            relation: private(relation),
            type_name: private(type_name),
            contextual: beside.contextual(),
            at_least: beside.at_least(),
            after: None,
            limit: 0,
        };
        self.names(request).await
    }

    /// The subjects of a type, or with `type#relation` the sets, that are in a relation to an object, all pages of them;
    /// `type:*` stands for everybody of the type.
    ///
    /// # Errors
    /// As [`Client::check_relation`].
    pub async fn list_relation_subjects(
        &self,
        object: &str,
        relation: &str,
        type_name: &str,
        beside: Beside<'_>,
    ) -> Result<Vec<String>, ClientError> {
        let request = Request::ListRelationSubjects {
            object: private(object),
            relation: private(relation),
            type_name: private(type_name),
            contextual: beside.contextual(),
            at_least: beside.at_least(),
            after: None,
            limit: 0,
        };
        self.names(request).await
    }

    async fn names(&self, request: Request) -> Result<Vec<String>, ClientError> {
        let (mut pages, mut names) = (self.pages::<RelationNameRow>(request), Vec::new());
        while let Some(row) = pages.next().await {
            names.push(shown(&row?.name)?);
        }
        Ok(names)
    }

    /// What the relation to an object is made of: operators, tuples and other relations, one level of it.
    ///
    /// # Errors
    /// As [`Client::check_relation`].
    pub async fn expand_relation(
        &self,
        object: &str,
        relation: &str,
        beside: Beside<'_>,
    ) -> Result<Vec<RelationStep>, ClientError> {
        let request = Request::ExpandRelation {
            object: private(object),
            relation: private(relation),
            contextual: beside.contextual(),
            at_least: beside.at_least(),
        };
        steps(self.list::<RelationStepRow>(&request).await?.rows)
    }

    /// Why a check has its answer: the way from the relation to the subject.
    ///
    /// # Errors
    /// As [`Client::check_relation`].
    pub async fn explain_relation(
        &self,
        check: &RelationRecord,
        beside: Beside<'_>,
    ) -> Result<Vec<RelationStep>, ClientError> {
        let request = Request::ExplainRelation {
            check: check.clone(),
            contextual: beside.contextual(),
            at_least: beside.at_least(),
        };
        steps(self.list::<RelationStepRow>(&request).await?.rows)
    }

    /// The stored tuples of an object, relation and subject, page by page; what is empty does not narrow.
    #[must_use]
    pub fn relations(&self, object: &str, relation: &str, subject: &str) -> Pages<RelationRow> {
        let part = |text: &str| (!text.is_empty()).then(|| private(text));
        let (object, relation, subject) = (part(object), part(relation), part(subject));
        self.pages(Request::ListRelations { object, relation, subject, after: None, limit: 0 })
    }

    /// Writes up to 1,000 tuples, all or none; one that is there already is no error.
    ///
    /// # Errors
    /// Any [`ClientError`]; `Refusal::RelationMismatch` and others for a tuple that does not fit the model.
    pub async fn write_relations(&self, tuples: &[RelationRecord]) -> Result<Made, ClientError> {
        self.change_relations(changes(RelationAct::Write, tuples)).await
    }

    /// Removes up to 1,000 tuples; one that is not there is no error.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn remove_relations(&self, tuples: &[RelationRecord]) -> Result<Made, ClientError> {
        self.change_relations(changes(RelationAct::Remove, tuples)).await
    }

    /// Changes up to 1,000 tuples under conditions: all of them, or none when one does not hold.
    ///
    /// # Errors
    /// Any [`ClientError`]; `Refusal::RelationExists` and `Refusal::RelationMissing` for a condition that does not hold.
    pub async fn change_relations(&self, changes: Vec<RelationChange>) -> Result<Made, ClientError> {
        self.request(&Request::ChangeRelations { changes }).await
    }

    /// Puts a relationship model in the place of the present one. With `allow_orphans` stored tuples may stay that do not
    /// fit it; they count in no answer.
    ///
    /// # Errors
    /// Any [`ClientError`]; where a text is wrong, and what does not fit it, [`Client::try_relation_model`] says.
    pub async fn set_relation_model(&self, text: &str, allow_orphans: bool) -> Result<Made, ClientError> {
        self.request(&Request::SetRelationModel { text: private(text), allow_orphans }).await
    }

    /// Holds a relationship model against the rules and the stored tuples, and changes nothing.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn try_relation_model(&self, text: &str) -> Result<RelationTrialRow, ClientError> {
        let rows = self.list(&Request::TryRelationModel { text: private(text) }).await?.rows;
        rows.into_iter().next().ok_or_else(unexpected)
    }

    /// The relationship model, or an earlier version of it; none where there was never any.
    ///
    /// # Errors
    /// Any [`ClientError`]; `Refusal::RelationModelUnknown` for a version that is not kept.
    pub async fn relation_model(
        &self,
        version: Option<u32>,
    ) -> Result<Option<RelationModelRow>, ClientError> {
        Ok(self.list(&Request::ReadRelationModel { version }).await?.rows.into_iter().next())
    }

    /// The versions of the relationship model that are kept, the present one first.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn relation_models(&self) -> Result<Vec<RelationVersionRow>, ClientError> {
        Ok(self.list(&Request::ListRelationModels {}).await?.rows)
    }
}

fn changes(act: RelationAct, tuples: &[RelationRecord]) -> Vec<RelationChange> {
    let change = |tuple: &RelationRecord| RelationChange {
        act,
        condition: RelationCondition::Any,
        tuple: tuple.clone(),
    };
    tuples.iter().map(change).collect()
}
