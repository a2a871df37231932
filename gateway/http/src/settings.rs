//! The settings of a tenant as members of JSON: the model's table, for reading, writing and documents.

use crate::answer::Object;
use crate::input::Input;
use crate::operation::{Field, Shape};
use crate::problem::Problem;
use tessera_model::Settings;
use tessera_model::settings::{SettingInfo, SettingsChange};

/// How many settings there are.
const COUNT: usize = Settings::LIST.len();

/// The members.
pub(crate) const NAMES: [&str; COUNT] = {
    let mut names = [""; COUNT];
    let (mut left, mut all) = (names.as_mut_slice(), Settings::LIST);
    while let ([name, names @ ..], [SettingInfo { name: known, .. }, infos @ ..]) = (left, all) {
        *name = known;
        (left, all) = (names, infos);
    }
    names
};

/// The members of an answer to a change.
pub(crate) const CHANGED: [&str; COUNT + 1] = {
    let mut names = ["dry_run"; COUNT + 1];
    let (mut left, mut all) = (names.as_mut_slice(), NAMES.as_slice());
    while let ([name, names @ ..], [known, known_rest @ ..]) = (left, all) {
        *name = known;
        (left, all) = (names, known_rest);
    }
    names
};

/// The members as fields of a merge patch, and whether it is tried only.
pub(crate) const PATCH: [Field; COUNT + 1] = {
    let mut fields =
        [Field::query("dry_run", Shape::Bool, "change nothing: only say what would come of it"); COUNT + 1];
    let (mut left, mut all) = (fields.as_mut_slice(), Settings::LIST);
    while let ([field, fields @ ..], [SettingInfo { name, unit, text, .. }, infos @ ..]) = (left, all) {
        let shape = if unit.choices().is_empty() { Shape::Count } else { Shape::Choice(unit.choices()) };
        *field = Field::maybe(name, shape, text);
        (left, all) = (fields, infos);
    }
    fields
};

/// The settings as members of an object.
pub(crate) fn members(settings: &Settings, object: Object) -> Object {
    Settings::LIST.iter().fold(object, |object, info| match settings.get(info.setting) {
        Some(value) if info.unit.choices().is_empty() => object.with(info.name, value),
        Some(value) => object.with(info.name, info.shown(value)),
        None => object,
    })
}

/// What a request names; the rest stays.
pub(crate) fn change(input: &Input) -> Result<SettingsChange, Problem> {
    let mut changed = Settings::default();
    let mut named = Vec::with_capacity(COUNT);
    for info in Settings::LIST {
        let value = if info.unit.choices().is_empty() {
            input.count(info.name)?
        } else {
            input.text(info.name).and_then(|name| info.chosen(name))
        };
        if let Some(value) = value {
            changed.set(info.setting, value);
            named.push(info.setting);
        }
    }
    Ok(SettingsChange::of(|setting| changed.get(setting).filter(|_| named.contains(&setting))))
}
