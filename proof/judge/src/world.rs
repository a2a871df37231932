//! What was written, as plain maps.

use crate::under::Under;
use std::collections::{BTreeMap, BTreeSet};

/// When something counts, in whole seconds from a beginning of the caller's choice.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Window {
    /// First second; `None` for no beginning.
    pub from: Option<u32>,
    /// First second after; `None` for no end.
    pub until: Option<u32>,
}

impl Window {
    /// Whether it has an end or a beginning.
    #[must_use]
    pub const fn is_limited(self) -> bool {
        self.from.is_some() || self.until.is_some()
    }

    /// Whether it counts at this millisecond.
    #[must_use]
    pub fn holds(self, at_ms: u64) -> bool {
        self.from.is_none_or(|from| u64::from(from) * 1_000 <= at_ms)
            && self.until.is_none_or(|until| at_ms < u64::from(until) * 1_000)
    }
}

/// Who a role is granted to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Holder {
    /// A subject.
    Subject(u32),
    /// A group.
    Group(u32),
}

/// A role.
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// Names of permissions, or beginnings with a final `*`.
    pub patterns: Vec<String>,
    /// Roles whatever of which it covers too.
    pub parents: BTreeSet<u32>,
}

/// What a value must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// Any that is set.
    Any,
    /// This text.
    Is(String),
    /// A text that ends so.
    Ends(String),
}

/// Attributes, each with the values of which one is enough; all of them hold. None holds for nobody.
pub type Conditions = Vec<(u32, Vec<Wanted>)>;

/// Who is in a group, where that follows from attributes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rule {
    /// For subjects below `reached`.
    pub now: Conditions,
    /// For the others.
    pub before: Conditions,
    /// The first subject that the last change has not reached.
    pub reached: u32,
}

/// A workspace.
#[derive(Clone, Debug)]
pub struct Place {
    /// The workspace above; 0 for the tenant.
    pub parent: u32,
    /// Whether grants above hold here too.
    pub inherits: bool,
    /// What anything here or below must lie in; empty for no ceiling.
    pub ceiling: Vec<String>,
}

/// What a session stands on.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// How far it is trusted: a number among the levels.
    pub level: u32,
    /// What its sessions may use at most; empty for no ceiling of its own.
    pub ceiling: Vec<String>,
}

/// A tenant.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Permissions by id.
    pub permissions: BTreeMap<u32, String>,
    /// Roles by id.
    pub roles: BTreeMap<u32, Role>,
    /// The groups that each group lies in, each in a window.
    pub groups: BTreeMap<u32, BTreeMap<u32, Window>>,
    /// The subjects that are guests.
    pub guests: BTreeSet<u32>,
    /// Workspaces by index.
    pub workspaces: BTreeMap<u32, Place>,
    /// What keys are restricted to, by number.
    pub restrictions: BTreeMap<u32, Vec<String>>,
    /// Grants: to whom, of which role, in which workspace (0 for the tenant).
    pub grants: BTreeMap<(Holder, u32, u32), Window>,
    /// What grants ask for beside their windows.
    pub under: BTreeMap<(Holder, u32, u32), Under>,
    /// What windows count from, s since 1970.
    pub begins_s: i64,
    /// Which subject is in which group.
    pub members: BTreeMap<(u32, u32), Window>,
    /// The rules of the groups that have one.
    pub rules: BTreeMap<u32, Rule>,
    /// Devices by number.
    pub devices: BTreeMap<u32, Device>,
    /// What sessions on devices of a level may use at most.
    pub levels: BTreeMap<u32, Vec<String>>,
    /// Permissions up to this id are those over the tenant itself.
    pub own_up_to: u32,
    /// Values by subject and attribute.
    pub values: BTreeMap<(u32, u32), String>,
}
