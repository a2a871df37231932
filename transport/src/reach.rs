//! Lists of groups and of where roles are used, and why a question is answered as it is.

use crate::list::{Source, rows_of as row_count, whole};
use crate::policy;
use std::net::IpAddr;
use tessera_engine::{
    Cut, Draft, Explained, Facts, Held, Listing, ReviewPlace, RoleUse, Told, Way, Who, Why,
};
use tessera_model::{
    Deadline, GrantConditions, Limit, ListKind, Listed, Name, Private, Refusal, Trust, UnixMillis,
};
use tessera_wire::{
    ExplainRow, GrantRow, GroupRow, MemberRow, MembershipRow, Request, ReviewRow, RoleUseRow, Rows,
    RowsWriter,
};

/// The parts of an explanation.
const DECISION: u32 = 1;
const GRANT: u32 = 2;
const RESTRICTION: u32 = 3;
const CEILING: u32 = 4;
const RELATION: u32 = 5;
const STEP: u32 = 6;
const PERMIT: u32 = 7;
const FORBID: u32 = 8;
const LEVEL: u32 = 9;
const DEVICE: u32 = 10;
const ACTOR: u32 = 11;
const NETWORKS: u32 = 12;

/// The lists of groups, and where roles are used.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is listed elsewhere")]
pub(crate) fn groups(source: &Source<'_>, request: Request) -> Result<Rows, Refusal> {
    let listing = &source.listing;
    let of = |name: &Name| listing.group_named(name).map(|record| record.id).ok_or(Refusal::GroupUnknown);
    match request {
        Request::ListGroups { within, after, limit } => {
            let within = within.as_ref().map(of).transpose()?;
            let window = source.window(Listed::of_group(ListKind::Groups, within, false), (after, limit))?;
            let page = listing.groups(within, window.from, window.limit);
            let rows = page.rows.iter().map(|row| {
                let parents = listing.group_names(&row.parents);
                let (rule, left) = (listing.rule(row), listing.rule_left(row));
                (u64::from(row.id.0), GroupRow { id: row.id.0, name: row.name.clone(), parents, rule, left })
            });
            window.finish(rows, page.next)
        }
        Request::ListMembers { group, nested, after, limit } => {
            let group = of(&group)?;
            let listed = Listed::of_group(ListKind::Members, Some(group), nested);
            let window = source.window(listed, (after, limit))?;
            let page = listing.members(group, nested, window.from, window.limit);
            let rows = page.rows.into_iter().map(|row| {
                let Way { direct, from, until, through } = row.way;
                let member = MemberRow { subject: row.subject, direct, from, until, through };
                (u64::from(row.index.0), member)
            });
            window.finish(rows, page.next)
        }
        Request::ListMemberships { subject, after, limit } => {
            let subject = source.subject(subject)?;
            let listed = Listed::of_subject(ListKind::Memberships, Some(subject.id));
            let window = source.window(listed, (after, limit))?;
            let page = listing.memberships(subject.index, window.from, window.limit);
            let rows = page.rows.into_iter().map(|row| {
                let Way { direct, from, until, through } = row.way;
                let membership = MembershipRow { group: row.group, direct, from, until, through };
                (u64::from(row.id.0), membership)
            });
            window.finish(rows, page.next)
        }
        Request::ListGroupGrants { group } => {
            let grants = listing.group_grants(of(&group)?).into_iter();
            whole(grants.filter_map(|grant| {
                Some(GrantRow {
                    role: listing.role_name(grant.role)?.clone(),
                    workspace: listing.workspace_name(grant.workspace).cloned(),
                    from: grant.from,
                    until: grant.until,
                    conditions: listing.group_conditions_of(&grant),
                })
            }))
        }
        Request::ListRoleUses { role } => {
            let role = listing.role_named(&role).ok_or(Refusal::RoleUnknown)?;
            let none = (None, Deadline::NONE, Deadline::NONE);
            whole(listing.role_uses(role).into_iter().map(|used| {
                let (role, group, (workspace, from, until)) = match used {
                    RoleUse::Role(name) => (Some(name), None, none.clone()),
                    RoleUse::Group(name, grant) => {
                        let place = listing.workspace_name(grant.workspace).cloned();
                        (None, Some(name), (place, grant.from, grant.until))
                    }
                };
                RoleUseRow { role, group, workspace, from, until }
            }))
        }
        _ => Err(Refusal::Malformed),
    }
}

/// Explains an answer, as things stand or with what is supposed.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is no question of this kind")]
pub(crate) fn explain(source: &Source<'_>, request: Request, walked: &mut u64) -> Result<Rows, Refusal> {
    let (engine, view, listing) = (source.engine, source.view, &source.listing);
    let explained = match request {
        Request::Explain {
            subject,
            key,
            permission,
            workspace,
            resource,
            at,
            context,
            entities,
            address,
            acr,
            proven,
            trust,
        } => {
            source.subject(subject)?;
            let reading = engine.read(view);
            let through = key.map(|id| engine.through(source.bound, &reading, (subject, id))).transpose()?;
            // A session or key has its own.
            if through.is_some() && (acr, proven, trust) != (0, Deadline::NONE, None) {
                return Err(Refusal::Malformed);
            }
            let text = |from: Option<Private>| {
                from.as_ref().map(|from| policy::text(from).map(Into::into)).transpose()
            };
            let (resource, context, entities) = (text(resource)?, text(context)?, text(entities)?);
            let at = if at == Deadline::NONE { reading.now() } else { at.to_millis() };
            let why = Why { subject, through, permission, workspace, resource, context, entities, at };
            let facts = facts(address, acr, proven, trust);
            listing.explain(&why, &Draft { facts, ..Draft::default() })?
        }
        Request::Simulate {
            subject,
            permission,
            workspace,
            at,
            role,
            patterns,
            grant,
            grant_workspace,
            from,
            until,
            without,
            without_workspace,
            group,
            conditions,
            address,
            acr,
            proven,
            trust,
        } => {
            source.subject(subject)?;
            let at = if at == Deadline::NONE { engine.now() } else { at.to_millis() };
            let (context, entities) = (None, None);
            let through = None;
            let why = Why { subject, through, permission, workspace, resource: None, context, entities, at };
            let draft = Draft {
                role: role.map(|role| (role, patterns)),
                grant: grant.map(|grant| (grant, grant_workspace, from, until)),
                without: without.map(|without| (without, without_workspace)),
                group,
                conditions,
                facts: facts(address, acr, proven, trust),
            };
            listing.explain(&why, &draft)?
        }
        _ => return Err(Refusal::Malformed),
    };
    *walked += explained.related.as_ref().map_or(0, |related| u64::from(related.steps));
    whole(rows_of(listing, explained))
}

/// What is supposed of whoever asks.
fn facts(address: Option<IpAddr>, acr: u32, proven: Deadline, trust: Option<Trust>) -> Facts {
    let proven = (proven != Deadline::NONE).then(|| proven.to_millis());
    Facts { address, acr: u8::try_from(acr).unwrap_or(u8::MAX), proven, trust }
}

/// One row with nothing in it.
const fn row(kind: u32, reason: u32) -> ExplainRow {
    ExplainRow {
        kind,
        reason,
        holds: false,
        roles: Vec::new(),
        patterns: Vec::new(),
        workspace: None,
        from: Deadline::NONE,
        until: Deadline::NONE,
        groups: Vec::new(),
        member_from: Deadline::NONE,
        member_until: Deadline::NONE,
        wall: None,
        withheld: false,
        told: None,
        depth: 0,
        step: 0,
        conditions: GrantConditions::NONE,
        unmet: None,
    }
}

/// What cuts a session or key.
fn cut(cut: Cut) -> ExplainRow {
    let (kind, told, patterns) = match cut {
        Cut::Restriction(patterns) => (RESTRICTION, None, patterns),
        Cut::Level(trust, patterns) => (LEVEL, Some(trust.name().to_owned()), patterns),
        Cut::Device(id, patterns) => (DEVICE, Some(id.to_string()), patterns),
        Cut::Actor(id) => (ACTOR, id.map(|id| id.to_string()), Vec::new()),
        Cut::Networks(networks) => {
            let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
            (NETWORKS, Some(networks.join(", ")), Vec::new())
        }
    };
    ExplainRow { told, patterns, ..row(kind, 0) }
}

fn rows_of(listing: &Listing, explained: Explained) -> Vec<ExplainRow> {
    let never = explained.valid_until == UnixMillis(u64::MAX);
    let until = if never { Deadline::NONE } else { explained.valid_until.to_deadline() };
    let mut rows = vec![ExplainRow { until, ..row(DECISION, u32::from(explained.reason.code())) }];
    rows.extend(explained.sources.into_iter().map(|source| ExplainRow {
        holds: source.holds,
        roles: source.roles,
        patterns: source.pattern.into_iter().collect(),
        workspace: source.workspace,
        from: source.from,
        until: source.until,
        groups: source.groups,
        member_from: source.member_from,
        member_until: source.member_until,
        wall: source.wall,
        conditions: source.conditions,
        unmet: (!source.unmet.is_empty()).then(|| source.unmet.to_owned()),
        withheld: source.withheld,
        ..row(GRANT, 0)
    }));
    rows.extend(explained.cuts.into_iter().map(cut));
    let ceilings = explained.ceilings.into_iter();
    rows.extend(ceilings.map(|name| ExplainRow { workspace: Some(name), ..row(CEILING, 0) }));
    rows.extend(explained.policies.into_iter().map(|said| {
        let kind = if said.forbids { FORBID } else { PERMIT };
        let holds = said.fault.is_none();
        let told = said.fault.map_or_else(|| said.name.clone(), |fault| format!("{}: {fault}", said.name));
        ExplainRow { told: Some(told), holds, ..row(kind, 0) }
    }));
    if let Some(related) = explained.related {
        let (told, holds) = (Some(related.set), related.holds);
        rows.push(ExplainRow { told, holds, ..row(RELATION, 0) });
        rows.extend(related.path.into_iter().map(|step| ExplainRow {
            told: Some(listing.told_line(&step.what).to_owned()),
            holds: step.holds,
            depth: step.depth,
            step: crate::relation::step_kind(step.kind),
            ..row(STEP, 0)
        }));
    }
    rows
}

/// Who holds what.
pub(crate) fn review(source: &Source<'_>, (after, limit): (Option<Private>, u32)) -> Result<Rows, Refusal> {
    let cursors = source.cursors(Listed::all(ListKind::Review))?;
    let from = ReviewPlace::read(&cursors, after.as_ref().map(Private::expose))?;
    let cursor = |place: ReviewPlace| place.cursor(&cursors);
    let found = source.engine.review(source.bound, &source.listing, (from, row_count(limit)))?;
    let by = |note: &Option<Told>| note.as_ref().and_then(|note| Name::new(note.by.as_deref()?).ok());
    let at = |note: &Option<Told>| note.as_ref().map_or(Deadline::NONE, |note| note.at);
    let (mut writer, mut last) = (RowsWriter::new(), None);
    for row in found.rows {
        let made_by = row.by().and_then(|text| Name::new(&text).ok());
        let (subject, group) = match row.who {
            Who::Subject(id) => (Some(id), None),
            Who::Group(name) => (None, Some(name)),
        };
        let (role, workspace, member_of) = match row.held {
            Held::Role(role, place) => (Some(role), place, None),
            Held::Group(name) => (None, None, Some(name)),
        };
        let shape = ReviewRow {
            subject,
            group,
            role,
            workspace,
            member_of,
            from: row.from,
            until: row.until,
            created: at(&row.made),
            by: made_by,
            changed: at(&row.changed),
            changed_by: by(&row.changed),
            request: row.changed.or(row.made).and_then(|note| note.request),
            conditions: row.conditions,
        };
        if !writer.push(&shape) {
            let cut = last.ok_or(Limit::WireFrameBytes.reached())?;
            return Ok(writer.finish(Some(&cursor(cut))));
        }
        last = Some(row.place);
    }
    Ok(writer.finish(found.next.map(cursor).as_deref()))
}
