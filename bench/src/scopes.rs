//! `scope-check`: what a check by scope costs, its text read and a key's filters compared.

use crate::checks::PER_ROOT;
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::house::House;
use crate::rounds::{interleave, nanos_each};
use std::hint::black_box;
use std::sync::Arc;
use tessera_crypto::digest::Tagger;
use tessera_engine::EngineConfig;
use tessera_model::record::{AttributeKind, AttributeValue};
use tessera_model::{
    Command, Deadline, Handle, Name, Pattern, PermissionRef, Private, Revision, Scope, UnixMillis,
    WorkspaceRef,
};

/// The figures of scopes.
pub const SCOPES: Family = Family { specs: &[SCOPE_CHECK], take: scopes };

const SCOPE_CHECK: Spec = Spec {
    id: "scope-check",
    what: "check by scope and tag, its text read, two filters of the key's scope compared, half denied by them, p50",
    unit: "ns",
    goal: "<= 200 ns",
};

/// Keys, each with a scope of its own, and questions per pass.
const KEYS: usize = 256;
const QUESTIONS: usize = 4_096;

struct Asked {
    handle: Handle,
    tag: (u64, u64),
    text: String,
    permitted: bool,
}

fn name(text: &str) -> Result<Name, Why> {
    Ok(Name::new(text)?)
}

/// A tenant whose keys are restricted by scopes with filters, and questions to them.
fn prepared() -> Result<(House, crate::house::Tenant, Vec<Asked>), Why> {
    let memory = Arc::new(tessera_storage::Memory::new(1 << 20));
    let house = House::over(memory, EngineConfig::default(), 1)?;
    let tenant = house.tenant("bench")?;
    let (engine, own) = (&house.engine, tenant.admin.subject);
    let done = |command| house.runtime.block_on(engine.submit(&tenant.admin, engine.command_id(), command));
    for path in ["media/files", "media/notes", "shop/orders"] {
        for action in ["read", "create", "update", "delete"] {
            done(Command::RegisterPermission { name: name(&format!("{path}:{action}"))? })?;
        }
    }
    done(Command::DeclareAttribute { name: name("level")?, kind: AttributeKind::Integer })?;
    let values = vec![(name("level")?, Some(AttributeValue::Integer(5)))];
    done(Command::SetAttributes { subject: own, values, held: Vec::new(), as_of: Revision(u64::MAX) })?;
    let role = name("curator")?;
    done(Command::CreateRole { name: role.clone(), patterns: vec![Pattern::new("scope=delete:**")?] })?;
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    done(Command::Grant { subject: own, role, workspace: None, from, until })?;
    let (tagger, mut keys) = (Tagger::new(), Vec::with_capacity(KEYS));
    for no in 0..KEYS {
        let scope = format!("scope=update:media/*?owner={no}&subject.level=5");
        let made = done(Command::CreateKey {
            subject: own,
            patterns: vec![Pattern::new(&scope)?],
            expires: engine.now().plus_seconds(86_400).to_deadline(),
            description: Private::default(),
            client: None,
            networks: Vec::new(),
        })?;
        keys.push(made.made.handle.ok_or("no key")?);
    }
    let mut asked = Vec::with_capacity(QUESTIONS);
    for no in 0..QUESTIONS {
        let key = no.wrapping_mul(7_919) % KEYS;
        let handle = *keys.get(key).ok_or("no key")?;
        let permitted = no.is_multiple_of(2);
        let owner = if permitted { key } else { key + 1 };
        let text = format!("update:media/files?owner={owner}");
        asked.push(Asked { handle, tag: tagger.tag_words(&handle.to_bytes()), text, permitted });
    }
    Ok((house, tenant, asked))
}

fn scopes(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("scope-check");
    let (house, tenant, asked) = prepared()?;
    let (view, now): (_, UnixMillis) = (tenant.view()?, house.engine.now());
    let reading = view.read(now);
    let ask = |reading: &tessera_engine::Reading<'_>, one: &Asked| {
        // What does not read is denied.
        Scope::parse(one.text.as_bytes()).is_ok_and(|scope| {
            let (place, generation) = (one.handle.place, one.handle.generation);
            reading.check_scope_tag(place, generation, one.tag, &scope, WorkspaceRef::Tenant).is_permit()
        })
    };
    if asked.iter().any(|one| ask(&reading, one) != one.permitted) {
        return Err("an answer is wrong".into());
    }
    let ours = || {
        nanos_each(asked.len(), || {
            let mut reading = view.read(now);
            for drained in asked.chunks(PER_ROOT) {
                reading.renew(now);
                for one in drained {
                    black_box(ask(&reading, one));
                }
            }
        })
    };
    let peer = || {
        nanos_each(asked.len(), || {
            let mut reading = view.read(now);
            for drained in asked.chunks(PER_ROOT) {
                reading.renew(now);
                for one in drained {
                    let permission = PermissionRef::Name("media/files:update");
                    let (place, generation) = (one.handle.place, one.handle.generation);
                    let tenant = WorkspaceRef::Tenant;
                    black_box(reading.check_tag(place, generation, one.tag, permission, tenant));
                }
            }
        })
    };
    let rounds = if setup.quick { 61 } else { 1_001 };
    let (scope, named) = interleave(rounds, ours, peer);
    let sizes = format!("{KEYS} keys, {QUESTIONS} questions a round, {rounds} rounds in turn");
    Ok(vec![
        Row::new(&SCOPE_CHECK, scope, sizes)
            .beside("check by name and tag", named)
            .judged(Some(scope <= 200.0)),
    ])
}
