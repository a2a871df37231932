//! The walk of `tessera dev`: the main job as a caller sees it, over QUIC, each answer with its time.
//!
//! Operator, tenant, user, role, grant, sign-in, check (permit), revocation, check (deny). What an
//! earlier start in the same folder made is used again. Keys and a live session stay in the folder,
//! with a profile, so that a second terminal needs one flag.

use crate::error::CtlError;
use crate::link::{Link, Who, Window};
use crate::operator::claim;
use crate::profile::{PROFILE_FILE, Profile};
use crate::reach::TenantRef;
use crate::secret::{self, Kept};
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tessera_client::wire::{Made, Request, RoleRow, SubjectRow};
use tessera_client::{Client, Config, Trust};
use tessera_model::record::{SubjectKind, SubjectStatus, TenantStatus};
use tessera_model::{
    CheckQuery, Deadline, Decision, Handle, HandleBytes, Identifier, Name, Pattern, PermissionRef, Private,
    PublicId, Receipt, Refusal, WorkspaceRef,
};

/// LIMIT: names tried for a tenant: demo, demo-2 and so on. Each start in a fresh folder on an old node takes one.
const NAMES_MAX: u32 = 100;
/// Checks whose middle is shown: one is too few to tell a node's speed from a first touch.
const ROUNDS: usize = 1_000;

const OPERATOR_KEY: &str = "operator.key";
const ADMIN_KEY: &str = "demo-admin.key";
const SESSION: &str = "amy.session";
const EMAIL: &str = "amy@example.org";
/// Known to everybody who reads this: the demo's user may read orders that do not exist, on a
/// developer's machine.
const PASSWORD: &str = "correct horse battery staple";
const ROLE: &str = "reader";
const PERMISSION: &str = "orders.read";

/// Where the walk goes, and what it leaves behind.
pub struct Demo {
    /// Where the node listens: `host:port`.
    pub address: String,
    /// The name in the node's certificate.
    pub server_name: String,
    /// The file of the node's certificate.
    pub ca: PathBuf,
    /// Where keys, a session and the profile are kept.
    pub folder: PathBuf,
    /// The one-time secret, when the node has no operator yet.
    pub secret: Option<Private>,
    /// Where the node answers over HTTP, if it does: `http://host:port`.
    pub http: Option<String>,
    /// Print one JSON object at the end instead of lines on the way.
    pub json: bool,
}

/// What was done so far.
struct Walk<'d> {
    demo: &'d Demo,
    config: Config,
    steps: Vec<Value>,
}

/// Walks through the main job and prints each answer with the time it took.
///
/// # Errors
/// When the node turns something down that it should not, gives a wrong answer, or cannot be reached.
pub async fn demo(demo: &Demo) -> Result<(), CtlError> {
    let mut walk = Walk::new(demo).await?;
    walk.say(&format!("A walk through the main job, over QUIC to {}\n", demo.address));
    let operator = walk.operator().await?;
    let done = walk.tenant(&operator).await;
    operator.close().await;
    let admin = done?;
    let done = walk.main_job(&admin).await;
    let tenant = admin.client.hello().tenant;
    admin.close().await;
    done?;
    let profile = Profile {
        address: Some(demo.address.clone()),
        server_name: Some(demo.server_name.clone()),
        ca: Some(std::path::absolute(&demo.ca).unwrap_or_else(|_| demo.ca.clone())),
        key_file: Some(OPERATOR_KEY.into()),
        tenant: Some(tenant.to_string()),
        handle_file: Some(SESSION.into()),
        secret_file: None,
    };
    profile.write(&demo.folder.join(PROFILE_FILE))?;
    walk.go_on(&tenant.to_string());
    Ok(())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A time for people: microseconds below one millisecond, else milliseconds.
fn time(micros: u64) -> String {
    if micros < 1_000 {
        format!("{micros} us")
    } else {
        format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100)
    }
}

fn name(text: &str) -> Result<Name, CtlError> {
    Name::new(text).map_err(|error| CtlError::unexpected(error.to_string()))
}

fn is(error: &CtlError, refusal: Refusal) -> bool {
    error.code() == Some(refusal.code())
}

impl<'d> Walk<'d> {
    async fn new(demo: &'d Demo) -> Result<Self, CtlError> {
        let pem = std::fs::read(&demo.ca).map_err(|error| CtlError::file("reading", &demo.ca, &error))?;
        let told = |error| CtlError::of(&error, &demo.address);
        let trust = Trust::roots_pem(&pem).map_err(told)?;
        let found = tokio::net::lookup_host(&demo.address).await;
        let address = found.ok().and_then(|mut found| found.next());
        let address = address.ok_or_else(|| CtlError::usage(format!("{} is no address", demo.address)))?;
        let mut config = Config::new(address, &demo.server_name, trust);
        config.deadline = Duration::from_secs(30);
        config.streams = 1;
        Ok(Self { demo, config, steps: Vec::new() })
    }

    fn say(&self, text: &str) {
        if !self.demo.json {
            // A closed standard output does not stop the node.
            drop(writeln!(std::io::stdout(), "{text}"));
        }
    }

    /// Prints a step, its answer and its time.
    fn step(&mut self, step: &str, answer: &str, took_us: u64) {
        self.say(&format!("  {step:<34} {answer:<46} {:>9}", time(took_us)));
        self.steps.push(json!({ "step": step, "answer": answer, "took_us": took_us }));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.demo.folder.join(name)
    }

    async fn connect(&self, key: Option<String>) -> Result<Link, CtlError> {
        let config = Config { credential: key, ..self.config.clone() };
        let client =
            Client::connect(config).await.map_err(|error| CtlError::of(&error, &self.demo.address))?;
        Ok(Link::over(client, &self.demo.address))
    }

    /// The operator: with the key of an earlier start, or made from the one-time secret.
    async fn operator(&mut self) -> Result<Link, CtlError> {
        let file = self.file(OPERATOR_KEY);
        let begun = Instant::now();
        if file.exists() {
            let link = self.connect(Some(secret::file(&file)?)).await?;
            self.step("connect as operator", "with the key of an earlier start", micros(begun.elapsed()));
            return Ok(link);
        }
        let secret = self.demo.secret.clone().ok_or_else(|| {
            CtlError::unknown(format!(
                "the node has an operator, and {} does not hold the key",
                file.display()
            ))
            .advise("put the operator's key there, or begin in a fresh folder: --folder")
        })?;
        let kept = Kept::open(&file)?;
        let stranger = self.connect(None).await?;
        self.step("connect", "TLS 1.3, hello answered", micros(begun.elapsed()));
        let begun = Instant::now();
        let claimed = claim(&stranger, secret, name("dev")?).await;
        let took = micros(begun.elapsed());
        stranger.close().await;
        let (_, key) = claimed?;
        kept.keep(&key)?;
        self.step("claim the operator", &format!("key kept in {}", file.display()), took);
        self.connect(Some(key)).await
    }

    /// The tenant of an earlier start, or a new one with an admin; bound as that admin.
    async fn tenant(&mut self, operator: &Link) -> Result<Link, CtlError> {
        let file = self.file(ADMIN_KEY);
        if file.exists() {
            let begun = Instant::now();
            let key = secret::file(&file)?;
            self.resume_tenant(operator, &key).await?;
            // A key that opens nothing any more: its tenant was deleted, a new one is made.
            if let Ok(link) = self.connect(Some(key)).await {
                let answer = format!("tenant {}, of an earlier start", link.client.hello().tenant);
                self.step("connect as its admin", &answer, micros(begun.elapsed()));
                return Ok(link);
            }
        }
        let kept = Kept::open(&file)?;
        for nth in 1..=NAMES_MAX {
            let text = if nth == 1 { "demo".to_owned() } else { format!("demo-{nth}") };
            let begun = Instant::now();
            match operator.order(&Request::CreateTenant { name: name(&text)? }).await {
                Err(error) if is(&error, Refusal::Duplicate) => {}
                Err(error) => return Err(error),
                Ok(made) => {
                    let took = micros(begun.elapsed());
                    let key = made.handle_text().ok_or_else(|| CtlError::unexpected("no admin's key"))?;
                    kept.keep(&key)?;
                    self.step(&format!("create tenant {text}, with an admin"), "durable, with its key", took);
                    return self.connect(Some(key)).await;
                }
            }
        }
        Err(CtlError::unexpected(format!("demo to demo-{NAMES_MAX} are all taken")))
    }

    /// Takes the tenant of a key into use again, when somebody has suspended it since.
    async fn resume_tenant(&mut self, operator: &Link, key: &str) -> Result<(), CtlError> {
        let Ok(handle) = Handle::parse_text(key) else { return Ok(()) };
        let begun = Instant::now();
        let found = operator.tenant_row(&TenantRef::Id(handle.tenant)).await;
        if !found.is_ok_and(|row| row.status == TenantStatus::Suspended) {
            return Ok(());
        }
        let made = operator.order(&Request::ResumeTenant { tenant: handle.tenant }).await?;
        let step = format!("resume tenant {}", handle.tenant);
        self.step(&step, &format!("durable at {}", made.receipt), micros(begun.elapsed()));
        Ok(())
    }

    /// Lets amy act again, when somebody has suspended her since; lets the role cover what is asked for,
    /// when somebody has taken it away.
    async fn mend(&mut self, admin: &Link, subject: &SubjectRow, pattern: &Pattern) -> Result<(), CtlError> {
        if subject.status == Some(SubjectStatus::Suspended) {
            let request = Request::ResumeSubject { subject: subject.subject };
            self.once(admin, &format!("resume {EMAIL}"), request).await?;
        }
        let request = |after, limit| Request::ListRoles { after, limit };
        let roles = Window::all().read::<RoleRow>(admin, request).await?.rows;
        let role = roles.into_iter().find(|row| row.name.as_str() == ROLE);
        let Some(mut patterns) = role.map(|row| row.patterns) else { return Ok(()) };
        if !patterns.iter().any(|known| known.covers(PERMISSION)) {
            patterns.push(pattern.clone());
            let request = Request::ChangeRole { name: name(ROLE)?, patterns };
            self.once(admin, &format!("let role {ROLE} cover {PERMISSION}"), request).await?;
        }
        Ok(())
    }

    /// Orders something that an earlier start may have done already.
    async fn once(&mut self, link: &Link, step: &str, request: Request) -> Result<Option<Made>, CtlError> {
        let begun = Instant::now();
        let done = link.order(&request).await;
        let took = micros(begun.elapsed());
        match done {
            Ok(made) => {
                self.step(step, &format!("durable at {}", made.receipt), took);
                Ok(Some(made))
            }
            Err(error) if is(&error, Refusal::Duplicate) => {
                self.step(step, "there since an earlier start", took);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn main_job(&mut self, admin: &Link) -> Result<(), CtlError> {
        let password = || Private::new(PASSWORD.as_bytes().to_vec());
        let email = Identifier::guess(EMAIL).map_err(|error| CtlError::unexpected(error.to_string()))?;
        let identifiers = vec![email.clone()];
        let request =
            Request::CreateSubject { kind: SubjectKind::Person, identifiers, password: Some(password()) };
        self.once(admin, &format!("register {EMAIL}"), request).await?;
        let found = admin.subject(&Who::Identifier(email)).await?;
        let subject = found.subject;
        let pattern = Pattern::new(PERMISSION).map_err(|error| CtlError::unexpected(error.to_string()))?;
        let request = Request::CreateRole { name: name(ROLE)?, patterns: vec![pattern.clone()] };
        self.once(admin, &format!("create role {ROLE} ({PERMISSION})"), request).await?;
        self.mend(admin, &found, &pattern).await?;
        let (from, until) = (Deadline::NONE, Deadline::NONE);
        let request = Request::Grant { subject, role: name(ROLE)?, workspace: None, from, until };
        self.once(admin, &format!("grant {ROLE} to {EMAIL}"), request).await?;
        let (made, session, handle) = self.sign_in(admin, subject).await?;
        self.check(admin, &handle, made.receipt, true).await?;
        self.many(admin, &handle).await?;
        let begun = Instant::now();
        let ended = admin.order(&Request::EndSession { session }).await?;
        let answer = format!("durable at {}", ended.receipt);
        self.step("revoke the session", &answer, micros(begun.elapsed()));
        self.check(admin, &handle, ended.receipt, false).await?;
        let kept = Kept::open(&self.file(SESSION))?;
        let (_, _, handle) = self.sign_in(admin, subject).await?;
        let text = Handle::parse(&handle).map(|handle| handle.to_text());
        kept.keep(&text.map_err(|error| CtlError::unexpected(error.to_string()))?)
    }

    /// Signs in with the password; sets it first when somebody has changed it since an earlier start.
    async fn sign_in(
        &mut self,
        admin: &Link,
        subject: PublicId,
    ) -> Result<(Made, PublicId, HandleBytes), CtlError> {
        let request = || Request::SignIn {
            identifier: Private::new(EMAIL.as_bytes().to_vec()),
            password: Private::new(PASSWORD.as_bytes().to_vec()),
            address: None,
            device: None,
            proof: None,
        };
        let begun = Instant::now();
        let mut done = admin.order(&request()).await;
        if done.as_ref().is_err_and(|error| is(error, Refusal::SignInFailed)) {
            let until = admin.now().plus_seconds(60).to_deadline();
            let offered = admin.order(&Request::ResetPassword { subject, until, clear: false }).await?;
            let secret = offered.handle.ok_or_else(|| CtlError::unexpected("no secret was offered"))?;
            let password = Private::new(PASSWORD.as_bytes().to_vec());
            admin.order(&Request::SetUpPassword { secret, password }).await?;
            done = admin.order(&request()).await;
        }
        let (made, took) = (done?, micros(begun.elapsed()));
        let handle = made.handle.as_ref().and_then(|handle| HandleBytes::try_from(handle.expose()).ok());
        let (Some(handle), Some(session)) = (handle, made.session) else {
            return Err(CtlError::unexpected("the answer to sign-in holds no session"));
        };
        self.step("sign in with the password", &format!("session {session}"), took);
        Ok((made, session, handle))
    }

    async fn check(
        &mut self,
        link: &Link,
        handle: &HandleBytes,
        at_least: Receipt,
        permit: bool,
    ) -> Result<(), CtlError> {
        let begun = Instant::now();
        let decision = ask(link, handle, at_least).await?;
        let took = micros(begun.elapsed());
        let answer = if decision.is_permit() {
            "Permit".to_owned()
        } else {
            format!("Deny: {} ({})", decision.reason.text(), decision.reason.code())
        };
        self.step(&format!("check {PERMISSION}"), &answer, took);
        if decision.is_permit() == permit {
            Ok(())
        } else {
            Err(CtlError::unexpected(format!("the answer is wrong: {answer}")))
        }
    }

    async fn many(&mut self, link: &Link, handle: &HandleBytes) -> Result<(), CtlError> {
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            if !ask(link, handle, Receipt::default()).await?.is_permit() {
                return Err(CtlError::unexpected("a check was denied without a cause"));
            }
            times.push(micros(begun.elapsed()));
        }
        times.sort_unstable();
        let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
        let answer = format!("all Permit; p50 {}, p99 {}", time(at(50)), time(at(99)));
        self.step(&format!("the same {ROUNDS} times, in turn"), &answer, times.iter().sum());
        Ok(())
    }

    /// Says how to go on.
    fn go_on(&self, tenant: &str) {
        let folder = shown(&self.demo.folder);
        let program = std::env::args().next().unwrap_or_else(|| "tessera".to_owned());
        let next = ["check orders.read", "user list", "session list amy@example.org", "ping"];
        let next: Vec<String> =
            next.iter().map(|words| format!("{program} {words} --profile {folder}")).collect();
        if self.demo.json {
            let mut json = Map::new();
            json.insert("ok".into(), json!(true));
            json.insert("steps".into(), json!(self.steps));
            json.insert("address".into(), json!(self.demo.address));
            json.insert("http".into(), json!(self.demo.http));
            json.insert("server_name".into(), json!(self.demo.server_name));
            json.insert("ca".into(), json!(shown(&self.demo.ca)));
            json.insert("tenant".into(), json!(tenant));
            for (field, file) in [
                ("profile", PROFILE_FILE),
                ("operator_key_file", OPERATOR_KEY),
                ("admin_key_file", ADMIN_KEY),
                ("handle_file", SESSION),
            ] {
                json.insert(field.into(), json!(shown(&self.file(file))));
            }
            json.insert("next".into(), json!(next));
            drop(writeln!(std::io::stdout(), "{}", crate::output::sorted(Value::Object(json))));
            return;
        }
        self.say(&format!(
            "\nThe node stays up on {} (name {}); Ctrl-C ends it. In {folder}:\n  {PROFILE_FILE:<16} where the node is: one flag for every command\n  {OPERATOR_KEY:<16} the operator's key\n  {ADMIN_KEY:<16} the key of the admin of tenant {tenant}\n  {SESSION:<16} a live session of {EMAIL} (password: {PASSWORD})\nThe certificate to trust: {}\n\nIn a second terminal:\n",
            self.demo.address,
            self.demo.server_name,
            shown(&self.demo.ca),
        ));
        next.iter().for_each(|line| self.say(&format!("  {line}")));
        self.say("");
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

async fn ask(link: &Link, handle: &HandleBytes, at_least: Receipt) -> Result<Decision, CtlError> {
    let query = CheckQuery {
        handle,
        permission: PermissionRef::Name(PERMISSION),
        workspace: WorkspaceRef::Tenant,
        at_least,
        address: None,
    };
    link.client.check(&query).await.map_err(|error| link.told(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_readable() {
        assert_eq!(time(0), "0 us");
        assert_eq!(time(999), "999 us");
        assert_eq!(time(1_000), "1.0 ms");
        assert_eq!(time(43_960), "43.9 ms");
    }
}
