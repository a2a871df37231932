//! Devices with their levels and ceilings, and whoever acts, in both.

use super::{DEVICES, Scene};
use tessera_judge::{Device, Question};
use tessera_model::record::RestrictionRecord;
use tessera_model::{Pattern, RestrictionId, SubjectIndex};
use tessera_policy::{Actor, Rules, Within};

const LEVELS: u32 = 3;

/// The number of a level's ceiling among the engine's restrictions, and that of a device's.
pub(super) const fn of_level(level: u32) -> RestrictionId {
    RestrictionId(1_000 + level)
}

pub(super) const fn of_device(device: u32) -> RestrictionId {
    RestrictionId(2_000 + device)
}

/// Puts a ceiling among the engine's restrictions.
pub(super) fn put_mask(rules: &mut Rules, id: RestrictionId, mask: &[String]) {
    let patterns = mask.iter().map(|text| Pattern::new(text).unwrap()).collect();
    rules.put_restriction(&RestrictionRecord { id, patterns });
}

impl Scene {
    /// What stands beside the session that is asked through, as the engine has it.
    pub(crate) fn within(&self, asked: &Question) -> Within<'_> {
        let ceilings = self.world.devices.get(&asked.device).map_or([RestrictionId(0); 2], |device| {
            let level = self.world.levels.get(&device.level).is_some_and(|ceiling| !ceiling.is_empty());
            [
                if level { of_level(device.level) } else { RestrictionId(0) },
                if device.ceiling.is_empty() { RestrictionId(0) } else { of_device(asked.device) },
            ]
        });
        let actor = (asked.actor != 0).then(|| Actor {
            line: self.rules.line(SubjectIndex(asked.actor)).unwrap(),
            restriction: RestrictionId(asked.actor_restriction),
            facts: self.facts(asked),
        });
        Within { ceilings, actor }
    }

    /// All ceilings, into other rules.
    pub(super) fn put_ceilings(&self, rules: &mut Rules) {
        for (level, ceiling) in &self.world.levels {
            put_mask(rules, of_level(*level), ceiling);
        }
        for (number, device) in &self.world.devices {
            put_mask(rules, of_device(*number), &device.ceiling);
        }
    }

    /// A device of some level, or the ceiling of a level.
    pub(super) fn put_device(&mut self) {
        let ceiling = if self.random.one_in(3) { vec![] } else { self.patterns() };
        if self.random.below(3) < 2 {
            let level = self.random.below(LEVELS);
            put_mask(&mut self.rules, of_level(level), &ceiling);
            self.world.levels.insert(level, ceiling);
        } else {
            let (number, level) = (1 + self.random.below(DEVICES), self.random.below(LEVELS));
            put_mask(&mut self.rules, of_device(number), &ceiling);
            self.world.devices.insert(number, Device { level, ceiling });
        }
    }
}
