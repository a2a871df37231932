//! Casbin as a peer: the six conditions of a policy as its matcher, and two rules of roles, over the same questions.

use crate::figure::Why;
use crate::rounds::nanos_each;
use casbin::{CoreApi as _, DefaultModel, Enforcer, MemoryAdapter, MgmtApi as _};
use serde::Serialize;
use std::hint::black_box;

/// What is asked, by name, with the attributes of both and the context in the request: its ABAC form.
const MODEL: &str = r#"
[request_definition]
r = sub, obj, act, ctx

[policy_definition]
p = act, eft

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.act == p.act && r.sub.level >= 3 && r.sub.team == "tools" && r.sub.suspended == false && r.ctx.trusted == true && r.ctx.n < 10 && r.obj.size <= 100
"#;

/// Who asks.
#[derive(Clone, Hash, Serialize)]
struct Subject {
    level: i64,
    team: &'static str,
    suspended: bool,
}

/// What it asks about.
#[derive(Clone, Hash, Serialize)]
struct Object {
    size: i64,
}

/// What comes with the question.
#[derive(Clone, Hash, Serialize)]
struct Context {
    trusted: bool,
    n: i64,
}

/// Casbin with one policy of six conditions, and questions of which every second is permitted.
pub struct Casbin {
    enforcer: Enforcer,
    questions: Vec<(Subject, Object, &'static str, Context)>,
}

impl Casbin {
    /// As many questions as are asked of the others.
    ///
    /// # Errors
    /// Its own, when it takes neither the model nor the policy.
    pub fn new(questions: usize) -> Result<Self, Why> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let enforcer = runtime.block_on(async {
            let model = DefaultModel::from_str(MODEL).await?;
            let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await?;
            enforcer.add_policy(vec!["read".to_owned(), "allow".to_owned()]).await?;
            Ok::<_, casbin::Error>(enforcer)
        })?;
        let question = |no: usize| {
            let level = if no.is_multiple_of(2) { 3 } else { 2 };
            let subject = Subject { level, team: "tools", suspended: false };
            (subject, Object { size: 7 }, "read", Context { trusted: true, n: 7 })
        };
        Ok(Self { enforcer, questions: (0..questions).map(question).collect() })
    }

    /// Whether it says what is expected: every second question is permitted.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let asked = self.questions.iter().enumerate();
        asked.into_iter().all(|(no, question)| {
            self.enforcer.enforce(question.clone()).is_ok_and(|permits| permits == no.is_multiple_of(2))
        })
    }

    /// Nanoseconds of one of its decisions.
    #[must_use]
    pub fn nanos(&self) -> f64 {
        nanos_each(self.questions.len(), || {
            for question in &self.questions {
                black_box(self.enforcer.enforce(question.clone()).is_ok_and(|permits| permits));
            }
        })
    }
}

/// Roles as its own examples have them: who has the role of a rule may do what it says.
const ROLES: &str = r"
[request_definition]
r = sub, obj, act

[policy_definition]
p = sub, obj, act

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act
";

/// Casbin with two rules of roles and one user in two who has the first, and questions about all of them.
pub struct Roles {
    enforcer: Enforcer,
    users: Vec<String>,
}

impl Roles {
    /// As many questions as are asked of the others.
    ///
    /// # Errors
    /// Its own, when it takes neither the model nor the rules.
    pub fn new(questions: usize) -> Result<Self, Why> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let users: Vec<String> = (0..questions).map(|no| format!("u{no}")).collect();
        let enforcer = runtime.block_on(async {
            let model = DefaultModel::from_str(ROLES).await?;
            let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await?;
            for (role, act) in [("reader", "read"), ("writer", "write")] {
                enforcer.add_policy(vec![role.to_owned(), "orders".to_owned(), act.to_owned()]).await?;
            }
            for user in users.iter().step_by(2) {
                enforcer.add_grouping_policy(vec![user.clone(), "reader".to_owned()]).await?;
            }
            Ok::<_, casbin::Error>(enforcer)
        })?;
        Ok(Self { enforcer, users })
    }

    /// Whether it says what is expected: every second question is permitted.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.users.iter().enumerate().all(|(no, user)| {
            let told = self.enforcer.enforce((user.as_str(), "orders", "read"));
            told.is_ok_and(|permits| permits == no.is_multiple_of(2))
        })
    }

    /// Nanoseconds of one of its decisions.
    #[must_use]
    pub fn nanos(&self) -> f64 {
        nanos_each(self.users.len(), || {
            for user in &self.users {
                let told = self.enforcer.enforce((user.as_str(), "orders", "read"));
                black_box(told.is_ok_and(|permits| permits));
            }
        })
    }
}
