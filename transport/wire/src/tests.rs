//! What any bytes do to the readers: whole frames read back, damaged ones are errors, nothing panics.

use crate::align::Inbox;
use crate::example::{again, examples, handle, head, query, seen};
use crate::fault::{Fault, WireError};
use crate::fields::{FieldsWriter, Head};
use crate::frame::{Frame, HEADER_BYTES, Header};
use crate::kind::Kind;
use crate::outbox::Outbox;
use crate::request::{Request, RequestKind};
use crate::rows::{IdentifierRow, PermissionRow};
use crate::sample::Sample;
use crate::shape::RowsWriter;
use crate::tag::Tag;
use rkyv::util::AlignedVec;
use tessera_model::limits::{WIRE_FRAME_BEFORE_HELLO_BYTES_MAX, WIRE_FRAME_BYTES_MAX};
use tessera_model::{CheckQuery, CommandKind, Private, Reason};

fn aligned(bytes: &[u8]) -> AlignedVec<16> {
    let mut out = AlignedVec::new();
    out.extend_from_slice(bytes);
    out
}

/// PROPERTY: every kind reads back as what was written. METHOD: each example, and each request and row
/// from eight samples, is read and written again: the same bytes.
#[test]
fn every_kind_reads_back() {
    let mut all = examples();
    for kind in RequestKind::ALL {
        for nth in 0..8 {
            let mut out = Outbox::new();
            out.request(1, head(), &Request::sample(*kind, nth)).expect("written");
            all.push((kind.name().to_owned(), out));
        }
    }
    for (name, out) in &all {
        assert_eq!(out.len() % HEADER_BYTES, 0);
        let mut inbox = Inbox::default();
        inbox.extend(out.as_bytes());
        let frame = inbox.next_frame().expect(name).expect(name);
        let again = again(name, &frame).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(again.as_bytes() == out.as_bytes(), "{name}");
        assert!(inbox.next_frame().expect(name).is_none() && !inbox.is_partial());
    }
    for kind in Kind::FIXED {
        let shown = all.iter().any(|(_, out)| out.as_bytes()[4..6] == kind.number().to_le_bytes());
        assert!(shown, "{kind:?} has no example");
    }
}

/// PROPERTY: chunks of any length give the same frames. METHOD: all examples behind each other, cut
/// into chunks of each length from 1 to 70, and of 1,500.
#[test]
fn frames_do_not_depend_on_chunks() {
    let mut stream = Outbox::new();
    let all = examples();
    all.iter().for_each(|(_, out)| stream.append(out));
    for chunk in (1..=70).chain([1_500]) {
        let (mut inbox, mut expected) = (Inbox::default(), all.iter());
        for bytes in stream.as_bytes().chunks(chunk) {
            inbox.extend(bytes);
            while let Some(frame) = inbox.next_frame().expect("a frame") {
                let (name, out) = expected.next().expect("as many frames");
                assert!(again(name, &frame).expect(name).as_bytes() == out.as_bytes(), "{name}");
            }
        }
        assert!(expected.next().is_none() && !inbox.is_partial());
    }
}

/// PROPERTY: a cut payload is an error or another sound payload, never a panic; a cut frame waits.
/// METHOD: every example cut at every byte.
/// TC-82 in part.
#[test]
fn cut_frames_are_errors() {
    for (name, out) in examples() {
        let payload = aligned(&out.as_bytes()[HEADER_BYTES..]);
        for cut in 0..out.len() {
            let mut inbox = Inbox::default();
            inbox.extend(&out.as_bytes()[..cut]);
            assert!(inbox.next_frame().expect("no error yet").is_none(), "{name}");
            let Some(bytes) = payload.get(..cut) else { continue };
            let header = Header::parse(out.as_bytes()[..HEADER_BYTES].try_into().expect("16")).expect("16");
            if cut < header.len as usize {
                // What stands before the root may read as a root by chance; it must not panic.
                drop(again(&name, &Frame { header, payload: bytes }));
            }
        }
    }
}

/// PROPERTY: no changed bit panics, or grows memory: an error or another sound value. METHOD: every bit of
/// every example; the share that was noticed is printed, for structure is proven and content is not.
/// TC-82 in part.
#[test]
fn changed_bits_are_errors_or_other_values() {
    let (mut noticed, mut total) = (0, 0);
    for (name, out) in examples() {
        for bit in 0..out.len() * 8 {
            let mut bytes = out.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut inbox = Inbox::default();
            inbox.extend(&bytes);
            total += 1;
            noticed += match inbox.next_frame() {
                Err(_) | Ok(None) => 1,
                Ok(Some(frame)) => u32::from(again(&name, &frame).is_err()),
            };
        }
    }
    println!("{noticed} of {total} changed bits noticed");
}

/// PROPERTY: at every byte offset a payload reads, or is an error: never undefined. METHOD: each example
/// copied to offsets 1 to 15 of an aligned buffer.
/// TC-82 in part.
#[test]
fn misaligned_payloads_are_errors() {
    let mut errors = 0;
    for (name, out) in examples() {
        let header = Header::parse(out.as_bytes()[..HEADER_BYTES].try_into().expect("16")).expect("16");
        let end = HEADER_BYTES + header.len as usize;
        for offset in 1..16 {
            let mut buffer = aligned(&vec![0; offset]);
            buffer.extend_from_slice(&out.as_bytes()[HEADER_BYTES..end]);
            let frame = Frame { header, payload: &buffer[offset..] };
            errors += u32::from(again(&name, &frame).is_err());
        }
    }
    assert!(errors > 500);
}

/// PROPERTY: bytes from anywhere never panic. METHOD: 200,000 payloads of pseudo-random bytes and lengths,
/// read as every kind in turn (xorshift from a fixed seed).
/// TC-82 in part.
#[test]
fn any_bytes_are_survived() {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let names: Vec<_> =
        examples().into_iter().map(|(name, out)| (name, out.as_bytes()[4..6].to_vec())).collect();
    for round in 0..200_000 {
        let (name, kind) = &names[round % names.len()];
        let len = (next() % 200) as usize;
        let mut payload = AlignedVec::<16>::new();
        for _ in 0..len {
            // Small numbers often: lengths and offsets that almost fit.
            let byte = next();
            payload.push(if byte & 0x300 == 0 { (byte & 0xFF) as u8 } else { (byte & 3) as u8 });
        }
        let header = Header {
            len: u32::try_from(len).expect("small"),
            kind: u16::from_le_bytes([kind[0], kind[1]]),
            request_id: 0,
        };
        drop(again(name, &Frame { header, payload: &payload }));
    }
}

/// PROPERTY: a frame over the cap, a set flag and dirty padding end the stream; an unknown kind does not.
/// TC-83 in part: the cap; TC-84 in part: unknown kinds.
#[test]
fn bad_headers_end_the_stream() {
    let frame = |len: usize, kind, flags: u8, padding: u8| {
        let header = Header { len: u32::try_from(len).expect("small"), kind, request_id: 1 };
        let mut bytes = header.to_bytes().to_vec();
        bytes[6] = flags;
        bytes.extend(vec![0; len]);
        bytes.extend(vec![padding; len.next_multiple_of(16) - len]);
        bytes
    };
    let read = |mut inbox: Inbox, bytes: &[u8]| {
        inbox.extend(bytes);
        inbox.next_frame().map(|frame| frame.map(|frame| frame.kind()))
    };
    assert_eq!(read(Inbox::default(), &frame(8, 3, 1, 0)), Err(WireError::BadHeader));
    assert_eq!(read(Inbox::default(), &frame(8, 3, 0, 1)), Err(WireError::BadHeader));
    let over = WIRE_FRAME_BYTES_MAX + 1;
    assert_eq!(read(Inbox::default(), &frame(over, 3, 0, 0)[..16]), Err(WireError::FrameTooLarge));
    let early = WIRE_FRAME_BEFORE_HELLO_BYTES_MAX + 1;
    assert_eq!(read(Inbox::before_hello(), &frame(early, 1, 0, 0)[..16]), Err(WireError::FrameTooLarge));
    let unknown = Ok(Some(Err(WireError::KindUnknown)));
    assert_eq!(read(Inbox::default(), &frame(8, 999, 0, 0)), unknown);
    assert_eq!(read(Inbox::default(), &frame(WIRE_FRAME_BYTES_MAX, 999, 0, 0)), unknown);
}

/// PROPERTY: a field that nobody asks for, a missing one and a repeated one are told from an ill-formed one.
#[test]
fn fields_are_told_apart() {
    let kind = RequestKind::RegisterPermission;
    let read = |write: &dyn Fn(&mut FieldsWriter)| {
        let (mut out, mut fields) = (Outbox::new(), FieldsWriter::new(Head::default()));
        write(&mut fields);
        out.fields(Kind::Request(kind), 1, &fields).expect("written");
        let mut inbox = Inbox::default();
        inbox.extend(out.as_bytes());
        let frame = inbox.next_frame().expect("a frame").expect("a frame");
        frame.request(kind).err()
    };
    assert_eq!(read(&|fields| fields.text(Tag::Name, "orders.read")), None);
    assert_eq!(read(&|_| ()), Some(WireError::BadField(Tag::Name)));
    let twice = |fields: &mut FieldsWriter| (0..2).for_each(|_| fields.text(Tag::Name, "a"));
    assert_eq!(read(&twice), Some(WireError::BadField(Tag::Name)));
    assert_eq!(read(&|fields| fields.number(Tag::Name, 1)), Some(WireError::BadField(Tag::Name)));
    assert_eq!(read(&|fields| fields.text(Tag::Name, "a b")), Some(WireError::Malformed(Tag::Name)));
    let more = |fields: &mut FieldsWriter| {
        fields.text(Tag::Name, "a");
        fields.flag(Tag::Inherits, true);
    };
    assert_eq!(read(&more), Some(WireError::BadPayload));
    assert_eq!(WireError::Malformed(Tag::Name).code(), 227);
    assert_eq!(WireError::BadField(Tag::Name).code(), 403);
}

/// PROPERTY: what is longer, or more, than a limit allows is refused by the limit's name and number (220), at
/// its edge and not before.
#[test]
fn what_is_too_much_is_refused_by_its_limit() {
    use tessera_model::Limit;
    type Put = fn(&mut FieldsWriter, usize);
    let cases: [(RequestKind, Tag, Limit, Put); 7] = [
        (RequestKind::RegisterPermission, Tag::Name, Limit::NameBytes, |fields, size| {
            fields.text(Tag::Name, &"a".repeat(size));
        }),
        (RequestKind::CreateRole, Tag::Pattern, Limit::PatternBytes, |fields, size| {
            fields.text(Tag::Name, "a");
            fields.text(Tag::Pattern, &format!("{}*", "a".repeat(size - 1)));
        }),
        (RequestKind::CreateRole, Tag::Pattern, Limit::Patterns, |fields, size| {
            fields.text(Tag::Name, "a");
            (0..size).for_each(|_| fields.text(Tag::Pattern, "a"));
        }),
        (RequestKind::AddIdentifier, Tag::Identifier, Limit::IdentifierBytes, |fields, size| {
            fields.bytes(Tag::Subject, &[7; 16]);
            fields.number(Tag::IdentifierKind, 1);
            // Labels of 50 letters, as long as the whole must be.
            let domain: String = (0..size - 65).map(|at| if at % 50 == 49 { '.' } else { 'b' }).collect();
            fields.text(Tag::Identifier, &format!("{}@{}b.org", "a".repeat(59), domain));
        }),
        (RequestKind::CreateSubject, Tag::Identifier, Limit::IdentifiersPerSubject, |fields, size| {
            fields.number(Tag::SubjectKind, 1);
            for no in 0..size {
                fields.number(Tag::IdentifierKind, 3);
                fields.text(Tag::Identifier, &format!("amy{no}"));
            }
        }),
        (RequestKind::SetAttributes, Tag::Attribute, Limit::AttributesPerSubject, |fields, size| {
            fields.bytes(Tag::Subject, &[7; 16]);
            for no in 0..size {
                fields.text(Tag::Attribute, &format!("a{no}"));
                fields.none(Tag::Value);
            }
        }),
        (RequestKind::SetAttributes, Tag::Value, Limit::AttributeBytes, |fields, size| {
            fields.bytes(Tag::Subject, &[7; 16]);
            fields.text(Tag::Attribute, "a");
            fields.text(Tag::Value, &"x".repeat(size));
        }),
    ];
    for (kind, tag, limit, put) in cases {
        let read = |size: usize| {
            let (mut out, mut fields) = (Outbox::new(), FieldsWriter::new(Head::default()));
            put(&mut fields, size);
            out.fields(Kind::Request(kind), 1, &fields).expect("written");
            let mut inbox = Inbox::default();
            inbox.extend(out.as_bytes());
            let frame = inbox.next_frame().expect("a frame").expect("a frame");
            frame.request(kind).err()
        };
        let edge = usize::try_from(limit.bound()).expect("small");
        assert_eq!(read(edge), None, "{limit}");
        assert_eq!(read(edge + 1), Some(WireError::Limit(tag, limit)), "{limit}");
        let fault = Fault::from(WireError::Limit(tag, limit));
        assert_eq!((fault.code, fault.refusal()), (220, Some(limit.reached())));
        assert!(fault.detail.contains(tag.name()) && fault.detail.contains(limit.name()), "{fault}");
    }
}

/// PROPERTY: an instant that no deadline can hold is a deadline that has passed or is too far ahead (217),
/// as the engine says of one that it can hold; 0 is none. METHOD: the until of a grant on both edges.
#[test]
fn instants_that_no_deadline_holds_are_told() {
    let (kind, first) = (RequestKind::Grant, tessera_model::time::DEADLINE_EPOCH_S);
    let read = |until: u64| {
        let (mut out, mut fields) = (Outbox::new(), FieldsWriter::new(Head::default()));
        fields.bytes(Tag::Subject, &[7; 16]);
        fields.text(Tag::Role, "reader");
        fields.number(Tag::From, 0);
        fields.number(Tag::Until, until);
        out.fields(Kind::Request(kind), 1, &fields).expect("written");
        let mut inbox = Inbox::default();
        inbox.extend(out.as_bytes());
        let frame = inbox.next_frame().expect("a frame").expect("a frame");
        frame.request(kind).err().map(WireError::code)
    };
    let last = first + u64::from(u32::MAX) - 1;
    for sound in [0, first + 1, last] {
        assert_eq!(read(sound), None, "{sound}");
    }
    for outside in [1, first, last + 1, u64::MAX] {
        assert_eq!(read(outside), Some(217), "{outside}");
    }
}

/// PROPERTY: a request's number is its command's, and numbers and tags are one to one.
#[test]
fn numbers_fit_the_model() {
    for kind in RequestKind::ALL {
        assert_eq!(RequestKind::from_number(kind.number()), Some(*kind));
        if let Some(command) = CommandKind::ALL.iter().find(|command| command.name() == kind.name()) {
            let expected = command.number().checked_add(0x1000).unwrap_or(0x1FFF);
            assert_eq!(kind.number(), expected, "{}", kind.name());
        }
    }
    let missing: Vec<_> = CommandKind::ALL
        .iter()
        .filter(|command| !RequestKind::ALL.iter().any(|kind| kind.name() == command.name()))
        .collect();
    let of_the_node = [
        &CommandKind::OfferBootstrap,
        &CommandKind::BeginEpoch,
        &CommandKind::FinishErasure,
        &CommandKind::RehashPassword,
        &CommandKind::CountFailure,
        &CommandKind::FinishInvitations,
        &CommandKind::NoteActings,
        &CommandKind::NoteMove,
        &CommandKind::AdoptTenant,
        &CommandKind::HearFleet,
    ];
    assert_eq!(
        missing, of_the_node,
        "only the node offers its secret, begins an epoch, ends an erasure, hashes anew, moves a tenant and hears the fleet"
    );
    for pair in Tag::ALL.windows(2) {
        assert!(pair[0].number() < pair[1].number());
    }
}

/// PROPERTY: a reason that this build does not know is an error, never a Permit; a batch over 1,024
/// checks, an over-long name and a too large page are not written.
#[test]
fn what_is_not_known_does_not_permit() {
    let mut out = Outbox::new();
    out.decision(1, &crate::example::decision(0)).expect("written");
    for code in (1..=u16::MAX).filter(|code| Reason::from_code(*code).is_none()) {
        let mut payload = aligned(&out.as_bytes()[HEADER_BYTES..]);
        payload[24..26].copy_from_slice(&code.to_le_bytes());
        let header = Header { len: 32, kind: 4, request_id: 1 };
        assert!(Frame { header, payload: &payload }.decision().is_err());
    }
    let (handle, mut out) = (handle(), Outbox::new());
    let many = |count| (0..count).map(|nth| query(&handle, nth % 3));
    assert!(out.check_batch(1, seen(), many(1_024)).is_ok());
    let whole = out.len();
    assert_eq!(out.check_batch(1, seen(), many(1_025)), Err(WireError::FrameTooLarge));
    let name = "n".repeat(129);
    let long = CheckQuery { permission: tessera_model::PermissionRef::Name(&name), ..query(&handle, 0) };
    assert_eq!(out.check(1, &long), Err(WireError::BadPayload));
    assert_eq!(out.len(), whole, "a failed write leaves nothing behind");
    // A page of a list has fewer; a batch has an answer for each of its questions.
    let mut page = RowsWriter::new();
    while page.push(&PermissionRow::sample(1)) {}
    assert_eq!(page.len(), 1_024);
    let mut page = RowsWriter::new();
    while page.push(&IdentifierRow::sample(1)) {}
    assert!(out.rows(1, &page.finish(Some(&[7; 256]))).is_ok());
}

/// PROPERTY: a detail is cut at a whole character and reads back.
#[test]
fn details_are_cut_whole() {
    let (mut out, mut inbox) = (Outbox::new(), Inbox::default());
    out.fault(1, &Fault::new(301, &"é".repeat(200))).expect("written");
    inbox.extend(out.as_bytes());
    let fault = inbox.next_frame().expect("a frame").expect("a frame").fault().expect("a fault");
    assert_eq!(fault.detail, "é".repeat(128));
}

/// PROPERTY: a list that has a place to begin goes on from a cursor, and nothing else does. METHOD: compared with
/// the text of the table.
#[test]
fn every_list_of_pages_goes_on() {
    let (mut kind, mut paged) = ("", Vec::new());
    let tables = [
        include_str!("lists.rs"),
        include_str!("elevation.rs"),
        include_str!("invitation.rs"),
        include_str!("event.rs"),
        include_str!("fleet.rs"),
        include_str!("moving.rs"),
    ];
    for line in tables.into_iter().flat_map(str::lines) {
        match line.split_once(" = ") {
            Some((name, number)) if number.starts_with("0x") => kind = name.trim(),
            Some((_, "After,")) => paged.push(kind),
            _ => {}
        }
    }
    assert!(paged.len() > 15, "{paged:?}");
    for kind in RequestKind::ALL {
        let mut request = Request::sample(*kind, 0);
        let goes_on = request.go_on(Some(Private::new(b"a cursor".to_vec())));
        assert_eq!(goes_on, paged.contains(&kind.name()), "{}", kind.name());
        let (mut out, mut before) = (Outbox::new(), Outbox::new());
        out.request(1, head(), &request).expect("written");
        before.request(1, head(), &Request::sample(*kind, 0)).expect("written");
        assert_eq!(out.as_bytes() != before.as_bytes(), goes_on, "{}", kind.name());
    }
}
