//! Random models and tuples, and their text.

use crate::random::Random;

/// What may stand in a tuple of a relation.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// An object of the type.
    One(usize),
    /// Everybody of the type.
    Everybody(usize),
    /// Those in a relation to an object of the type.
    Set(usize, usize),
}

/// How a relation follows from others. Relations are named by number, the same in every type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expression {
    /// Who stands in its own tuples.
    This,
    /// Who is in another relation to the same object.
    Other(usize),
    /// Who is in the first relation to an object that tuples of the second name.
    Through(usize, usize),
    /// At least one.
    Or(Vec<Expression>),
    /// All.
    And(Vec<Expression>),
    /// The first and not the second.
    Not(Box<Expression>, Box<Expression>),
}

/// One relation of one type.
#[derive(Clone, Debug)]
pub struct Relation {
    /// What its tuples may name.
    pub kinds: Vec<Kind>,
    /// How it follows.
    pub expression: Expression,
}

/// A subject: one object, everybody of a type, or a set.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Who {
    /// Type and number of an object.
    One(usize, usize),
    /// Everybody of a type.
    Everybody(usize),
    /// Type, number and relation.
    Set(usize, usize, usize),
}

/// A tuple. When it counts is not part of it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Tuple {
    /// Who.
    pub who: Who,
    /// The relation.
    pub relation: usize,
    /// Type and number of the object.
    pub object: (usize, usize),
}

/// A model: by type, by relation. Type 0 is people, who have no relations; relation 0 names parents.
#[derive(Clone, Debug)]
pub struct World {
    /// By type, by relation.
    pub types: Vec<Vec<Relation>>,
}

/// Objects of a type that tuples and questions name.
const OBJECTS: usize = 3;

impl World {
    /// A model of three types besides people, with parents and two to four relations each.
    #[must_use]
    pub fn random(random: &mut Random) -> Self {
        let mut types = vec![Vec::new()];
        let relations = 3 + random.below(3);
        let count = 2 + random.below(2);
        for own in 1..=count {
            let mut all = Vec::new();
            let mut parents: Vec<Kind> = (1..=count).filter(|_| random.chance(40)).map(Kind::One).collect();
            if parents.is_empty() || random.chance(50) {
                parents.push(Kind::One(own));
            }
            parents.sort_unstable();
            parents.dedup();
            all.push(Relation { kinds: parents, expression: Expression::This });
            for number in 1..relations {
                let mut kinds = vec![Kind::One(0)];
                if random.chance(35) {
                    kinds.push(Kind::Everybody(0));
                }
                for _ in 0..random.below(3) {
                    let (other, relation) = (1 + random.below(count), 1 + random.below(relations - 1));
                    kinds.push(Kind::Set(other, relation));
                }
                kinds.sort_unstable();
                kinds.dedup();
                let mut this = true;
                let expression = expression(random, number, relations, 0, &mut this);
                if this {
                    kinds.clear();
                }
                all.push(Relation { kinds, expression });
            }
            types.push(all);
        }
        Self { types }
    }

    /// The model in the modeling language.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = "model\n  schema 1.1\ntype t0\n".to_owned();
        for (number, relations) in self.types.iter().enumerate().skip(1) {
            text.push_str(&format!("type t{number}\n  relations\n"));
            for (relation, one) in relations.iter().enumerate() {
                let written = shown(&one.expression, &one.kinds, false);
                text.push_str(&format!("    define r{relation}: {written}\n"));
            }
        }
        text
    }

    /// Whether a tuple fits the model.
    #[must_use]
    pub fn takes(&self, tuple: &Tuple) -> bool {
        let kind = match tuple.who {
            Who::One(one, _) => Kind::One(one),
            Who::Everybody(one) => Kind::Everybody(one),
            Who::Set(one, _, relation) => Kind::Set(one, relation),
        };
        let relation = self.types.get(tuple.object.0).and_then(|all| all.get(tuple.relation));
        relation.is_some_and(|relation| relation.kinds.contains(&kind))
    }

    /// A tuple that fits the model.
    #[must_use]
    pub fn tuple(&self, random: &mut Random) -> Option<Tuple> {
        let own = 1 + random.below(self.types.len() - 1);
        let all = self.types.get(own)?;
        // Parents are wanted in one case of four.
        let relation = if random.chance(25) { 0 } else { random.below(all.len()) };
        let kinds = &all.get(relation)?.kinds;
        let who = match kinds.get(random.below(kinds.len()))? {
            Kind::One(one) => Who::One(*one, random.below(OBJECTS)),
            Kind::Everybody(one) => Who::Everybody(*one),
            Kind::Set(one, relation) => Who::Set(*one, random.below(OBJECTS), *relation),
        };
        Some(Tuple { who, relation, object: (own, random.below(OBJECTS)) })
    }
}

/// An expression for the relation `own`; `this` says whether its tuples are still unnamed.
fn expression(
    random: &mut Random,
    own: usize,
    relations: usize,
    depth: usize,
    this: &mut bool,
) -> Expression {
    let leaf = depth >= 2 || random.chance(30);
    if leaf {
        return match random.below(10) {
            0..=6 if *this => {
                *this = false;
                Expression::This
            }
            7..=8 if own > 1 => Expression::Other(1 + random.below(own - 1)),
            _ => Expression::Through(1 + random.below(relations - 1), 0),
        };
    }
    let first = if *this && random.chance(90) {
        *this = false;
        Expression::This
    } else {
        expression(random, own, relations, depth + 1, this)
    };
    let second = expression(random, own, relations, depth + 1, this);
    match random.below(3) {
        0 => Expression::Or(vec![first, second]),
        1 => Expression::And(vec![first, second]),
        _ => Expression::Not(Box::new(first), Box::new(second)),
    }
}

fn shown(expression: &Expression, kinds: &[Kind], inner: bool) -> String {
    let joined = |all: &[Expression], word: &str| {
        all.iter().map(|one| shown(one, kinds, true)).collect::<Vec<_>>().join(word)
    };
    let text = match expression {
        Expression::This => {
            let kinds = kinds.iter().map(|kind| match kind {
                Kind::One(one) => format!("t{one}"),
                Kind::Everybody(one) => format!("t{one}:*"),
                Kind::Set(one, relation) => format!("t{one}#r{relation}"),
            });
            return format!("[{}]", kinds.collect::<Vec<_>>().join(", "));
        }
        Expression::Other(relation) => return format!("r{relation}"),
        Expression::Through(relation, parents) => return format!("r{relation} from r{parents}"),
        Expression::Or(all) => joined(all, " or "),
        Expression::And(all) => joined(all, " and "),
        Expression::Not(base, subtract) => {
            format!("{} but not {}", shown(base, kinds, true), shown(subtract, kinds, true))
        }
    };
    if inner { format!("({text})") } else { text }
}

impl Who {
    /// Its text.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::One(one, number) => format!("t{one}:{number}"),
            Self::Everybody(one) => format!("t{one}:*"),
            Self::Set(one, number, relation) => format!("t{one}:{number}#r{relation}"),
        }
    }
}
