//! Settings of the tenant.

use super::{Decided, State};
use tessera_model::{Event, Refusal, Settings};

impl State {
    pub(super) fn change_settings(&self, settings: &Settings) -> Result<Decided, Refusal> {
        if let Some(setting) = settings.fault() {
            return Err(Refusal::SettingOutOfBounds(setting));
        }
        if *settings == self.root.settings {
            return Ok(Decided::nothing());
        }
        Ok(Decided::of(Event::SettingsChanged(*settings)))
    }
}
