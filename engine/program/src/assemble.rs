//! Making a program: instructions one behind the other, jumps that are filled in when their end is known.

use crate::names::{Names, number};
use crate::op::Op;
use crate::pattern::Pattern;
use crate::policies::{Effect, Head, Policies, Scope};
use crate::term::{Store, Term};
use crate::value::{Heap, Word};

/// LIMIT: instructions of one policy. A text below the limit of its length has fewer.
pub const POLICY_OPS_MAX: u32 = 65_536;
/// LIMIT: values that one policy may make while it runs; lists of constants are not made then.
pub const POLICY_MADE_MAX: u32 = 4_096;

/// Why a program is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProgramError {
    /// More than [`POLICY_OPS_MAX`] instructions.
    TooLong,
    /// It would make more than [`POLICY_MADE_MAX`] values.
    MakesTooMuch,
    /// A constant is nested too deep.
    TooDeep,
    /// A jump leads backward or out of the program.
    Jump,
}

/// Whom, what and where a policy is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeRef<'a> {
    /// The entity is of this type.
    pub kind: Option<&'a str>,
    /// The entity is this one: type and id.
    pub is: Option<(&'a str, &'a str)>,
    /// The entity is this one or below it.
    pub within: Option<(&'a str, &'a str)>,
}

/// The beginning of a policy.
#[derive(Clone, Debug)]
pub struct HeadRef<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it permits or forbids.
    pub effect: Effect,
    /// Who.
    pub subject: ScopeRef<'a>,
    /// The action is one of these: type and id.
    pub actions: Option<Vec<(&'a str, &'a str)>>,
    /// The action may also be below them.
    pub below: bool,
    /// To what.
    pub resource: ScopeRef<'a>,
}

/// A policy in the making. Nothing of it counts before [`Assembler::finish`].
#[derive(Debug)]
pub struct Assembler<'a> {
    policies: &'a mut Policies,
    names: &'a mut Names,
    code: Vec<Op>,
}

impl<'a> Assembler<'a> {
    /// Begins a policy of `policies`, in the numbers of `names`.
    pub fn new(policies: &'a mut Policies, names: &'a mut Names) -> Self {
        Self { policies, names, code: Vec::new() }
    }

    /// The place of the next instruction.
    #[must_use]
    pub fn here(&self) -> u32 {
        number(self.code.len())
    }

    /// Adds an instruction and tells its place.
    pub fn put(&mut self, op: Op) -> u32 {
        let at = self.here();
        self.code.push(op);
        at
    }

    /// Lets the jump at `at` lead here.
    pub fn land(&mut self, at: u32) {
        let here = self.here();
        if let Some(op) = self.code.get_mut(at as usize) {
            *op = op.to(here);
        }
    }

    /// Adds a constant.
    ///
    /// # Errors
    /// When it is nested too deep.
    pub fn constant(&mut self, term: &Term) -> Result<(), ProgramError> {
        let heap = &mut self.policies.constants;
        let mut stack = Vec::new();
        let mut store = Store { names: self.names, heap, which: Heap::Constants, stack: &mut stack };
        let value = store.put(term).ok_or(ProgramError::TooDeep)?;
        self.put(Op::Push(value));
        Ok(())
    }

    /// The number of a text.
    pub fn word(&mut self, text: &str) -> Word {
        self.names.word(text)
    }

    /// The text of a number.
    pub(crate) fn text(&self, word: Word) -> Option<&str> {
        self.names.words().get(word.0 as usize).map(|text| &**text)
    }

    /// Adds the question whether attributes are there, each in the one before.
    pub fn has<'t>(&mut self, path: impl IntoIterator<Item = &'t str>) {
        let start = number(self.policies.words.len());
        for name in path {
            let word = self.names.word(name);
            self.policies.words.push(word);
        }
        let len = number(self.policies.words.len()) - start;
        self.put(Op::Has { start, len });
    }

    /// The order in which the values of a record with these names must lie on the stack.
    pub fn order<'t>(&mut self, names: impl IntoIterator<Item = &'t str>) -> Vec<&'t str> {
        let mut words: Vec<(Word, &str)> =
            names.into_iter().map(|name| (self.names.word(name), name)).collect();
        words.sort_unstable_by_key(|(word, _)| *word);
        words.into_iter().map(|(_, name)| name).collect()
    }

    /// Makes a record of the values that lie on the stack in this [`Assembler::order`].
    pub fn record(&mut self, names: &[&str]) {
        let start = number(self.policies.words.len());
        for name in names {
            let word = self.names.word(name);
            self.policies.words.push(word);
        }
        self.put(Op::Record { start, len: number(names.len()) });
    }

    /// Adds the question whether a text has a form.
    pub fn like(&mut self, pattern: Pattern) {
        let at = number(self.policies.patterns.len());
        self.policies.patterns.push(pattern);
        self.put(Op::Like(at));
    }

    /// Ends the policy and adds it; its code leaves true when the policy applies.
    ///
    /// # Errors
    /// When it breaks a limit or a jump of it leads nowhere.
    pub fn finish(self, head: &HeadRef<'_>) -> Result<(), ProgramError> {
        let length = number(self.code.len());
        if length > POLICY_OPS_MAX {
            return Err(ProgramError::TooLong);
        }
        let forward = |(at, op): (usize, &Op)| op.target().is_none_or(|to| to as usize > at && to <= length);
        if !self.code.iter().enumerate().all(forward) {
            return Err(ProgramError::Jump);
        }
        let made = self.code.iter().fold(0_u32, |sum, op| sum.saturating_add(op.makes()));
        if made > POLICY_MADE_MAX {
            return Err(ProgramError::MakesTooMuch);
        }
        let deep = self.code.iter().filter(|op| op.grows()).count() + 2;
        let names = self.names;
        let mut actions = head
            .actions
            .as_ref()
            .map(|all| all.iter().map(|(kind, id)| names.uid(kind, id)).collect::<Vec<_>>());
        if let Some(actions) = &mut actions {
            actions.sort_unstable();
            actions.dedup();
        }
        let mut scope = |scope: &ScopeRef<'_>| Scope {
            is: scope.is.map(|pair| names.uid(pair.0, pair.1)),
            within: scope.within.map(|pair| names.uid(pair.0, pair.1)),
            kind: scope.kind.map(|kind| names.word(kind)),
        };
        let (subject, resource) = (scope(&head.subject), scope(&head.resource));
        let entry = Head {
            effect: head.effect,
            subject,
            actions,
            below: head.below,
            resource,
            name: head.name.into(),
        };
        self.policies.add(entry, self.code, made as usize, deep);
        Ok(())
    }
}
