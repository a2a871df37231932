//! `tessera visibility`: who sees whom, and what of them.

use crate::answer::{Answer, texts};
use crate::catalogue::whole;
use crate::error::CtlError;
use crate::link::Link;
use crate::reach;
use crate::table::Table;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tessera_client::wire::{Request, VisibilityRow};
use tessera_model::visibility::{Circle, Detail, Details, Reach, VisibilityRule};
use tessera_model::{Name, Refusal};

/// What can be done with who sees whom.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum VisibilityVerb {
    /// Show the rules. Without any, permissions alone limit who is seen.
    #[command(after_help = "Examples:\n  tessera visibility show\n  tessera visibility show --json")]
    Show,
    /// Set the rule of a role, or of everybody who has no role that a rule names. The others stay.
    #[command(
        after_help = "Whom: all, workspace, group, created, or none. What: email, phone, username, attributes, status, creator, sessions, devices, keys, grants, groups, requests, all, or none.\n\nExamples:\n  tessera visibility set support --sees workspace,group --shows email,username,groups\n  tessera visibility set --others --sees none --shows none"
    )]
    Set {
        #[command(flatten)]
        whose: Whose,
        /// Whom they see, with commas between.
        #[arg(long, value_name = "CIRCLES", value_parser = circles)]
        sees: Reach,
        /// What of them, with commas between.
        #[arg(long, value_name = "DETAILS", value_parser = details)]
        shows: Details,
        /// An attribute that is shown by name; may stand several times.
        #[arg(long = "attribute", value_name = "NAME", value_parser = reach::name)]
        attributes: Vec<Name>,
        /// Change nothing: only say what would come of it.
        #[arg(long = "try")]
        trial: bool,
    },
    /// Take the rule of a role away, or that of everybody else.
    #[command(after_help = "Example:\n  tessera visibility remove support")]
    Remove {
        #[command(flatten)]
        whose: Whose,
    },
    /// Put the rules of a file in the place of all that there are. An empty list takes them away.
    #[command(
        after_help = "The file is JSON, as show --json prints it: {\"rules\": [{\"role\": \"support\", \"sees\": [\"workspace\"], \"shows\": [\"email\"], \"attributes\": [\"title\"]}, {\"sees\": [], \"shows\": []}]}\n\nExample:\n  tessera visibility load rules.json --try"
    )]
    Load {
        /// The file, or - for standard input.
        file: PathBuf,
        /// The version that must be the present one; 0 for no rules.
        #[arg(long)]
        version: Option<u32>,
        /// Change nothing: only say what would come of it.
        #[arg(long = "try")]
        trial: bool,
    },
}

/// Whose rule it is.
#[derive(Clone, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Whose {
    /// The role.
    #[arg(value_parser = reach::name)]
    role: Option<Name>,
    /// Everybody who has no role that a rule names.
    #[arg(long)]
    others: bool,
}

/// Words with commas between, `all` and `none` among them.
fn words<T: Copy>(
    text: &str,
    (all, names): (&[T], &[&str]),
    from_name: fn(&str) -> Option<T>,
    all_is_one: bool,
) -> Result<Vec<T>, String> {
    match text {
        "none" => Ok(Vec::new()),
        "all" if !all_is_one => Ok(all.to_vec()),
        _ => {
            let word = |word: &str| {
                from_name(word).ok_or_else(|| format!("{word} is none of {}, or none", names.join(", ")))
            };
            text.split(',').map(str::trim).map(word).collect()
        }
    }
}

fn circles(text: &str) -> Result<Reach, String> {
    let each = words(text, (Circle::ALL, Circle::NAMES), Circle::from_name, true)?;
    Ok(each.into_iter().collect())
}

fn details(text: &str) -> Result<Details, String> {
    let each = words(text, (Detail::ALL, Detail::NAMES), Detail::from_name, false)?;
    Ok(each.into_iter().collect())
}

/// A file of rules.
#[derive(serde::Deserialize)]
struct Written {
    rules: Vec<WrittenRule>,
}

/// A rule as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    #[serde(default)]
    role: Option<String>,
    sees: Vec<String>,
    shows: Vec<String>,
    #[serde(default)]
    attributes: Vec<String>,
}

impl WrittenRule {
    fn read(&self) -> Result<VisibilityRule, String> {
        let name = |text: &String| reach::name(text).map_err(|error| format!("{text}: {error}"));
        let list = |words: &[String]| if words.is_empty() { "none".to_owned() } else { words.join(",") };
        Ok(VisibilityRule {
            role: self.role.as_ref().map(name).transpose()?,
            reach: circles(&list(&self.sees))?,
            details: details(&list(&self.shows))?,
            attributes: self.attributes.iter().map(name).collect::<Result<_, _>>()?,
        })
    }
}

fn rules(text: &str) -> Result<Vec<VisibilityRule>, String> {
    let read: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let placed = (1..).zip(read.rules);
    placed.map(|(at, rule): (usize, _)| rule.read().map_err(|why| format!("rule {at}: {why}"))).collect()
}

/// The rules as they are, and their version.
async fn present(link: &Link) -> Result<(u32, Vec<VisibilityRule>), CtlError> {
    let rows = link.page::<VisibilityRow>(&Request::ReadVisibility {}).await?.rows;
    let version = rows.first().map_or(0, |row| row.version);
    let rules = rows.into_iter().map(|row| {
        let VisibilityRow { version: _, role, reach, details, attributes } = row;
        VisibilityRule { role, reach, details, attributes }
    });
    Ok((version, rules.collect()))
}

fn whose(role: Option<&Name>) -> String {
    role.map_or_else(|| "everybody else".to_owned(), ToString::to_string)
}

/// Names for a cell.
fn cell(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

async fn show(link: &Link) -> Result<Answer, CtlError> {
    let (version, rules) = present(link).await?;
    let mut table = Table::new(&["ROLE", "SEES", "SHOWS", "ATTRIBUTES"]);
    let mut listed: Vec<Value> = Vec::new();
    for rule in &rules {
        let (sees, shows, named) =
            (texts(&rule.reach.names()), texts(&rule.details.names()), texts(&rule.attributes));
        table.row([whose(rule.role.as_ref()), cell(&sees), cell(&shows), cell(&named)]);
        let role = rule.role.as_ref().map(Name::as_str);
        listed.push(json!({ "role": role, "sees": sees, "shows": shows, "attributes": named }));
    }
    let text = if rules.is_empty() {
        "There are no rules: permissions alone limit who is seen.".to_owned()
    } else {
        table.to_string()
    };
    Ok(Answer::said(text).with("version", version).with("rules", listed))
}

/// Sets the rules, and tells it.
async fn set(
    link: &Link,
    rules: Vec<VisibilityRule>,
    (version, trial): (Option<u32>, bool),
    said: String,
) -> Result<Answer, CtlError> {
    let count = rules.len();
    let made = link.order(&Request::SetVisibility { version, trial, rules }).await?;
    Ok(Answer::said(said).with("rules", count).with("dry_run", trial).made(&made))
}

impl VisibilityVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Show => show(link).await,
            Self::Set { whose: Whose { role, .. }, sees, shows, attributes, trial } => {
                let (version, mut rules) = present(link).await?;
                rules.retain(|rule| rule.role != role);
                let (seen, shown) = (cell(&texts(&sees.names())), cell(&texts(&shows.names())));
                let would = if trial { "would see" } else { "sees" };
                let said = format!("{} {would}: {seen}; shown of them: {shown}.", whose(role.as_ref()));
                rules.push(VisibilityRule { role, reach: sees, details: shows, attributes });
                set(link, rules, (Some(version), trial), said).await
            }
            Self::Remove { whose: Whose { role, .. } } => {
                let (version, mut rules) = present(link).await?;
                let before = rules.len();
                rules.retain(|rule| rule.role != role);
                if rules.len() == before {
                    return Err(CtlError::unknown(format!("there is no rule of {}", whose(role.as_ref()))));
                }
                let said = format!("The rule of {} is gone.", whose(role.as_ref()));
                set(link, rules, (Some(version), false), said).await
            }
            Self::Load { file, version, trial } => load(link, &file, (version, trial)).await,
        }
    }
}

async fn load(link: &Link, file: &Path, how: (Option<u32>, bool)) -> Result<Answer, CtlError> {
    let rules = rules(&whole(file)?);
    let rules = rules.map_err(|why| CtlError::usage(format!("{}: {why}", file.display())))?;
    let (noun, are) = if rules.len() == 1 { ("rule", "is") } else { ("rules", "are") };
    let said = format!("{} {noun} {} set.", rules.len(), if how.1 { "would be" } else { are });
    set(link, rules, how, said).await
}

/// What a part of a page is, where the caller may be kept from it: nothing then.
pub(crate) fn if_shown<T: Default>(found: Result<T, CtlError>) -> Result<T, CtlError> {
    match found {
        Err(error) if error.is(Refusal::NotShown) => Ok(T::default()),
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a file reads whole or is told with its rule and why.
    #[test]
    fn files_read_or_are_told() {
        let good = r#"{"version": 3, "rules": [{"role": "support", "sees": ["workspace", "all"], "shows": ["email"]},
            {"sees": [], "shows": [], "attributes": ["title"]}]}"#;
        let read = rules(good).expect("rules");
        assert_eq!(read[0].reach, Reach::default().with(Circle::Workspace).with(Circle::Everybody));
        assert_eq!((read[1].reach, read[1].attributes.len()), (Reach::default(), 1));
        for (bad, why) in [
            ("[]", "invalid"),
            (r#"{"rules": [{"sees": ["friends"], "shows": []}]}"#, "rule 1: friends"),
            (r#"{"rules": [{"sees": [], "shows": ["mail"]}]}"#, "rule 1: mail"),
            (r#"{"rules": [{"sees": [], "shows": [], "role": ""}]}"#, "rule 1"),
            (r#"{"rules": [{"sees": []}]}"#, "missing field"),
        ] {
            let told = rules(bad).expect_err(bad);
            assert!(told.contains(why), "{bad}: {told}");
        }
        assert_eq!(details("all"), Ok(Details::ALL));
        assert_eq!(circles("all"), Ok(Reach::default().with(Circle::Everybody)));
    }
}
