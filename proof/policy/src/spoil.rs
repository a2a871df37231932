//! Operators of a policy: which there are, and the policy with one kind of them made wrong.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the language's trees may grow; what is not known here is left as it is"
)]

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Policy, StaticPolicy, UnaryOp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The name of the operator at the root of an expression.
#[must_use]
pub(crate) fn operator(expr: &Expr) -> Option<String> {
    Some(match expr {
        Expr::UnaryOp { op, .. } => format!("{op:?}"),
        Expr::BinaryOp { op, .. } => format!("{op:?}"),
        Expr::GetAttr { .. } => "attribute".to_owned(),
        Expr::HasAttr { attrs, .. } if attrs.len() > 1 => "has a path".to_owned(),
        Expr::HasAttr { .. } => "has".to_owned(),
        Expr::Like { .. } => "like".to_owned(),
        Expr::Is { in_expr: Some(_), .. } => "is in".to_owned(),
        Expr::Is { .. } => "is".to_owned(),
        Expr::IfThenElse { .. } => "if".to_owned(),
        Expr::Set(_) => "set".to_owned(),
        Expr::Record(_) => "record".to_owned(),
        _ => return None,
    })
}

/// The operators of a policy, and how deep they are nested.
#[must_use]
pub(crate) fn operators(policy: &StaticPolicy) -> (BTreeSet<String>, usize) {
    let (mut found, mut deepest) = (BTreeSet::new(), 0);
    for clause in policy.body().clauses() {
        let (Clause::When(expr) | Clause::Unless(expr)) = clause;
        deepest = deepest.max(look(expr, &mut found));
    }
    (found, deepest)
}

fn look(expr: &Expr, found: &mut BTreeSet<String>) -> usize {
    let below = children(expr).into_iter().map(|child| look(child, found)).max().unwrap_or(0);
    match operator(expr) {
        Some(name) => {
            found.insert(name);
            below + 1
        }
        None => below,
    }
}

fn children(expr: &Expr) -> Vec<&Arc<Expr>> {
    match expr {
        Expr::UnaryOp { expr, .. }
        | Expr::GetAttr { expr, .. }
        | Expr::HasAttr { expr, .. }
        | Expr::Like { expr, .. } => vec![expr],
        Expr::BinaryOp { left, right, .. } => vec![left, right],
        Expr::Is { expr, in_expr, .. } => std::iter::once(expr).chain(in_expr).collect(),
        Expr::IfThenElse { cond, then_expr, else_expr } => vec![cond, then_expr, else_expr],
        Expr::Set(items) => items.iter().collect(),
        Expr::Record(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

/// The policy with every operator of this name made wrong.
///
/// # Errors
/// When the language does not take the new policy.
pub(crate) fn spoiled(policy: &StaticPolicy, name: &str) -> Result<Policy, String> {
    let body = policy.body().clone();
    let clauses: Vec<Clause> = body
        .clauses()
        .iter()
        .map(|clause| match clause {
            Clause::When(expr) => Clause::When(spoil(expr, name)),
            Clause::Unless(expr) => Clause::Unless(spoil(expr, name)),
        })
        .collect();
    let body = body.try_with_clauses(clauses).map_err(|error| error.to_string())?;
    let policy = StaticPolicy::try_from(body).map_err(|error| error.to_string())?;
    Ok(Policy::Static(policy))
}

fn spoil(expr: &Arc<Expr>, name: &str) -> Arc<Expr> {
    let deeper = |child: &Arc<Expr>| spoil(child, name);
    let whole = match &**expr {
        Expr::UnaryOp { op, expr } => Expr::UnaryOp { op: *op, expr: deeper(expr) },
        Expr::BinaryOp { op, left, right } => {
            Expr::BinaryOp { op: *op, left: deeper(left), right: deeper(right) }
        }
        Expr::GetAttr { expr, attr } => Expr::GetAttr { expr: deeper(expr), attr: attr.clone() },
        Expr::HasAttr { expr, attrs } => Expr::HasAttr { expr: deeper(expr), attrs: attrs.clone() },
        Expr::Like { expr, pattern } => Expr::Like { expr: deeper(expr), pattern: pattern.clone() },
        Expr::Is { expr, entity_type, in_expr } => Expr::Is {
            expr: deeper(expr),
            entity_type: entity_type.clone(),
            in_expr: in_expr.as_ref().map(deeper),
        },
        Expr::IfThenElse { cond, then_expr, else_expr } => Expr::IfThenElse {
            cond: deeper(cond),
            then_expr: deeper(then_expr),
            else_expr: deeper(else_expr),
        },
        Expr::Set(items) => Expr::Set(items.iter().map(deeper).collect()),
        Expr::Record(fields) => {
            Expr::Record(fields.iter().map(|(name, value)| (name.clone(), deeper(value))).collect())
        }
        leaf => leaf.clone(),
    };
    Arc::new(if operator(expr).is_some_and(|found| found == name) { wrong(whole) } else { whole })
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOp::Not, expr: Arc::new(expr) }
}

fn long(number: i64) -> Arc<Expr> {
    Arc::new(Expr::Literal(Literal::Long(number)))
}

fn read(op: UnaryOp, text: &str) -> Expr {
    Expr::UnaryOp { op, expr: Arc::new(Expr::Literal(Literal::String(text.into()))) }
}

fn sum(expr: Expr, more: i64) -> Expr {
    Expr::BinaryOp { op: BinaryOp::Add, left: Arc::new(expr), right: long(more) }
}

/// What fails whenever it is reached.
fn failing() -> Expr {
    sum(Expr::Literal(Literal::Long(i64::MAX)), 1)
}

/// An expression of the same type with another value.
fn wrong(expr: Expr) -> Expr {
    match expr {
        Expr::UnaryOp { op, expr } => match op {
            UnaryOp::Ip => read(UnaryOp::Ip, "192.168.7.7"),
            UnaryOp::Decimal => read(UnaryOp::Decimal, "77.7"),
            UnaryOp::Datetime => read(UnaryOp::Datetime, "1999-07-07"),
            UnaryOp::Duration | UnaryOp::ToTime => read(UnaryOp::Duration, "777h"),
            UnaryOp::ToDate => read(UnaryOp::Datetime, "1999-07-07"),
            UnaryOp::Neg
            | UnaryOp::ToMilliseconds
            | UnaryOp::ToSeconds
            | UnaryOp::ToMinutes
            | UnaryOp::ToHours
            | UnaryOp::ToDays => sum(Expr::UnaryOp { op, expr }, 77_777),
            _ => not(Expr::UnaryOp { op, expr }),
        },
        Expr::BinaryOp { op, left, right } => match op {
            BinaryOp::And => Expr::BinaryOp { op: BinaryOp::Or, left, right },
            BinaryOp::Or => Expr::BinaryOp { op: BinaryOp::And, left, right },
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul => sum(Expr::BinaryOp { op, left, right }, 77_777),
            BinaryOp::Offset => read(UnaryOp::Datetime, "1999-07-07"),
            BinaryOp::DurationSince => read(UnaryOp::Duration, "777h"),
            BinaryOp::GetTag => failing(),
            _ => not(Expr::BinaryOp { op, left, right }),
        },
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            Expr::IfThenElse { cond, then_expr: else_expr, else_expr: then_expr }
        }
        Expr::Set(_) => Expr::Set(Vec::new()),
        Expr::GetAttr { .. } | Expr::Record(_) => failing(),
        other => not(other),
    }
}
