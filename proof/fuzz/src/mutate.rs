//! How an input is changed: bits, bytes, numbers and lengths, pieces cut, doubled, moved and taken from others.

use crate::random::Random;

/// Bytes at the edges of what readers look for.
const BYTES: &[u8] = &[
    0, 1, 2, 3, 4, 7, 8, 16, 0x20, b'"', b'\'', b'(', b')', b'*', b',', b'/', b':', b'[', b'\\', b']', b'{',
    b'|', b'}', b'0', b'9', 0x7F, 0x80, 0xC3, 0xE2, 0xF0, 0xFE, 0xFF, b'\n', b'\r', b'\t', b'.', b'-', b'%',
];
/// Numbers at the edges of fields.
const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    15,
    16,
    17,
    63,
    64,
    127,
    128,
    255,
    256,
    1_023,
    1_024,
    4_095,
    4_096,
    0x7FFF,
    0xFFFF,
    0x1_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFF0,
    0xFFFF_FFFF,
    0x7FFF_FFFF_FFFF_FFFF,
    0xFFFF_FFFF_FFFF_FFFF,
];
/// Texts that more than one reader stumbles over.
const WORDS: &[&[u8]] = &[
    b"\0",
    b"\xFF\xFF\xFF\xFF",
    b"\xEF\xBB\xBF",
    "\u{202E}".as_bytes(),
    "\u{FDFA}".as_bytes(),
    "\u{0130}".as_bytes(),
    "\u{1F468}\u{200D}\u{1F469}".as_bytes(),
    "e\u{301}".as_bytes(),
    b"\\u0000",
    b"1e999",
    b"-0",
    b"18446744073709551616",
    b"9999-12-31T23:59:59Z",
    b"%00",
    b"..",
    b"\r\n",
];

/// Changes an input from one to eight times; `others` lend pieces, `words` are those of the target.
pub(crate) fn mutate(
    random: &mut Random,
    input: &[u8],
    others: &[Vec<u8>],
    words: &[Vec<u8>],
    bytes_max: usize,
) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let most = 1 << random.below(4).saturating_sub(1);
    let times = 1 + random.below(most);
    for _ in 0..times {
        step(random, &mut bytes, others, words);
        bytes.truncate(bytes_max);
    }
    bytes
}

fn step(random: &mut Random, bytes: &mut Vec<u8>, others: &[Vec<u8>], words: &[Vec<u8>]) {
    let at = random.below(bytes.len() + 1);
    match random.below(14) {
        0 | 1 => {
            let bit = random.below(8);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        2 => {
            let value = random.pick(BYTES).copied().unwrap_or_default();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        3 => {
            let [value, ..] = random.draw().to_le_bytes();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        4 | 5 => number(random, bytes, at),
        6 => {
            let end = (at + 1 + span(random)).min(bytes.len());
            drop(bytes.drain(at.min(end)..end));
        }
        7 => {
            let end = (at + 1 + span(random)).min(bytes.len());
            let piece = bytes.get(at..end).unwrap_or_default().to_vec();
            let to = random.below(bytes.len() + 1);
            insert(bytes, to, &piece);
        }
        8 => {
            let value = random.pick(BYTES).copied().unwrap_or_default();
            let piece = vec![value; 1 + span(random)];
            insert(bytes, at, &piece);
        }
        9 | 10 => {
            let known = random.below(words.len() + 1);
            let word = match words.get(known) {
                Some(word) => word.as_slice(),
                None => random.pick(WORDS).copied().unwrap_or_default(),
            };
            // Once, twice, or so often that it nests deep.
            let times = if random.below(16) == 0 { 1 + random.below(300) } else { 1 + random.below(2) };
            insert(bytes, at, &word.repeat(times));
        }
        11 => {
            let other = random.pick(others).map(Vec::as_slice).unwrap_or_default();
            let from = random.below(other.len() + 1);
            let end = (from + 1 + span(random)).min(other.len());
            let piece = other.get(from..end).unwrap_or_default().to_vec();
            if random.below(2) == 0 {
                insert(bytes, at, &piece);
            } else {
                let places = bytes.iter_mut().skip(at);
                places.zip(piece).for_each(|(to, byte)| *to = byte);
            }
        }
        12 => {
            // The beginning of this one, the end of another.
            let other = random.pick(others).map(Vec::as_slice).unwrap_or_default();
            let from = random.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(other.get(from..).unwrap_or_default());
        }
        _ => bytes.truncate(at),
    }
}

/// How long a piece is: short more often than long.
fn span(random: &mut Random) -> usize {
    let most = 1 << random.below(9);
    random.below(most)
}

/// Writes a number over the bytes at a place, or adds a little to what stands there.
fn number(random: &mut Random, bytes: &mut [u8], at: usize) {
    let width = 1 << random.below(4);
    let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..width)) else { return };
    let mut now = [0; 8];
    now.iter_mut().zip(place.iter()).for_each(|(to, byte)| *to = *byte);
    let now = u64::from_le_bytes(now);
    let value = match random.below(4) {
        0 => now.wrapping_add(1 + random.draw() % 16),
        1 => now.wrapping_sub(1 + random.draw() % 16),
        2 => u64::try_from(random.below(4_096)).unwrap_or_default(),
        _ => random.pick(NUMBERS).copied().unwrap_or_default(),
    };
    let value = if random.below(8) == 0 { value.swap_bytes() } else { value };
    place.iter_mut().zip(value.to_le_bytes()).for_each(|(to, byte)| *to = byte);
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    let at = at.min(bytes.len());
    drop(bytes.splice(at..at, piece.iter().copied()));
}
