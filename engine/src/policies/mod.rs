//! Setting policies: their texts are read, held against the schema and compiled before admission, on a thread that may
//! block. What a view holds of them, for the doors.

mod brought;
mod steps;

pub use brought::Brought;
pub use steps::PolicySteps;
pub(crate) use steps::taken;

use crate::admit::Done;
use crate::bound::Bound;
use crate::engine::Engine;
use crate::list::Listing;
use crate::root::Root;
use crate::state::BUILT_IN;
use crate::submit::SubmitError;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use tessera_model::limits::{
    CONTEXT_DEPTH_MAX, CONTEXT_VALUES_MAX, ENGINE_PERMISSIONS_MAX, ENTITY_CHANGES_MAX, POLICY_TEXT_BYTES_MAX,
    SENT_ENTITIES_BYTES_MAX,
};
use tessera_model::policy::{EntityChange, EntityName, EntityRecord, PolicyDraft, PolicyRecord};
use tessera_model::record::AttributeKind;
use tessera_model::{Command, CommandId, Limit, Name, PermissionRef, Refusal, TenantId};
use tessera_policy_cedar::{PolicyError, Wrong};
use tessera_program::{Fact, Kind, Outcome, Plain, PlainBounds, PlainError, Program, Shape};

/// The permission to set policies and to store entities.
const POLICIES: &str = "tessera.admin.policies";

/// What is set of policies; what is not named stays as it is.
#[derive(Clone, Debug, Default)]
pub struct PolicyParts {
    /// The policies' text.
    pub text: Option<Box<str>>,
    /// The schema's text.
    pub schema: Option<Box<str>>,
    /// The built-in schema takes the place of the present one.
    pub built_in: bool,
    /// Whether a forbid that fails is left out, and does not deny.
    pub lenient: Option<bool>,
    /// The version of the present set, when it must be this one; 0 for none at all.
    pub expected: Option<u32>,
}

/// What a try came to.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// How many policies there would be.
    pub policies: usize,
    /// Whether the faults are of the schema, and not of the policies.
    pub in_schema: bool,
    /// What is wrong.
    pub faults: Vec<PolicyError>,
}

fn told(wrong: &Wrong) -> Tried {
    Tried { policies: 0, in_schema: wrong.is_schema(), faults: wrong.faults().to_vec() }
}

/// What one policy says to a question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicySaid {
    /// Its name.
    pub name: String,
    /// Whether it forbids; else it permits.
    pub forbids: bool,
    /// Why it failed; `None` where it applies.
    pub fault: Option<&'static str>,
}

pub(crate) fn said(all: Vec<(String, bool, Outcome)>) -> Vec<PolicySaid> {
    let said = |(name, forbids, outcome)| {
        let fault = if let Outcome::Failed(fault) = outcome { Some(fault.name()) } else { None };
        PolicySaid { name, forbids, fault }
    };
    all.into_iter().map(said).collect()
}

/// The schema of what a tenant has of its own: its permissions as actions, its subjects with their declared attributes. Of
/// actions so many at most: they are alike.
fn built_in_schema(root: &Root, most: usize) -> String {
    let mut text = String::from(
        "entity Tenant;\nentity Workspace in [Workspace, Tenant];\nentity Role in [Role];\nentity Group in [Group];\n",
    );
    text.push_str("entity User in [Group, Role] = {\n    kind: String,\n");
    for record in root.attributes.values().filter(|record| record.name.as_str() != "kind") {
        let kind = match record.kind {
            AttributeKind::Bool => "Bool",
            AttributeKind::Integer => "Long",
            AttributeKind::Text => "String",
        };
        text += &format!("    {:?}?: {kind},\n", record.name.as_str());
    }
    text.push_str("};\n");
    let actions = root.permissions.values().filter(|name| !BUILT_IN.contains(&name.as_str()));
    let actions: Vec<String> = actions.take(most).map(|name| format!("{:?}", name.as_str())).collect();
    if !actions.is_empty() {
        text.push_str("action ");
        text.push_str(&actions.join(", "));
        text.push_str(
            " appliesTo {\n    principal: [User],\n    resource: [Workspace, Tenant],\n    context: {\n        now: datetime,\n        \
             ip?: ipaddr,\n        opened: datetime,\n        key: Bool,\n        workspace?: Workspace,\n        acr: Long,\n        authenticated_at?: datetime,\n        \
             device_trust?: Long,\n    },\n};\n",
        );
    }
    text
}

/// The actions of the built-in schema, by the one that stands for all: every permission but the engine's own.
pub(crate) fn all_actions(shape: &mut Shape, root: &Root) {
    let Some(one) = shape.actions.values().next().cloned() else { return };
    for (id, name) in &root.permissions {
        if *id > ENGINE_PERMISSIONS_MAX {
            shape.actions.insert(("Action".to_owned(), name.as_str().to_owned()), one.clone());
        }
    }
}

/// Why a schema fits no question of this tenant; nothing where it does. What fits none would be silently dead.
pub(crate) fn unfit(root: &Root, shape: &Shape) -> Option<String> {
    if shape.actions.is_empty() {
        return None;
    }
    let Some(user) = shape.entities.get("User") else {
        return Some("the schema has no type User, outside of all namespaces: that is who asks".to_owned());
    };
    for (kind, id) in shape.actions.keys() {
        if kind != "Action" {
            return Some(format!("{kind}::{id:?} is in a namespace: what is asked is an Action without one"));
        }
        let known =
            Name::new(id).ok().and_then(|name| root.rules.permission(PermissionRef::Name(name.as_str())));
        let asked = known.is_some_and(|id| id.0 > ENGINE_PERMISSIONS_MAX);
        let above = shape.actions.values().any(|other| other.above.iter().any(|(_, above)| above == id));
        if !asked && !above {
            return Some(format!("the action {id:?} is no registered permission that policies may speak of"));
        }
    }
    let fields = shape.fields(user.attributes).iter();
    let wrong = fields.filter_map(|field| {
        let declared = match field.name.as_str() {
            "kind" => AttributeKind::Text,
            other => root.attributes.get(&Name::new(other).ok()?)?.kind,
        };
        (!is_kind(shape, field.kind, declared)).then_some(&field.name)
    });
    let wrong = wrong.into_iter().next();
    wrong.map(|name| format!("the attribute {name:?} of User is declared of another kind"))
}

/// Whether an attribute may be declared of this kind beside a schema that speaks of it.
pub(crate) fn may_be_declared(shape: &Shape, name: &str, kind: AttributeKind) -> bool {
    let user = shape.entities.get("User");
    let fields = user.map_or(&[][..], |user| shape.fields(user.attributes));
    fields.iter().filter(|field| field.name == name).all(|field| is_kind(shape, field.kind, kind))
}

fn is_kind(shape: &Shape, number: u32, declared: AttributeKind) -> bool {
    matches!(
        (shape.kind(number), declared),
        (Some(Kind::Bool), AttributeKind::Bool)
            | (Some(Kind::Long), AttributeKind::Integer)
            | (Some(Kind::Text), AttributeKind::Text)
    )
}

/// Texts before they are compiled, and the version that they were made from.
struct Texts {
    schema: Option<Box<str>>,
    /// The schema's text, the built-in one included.
    full: String,
    /// The built-in schema with one action, which stands for all: what of it is kept.
    short: Option<String>,
    text: Box<str>,
    lenient: bool,
    expected: Option<u32>,
}

fn texts(root: &Root, parts: PolicyParts) -> Texts {
    let known = root.policies.as_deref();
    let kept = parts.text.is_none() || parts.lenient.is_none() || parts.schema.is_none() && !parts.built_in;
    // What stays must still be what was read here when it is decided.
    let base = kept.then(|| known.map_or(0, |known| known.version));
    let schema = match (parts.schema, parts.built_in) {
        (Some(schema), _) => Some(schema),
        (None, true) => None,
        (None, false) => known.and_then(|known| known.schema.clone()),
    };
    Texts {
        full: schema.as_ref().map_or_else(|| built_in_schema(root, usize::MAX), |schema| schema.to_string()),
        short: schema.is_none().then(|| built_in_schema(root, 1)),
        schema,
        text: parts.text.unwrap_or_else(|| known.map_or_else(|| "".into(), |known| known.text.clone())),
        lenient: parts.lenient.unwrap_or(known.is_some_and(|known| known.lenient)),
        expected: parts.expected.or(base),
    }
}

/// A tenant's turn to have policies compiled.
struct Turn(Arc<Mutex<BTreeSet<TenantId>>>, TenantId);

impl Turn {
    /// The turn, when the tenant has none already.
    fn of(all: &Arc<Mutex<BTreeSet<TenantId>>>, tenant: TenantId) -> Option<Self> {
        all.lock().insert(tenant).then(|| Self(Arc::clone(all), tenant))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}

impl Engine {
    /// Reads, validates and compiles on a thread that may block; a few at once.
    async fn compile(&self, bound: &Bound, texts: &Texts) -> Result<Result<Program, Wrong>, Refusal> {
        let own = texts.text.len() + texts.schema.as_ref().map_or(0, |schema| schema.len());
        if own > POLICY_TEXT_BYTES_MAX {
            return Err(Limit::PolicyTextBytes.reached());
        }
        let turn = Turn::of(&self.house.compiling, bound.entry.tenant).ok_or(Limit::PolicyCompiles.busy())?;
        let permit = Arc::clone(&self.house.compiles).try_acquire_owned();
        let permit = permit.map_err(|_| Limit::PolicyCompiles.busy())?;
        let (schema, text, short) = (texts.full.clone(), texts.text.clone(), texts.short.clone());
        let compiled = tokio::task::spawn_blocking(move || {
            let compiled = tessera_policy_cedar::program(schema.as_bytes(), text.as_bytes());
            let compiled = match (compiled, short) {
                (Ok(whole), Some(short)) => tessera_policy_cedar::program(short.as_bytes(), b"")
                    .map(|short| Program { shape: short.shape, ..whole }),
                (compiled, _) => compiled,
            };
            drop((permit, turn));
            compiled
        });
        let compiled = compiled.await.map_err(|_| Refusal::PolicyWrong)?;
        let view = self.view_of(bound).map_err(|_| Refusal::NotReady)?;
        let root = view.root.full();
        Ok(compiled.and_then(|program| match unfit(&root, &program.shape) {
            Some(says) => Err(Wrong::schema(says)),
            None => Ok(program),
        }))
    }

    /// Sets policies: what is named of them, and the rest as it is. With `trial`, only tells what would come of it.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, or Unknown. [`Engine::set_policies_or_tell`] tells what is wrong where.
    pub async fn set_policies(
        &self,
        bound: &Bound,
        of: (CommandId, bool),
        parts: PolicyParts,
    ) -> Result<Done, SubmitError> {
        self.set_policies_or_tell(bound, of, parts).await.map_err(|(error, _)| error)
    }

    /// As [`Engine::set_policies`], with what is wrong where.
    ///
    /// # Errors
    /// [`SubmitError`], and the faults of the texts where it is for them.
    pub async fn set_policies_or_tell(
        &self,
        bound: &Bound,
        (id, trial): (CommandId, bool),
        parts: PolicyParts,
    ) -> Result<Done, (SubmitError, Tried)> {
        let plain = |refusal: Refusal| (SubmitError::from(refusal), Tried::default());
        if !self.may(bound, POLICIES) {
            return Err(plain(Refusal::Unauthorized));
        }
        let texts =
            texts(&self.view_of(bound).map_err(|error| (error, Tried::default()))?.root.full(), parts);
        let program = self.compile(bound, &texts).await.map_err(plain)?.map_err(|wrong| {
            let refusal = if wrong.is_schema() { Refusal::PolicySchemaWrong } else { Refusal::PolicyWrong };
            (refusal.into(), told(&wrong))
        })?;
        let Texts { schema, text, lenient, expected, .. } = texts;
        let draft = PolicyDraft { schema, text, program: program.encode().into(), lenient, expected };
        let done = self.submit_or_try(bound, (id, trial), Command::SetPolicies { draft }).await;
        done.map_err(|error| (error, Tried::default()))
    }

    /// Tells what is wrong with policies and their schema, each at its place; nothing changes.
    ///
    /// # Errors
    /// [`SubmitError`]: who may not set policies, texts that are too long, and too many at once.
    pub async fn try_policies(&self, bound: &Bound, parts: PolicyParts) -> Result<Tried, SubmitError> {
        if !self.may(bound, POLICIES) {
            return Err(Refusal::Unauthorized.into());
        }
        let texts = texts(&self.view_of(bound)?.root.full(), parts);
        Ok(match self.compile(bound, &texts).await? {
            Ok(program) => Tried { policies: program.policies.count(), ..Tried::default() },
            Err(wrong) => told(&wrong),
        })
    }

    /// Stores the entities of a JSON list and removes others: all of them, or none.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, or Unknown. [`Listing::try_entities`] tells what is wrong where.
    pub async fn change_entities(
        &self,
        bound: &Bound,
        (id, trial): (CommandId, bool),
        (put, remove): (Option<&str>, Vec<EntityName>),
    ) -> Result<Done, SubmitError> {
        if !self.may(bound, POLICIES) {
            return Err(Refusal::Unauthorized.into());
        }
        let listing = self.view_of(bound)?.listing();
        let mut changes: Vec<EntityChange> = remove.into_iter().map(EntityChange::Remove).collect();
        if let Some(text) = put {
            let read = listing.try_entities(text).map_err(|(refusal, _)| refusal)?;
            changes.extend(read.into_iter().map(EntityChange::Put));
        }
        self.submit_or_try(bound, (id, trial), Command::ChangeEntities { changes }).await
    }
}

impl Listing {
    /// The policies as they were set.
    #[must_use]
    pub fn policies(&self) -> Option<&PolicyRecord> {
        self.0.policies.as_deref()
    }

    /// The sets that are kept, the newest first; the present one among them.
    pub fn policy_sets(&self) -> impl Iterator<Item = &PolicyRecord> {
        self.0.policy_sets.iter().rev().map(|(_, record)| &**record)
    }

    /// A set that is kept; 0 for the present one.
    #[must_use]
    pub fn policy_set(&self, version: u32) -> Option<&PolicyRecord> {
        if version == 0 { self.policies() } else { self.0.policy_sets.get(&version).map(|record| &**record) }
    }

    /// How many policies there are.
    #[must_use]
    pub fn policies_count(&self) -> usize {
        self.0.policed.as_ref().map_or(0, |policed| policed.count())
    }

    /// As how many checks a list of permissions is to be charged: policies are asked about each.
    #[must_use]
    pub fn policed_checks(&self) -> u64 {
        let asked = if self.0.policed.is_some() { self.0.permissions.size() } else { 0 };
        u64::try_from(asked / 8).unwrap_or(u64::MAX)
    }

    /// The schema that holds where none is set.
    #[must_use]
    pub fn built_in_schema(&self) -> String {
        built_in_schema(&self.0, usize::MAX)
    }

    /// How many entities are stored.
    #[must_use]
    pub fn entities_count(&self) -> usize {
        self.0.entities.size()
    }

    /// The stored entities behind one, in the order of their shares: the share, the name, and the entity as JSON.
    pub fn entities(&self, after: (u32, EntityName)) -> impl Iterator<Item = (u32, &EntityName, String)> {
        let rest = self.0.entities.range(after.clone()..).filter(move |(key, _)| **key != after);
        rest.map(|((share, name), record)| {
            let fact = Fact::decode(&record.fact).unwrap_or_default();
            (*share, name, fact.to_json(&name.kind, &name.id))
        })
    }

    /// The names of the stored entities behind one, in the order of their shares, each with its share.
    pub fn entity_names(&self, after: (u32, EntityName)) -> impl Iterator<Item = (u32, &EntityName)> {
        let rest = self.0.entities.range(after.clone()..).filter(move |(key, _)| **key != after);
        rest.map(|((share, name), _)| (*share, name))
    }

    /// Reads a JSON list of entities against the schema.
    ///
    /// # Errors
    /// The refusal, and what is wrong where.
    pub fn try_entities(&self, text: &str) -> Result<Vec<EntityRecord>, (Refusal, PlainError)> {
        let none = |refusal, says: &str| (refusal, PlainError { line: 0, column: 0, says: says.to_owned() });
        let shape = self.0.shape.as_deref();
        let shape =
            shape.ok_or_else(|| none(Refusal::PoliciesUnset, "no policies are set, and no schema"))?;
        let nodes = u32::try_from(ENTITY_CHANGES_MAX).unwrap_or(u32::MAX) * CONTEXT_VALUES_MAX;
        let bounds = PlainBounds { bytes: SENT_ENTITIES_BYTES_MAX, depth: CONTEXT_DEPTH_MAX, nodes };
        let long = text.len() > SENT_ENTITIES_BYTES_MAX;
        let refusal = || if long { Limit::SentEntitiesBytes.reached() } else { Refusal::EntityWrong };
        let wrong = |misfit| (refusal(), misfit);
        let plain = Plain::read(text, bounds).map_err(wrong)?;
        let read = shape.read_entities(&plain).map_err(wrong)?;
        let record = |one: tessera_program::Sent| {
            let name = EntityName::new(&one.kind, &one.id);
            let name = name.ok_or_else(|| none(Refusal::EntityWrong, "a type or an id is too long"))?;
            Ok(EntityRecord { name, fact: one.fact.encode().into() })
        };
        read.into_iter().map(record).collect()
    }
}
