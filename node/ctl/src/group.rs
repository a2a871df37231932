//! `tessera group`: who holds grants together.

use crate::answer::{Answer, instant, put_instant, shown, texts};
use crate::condition::{self, ConditionFlags};
use crate::error::CtlError;
use crate::grant::{deadline, grants, place};
use crate::link::{Link, Who, Window};
use crate::reach;
use crate::table::Table;
use crate::when::When;
use serde_json::{Map, Value, json};
use tessera_client::wire::{GrantRow, GroupRow, Made, MemberRow, MembershipRow, Request};
use tessera_model::grant_condition::GranteeName;
use tessera_model::limits::{RULE_SUBJECTS_MAX, SUBJECTS_MAX};
use tessera_model::{Condition, Deadline, GrantConditions, Name};

/// What can be done with groups.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum GroupVerb {
    /// Make a group: one whose members are put into it, or one with a rule.
    #[command(
        after_help = "Examples:\n  tessera group create editors\n  tessera group create sales --rule department=sales --rule 'mail=*@example.org'"
    )]
    Create {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        /// What holds for whoever is in it, ATTRIBUTE=VALUE; given several times, all of them do.
        #[arg(long = "rule", value_name = "CONDITION", value_parser = condition)]
        rule: Vec<Condition>,
    },
    /// Change the rule of a group: who is in it follows at once.
    #[command(
        after_help = "A condition is ATTRIBUTE=VALUE: with | between values of which one is enough, * for any value, *END for a text's end.\n\nExamples:\n  tessera group rule sales 'department=sales|support'\n  tessera group rule sales department=sales 'mail=*@example.org'"
    )]
    Rule {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        /// What all hold for whoever is in it from now on.
        #[arg(required = true, value_name = "CONDITION", value_parser = condition)]
        rule: Vec<Condition>,
    },
    /// Delete a group, every membership in it and every grant to it. Groups in it stay, without it.
    #[command(after_help = "Example:\n  tessera group delete editors")]
    Delete {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
    },
    /// Put a user or machine into a group; the window of an equal membership is replaced.
    #[command(
        after_help = "Examples:\n  tessera group add editors amy@example.org\n  tessera group add editors bob@example.org --until +7d"
    )]
    Add {
        /// Into which.
        #[arg(value_parser = reach::name)]
        group: Name,
        /// Public id, email, phone number or username.
        who: Who,
        /// From when: an instant in UTC, or a span from now.
        #[arg(long, value_name = "TIME")]
        from: Option<When>,
        /// Until when.
        #[arg(long, value_name = "TIME")]
        until: Option<When>,
    },
    /// Take a user or machine out of a group.
    #[command(after_help = "Example:\n  tessera group remove editors amy@example.org")]
    Remove {
        /// Out of which.
        #[arg(value_parser = reach::name)]
        group: Name,
        /// Public id, email, phone number or username.
        who: Who,
    },
    /// Put a group into another one: what the outer one is granted, the members of the inner one have too.
    #[command(
        after_help = "Examples:\n  tessera group nest staff editors\n  tessera group nest on-call editors --until +7d"
    )]
    Nest {
        /// The outer one.
        #[arg(value_parser = reach::name)]
        group: Name,
        /// The inner one.
        #[arg(value_parser = reach::name)]
        member: Name,
        /// From when: an instant in UTC, or a span from now.
        #[arg(long, value_name = "TIME")]
        from: Option<When>,
        /// Until when.
        #[arg(long, value_name = "TIME")]
        until: Option<When>,
    },
    /// Take a group out of another one.
    #[command(after_help = "Example:\n  tessera group unnest staff editors")]
    Unnest {
        /// The outer one.
        #[arg(value_parser = reach::name)]
        group: Name,
        /// The inner one.
        #[arg(value_parser = reach::name)]
        member: Name,
    },
    /// Grant a role to all who are in a group; the window of an equal grant is replaced.
    #[command(
        after_help = "Examples:\n  tessera group grant editors writer\n  tessera group grant editors writer --workspace berlin --until +7d"
    )]
    Grant {
        /// Which group's.
        #[arg(value_parser = reach::name)]
        group: Name,
        /// Which role.
        #[arg(value_parser = reach::name)]
        role: Name,
        /// Where; without it, in the whole tenant.
        #[arg(long, value_parser = reach::name)]
        workspace: Option<Name>,
        /// From when: an instant in UTC, or a span from now.
        #[arg(long, value_name = "TIME")]
        from: Option<When>,
        /// Until when.
        #[arg(long, value_name = "TIME")]
        until: Option<When>,
        #[command(flatten)]
        under: ConditionFlags,
    },
    /// Say under which conditions a group's grant that stands counts; with none, always.
    #[command(after_help = "Example:\n  tessera group conditions editors writer --network 10.0.0.0/8")]
    Conditions {
        /// Which group's.
        #[arg(value_parser = reach::name)]
        group: Name,
        /// Which role.
        #[arg(value_parser = reach::name)]
        role: Name,
        /// Where; without it, in the whole tenant.
        #[arg(long, value_parser = reach::name)]
        workspace: Option<Name>,
        #[command(flatten)]
        under: ConditionFlags,
    },
    /// Take a grant from a group.
    #[command(after_help = "Example:\n  tessera group ungrant editors writer --workspace berlin")]
    Ungrant {
        /// Which group's.
        #[arg(value_parser = reach::name)]
        group: Name,
        /// Which role.
        #[arg(value_parser = reach::name)]
        role: Name,
        /// Where; without it, in the whole tenant.
        #[arg(long, value_parser = reach::name)]
        workspace: Option<Name>,
    },
    /// List the grants of a group.
    #[command(after_help = "Example:\n  tessera group grants editors")]
    Grants {
        /// Which.
        #[arg(value_parser = reach::name)]
        group: Name,
    },
    /// List the groups.
    #[command(after_help = "Examples:\n  tessera group list\n  tessera group list --within staff")]
    List {
        /// Those alone that lie in this one, straight.
        #[arg(long, value_name = "GROUP", value_parser = reach::name)]
        within: Option<Name>,
        #[command(flatten)]
        window: Window,
    },
    /// List who is in a group.
    #[command(
        after_help = "Examples:\n  tessera group members editors\n  tessera group members staff --nested"
    )]
    Members {
        /// Which.
        #[arg(value_parser = reach::name)]
        group: Name,
        /// Those too that are in groups in it.
        #[arg(long)]
        nested: bool,
        #[command(flatten)]
        window: Window,
    },
    /// List the groups that a user or machine is in, straight or through others.
    #[command(after_help = "Example:\n  tessera group of amy@example.org")]
    Of {
        /// Public id, email, phone number or username.
        who: Who,
        #[command(flatten)]
        window: Window,
    },
}

/// `, from …, until …`, as far as there is a window.
fn window((from, until): (Deadline, Deadline)) -> String {
    let word = |word: &str, end| instant(end).map_or_else(String::new, |end| format!(", {word} {end}"));
    word("from", from) + &word("until", until)
}

impl GroupVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Create { name, rule } => create(link, name, rule).await,
            Self::Rule { name, rule } => {
                let made = settle(link, &name, &rule, None).await?;
                let text = format!("In group {name} is whoever has {}.", words(&rule).join(" and "));
                let answer = Answer::said(text).with("group", name.as_str()).with("rule", words(&rule));
                Ok(answer.made(&made))
            }
            Self::Delete { name } => {
                let made = link.order(&Request::DeleteGroup { name: name.clone() }).await?;
                let text =
                    format!("Group {name} is deleted, with every membership in it and every grant to it.");
                Ok(Answer::said(text).with("group", name.as_str()).made(&made))
            }
            Self::Add { group, who, from, until } => {
                let window = (deadline(link, from)?, deadline(link, until)?);
                add(link, group, &who, window).await
            }
            Self::Remove { group, who } => {
                let subject = link.id_of(&who).await?;
                let made = link.order(&Request::RemoveMember { group: group.clone(), subject }).await?;
                let answer = Answer::said(format!("{who} is not in group {group} itself (any more)."));
                Ok(answer.with("group", group.as_str()).with("subject", subject.to_string()).made(&made))
            }
            Self::Nest { group, member, from, until } => {
                let window = (deadline(link, from)?, deadline(link, until)?);
                nest(link, (group, member), window).await
            }
            Self::Unnest { group, member } => {
                let request = Request::RemoveSubgroup { group: group.clone(), member: member.clone() };
                let made = link.order(&request).await?;
                let answer =
                    Answer::said(format!("Group {member} does not lie in group {group} (any more)."));
                Ok(answer.with("group", group.as_str()).with("member", member.as_str()).made(&made))
            }
            Self::Grant { group, role, workspace, from, until, under } => {
                let window = (deadline(link, from)?, deadline(link, until)?);
                grant(link, (group, role, workspace), window, under.all()?).await
            }
            Self::Conditions { group, role, workspace, under } => {
                let who = format!("Group {group}");
                condition::set(link, (&who, GranteeName::Group(group)), (role, workspace), under).await
            }
            Self::Ungrant { group, role, workspace } => ungrant(link, group, role, workspace).await,
            Self::Grants { group } => {
                let request = Request::ListGroupGrants { group: group.clone() };
                let (table, listed) = grants(&link.page::<GrantRow>(&request).await?.rows);
                let answer = Answer::said(table.to_string()).with("group", group.as_str());
                Ok(answer.with("grants", listed))
            }
            Self::List { within, window } => list(link, within, window).await,
            Self::Members { group, nested, window } => members(link, group, nested, window).await,
            Self::Of { who, window } => memberships(link, &who, window).await,
        }
    }
}

async fn nest(
    link: &Link,
    (group, member): (Name, Name),
    (from, until): (Deadline, Deadline),
) -> Result<Answer, CtlError> {
    let when = window((from, until));
    let (outer, inner) = (group.clone(), member.clone());
    let made = link.order(&Request::AddSubgroup { group: outer, member: inner, from, until }).await?;
    let text = format!("Group {member} lies in group {group}{when}: its members have what that has.");
    let answer = Answer::said(text).with("group", group.as_str());
    Ok(answer.with("member", member.as_str()).made(&made))
}

async fn ungrant(link: &Link, group: Name, role: Name, workspace: Option<Name>) -> Result<Answer, CtlError> {
    let request =
        Request::UngrantGroup { group: group.clone(), role: role.clone(), workspace: workspace.clone() };
    let made = link.order(&request).await?;
    let place = place(workspace.as_ref());
    Ok(Answer::said(format!("Group {group} does not have role {role} {place} (any more)."))
        .with("group", group.as_str())
        .with("role", role.as_str())
        .with("workspace", workspace.map(|name| name.to_string()))
        .made(&made))
}

/// Reads a condition of a rule.
fn condition(text: &str) -> Result<Condition, String> {
    Condition::new(text).map_err(|error| error.to_string())
}

fn words(rule: &[Condition]) -> Vec<String> {
    rule.iter().map(ToString::to_string).collect()
}

/// Orders a rule until it has reached everybody; the receipt is the last one's.
async fn settle(link: &Link, name: &Name, rule: &[Condition], begun: Option<Made>) -> Result<Made, CtlError> {
    let request = Request::ChangeGroupRule { name: name.clone(), rule: rule.to_vec() };
    let mut made = match begun {
        Some(made) => made,
        None => link.order(&request).await?,
    };
    for _ in 0..=SUBJECTS_MAX / RULE_SUBJECTS_MAX {
        if made.left == Some(0) {
            break;
        }
        made = link.order(&request).await?;
    }
    Ok(made)
}

async fn create(link: &Link, name: Name, rule: Vec<Condition>) -> Result<Answer, CtlError> {
    let request = Request::CreateGroup { name: name.clone(), rule: rule.clone() };
    let mut made = link.order(&request).await?;
    let id = made.group;
    let mut text = format!("Made group {name}.");
    if !rule.is_empty() {
        text = format!("Made group {name}: whoever has {} is in it.", words(&rule).join(" and "));
        made = settle(link, &name, &rule, Some(made)).await?;
    }
    let answer = Answer::said(text).with("group", name.as_str()).with("rule", words(&rule));
    Ok(answer.with("id", id).made(&made))
}

async fn add(
    link: &Link,
    group: Name,
    who: &Who,
    (from, until): (Deadline, Deadline),
) -> Result<Answer, CtlError> {
    let subject = link.id_of(who).await?;
    let made = link.order(&Request::AddMember { group: group.clone(), subject, from, until }).await?;
    Ok(Answer::said(format!("{who} is in group {group}{}.", window((from, until))))
        .with("group", group.as_str())
        .with("subject", subject.to_string())
        .at("from", instant(from))
        .at("until", instant(until))
        .made(&made))
}

async fn grant(
    link: &Link,
    (group, role, workspace): (Name, Name, Option<Name>),
    (from, until): (Deadline, Deadline),
    conditions: GrantConditions,
) -> Result<Answer, CtlError> {
    // Without conditions those of an equal grant stay.
    let request = if conditions.is_empty() {
        let (group, role, workspace) = (group.clone(), role.clone(), workspace.clone());
        Request::GrantGroup { group, role, workspace, from, until }
    } else {
        let grantee = GranteeName::Group(group.clone());
        condition::granting(grantee, (&role, workspace.as_ref()), (from, until), conditions.clone())
    };
    let made = link.order(&request).await?;
    let (place, window) = (place(workspace.as_ref()), window((from, until)));
    let under = if conditions.is_empty() {
        String::new()
    } else {
        format!(", under {}", condition::words(&conditions).join(" and "))
    };
    Ok(Answer::said(format!("Group {group} has role {role} {place}{window}{under}."))
        .with("conditions", condition::words(&conditions))
        .with("group", group.as_str())
        .with("role", role.as_str())
        .with("workspace", workspace.map(|name| name.to_string()))
        .at("from", instant(from))
        .at("until", instant(until))
        .made(&made))
}

async fn list(link: &Link, within: Option<Name>, window: Window) -> Result<Answer, CtlError> {
    let request = |after, limit| Request::ListGroups { within: within.clone(), after, limit };
    let found = window.read::<GroupRow>(link, request).await?;
    let mut table = Table::new(&["ID", "GROUP", "LIES IN", "RULE"]);
    let mut rows: Vec<Value> = Vec::new();
    for row in &found.rows {
        let parents = texts(&row.parents);
        let rule = words(&row.rule);
        let lies_in = if parents.is_empty() { "-".to_owned() } else { parents.join(", ") };
        let left = if row.left == 0 { String::new() } else { format!(" ({} subjects to go)", row.left) };
        table.row([row.id.to_string(), row.name.to_string(), lies_in, rule.join(" and ") + &left]);
        rows.push(json!({
            "id": row.id, "group": row.name.as_str(), "parents": parents, "rule": rule, "left": row.left,
        }));
    }
    Ok(found.told(Answer::said(table.to_string()).with("groups", rows)))
}

/// How somebody is in a group: the cells of a table, and the fields of an object.
fn way(
    json: &mut Map<String, Value>,
    direct: bool,
    (from, until): (Deadline, Deadline),
    through: &[Name],
) -> [String; 4] {
    let (from, until) = (instant(from), instant(until));
    json.insert("direct".into(), direct.into());
    put_instant(json, "from", from);
    put_instant(json, "until", until);
    json.insert("through".into(), texts(through).into());
    let word = if direct { "yes" } else { "no" };
    [word.to_owned(), shown(from), shown(until), texts(through).join(", ")]
}

async fn members(link: &Link, group: Name, nested: bool, window: Window) -> Result<Answer, CtlError> {
    let request = |after, limit| Request::ListMembers { group: group.clone(), nested, after, limit };
    let found = window.read::<MemberRow>(link, request).await?;
    let mut table = Table::new(&["SUBJECT", "ITSELF", "FROM", "UNTIL", "THROUGH"]);
    let mut rows: Vec<Value> = Vec::new();
    for row in &found.rows {
        let mut json = Map::new();
        json.insert("subject".into(), row.subject.to_string().into());
        let [direct, from, until, through] = way(&mut json, row.direct, (row.from, row.until), &row.through);
        table.row([row.subject.to_string(), direct, from, until, through]);
        rows.push(json.into());
    }
    let answer = Answer::said(table.to_string()).with("group", group.as_str());
    Ok(found.told(answer.with("members", rows)))
}

async fn memberships(link: &Link, who: &Who, window: Window) -> Result<Answer, CtlError> {
    let subject = link.id_of(who).await?;
    let request = |after, limit| Request::ListMemberships { subject, after, limit };
    let found = window.read::<MembershipRow>(link, request).await?;
    let mut table = Table::new(&["GROUP", "ITSELF", "FROM", "UNTIL", "THROUGH"]);
    let mut rows: Vec<Value> = Vec::new();
    for row in &found.rows {
        let mut json = Map::new();
        json.insert("group".into(), row.group.as_str().into());
        let [direct, from, until, through] = way(&mut json, row.direct, (row.from, row.until), &row.through);
        table.row([row.group.to_string(), direct, from, until, through]);
        rows.push(json.into());
    }
    let answer = Answer::said(table.to_string()).with("subject", subject.to_string());
    Ok(found.told(answer.with("groups", rows)))
}
