//! `tessera settings`: what a tenant's administrator can set, by the table of the model.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::Link;
use crate::table::Table;
use crate::when;
use serde_json::{Map, Value, json};
use std::str::FromStr;
use tessera_client::wire::{Request, SettingsRow};
use tessera_model::Settings;
use tessera_model::settings::{SettingInfo, SettingUnit, SettingsChange};

/// What can be done with settings.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum SettingsVerb {
    /// List the tenant's settings with their bounds, defaults and meanings.
    #[command(after_help = "Example:\n  tessera settings list")]
    List,
    /// Show one setting.
    #[command(after_help = "Example:\n  tessera settings get session_ttl_s")]
    Get {
        /// Its name, as in the list.
        #[arg(value_parser = named)]
        name: Known,
    },
    /// Change settings, together; what is not named stays.
    #[command(
        after_help = "Examples:\n  tessera settings set session_ttl_s=12h session_idle_s=30m\n  tessera settings set password_bytes_min=15\n  tessera settings set refresh=rotating sessions_max=5 sessions_over_limit=evict\n  tessera settings set sign_in_free=default"
    )]
    Set {
        /// Name and value: a number, a span such as 30m where seconds are counted, a choice, or `default`.
        #[arg(required = true, value_name = "NAME=VALUE")]
        changes: Vec<Change>,
    },
}

/// A setting that there is.
pub(crate) type Known = &'static SettingInfo;

fn named(name: &str) -> Result<Known, String> {
    Settings::named(name).ok_or_else(|| "no such setting: tessera settings list names them".to_owned())
}

/// A setting and its new value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    info: Known,
    value: u32,
}

impl FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or_else(|| "a change is NAME=VALUE".to_owned())?;
        let info = named(name)?;
        let value = match (value, info.unit) {
            ("default", _) => info.default,
            (text, SettingUnit::Seconds) if text.ends_with(|letter: char| !letter.is_ascii_digit()) => {
                when::setting(text)?
            }
            (text, unit) if !unit.choices().is_empty() => {
                info.chosen(text).ok_or_else(|| format!("{name} is one of {}", unit.choices().join(", ")))?
            }
            (text, _) => text.parse().map_err(|_| format!("{text:?} is no value of {name}"))?,
        };
        Ok(Self { info, value })
    }
}

fn value_of(settings: &Settings, info: &SettingInfo) -> u32 {
    settings.get(info.setting).unwrap_or(info.default)
}

fn table<'a>(settings: &Settings, infos: impl Iterator<Item = &'a SettingInfo>) -> Table {
    let mut table = Table::new(&["SETTING", "VALUE", "UNIT", "DEFAULT", "FROM", "TO", "MEANING"]);
    for info in infos {
        let value = value_of(settings, info);
        let [value, default, low, high] =
            [value, info.default, info.low, info.high].map(|value| info.shown(value));
        let (name, unit) = (info.name.to_owned(), info.unit.name().to_owned());
        table.row([name, value, unit, default, low, high, info.text.to_owned()]);
    }
    table
}

/// A choice is its name, a number is itself.
fn json_of(info: &SettingInfo, value: u32) -> Value {
    if info.unit.choices().is_empty() { value.into() } else { info.shown(value).into() }
}

fn object(settings: &Settings, info: &SettingInfo) -> Value {
    let [value, default, low, high] =
        [value_of(settings, info), info.default, info.low, info.high].map(|value| json_of(info, value));
    json!({
        "name": info.name, "value": value, "unit": info.unit.name(), "choices": info.unit.choices(),
        "default": default, "low": low, "high": high, "meaning": info.text,
    })
}

impl SettingsVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let row = link.page::<SettingsRow>(&Request::ReadSettings {}).await?.rows.pop();
        let now = row.ok_or_else(|| CtlError::unexpected("the answer holds no settings"))?.settings;
        match self {
            Self::List => {
                let listed: Vec<Value> = Settings::LIST.iter().map(|info| object(&now, info)).collect();
                let table = table(&now, Settings::LIST.iter());
                Ok(Answer::said(table.to_string()).with("settings", listed))
            }
            Self::Get { name } => {
                let text = name.shown(value_of(&now, name));
                Ok(Answer::said(text).with("setting", object(&now, name)))
            }
            Self::Set { changes } => {
                once(&changes)?;
                set(link, &now, &changes).await
            }
        }
    }
}

/// Of two values of one setting neither is meant more.
fn once(changes: &[Change]) -> Result<(), CtlError> {
    let name = |change: &Change| change.info.name;
    for (at, change) in changes.iter().enumerate() {
        if changes.iter().skip(at + 1).any(|other| name(other) == name(change)) {
            return Err(CtlError::usage(format!("{} stands twice", name(change)))
                .advise("nothing was changed: give one value"));
        }
    }
    Ok(())
}

async fn set(link: &Link, now: &Settings, changes: &[Change]) -> Result<Answer, CtlError> {
    let named = |setting| changes.iter().find(|change| change.info.setting == setting);
    let change = SettingsChange::of(|setting| named(setting).map(|change| change.value));
    let settings = change.applied(now);
    let made = link.order(&Request::ChangeSettings { settings: change }).await.map_err(|error| {
        let Some(info) = settings.fault().and_then(|setting| Settings::named(setting.name())) else {
            return error;
        };
        let [low, high] = [info.low, info.high].map(|value| info.shown(value));
        error.advise(format!("{} is from {low} to {high}: {}", info.name, info.text))
    })?;
    let mut changed = Map::new();
    for Change { info, .. } in changes {
        changed.insert(info.name.to_owned(), json_of(info, value_of(&settings, info)));
    }
    let shown = table(&settings, changes.iter().map(|change| change.info));
    Ok(Answer::said(shown.to_string()).with("settings", Value::Object(changed)).made(&made))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a setting that is named twice is a mistake, not the last of its values.
    #[test]
    fn a_setting_stands_once() {
        let read = |texts: &[&str]| {
            let changes: Vec<Change> = texts.iter().map(|text| text.parse().expect(text)).collect();
            once(&changes).map_err(|error| error.exit())
        };
        assert_eq!(read(&["session_ttl_s=1h", "session_ttl_s=2h"]), Err(2));
        assert_eq!(read(&["session_ttl_s=1h", "session_idle_s=30m"]), Ok(()));
    }
}
