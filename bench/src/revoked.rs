//! `revocation-visible`: a session that was ended, asked about over another connection as soon as the receipt is there.

use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::process::fresh;
use crate::rounds::median;
use crate::wire::{DECISION_BYTES, Prepared};
use std::time::Instant;
use tessera_client::wire::Request;
use tessera_model::record::SubjectKind;
use tessera_model::{CheckQuery, Handle, Reason};
use tessera_wire::{Inbox, Outbox};

/// Revocation.
pub const REVOKED: Family = Family { specs: &[VISIBLE], take };

const VISIBLE: Spec = Spec {
    id: "revocation-visible",
    what: "from the receipt of a session's end to the answer of the first check after it, over another connection, p50",
    unit: "us",
    goal: "that check is denied, each time",
};

fn take(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("revocation-visible: starting a node");
    let folder = fresh(&setup.folder, "revoked")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut prepared = runtime.block_on(Prepared::new(&setup.node, &folder))?;
    let mut caller = prepared.caller()?;
    let admin = runtime.block_on(prepared.node.client(Some(prepared.key.clone())))?;
    let subject = runtime.block_on(async {
        let made = Request::CreateSubject { kind: SubjectKind::Machine, identifiers: vec![], password: None };
        let subject = admin.request(&made).await?.subject.ok_or("no subject was made")?;
        let role = tessera_model::Name::new("reader")?;
        let (from, until) = (tessera_model::Deadline::NONE, tessera_model::Deadline::NONE);
        admin.request(&Request::Grant { subject, role, workspace: None, from, until }).await?;
        Ok::<_, Why>(subject)
    })?;
    let mut ask = |handle: &tessera_model::HandleBytes| -> Result<(Reason, f64), Why> {
        let mut outbox = Outbox::new();
        outbox.check(7, &CheckQuery { handle, ..prepared.query() })?;
        let started = Instant::now();
        let reply = caller.once(outbox.as_bytes())?;
        let micros = started.elapsed().as_nanos() as f64 / 1e3;
        let mut inbox = Inbox::default();
        inbox.extend(&reply);
        Ok((inbox.next_frame()?.ok_or("half a reply")?.decision()?.reason, micros))
    };
    let count = setup.size(3_000, 300);
    let (mut denied, mut after, mut before) = (0_u32, Vec::new(), Vec::new());
    for turn in 0..count {
        if turn % 100 == 0 {
            setup.progress.say(&format!("revocation-visible: {turn} of {count}"));
        }
        let open = Request::OpenSession { subject, device: None, proof: None };
        let made = runtime.block_on(admin.request(&open))?;
        let text = made.handle_text().ok_or("no handle was given")?;
        let handle = Handle::parse_text(&text).map_err(|_| "not a handle")?.to_bytes();
        let (reason, micros) = ask(&handle)?;
        if reason != Reason::None {
            return Err(format!("a session that was just opened was denied: {}", reason.name()).into());
        }
        before.push(micros);
        let session = made.session.ok_or("the session has no id")?;
        runtime.block_on(admin.end(session))?;
        let (reason, micros) = ask(&handle)?;
        after.push(micros);
        denied += u32::from(reason == Reason::Revoked || reason == Reason::HandleUnknown);
    }
    let sizes = format!(
        "{denied} of {count} sessions denied by the first check after the receipt; {DECISION_BYTES} bytes answered"
    );
    let row = Row::new(&VISIBLE, median(&after), sizes)
        .beside("the check of the same session before its end", median(&before));
    // A quick run revokes less often, but each time it is the goal.
    Ok(vec![row.judged(Some(denied == count))])
}
