//! Settings of the tenant, and the origins whose scripts may ask it.
//!
//! What strangers are let do stands in a cold row besides: a sleeping tenant is asked for it and not woken.

use super::{Decided, State};
use std::collections::BTreeSet;
use tessera_model::limits::ORIGINS_MAX;
use tessera_model::record::SubjectKind;
use tessera_model::settings::{Registration, SettingsChange};
use tessera_model::{Command, Event, Limit, Origin, Private, Refusal, Row, RowKind, Settings, TenantId};

/// What a sleeping tenant's row says of its doors.
pub(crate) fn doors(settings: &Settings) -> Vec<u8> {
    let registration = match settings.registration() {
        Registration::Closed => 0,
        Registration::Approval => 1,
        Registration::Open => 2,
    };
    vec![u8::from(settings.signs_in_publicly()), registration]
}

impl State {
    /// The settings as they are.
    pub(crate) fn settings(&self) -> &Settings {
        &self.root.settings
    }

    pub(super) fn change_settings(&self, change: &SettingsChange) -> Result<Decided, Refusal> {
        let settings = &change.applied(&self.root.settings);
        if let Some(setting) = settings.fault() {
            return Err(Refusal::SettingOutOfBounds(setting));
        }
        if *settings == self.root.settings {
            return Ok(Decided::nothing());
        }
        let mut decided = Decided::of(Event::SettingsChanged(*settings));
        let now = doors(settings);
        if now != doors(&self.root.settings) {
            let (key, value) = (Row::DOORS.to_vec(), Some(Private::new(now)));
            decided.rows.push(Row { kind: RowKind::Front, key, value });
        }
        Ok(decided)
    }

    pub(super) fn change_origins(&self, origins: &[Origin]) -> Result<Decided, Refusal> {
        if self.root.tenant == TenantId::SYSTEM {
            return Err(Refusal::WrongTenant);
        }
        if origins.len() > ORIGINS_MAX {
            return Err(Limit::Origins.reached());
        }
        if origins.iter().collect::<BTreeSet<_>>().len() < origins.len() {
            return Err(Refusal::Duplicate);
        }
        let text: Vec<&str> = origins.iter().map(Origin::as_str).collect();
        let value = (!text.is_empty()).then(|| Private::new(text.join("\n").into_bytes()));
        let row = Row { kind: RowKind::Front, key: Row::ORIGINS.to_vec(), value };
        Ok(Decided { rows: vec![row], ..Decided::default() })
    }

    /// Whether a stranger who has proved what the command says may order it here. The system tenant lets
    /// nobody in.
    pub(super) fn lets_in(&self, command: &Command) -> bool {
        let settings = &self.root.settings;
        let public = self.root.tenant != TenantId::SYSTEM;
        if let Command::OpenSession { identifier, acr, device, .. } = command {
            // Nobody answers for a stranger's device: it proves its key.
            let shown = device.is_none_or(|device| device.proven.is_some());
            return public && settings.signs_in_publicly() && identifier.is_some() && *acr > 0 && shown;
        }
        if let Command::CreateSubject { kind, identifiers, password } = command {
            let person = *kind == SubjectKind::Person && identifiers.len() == 1 && !password.is_empty();
            return public && person && settings.registration() != Registration::Closed;
        }
        matches!(command, Command::SetUpPassword { .. }) || self.lets_answer(command)
    }
}
