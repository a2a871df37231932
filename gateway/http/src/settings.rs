//! The settings of a tenant as members of JSON: the model's table, for reading, writing and documents.

use crate::operation::{Field, Shape};
use tessera_model::Settings;
use tessera_model::settings::SettingInfo;

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

/// The members as fields of a merge patch, and whether it is tried only.
pub(crate) const PATCH: [Field; COUNT + 1] = {
    let mut fields = [Field::query("dry_run", Shape::Bool, "change nothing"); COUNT + 1];
    let (mut left, mut all) = (fields.as_mut_slice(), Settings::LIST);
    while let ([field, fields @ ..], [SettingInfo { name, text, .. }, infos @ ..]) = (left, all) {
        *field = Field::maybe(name, Shape::Count, text);
        (left, all) = (fields, infos);
    }
    fields
};

/// The settings as name and value.
pub(crate) fn values(settings: &Settings) -> Vec<(&'static str, u32)> {
    Settings::LIST.iter().filter_map(|info| Some((info.name, settings.get(info.setting)?))).collect()
}
