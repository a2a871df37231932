//! Any bytes at the readers of frames: streams of them, and each type that lies on the wire.

use crate::align::Inbox;
use crate::example::{again, examples};
use crate::fault::WireError;
use crate::frame::{Frame, HEADER_BYTES, Header};
use crate::outbox::Outbox;
use rkyv::util::AlignedVec;
use tessera_fuzz::{FindingError, Outcome, Run, Target};

fn told(found: Result<Run, FindingError>) -> Run {
    match found {
        Ok(run) => run,
        Err(finding) => panic!("{finding}"),
    }
}

/// The one frame of an outbox, read and written again.
fn twice(name: &str, out: &Outbox) -> Result<Outbox, WireError> {
    let mut inbox = Inbox::default();
    inbox.extend(out.as_bytes());
    let frame = inbox.next_frame()?.expect("a frame that was written is whole");
    again(name, &frame)
}

/// PROPERTY: a stream of any bytes gives frames and at most one error, whatever its chunks; each frame is a value
/// or a typed error. METHOD: streams of examples, changed; 200,000 executions.
/// TC-82 in part: any bytes.
#[test]
fn fuzz_streams() {
    let all = examples();
    let few = all.chunks(7).map(|some| some.iter().flat_map(|(_, out)| out.as_bytes().to_vec()).collect());
    let target = Target::new("wire-stream").seeds::<Vec<u8>>(few).bytes_max(8_192);
    let run = told(target.run(|bytes| {
        let mut inbox = if bytes.len() % 5 == 0 { Inbox::before_hello() } else { Inbox::default() };
        let mut kinds = Vec::new();
        for chunk in bytes.chunks(1 + bytes.len() % 777) {
            inbox.extend(chunk);
            loop {
                match inbox.next_frame() {
                    Ok(Some(frame)) => {
                        let read = again("", &frame);
                        kinds.push((frame.header.kind, read.err().map(WireError::code)));
                    }
                    Ok(None) => break,
                    Err(error) => return Outcome::refused(&error),
                }
            }
        }
        Outcome::taken(&kinds)
    }));
    println!("{run}");
}

/// PROPERTY: any payload of any type is a value or a typed error, and what is a value is written and read again
/// as the same bytes. METHOD: 5,000 changed payloads of each example, that is of each type on the wire, each
/// command and each row.
/// TC-82 in part: every type of the wire.
#[test]
fn fuzz_types() {
    let (mut types, mut executions, mut taken) = (0, 0, 0);
    let all = examples();
    for (name, out) in &all {
        let head = out.as_bytes().first_chunk::<HEADER_BYTES>().expect("a header");
        let header = Header::parse(*head).expect("a header");
        let payload = &out.as_bytes()[HEADER_BYTES..HEADER_BYTES + header.len as usize];
        let target = Target::new(&format!("wire-type {name}")).seeds([payload]).one_of_many(5_000);
        let run = told(target.run(|bytes| {
            let mut payload = AlignedVec::<16>::new();
            payload.extend_from_slice(bytes);
            let len = u32::try_from(bytes.len()).expect("small");
            let read = again(name, &Frame { header: Header { len, ..header }, payload: &payload });
            if let Ok(out) = &read {
                let more = twice(name, out).unwrap_or_else(|error| panic!("what was written: {error}"));
                assert!(more.as_bytes() == out.as_bytes(), "what was written reads as something else");
            }
            Outcome::of(&read.map(drop))
        }));
        types += 1;
        executions += run.executions;
        taken += run.taken;
    }
    println!(
        "fuzz wire-types: {executions} executions over {types} types (seed from TESSERA_SEED), {taken} taken, 0 findings"
    );
}

/// PROPERTY: a planted panic in a reader is found: one that takes a Hello of a tenant that has every feature.
#[test]
fn fuzz_finds_a_planted_panic() {
    let all = examples();
    let (_, out) = all.iter().find(|(name, _)| name == "Hello of a stranger").expect("an example");
    let payload = out.as_bytes()[HEADER_BYTES..].to_vec();
    let header = Header::parse(*out.as_bytes().first_chunk().expect("a header")).expect("a header");
    let target = Target::new("wire-planted").seeds([payload]).one_of_many(5_000);
    let found = target.search(200_000, 1, |bytes| {
        let mut payload = AlignedVec::<16>::new();
        payload.extend_from_slice(bytes);
        let read = Frame { header, payload: &payload }.hello();
        assert!(!read.as_ref().is_ok_and(|hello| hello.features > u64::MAX / 2), "planted");
        Outcome::of(&read.map(drop))
    });
    let finding = found.expect_err("it was not found").to_string();
    assert!(finding.contains("planted"), "{finding}");
    println!("planted: a panic in a reader of the wire: caught");
}
