//! Lists of groups and of where roles are used.

use crate::answer::Object;
use crate::input::{Input, ill_formed};
use crate::list::{Window, limit, rows_of, texts, whole};
use crate::operation::List;
use crate::problem::Problem;
use crate::sight;
use crate::under::under;
use serde_json::Value;
use std::cell::Cell;
use std::sync::Arc;
use tessera_engine::{Bound, Engine, Held, Listing, ReviewPlace, Reviewed, RoleUse, Told, Way, Who};
use tessera_model::record::GroupRecord;
use tessera_model::{Deadline, GroupId, ListKind, Listed, Name, Refusal, RoleId, WorkspaceIndex, cursor};

/// Answers one of these lists.
#[expect(clippy::wildcard_enum_match_arm, reason = "the other lists are answered elsewhere")]
pub(crate) fn rows<'a>(
    listing: &Listing,
    (list, input): (List, &Input),
    window: impl Fn(Listed) -> Result<Window<'a>, Problem>,
) -> Result<Value, Problem> {
    let named = |field: &'static str| -> Result<&Arc<GroupRecord>, Problem> {
        let name = input.name(field)?.ok_or_else(|| ill_formed(field))?;
        Ok(listing.group_named(&name).ok_or(Refusal::GroupUnknown)?)
    };
    match list {
        List::Groups => {
            let within = match input.name("within")? {
                None => None,
                Some(_) => Some(named("within")?.id),
            };
            window(Listed::of_group(ListKind::Groups, within, false))?
                .page(|from, limit| listing.groups(within, from, limit), |row| group(listing, row))
        }
        List::Group => Ok(group(listing, named("name")?).value()),
        List::Members => {
            let nested = input.bool("nested")?.unwrap_or(false);
            let of = named("group")?.id;
            window(Listed::of_group(ListKind::Members, Some(of), nested))?.page(
                |from, limit| listing.members(of, nested, from, limit),
                |row| way(Object::new().shown("subject", row.subject), &row.way),
            )
        }
        List::Memberships => {
            let subject = sight::named(listing, (list, input))?;
            window(Listed::of_subject(ListKind::Memberships, Some(subject.id)))?.page(
                |from, limit| listing.memberships(subject.index, from, limit),
                |row| way(Object::new().shown("group", &row.group), &row.way),
            )
        }
        List::GroupGrants => {
            let grants = listing.group_grants(named("group")?.id).into_iter();
            let rows = grants.filter_map(|grant| {
                let (object, place) = (Object::new(), (grant.workspace, grant.from, grant.until));
                let conditions = listing.group_conditions_of(&grant);
                let object = granted(listing, role(listing, object, grant.role)?, place);
                Some(under(object, &conditions))
            });
            Ok(whole(rows))
        }
        List::RoleUses => {
            let name = input.name("name")?.ok_or_else(|| ill_formed("name"))?;
            let role = listing.role_named(&name).ok_or(Refusal::RoleUnknown)?;
            let none: Option<&str> = None;
            Ok(whole(listing.role_uses(role).iter().map(|used| match used {
                RoleUse::Role(name) => {
                    let object = Object::new().shown("role", name).with("group", none);
                    granted(listing, object, (WorkspaceIndex(0), Deadline::NONE, Deadline::NONE))
                }
                RoleUse::Group(name, grant) => {
                    let object = Object::new().with("role", none).shown("group", name);
                    granted(listing, object, (grant.workspace, grant.from, grant.until))
                }
            })))
        }
        _ => Err(Problem::failed()),
    }
}

fn role(listing: &Listing, object: Object, role: RoleId) -> Option<Object> {
    Some(object.shown("role", listing.role_name(role)?))
}

fn granted(
    listing: &Listing,
    object: Object,
    (workspace, from, until): (WorkspaceIndex, Deadline, Deadline),
) -> Object {
    let workspace = listing.workspace_name(workspace).map(Name::to_string);
    object.with("workspace", workspace).until("from", from).until("until", until)
}

fn group(listing: &Listing, row: &Arc<GroupRecord>) -> Object {
    let parents: &[GroupId] = &row.parents;
    let object = Object::new().with("id", row.id.0).shown("name", &row.name);
    object
        .with("parents", texts(&listing.group_names(parents)))
        .with("rule", listing.rule(row).iter().map(ToString::to_string).collect::<Vec<_>>())
        .with("left", listing.rule_left(row))
}

/// Who holds what.
pub(crate) fn review(
    engine: &Engine,
    bound: &Bound,
    listing: &Listing,
    (input, walked): (&Input, &Cell<u64>),
) -> Result<Value, Problem> {
    let cursors = engine.cursors(bound.entry.tenant, Listed::all(ListKind::Review))?;
    let from = ReviewPlace::read(&cursors, input.cursor("cursor").as_deref())?;
    let found = engine.review(bound, listing, (from, limit(input)?))?;
    walked.set(found.walked);
    let next = found.next.map(|next| cursor::to_text(&next.cursor(&cursors)));
    Ok(rows_of(found.rows.iter().map(reviewed), next))
}

/// Something that somebody holds.
fn reviewed(row: &Reviewed) -> Object {
    let (subject, group) = match &row.who {
        Who::Subject(id) => (Some(id.to_string()), None),
        Who::Group(name) => (None, Some(name.to_string())),
    };
    let (role, place, member_of) = match &row.held {
        Held::Role(role, place) => (Some(role.to_string()), place.as_ref().map(Name::to_string), None),
        Held::Group(name) => (None, None, Some(name.to_string())),
    };
    let at = |told: &Option<Told>| told.as_ref().map_or(Deadline::NONE, |told| told.at);
    let last = row.changed.as_ref().or(row.made.as_ref());
    let object = Object::new()
        .with("subject", subject)
        .with("group", group)
        .with("role", role)
        .with("workspace", place)
        .with("member_of", member_of)
        .until("from", row.from)
        .until("until", row.until)
        .until("created", at(&row.made))
        .with("by", row.by())
        .until("changed", at(&row.changed))
        .with("changed_by", row.changed.as_ref().and_then(|told| told.by.clone()))
        .with("request", last.and_then(|told| told.request).map(|id| id.to_string()));
    under(object, &row.conditions)
}

fn way(object: Object, way: &Way) -> Object {
    let object = object.with("direct", way.direct).until("from", way.from).until("until", way.until);
    object.with("through", texts(&way.through))
}
