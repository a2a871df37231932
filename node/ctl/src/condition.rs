//! Conditions of grants on the command line: the flags that say them, and how they are told.

use crate::answer::{Answer, texts};
use crate::error::CtlError;
use crate::grant::place;
use crate::link::Link;
use std::net::IpAddr;
use tessera_client::wire::Request;
use tessera_model::grant_condition::{GrantConditionKind, GranteeName};
use tessera_model::{Deadline, GrantCondition, GrantConditions, Name, Network, Trust, UnixMillis};

fn hours(text: &str) -> Result<GrantCondition, String> {
    GrantCondition::of(GrantConditionKind::Hours, text).map_err(|error| error.to_string())
}

fn network(text: &str) -> Result<Network, String> {
    Network::parse(text).map_err(|error| error.to_string())
}

fn acr(text: &str) -> Result<GrantCondition, String> {
    GrantCondition::of(GrantConditionKind::Acr, text).map_err(|error| error.to_string())
}

/// Seconds, or minutes, hours or days with their letter.
fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || "an age is a number with s, m, h or d: 300s".to_owned();
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let found = units.into_iter().find_map(|(unit, of)| Some((text.strip_suffix(unit)?, of)));
    let (number, of) = found.unwrap_or((text, 1));
    number.parse().ok().and_then(|number: u32| number.checked_mul(of)).ok_or_else(wrong)
}

fn age(text: &str) -> Result<GrantCondition, String> {
    let seconds = seconds(text)?;
    let condition = GrantCondition::of(GrantConditionKind::StepUp, &seconds.to_string());
    condition.map_err(|error| error.to_string())
}

/// A condition as it is told.
pub(crate) fn one(text: &str) -> Result<GrantCondition, String> {
    GrantCondition::parse(text).map_err(|error| error.to_string())
}

pub(crate) fn trust(text: &str) -> Result<Trust, String> {
    Trust::from_name(text).ok_or_else(|| format!("a device is {}", Trust::NAMES.join(", ")))
}

/// Under which circumstances a grant counts: all of those that are named.
#[derive(Clone, clap::Args)]
pub(crate) struct ConditionFlags {
    /// At these hours of the week: days, times and a time zone, `Mon-Fri 08:00-18:00, Sat 09:00-12:00 Europe/Berlin`.
    #[arg(long, value_name = "HOURS", value_parser = hours)]
    hours: Option<GrantCondition>,
    /// From this network; may be named more than once, one of them is enough.
    #[arg(long, value_name = "CIDR", value_parser = network)]
    network: Vec<Network>,
    /// In sessions on a device that is trusted so far or further: unverified, known, managed, hardened.
    #[arg(long, value_name = "LEVEL", value_parser = trust)]
    device: Option<Trust>,
    /// In sessions that were opened with a proof of this level or a higher one.
    #[arg(long, value_name = "LEVEL", value_parser = acr)]
    acr: Option<GrantCondition>,
    /// In sessions that were opened with a proof less than so long ago: 300s, 15m, 8h, 30d.
    #[arg(long, value_name = "AGE", value_parser = age)]
    step_up: Option<GrantCondition>,
}

impl ConditionFlags {
    /// All of them.
    pub(crate) fn all(self) -> Result<GrantConditions, CtlError> {
        let networks = (!self.network.is_empty()).then_some(GrantCondition::Networks(self.network));
        let device = self.device.map(GrantCondition::Device);
        let all = [self.hours, networks, device, self.acr, self.step_up];
        let all: Vec<_> = all.into_iter().flatten().collect();
        let sound = all.iter().all(GrantCondition::is_sound);
        let found = GrantConditions::new(all).ok().filter(|_| sound);
        found.ok_or_else(|| CtlError::usage("a grant has at most 32 networks"))
    }
}

/// What is supposed of whoever asks.
#[derive(Clone, clap::Args)]
pub(crate) struct Supposed {
    /// As if from this address.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) asked_from: Option<IpAddr>,
    /// As if in a session that was opened with a proof of this level.
    #[arg(long, value_name = "LEVEL", default_value_t = 0)]
    pub(crate) acr: u32,
    /// As if that proof was made so long ago: 300s, 15m, 8h, 30d.
    #[arg(long, value_name = "AGE", value_parser = seconds)]
    pub(crate) proof_age: Option<u32>,
    /// As if on a device that is trusted so far: unverified, known, managed, hardened.
    #[arg(long, value_name = "LEVEL", value_parser = trust)]
    pub(crate) device: Option<Trust>,
}

impl Supposed {
    /// When the proof was made, as seen from now.
    pub(crate) fn proven(&self, now: UnixMillis) -> Deadline {
        let ago = self.proof_age.map(|age| now.0.saturating_sub(u64::from(age) * 1_000));
        ago.map_or(Deadline::NONE, |then| UnixMillis(then).to_deadline())
    }
}

/// Conditions in words.
pub(crate) fn words(conditions: &GrantConditions) -> Vec<String> {
    texts(conditions.as_slice())
}

/// Conditions as the cell of a table.
pub(crate) fn cell(conditions: &GrantConditions) -> String {
    if conditions.is_empty() { "-".to_owned() } else { words(conditions).join(" and ") }
}

/// The request of a grant under conditions.
pub(crate) fn granting(
    grantee: GranteeName,
    (role, workspace): (&Name, Option<&Name>),
    (from, until): (Deadline, Deadline),
    conditions: GrantConditions,
) -> Request {
    let (role, workspace) = (role.clone(), workspace.cloned());
    let (subject, group) = parts(grantee);
    Request::GrantUnder { subject, group, role, workspace, from, until, conditions }
}

fn parts(grantee: GranteeName) -> (Option<tessera_model::PublicId>, Option<Name>) {
    match grantee {
        GranteeName::Subject(subject) => (Some(subject), None),
        GranteeName::Group(group) => (None, Some(group)),
    }
}

/// Puts conditions in the place of those that a grant has.
pub(crate) async fn set(
    link: &Link,
    (who, grantee): (&str, GranteeName),
    (role, workspace): (Name, Option<Name>),
    conditions: ConditionFlags,
) -> Result<Answer, CtlError> {
    let conditions = conditions.all()?;
    let (subject, group) = parts(grantee);
    let request = Request::SetGrantConditions {
        subject,
        group,
        role: role.clone(),
        workspace: workspace.clone(),
        conditions: conditions.clone(),
    };
    let made = link.order(&request).await?;
    let place = place(workspace.as_ref());
    let under = if conditions.is_empty() {
        "without conditions".to_owned()
    } else {
        format!("under {}", words(&conditions).join(" and "))
    };
    Ok(Answer::said(format!("{who} has role {role} {place} {under}."))
        .with("role", role.as_str())
        .with("workspace", workspace.map(|name| name.to_string()))
        .with("conditions", words(&conditions))
        .made(&made))
}
