//! What comes with a question: circumstances and entities, read and held against the schema.

use crate::policed::{GIVEN, ancestors, pairs, stored_above};
use crate::root::Root;
use std::collections::{BTreeMap, HashMap};
use tessera_model::limits::{
    CONTEXT_BYTES_MAX, CONTEXT_DEPTH_MAX, CONTEXT_VALUES_MAX, SENT_ENTITIES_BYTES_MAX, SENT_ENTITIES_MAX,
};
use tessera_model::policy::{EntityName, OWN_TYPES};
use tessera_model::{Limit, Refusal};
use tessera_program::{Fact, Kind, Plain, PlainBounds, PlainError, Sent, Shape, Term};

/// What came with a question, held against the schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct Circumstances {
    pub(crate) context: BTreeMap<String, Term>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) told: bool,
}

/// Reads what came with a question, against the schema of a tenant. Facts named in `given` may not be sent.
///
/// # Errors
/// The refusal, and what is wrong where.
pub(crate) fn circumstances(
    root: &Root,
    permission: &str,
    (context, entities): (Option<&str>, Option<&str>),
    given: &[&str],
) -> Result<Circumstances, (Refusal, PlainError)> {
    let nothing = Shape::default();
    let shape = root.shape.as_deref().unwrap_or(&nothing);
    Ok(Circumstances {
        context: context.map_or(Ok(BTreeMap::new()), |text| fields(shape, permission, text, given))?,
        sent: entities.map_or(Ok(Vec::new()), |text| sent(root, shape, text))?,
        told: context.is_some(),
    })
}

const fn bounds(bytes: usize, nodes: u32) -> PlainBounds {
    PlainBounds { bytes, depth: CONTEXT_DEPTH_MAX, nodes }
}

/// Reads a context.
fn fields(
    shape: &Shape,
    permission: &str,
    text: &str,
    given: &[&str],
) -> Result<BTreeMap<String, Term>, (Refusal, PlainError)> {
    let long = text.len() > CONTEXT_BYTES_MAX;
    let refusal = || if long { Limit::ContextBytes.reached() } else { Refusal::ContextWrong };
    let wrong = |misfit| (refusal(), misfit);
    let plain = Plain::read(text, bounds(CONTEXT_BYTES_MAX, CONTEXT_VALUES_MAX)).map_err(wrong)?;
    let action = shape.actions.get(&("Action".to_owned(), permission.to_owned()));
    match action {
        // The node's own facts are not missing, and where the schema gives them another type they may be sent.
        Some(action) => {
            let kept = given.iter().copied().filter(|name| is_given(shape, action.context, name));
            let kept: Vec<&str> = kept.collect();
            let found = shape.read_fields(action.context, &plain, &kept, false).map_err(wrong)?;
            // What the node says in a check is not missing where it may be said instead and is not.
            let missing = shape.fields(action.context).iter().find(|field| {
                let given =
                    GIVEN.iter().any(|name| is_given(shape, action.context, name) && field.name == **name);
                field.required && !given && !found.contains_key(&field.name)
            });
            if let Some(field) = missing {
                return Err(wrong(plain.misfit(format!("the attribute {:?} is missing", field.name))));
            }
            Ok(found)
        }
        None if matches!(&plain.value, Plain::Object(members) if members.is_empty()) => Ok(BTreeMap::new()),
        None => Err(wrong(plain.misfit("the schema has no such action, so there is no context for it"))),
    }
}

/// Reads entities, each with all that it lies in.
fn sent(root: &Root, shape: &Shape, text: &str) -> Result<Vec<Sent>, (Refusal, PlainError)> {
    let mut read = Vec::new();
    let long = text.len() > SENT_ENTITIES_BYTES_MAX;
    let refusal = || if long { Limit::SentEntitiesBytes.reached() } else { Refusal::EntityWrong };
    let wrong = |misfit| (refusal(), misfit);
    let nodes = u32::try_from(SENT_ENTITIES_MAX).unwrap_or(u32::MAX) * CONTEXT_VALUES_MAX;
    let plain = Plain::read(text, bounds(SENT_ENTITIES_BYTES_MAX, nodes)).map_err(wrong)?;
    let sent = shape.read_entities(&plain).map_err(wrong)?;
    if sent.len() > SENT_ENTITIES_MAX {
        let says = format!("at most {SENT_ENTITIES_MAX} entities come with a question");
        return Err((Limit::SentEntities.reached(), plain.misfit(says)));
    }
    let own = |kind: &str| OWN_TYPES.contains(&kind);
    let forged =
        sent.iter().find(|one| own(&one.kind) || one.fact.ancestors.iter().any(|(kind, _)| own(kind)));
    if let Some(forged) = forged {
        let says = format!("{}::{:?} is, or lies in, what the node itself knows", forged.kind, forged.id);
        return Err(wrong(plain.misfit(says)));
    }
    let name =
        |(kind, id): &(String, String)| EntityName { kind: kind.as_str().into(), id: id.as_str().into() };
    let above: HashMap<EntityName, Vec<EntityName>> = sent
        .iter()
        .map(|one| {
            let own = EntityName { kind: one.kind.as_str().into(), id: one.id.as_str().into() };
            (own, one.fact.ancestors.iter().map(name).collect())
        })
        .collect();
    // What is stored below one that is sent would go on lying where that one lay.
    let moved = above.iter().find(|(one, parents)| {
        let stored = stored_above(root, one).unwrap_or_default();
        let same = stored.len() == parents.len() && stored.iter().all(|parent| parents.contains(parent));
        !same && root.holding.contains_key(*one)
    });
    if let Some((one, _)) = moved {
        let says = format!(
            "stored entities lie in {}::{:?}, which cannot be sent with other parents",
            one.kind, one.id
        );
        return Err(wrong(plain.misfit(says)));
    }
    let straight = |name: &EntityName| match above.get(name) {
        Some(parents) => Some(parents.as_slice()),
        None => stored_above(root, name),
    };
    for one in &sent {
        let own = EntityName { kind: one.kind.as_str().into(), id: one.id.as_str().into() };
        let above = ancestors(&own, &straight).filter(|above| !above.contains(&own));
        let Some(above) = above else {
            let says = format!("{}::{:?} lies in itself, or in too many", one.kind, one.id);
            return Err(wrong(plain.misfit(says)));
        };
        let fact = Fact { ancestors: pairs(Some(above)), ..one.fact.clone() };
        read.push(Sent { kind: one.kind.clone(), id: one.id.clone(), fact });
    }
    Ok(read)
}

/// Whether the node says this fact in a context of this shape.
pub(crate) fn is_given(shape: &Shape, context: u32, name: &str) -> bool {
    let field = shape.fields(context).iter().find(|field| field.name == name);
    let kind = field.and_then(|field| shape.kind(field.kind));
    match (name, kind) {
        ("now" | "opened" | "authenticated_at", Some(Kind::Datetime))
        | ("acr" | "device_trust", Some(Kind::Long))
        | ("ip", Some(Kind::Ip))
        | ("key", Some(Kind::Bool)) => true,
        ("workspace", Some(Kind::Entity(of))) => of == "Workspace",
        _ => false,
    }
}
