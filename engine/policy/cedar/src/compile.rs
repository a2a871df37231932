//! Policies compiled to flat programs.
//!
//! Whatever the strict validator accepts compiles. What is dead in it (a constructor with a text that is no
//! address, in a branch never taken) compiles to what fails when it is reached, as the language says.

use crate::error::{PolicyError, PolicyReason};
use crate::source::{Parsed, on_stack};
use cedar_policy::PolicySet;
use cedar_policy::pst::{
    ActionConstraint, BinaryOp, Clause, Effect, EntityOrSlot, EntityType, EntityUID, Expr, Literal,
    PatternElem, Policy, PrincipalConstraint, ResourceConstraint, StaticPolicy, UnaryOp, Var,
};
use std::collections::BTreeMap;
use std::fmt;
use tessera_program::{
    Assembler, HeadRef, Ip, IpKind, Names, Op, Pair, Pattern, Policies, ProgramError, Reading, ScopeRef,
    SetKind, Single, Sum, Term, Than, Value, Variable, datetime, decimal, duration,
};

/// Why a policy does not compile.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CompileError {
    /// The program would break a limit.
    Program {
        /// The policy.
        policy: String,
        /// The limit.
        limit: ProgramError,
    },
    /// The tree holds what no text of the language can: an unknown, an open slot.
    Tree {
        /// The policy.
        policy: String,
    },
}

impl fmt::Display for CompileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program { policy, limit } => {
                write!(out, "{policy} is larger than a policy may be: {limit:?}")
            }
            Self::Tree { policy } => write!(out, "{policy} has an open slot or an unknown"),
        }
    }
}

impl std::error::Error for CompileError {}

impl Parsed {
    /// Compiles the policies, in the numbers of `names`.
    ///
    /// # Errors
    /// When one is larger than a program may be, at the place where it begins.
    pub fn compile(&self, names: &mut Names) -> Result<Policies, Vec<PolicyError>> {
        on_stack(|| compile(&self.set, names).map_err(|error| self.told(&error)))
    }

    /// As [`Parsed::compile`], of policies that are named by their annotation `@id` where they have one.
    ///
    /// # Errors
    /// Also when two have one name.
    pub fn compile_named(&self, names: &mut Names) -> Result<Policies, Vec<PolicyError>> {
        on_stack(|| {
            let mut known = std::collections::BTreeSet::new();
            for policy in self.set.policies() {
                let name = named(policy);
                if !known.insert(name) || name.is_empty() || name.len() > NAME_BYTES_MAX {
                    let says =
                        format!("{name:?} names two policies, or is empty or over {NAME_BYTES_MAX} bytes");
                    let place = self.place(policy.id().as_ref());
                    return Err(vec![PolicyError {
                        place,
                        ..PolicyError::new(PolicyReason::DuplicateName, says)
                    }]);
                }
            }
            compile_as(&self.set, names, named).map_err(|error| self.told(&error))
        })
    }

    fn told(&self, error: &CompileError) -> Vec<PolicyError> {
        let (CompileError::Program { policy, .. } | CompileError::Tree { policy }) = error;
        let place = self.place(policy);
        vec![PolicyError { place, ..PolicyError::new(PolicyReason::Limit, error.to_string()) }]
    }
}

/// LIMIT: bytes of the name of a policy.
const NAME_BYTES_MAX: usize = 128;

/// What a policy is called.
pub(crate) fn named(policy: &cedar_policy::Policy) -> &str {
    policy.annotation("id").unwrap_or_else(|| policy.id().as_ref())
}

/// Compiles policies that were held against their schema.
///
/// # Errors
/// When one is larger than a program may be.
pub fn compile(set: &PolicySet, names: &mut Names) -> Result<Policies, CompileError> {
    compile_as(set, names, |policy| policy.id().as_ref())
}

fn compile_as(
    set: &PolicySet,
    names: &mut Names,
    called: impl Fn(&cedar_policy::Policy) -> &str,
) -> Result<Policies, CompileError> {
    let mut policies = Policies::default();
    // The set has no order of its own: `policy2` stands before `policy10`.
    let mut all: Vec<&cedar_policy::Policy> = set.policies().collect();
    all.sort_by(|left, right| {
        let (left, right): (&str, &str) = (left.id().as_ref(), right.id().as_ref());
        left.len().cmp(&right.len()).then_with(|| left.cmp(right))
    });
    for policy in all {
        let id: &str = policy.id().as_ref();
        let tree = || CompileError::Tree { policy: id.to_owned() };
        let whole = match policy.to_pst().map_err(|_| tree())? {
            Policy::Static(policy) => policy,
            Policy::Linked(policy) => policy.into_static_policy().map_err(|_| tree())?,
        };
        let done = one(&mut policies, names, called(policy), &whole);
        done.map_err(|stop| match stop {
            Stop::Limit(limit) => CompileError::Program { policy: id.to_owned(), limit },
            Stop::Tree => tree(),
        })?;
    }
    Ok(policies)
}

#[derive(Clone, Copy, Debug)]
enum Stop {
    Limit(ProgramError),
    Tree,
}

impl From<ProgramError> for Stop {
    fn from(limit: ProgramError) -> Self {
        Self::Limit(limit)
    }
}

/// The texts that a scope is made of.
#[derive(Default)]
struct Scope {
    kind: Option<String>,
    is: Option<(String, String)>,
    within: Option<(String, String)>,
}

fn pair(uid: &EntityUID) -> (String, String) {
    (uid.ty.to_string(), uid.eid.to_string())
}

fn filled(entity: &EntityOrSlot) -> Result<(String, String), Stop> {
    match entity {
        EntityOrSlot::Entity(uid) => Ok(pair(uid)),
        EntityOrSlot::Slot(_) => Err(Stop::Tree),
    }
}

impl Scope {
    fn kind(kind: &EntityType) -> Self {
        Self { kind: Some(kind.to_string()), ..Self::default() }
    }

    fn is(entity: &EntityOrSlot) -> Result<Self, Stop> {
        Ok(Self { is: Some(filled(entity)?), ..Self::default() })
    }

    fn within(kind: Option<&EntityType>, entity: &EntityOrSlot) -> Result<Self, Stop> {
        let kind = kind.map(ToString::to_string);
        Ok(Self { kind, within: Some(filled(entity)?), is: None })
    }

    fn of_subject(from: &PrincipalConstraint) -> Result<Self, Stop> {
        match from {
            PrincipalConstraint::Any => Ok(Self::default()),
            PrincipalConstraint::Eq(entity) => Self::is(entity),
            PrincipalConstraint::In(entity) => Self::within(None, entity),
            PrincipalConstraint::Is(kind) => Ok(Self::kind(kind)),
            PrincipalConstraint::IsIn(kind, entity) => Self::within(Some(kind), entity),
        }
    }

    fn of_resource(from: &ResourceConstraint) -> Result<Self, Stop> {
        match from {
            ResourceConstraint::Any => Ok(Self::default()),
            ResourceConstraint::Eq(entity) => Self::is(entity),
            ResourceConstraint::In(entity) => Self::within(None, entity),
            ResourceConstraint::Is(kind) => Ok(Self::kind(kind)),
            ResourceConstraint::IsIn(kind, entity) => Self::within(Some(kind), entity),
        }
    }

    fn borrow(&self) -> ScopeRef<'_> {
        ScopeRef {
            kind: self.kind.as_deref(),
            is: self.is.as_ref().map(|(kind, id)| (kind.as_str(), id.as_str())),
            within: self.within.as_ref().map(|(kind, id)| (kind.as_str(), id.as_str())),
        }
    }
}

fn one(policies: &mut Policies, names: &mut Names, id: &str, policy: &StaticPolicy) -> Result<(), Stop> {
    let body = policy.body();
    let subject = Scope::of_subject(&body.principal)?;
    let resource = Scope::of_resource(&body.resource)?;
    let (actions, below) = match &body.action {
        ActionConstraint::Any => (None, false),
        ActionConstraint::Eq(uid) => (Some(vec![pair(uid)]), false),
        ActionConstraint::In(uids) => (Some(uids.iter().map(pair).collect()), true),
    };
    let mut writer = Writer { out: Assembler::new(policies, names) };
    writer.clauses(body.clauses())?;
    let actions: Option<&Vec<(String, String)>> = actions.as_ref();
    let head = HeadRef {
        name: id,
        effect: match body.effect {
            Effect::Permit => tessera_program::Effect::Permit,
            Effect::Forbid => tessera_program::Effect::Forbid,
        },
        subject: subject.borrow(),
        actions: actions.map(|all| all.iter().map(|(kind, id)| (kind.as_str(), id.as_str())).collect()),
        below,
        resource: resource.borrow(),
    };
    Ok(writer.out.finish(&head)?)
}

struct Writer<'a> {
    out: Assembler<'a>,
}

impl Writer<'_> {
    /// All clauses must hold, in their order; what stands behind one that does not is not reached.
    fn clauses(&mut self, clauses: &[Clause]) -> Result<(), Stop> {
        let mut jumps = Vec::new();
        for (number, clause) in clauses.iter().enumerate() {
            if number > 0 {
                jumps.push(self.out.put(Op::And(0)));
            }
            match clause {
                Clause::When(expr) => self.expr(expr)?,
                Clause::Unless(expr) => {
                    self.expr(expr)?;
                    self.out.put(Op::Not);
                }
            }
        }
        if clauses.is_empty() {
            self.out.put(Op::Push(Value::Bool(true)));
        }
        jumps.into_iter().for_each(|jump| self.out.land(jump));
        Ok(())
    }

    fn expr(&mut self, expr: &Expr) -> Result<(), Stop> {
        if let Some(term) = constant(expr) {
            return Ok(self.out.constant(&term)?);
        }
        match expr {
            Expr::Var(var) => {
                let variable = match var {
                    Var::Principal => Variable::Subject,
                    Var::Action => Variable::Action,
                    Var::Resource => Variable::Resource,
                    Var::Context => Variable::Context,
                };
                self.out.put(Op::Load(variable));
            }
            Expr::UnaryOp { op, expr } => {
                self.expr(expr)?;
                self.out.put(single(*op)?);
            }
            Expr::BinaryOp { op, left, right } => return self.binary(*op, left, right),
            Expr::GetAttr { expr, attr } => {
                self.expr(expr)?;
                let word = self.out.word(attr);
                self.out.put(Op::Attribute(word));
            }
            Expr::HasAttr { expr, attrs } => {
                self.expr(expr)?;
                self.out.has(attrs.iter().map(|attr| attr.as_str()));
            }
            Expr::Like { expr, pattern } => {
                self.expr(expr)?;
                self.out.like(Pattern::new(pattern.iter().map(|element| match element {
                    PatternElem::Char(letter) => Some(*letter),
                    PatternElem::Wildcard => None,
                })));
            }
            Expr::Is { expr, entity_type, in_expr } => {
                return self.is(expr, entity_type, in_expr.as_deref());
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                self.expr(cond)?;
                let other = self.out.put(Op::Unless(0));
                self.expr(then_expr)?;
                let end = self.out.put(Op::Jump(0));
                self.out.land(other);
                self.expr(else_expr)?;
                self.out.land(end);
            }
            Expr::Set(items) => {
                items.iter().try_for_each(|item| self.expr(item))?;
                self.out.put(Op::Set(u32::try_from(items.len()).unwrap_or(u32::MAX)));
            }
            Expr::Record(fields) => {
                let order = self.out.order(fields.keys().map(String::as_str));
                for name in &order {
                    self.expr(fields.get(*name).ok_or(Stop::Tree)?)?;
                }
                self.out.record(&order);
            }
            Expr::Literal(_) | Expr::Slot(_) | Expr::Unknown { .. } => return Err(Stop::Tree),
            _ => return Err(Stop::Tree),
        }
        Ok(())
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) -> Result<(), Stop> {
        self.expr(left)?;
        let jump = if op == BinaryOp::And {
            Some(self.out.put(Op::And(0)))
        } else if op == BinaryOp::Or {
            Some(self.out.put(Op::Or(0)))
        } else {
            None
        };
        self.expr(right)?;
        match jump {
            Some(jump) => {
                self.out.put(Op::Truth);
                self.out.land(jump);
            }
            None => {
                self.out.put(double(op)?);
            }
        }
        Ok(())
    }

    fn is(&mut self, expr: &Expr, kind: &EntityType, of: Option<&Expr>) -> Result<(), Stop> {
        self.expr(expr)?;
        let word = self.out.word(&kind.to_string());
        let Some(of) = of else {
            self.out.put(Op::Is(word));
            return Ok(());
        };
        self.out.put(Op::Double);
        self.out.put(Op::Is(word));
        let other = self.out.put(Op::Unless(0));
        self.expr(of)?;
        self.out.put(Op::In);
        let end = self.out.put(Op::Jump(0));
        self.out.land(other);
        self.out.put(Op::Drop);
        self.out.put(Op::Push(Value::Bool(false)));
        self.out.land(end);
        Ok(())
    }
}

const fn single(op: UnaryOp) -> Result<Op, Stop> {
    Ok(match op {
        UnaryOp::Not => Op::Not,
        UnaryOp::Neg => Op::Negate,
        UnaryOp::IsEmpty => Op::IsEmpty,
        UnaryOp::Datetime => Op::Single(Single::Read(Reading::Datetime)),
        UnaryOp::Decimal => Op::Single(Single::Read(Reading::Decimal)),
        UnaryOp::Duration => Op::Single(Single::Read(Reading::Duration)),
        UnaryOp::Ip => Op::Single(Single::Read(Reading::Ip)),
        UnaryOp::IsIPv4 => Op::Single(Single::IpIs(IpKind::Four)),
        UnaryOp::IsIPV6 => Op::Single(Single::IpIs(IpKind::Six)),
        UnaryOp::IsLoopback => Op::Single(Single::IpIs(IpKind::Loopback)),
        UnaryOp::IsMulticast => Op::Single(Single::IpIs(IpKind::Multicast)),
        UnaryOp::ToDate => Op::Single(Single::ToDate),
        UnaryOp::ToTime => Op::Single(Single::ToTime),
        UnaryOp::ToMilliseconds => Op::Single(Single::Whole(1)),
        UnaryOp::ToSeconds => Op::Single(Single::Whole(1_000)),
        UnaryOp::ToMinutes => Op::Single(Single::Whole(60_000)),
        UnaryOp::ToHours => Op::Single(Single::Whole(3_600_000)),
        UnaryOp::ToDays => Op::Single(Single::Whole(86_400_000)),
        _ => return Err(Stop::Tree),
    })
}

const fn double(op: BinaryOp) -> Result<Op, Stop> {
    Ok(match op {
        BinaryOp::Eq => Op::Equal,
        BinaryOp::NotEq => Op::Unequal,
        BinaryOp::Less => Op::Order(Than::Less),
        BinaryOp::LessEq => Op::Order(Than::LessOrEqual),
        BinaryOp::Greater => Op::Order(Than::Greater),
        BinaryOp::GreaterEq => Op::Order(Than::GreaterOrEqual),
        BinaryOp::Add => Op::Arithmetic(Sum::Add),
        BinaryOp::Sub => Op::Arithmetic(Sum::Subtract),
        BinaryOp::Mul => Op::Arithmetic(Sum::Multiply),
        BinaryOp::In => Op::In,
        BinaryOp::Contains => Op::Sets(SetKind::Contains),
        BinaryOp::ContainsAll => Op::Sets(SetKind::ContainsAll),
        BinaryOp::ContainsAny => Op::Sets(SetKind::ContainsAny),
        BinaryOp::GetTag => Op::Tag,
        BinaryOp::HasTag => Op::HasTag,
        BinaryOp::IsInRange => Op::Pair(Pair::InRange),
        BinaryOp::Offset => Op::Pair(Pair::Offset),
        BinaryOp::DurationSince => Op::Pair(Pair::Since),
        BinaryOp::DecimalLessThan => Op::Pair(Pair::Decimal(Than::Less)),
        BinaryOp::DecimalLessEq => Op::Pair(Pair::Decimal(Than::LessOrEqual)),
        BinaryOp::DecimalGreater => Op::Pair(Pair::Decimal(Than::Greater)),
        BinaryOp::DecimalGreaterEq => Op::Pair(Pair::Decimal(Than::GreaterOrEqual)),
        BinaryOp::And | BinaryOp::Or => return Err(Stop::Tree),
        _ => return Err(Stop::Tree),
    })
}

/// The value of an expression that has one whatever the question is.
fn constant(expr: &Expr) -> Option<Term> {
    if let Expr::Literal(literal) = expr {
        plain(literal)
    } else if let Expr::Set(items) = expr {
        items.iter().map(|item| constant(item)).collect::<Option<_>>().map(Term::Set)
    } else if let Expr::Record(fields) = expr {
        let fields = fields.iter().map(|(name, value)| Some((name.clone(), constant(value)?)));
        fields.collect::<Option<BTreeMap<_, _>>>().map(Term::Record)
    } else if let Expr::UnaryOp { op, expr } = expr
        && let Expr::Literal(Literal::String(text)) = &**expr
    {
        read(*op, text)
    } else {
        None
    }
}

fn plain(literal: &Literal) -> Option<Term> {
    match literal {
        Literal::Bool(value) => Some(Term::Bool(*value)),
        Literal::Long(value) => Some(Term::Long(*value)),
        Literal::String(text) => Some(Term::Text(text.to_string())),
        Literal::EntityUID(uid) => {
            let (kind, id) = pair(uid);
            Some(Term::Entity { kind, id })
        }
        _ => None,
    }
}

fn read(op: UnaryOp, text: &str) -> Option<Term> {
    if op == UnaryOp::Ip {
        Ip::parse(text).map(Term::Ip)
    } else if op == UnaryOp::Decimal {
        decimal(text).map(Term::Decimal)
    } else if op == UnaryOp::Datetime {
        datetime(text).map(Term::Datetime)
    } else if op == UnaryOp::Duration {
        duration(text).map(Term::Duration)
    } else {
        None
    }
}
