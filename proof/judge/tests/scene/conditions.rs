//! Conditions of grants, written into the slow world and into the engine's rules alike.

use super::{DEADLINES_S, LAST_TICK, Scene, TICK_S};
use tessera_judge::{Holder, Question, Span, Under, Zone};
use tessera_model::grant_condition::{GrantConditionsRecord, Grantee};
use tessera_model::weekly::{Hours, Span as EngineSpan};
use tessera_model::{
    Deadline, GrantCondition, GrantConditions, GroupId, Network, RoleId, SubjectIndex, Trust, UnixMillis,
    WorkspaceIndex,
};
use tessera_policy::{Facts, Rules};

/// Evenings, s since 1970, in whose nights clocks are put forward or back somewhere, or nowhere: March, October and
/// June in Berlin, March and November in New York, all of 2020.
const EVENINGS: [i64; 5] = [1_585_425_600, 1_603_569_600, 1_592_150_400, 1_583_625_600, 1_604_188_800];
const ZONES: [(Zone, &str); 3] =
    [(Zone::Utc, "UTC"), (Zone::Berlin, "Europe/Berlin"), (Zone::NewYork, "America/New_York")];

/// What the windows of a world count from.
pub(super) fn begins(seed: u64) -> i64 {
    EVENINGS[usize::try_from(seed % 5).unwrap()]
}

fn network(number: u32) -> Network {
    Network::parse(&format!("10.{number}.0.0/16")).unwrap()
}

/// A key in the engine's words.
fn named((holder, role, place): (Holder, u32, u32)) -> (Grantee, RoleId, WorkspaceIndex) {
    let grantee = match holder {
        Holder::Subject(subject) => Grantee::Subject(SubjectIndex(subject)),
        Holder::Group(group) => Grantee::Group(GroupId(group)),
    };
    (grantee, RoleId(role), WorkspaceIndex(place))
}

/// The same conditions in the engine's words.
fn written(under: &Under) -> GrantConditions {
    let mut all = Vec::new();
    if let Some((spans, zone)) = &under.hours {
        let zone = ZONES.iter().find(|(one, _)| one == zone).unwrap().1;
        let bits = |days: &[u32]| days.iter().fold(0, |bits, day| bits | 1 << day);
        let minute = |minute: u32| u16::try_from(minute).unwrap();
        let spans = spans.iter().map(|(days, from, until)| EngineSpan {
            days: bits(days),
            from: minute(*from),
            until: minute(*until),
        });
        all.push(GrantCondition::Hours(Hours::new(spans.collect(), zone).unwrap()));
    }
    if !under.networks.is_empty() {
        all.push(GrantCondition::Networks(under.networks.iter().copied().map(network).collect()));
    }
    all.extend(under.trust.map(|trust| GrantCondition::Device(Trust::ALL[trust as usize])));
    if under.acr > 0 {
        all.push(GrantCondition::Acr(u8::try_from(under.acr).unwrap()));
    }
    all.extend(under.step_up_s.map(|age| GrantCondition::StepUp(u32::try_from(age).unwrap())));
    GrantConditions::new(all).unwrap()
}

impl Scene {
    /// The first instant of the world.
    pub(crate) fn beginning(&self) -> UnixMillis {
        UnixMillis(self.beginning_ms())
    }

    pub(crate) fn beginning_ms(&self) -> u64 {
        u64::try_from(self.world.begins_s).unwrap() * 1_000
    }

    /// When it is asked.
    pub(crate) fn now(&self, asked: &Question) -> UnixMillis {
        UnixMillis(self.beginning_ms() + asked.at_ms)
    }

    /// What is known of whoever asks.
    pub(crate) fn facts(&self, asked: &Question) -> Facts {
        let proven = |second: u32| UnixMillis(self.beginning_ms() + u64::from(second) * 1_000);
        Facts {
            address: (asked.network > 0).then(|| format!("10.{}.1.2", asked.network).parse().unwrap()),
            acr: u8::try_from(asked.acr).unwrap(),
            proven: asked.proven.map(proven),
            trust: asked.trust.map(|trust| Trust::ALL[trust as usize]),
        }
    }

    /// An instant of a window, as it stands on disk.
    pub(super) fn deadline(&self, second: Option<u32>) -> Deadline {
        let begins = u32::try_from(u64::try_from(self.world.begins_s).unwrap() - DEADLINES_S).unwrap();
        second.map_or(Deadline::NONE, |second| Deadline(begins + second))
    }

    fn span(&mut self) -> Span {
        let half = |random: &mut super::Seeded| random.below(48) * 30;
        let days: Vec<u32> = (0..7).filter(|_| !self.random.one_in(3)).collect();
        let (from, until) = (half(&mut self.random), half(&mut self.random));
        let days = if days.is_empty() { vec![6] } else { days };
        (days, from, if from == until || until == 0 { 1_440 } else { until })
    }

    fn under(&mut self) -> Under {
        let mut under = Under::default();
        // One of them mostly: what fails twice decides nothing.
        for _ in 0..1 + u32::from(self.random.one_in(8)) {
            match self.random.below(20) {
                0..=3 => {
                    let spans = (0..=self.random.below(2)).map(|_| self.span()).collect();
                    under.hours = Some((spans, self.random.pick(&ZONES).0));
                }
                4..=6 => under.networks = (1..4).filter(|_| self.random.one_in(2)).collect(),
                7..=9 => under.trust = Some(self.random.below(4)),
                10..=14 => under.acr = 1 + self.random.below(3),
                _ => under.step_up_s = Some(u64::from((1 + self.random.below(LAST_TICK)) * TICK_S)),
            }
        }
        under
    }

    /// Whom a question is about, and where: mostly a subject that holds a grant under conditions there.
    pub(super) fn asked_about(&mut self, otherwise: (u32, u32)) -> (u32, u32) {
        let own = |(holder, _, place): &(Holder, u32, u32)| match holder {
            Holder::Subject(subject) => Some((*subject, *place)),
            Holder::Group(_) => None,
        };
        let known: Vec<_> = self.world.under.keys().filter_map(own).collect();
        if known.is_empty() || self.random.one_in(3) { otherwise } else { self.random.pick(&known) }
    }

    /// Changes the conditions of some grant, or takes them away.
    pub(super) fn put_conditions(&mut self) {
        let known: Vec<_> = self.world.grants.keys().copied().collect();
        if !known.is_empty() {
            let key = self.random.pick(&known);
            self.put_conditions_of(key);
        }
    }

    pub(super) fn put_conditions_of(&mut self, key: (Holder, u32, u32)) {
        let under = if self.random.one_in(6) { Under::default() } else { self.under() };
        let ((grantee, role, workspace), conditions) = (named(key), written(&under));
        self.rules.put_conditions(&GrantConditionsRecord { grantee, role, workspace, conditions });
        if under == Under::default() {
            self.world.under.remove(&key);
        } else {
            self.world.under.insert(key, under);
        }
    }

    /// Puts what a grant asks for into rules that are loaded.
    pub(super) fn load_conditions(&self, rules: &mut Rules, key: (Holder, u32, u32)) {
        if let Some(under) = self.world.under.get(&key) {
            let ((grantee, role, workspace), conditions) = (named(key), written(under));
            rules.put_conditions(&GrantConditionsRecord { grantee, role, workspace, conditions });
        }
    }
}
