//! Passwords: Argon2id and its PHC strings.
//!
//! A stored hash says what it costs to verify, so its parameters are capped before any memory is
//! taken: an imported hash must not become a memory bomb. Nothing here limits a password's length;
//! the engine refuses those over 1,024 bytes before they come here.

use crate::compare;
use argon2::password_hash::phc::{Ident, Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::num::NonZeroUsize;

/// LIMIT: memory of one hash, KiB: 256 MiB, what a tenant may set at most.
const MEMORY_KIB_MAX: u32 = 262_144;
/// LIMIT: passes of one hash.
const PASSES_MAX: u32 = 16;
/// LIMIT: lanes of one hash. They are computed one after another.
const LANES_MAX: u32 = 4;
/// Bytes of the hashes made here.
const HASH_BYTES: usize = 32;
/// Bytes of a stored hash that is accepted: an imported one may be longer or shorter.
const STORED_HASH_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
/// Bytes of a salt.
pub const SALT_BYTES: usize = 16;

/// What a hash costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parameters {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Parameters {
    /// 19 MiB, two passes, one lane. SPEC: OWASP Password Storage Cheat Sheet.
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1 }
    }
}

impl Parameters {
    /// What a hash costs: KiB × passes, in which its time is measured too.
    #[must_use]
    pub const fn cost(&self) -> u64 {
        self.memory_kib as u64 * self.passes as u64
    }

    /// The same, or cheaper where it would cost more than `most` KiB × passes: fewer passes first, then less
    /// memory.
    #[must_use]
    pub fn at_most(self, most: u64) -> Self {
        let most = most.max(8 * u64::from(self.lanes));
        let memory_kib = u32::try_from(most).unwrap_or(u32::MAX).min(self.memory_kib);
        let passes = u32::try_from(most / u64::from(memory_kib.max(1))).unwrap_or(u32::MAX);
        Self { memory_kib, passes: passes.clamp(1, self.passes.max(1)), ..self }
    }

    /// Whether they stand within the caps and Argon2's own bounds (8 KiB per lane).
    #[must_use]
    pub const fn within_caps(&self) -> bool {
        self.lanes >= 1
            && self.lanes <= LANES_MAX
            && self.passes >= 1
            && self.passes <= PASSES_MAX
            && self.memory_kib >= 8 * self.lanes
            && self.memory_kib <= MEMORY_KIB_MAX
    }

    fn argon2(self, hash_bytes: usize) -> Option<Argon2<'static>> {
        if !self.within_caps() {
            return None;
        }
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(hash_bytes)).ok()?;
        Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// Why no hash was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PasswordError {
    /// The parameters are outside the caps.
    ParametersOutOfBounds,
    /// The password cannot be hashed (over 2^32 bytes).
    PasswordTooLong,
}

impl std::fmt::Display for PasswordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ParametersOutOfBounds => "the parameters of the password hash are out of bounds",
            Self::PasswordTooLong => "the password is too long",
        })
    }
}

impl std::error::Error for PasswordError {}

/// What a password was found to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The one that was hashed.
    Match,
    /// Another one.
    Mismatch,
    /// The stored hash is no Argon2id hash within the caps: nothing was computed.
    Malformed,
}

/// Memory for hashing, used again: touching fresh pages costs as much as the hash itself.
#[derive(Default)]
pub struct Memory {
    blocks: Vec<Block>,
    /// KiB filled, each pass counted.
    work: u64,
}

impl Memory {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { blocks: Vec::new(), work: 0 }
    }

    /// At least as much as asked for; what was there stays, larger than asked or not. Counted as the work
    /// that is done in it.
    fn blocks(&mut self, parameters: &Params) -> &mut [Block] {
        let wanted = parameters.block_count();
        self.work += u64::from(parameters.m_cost()) * u64::from(parameters.t_cost());
        if self.blocks.len() < wanted {
            self.blocks.resize(wanted, Block::new());
        }
        self.blocks.get_mut(..wanted).unwrap_or_default()
    }

    /// Gives the memory back to the system.
    pub fn release(&mut self) {
        self.blocks = Vec::new();
    }

    /// KiB that were filled since this was asked last, each pass counted: what hashing costs, whatever
    /// else runs.
    pub const fn take_work(&mut self) -> u64 {
        std::mem::replace(&mut self.work, 0)
    }

    /// Bytes held.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.blocks.capacity() * Block::SIZE
    }
}

/// Hashes a password into a PHC string, in memory of its own.
///
/// # Errors
/// [`PasswordError`] says what was out of bounds.
pub fn hash(
    password: &[u8],
    salt: &[u8; SALT_BYTES],
    parameters: Parameters,
) -> Result<String, PasswordError> {
    hash_in(&mut Memory::new(), password, salt, parameters)
}

/// Hashes a password into a PHC string.
///
/// # Errors
/// [`PasswordError`] says what was out of bounds.
pub fn hash_in(
    memory: &mut Memory,
    password: &[u8],
    salt: &[u8; SALT_BYTES],
    parameters: Parameters,
) -> Result<String, PasswordError> {
    let argon2 = parameters.argon2(HASH_BYTES).ok_or(PasswordError::ParametersOutOfBounds)?;
    let mut out = [0; HASH_BYTES];
    argon2
        .hash_password_into_with_memory(password, salt, &mut out, memory.blocks(argon2.params()))
        .map_err(|_| PasswordError::PasswordTooLong)?;
    print(parameters, salt, &out).ok_or(PasswordError::ParametersOutOfBounds)
}

fn print(parameters: Parameters, salt: &[u8], hash: &[u8]) -> Option<String> {
    let mut params = ParamsString::new();
    params.add_decimal("m", parameters.memory_kib).ok()?;
    params.add_decimal("t", parameters.passes).ok()?;
    params.add_decimal("p", parameters.lanes).ok()?;
    let phc = PasswordHash {
        algorithm: Ident::new("argon2id").ok()?,
        version: Some(Version::V0x13.into()),
        params,
        salt: Some(Salt::new(salt).ok()?),
        hash: Some(Output::new(hash).ok()?),
    };
    Some(phc.to_string())
}

/// A stored hash, read and found to be within the caps.
struct Stored {
    parameters: Parameters,
    salt: Salt,
    hash: Output,
}

fn read(phc: &str) -> Option<Stored> {
    let phc = PasswordHash::new(phc).ok()?;
    let known = phc.algorithm.as_str() == "argon2id"
        && phc.version == Some(Version::V0x13.into())
        && phc.params.iter().all(|(name, _)| matches!(name.as_str(), "m" | "t" | "p"));
    let parameters = Parameters {
        memory_kib: phc.params.get_decimal("m")?,
        passes: phc.params.get_decimal("t")?,
        lanes: phc.params.get_decimal("p")?,
    };
    let (salt, hash) = (phc.salt?, phc.hash?);
    let sound = known && parameters.within_caps() && STORED_HASH_BYTES.contains(&hash.len());
    sound.then_some(Stored { parameters, salt, hash })
}

/// Verifies a password against a stored PHC string, in memory of its own.
#[must_use]
pub fn verify(password: &[u8], phc: &str) -> Verdict {
    verify_in(&mut Memory::new(), password, phc)
}

/// Verifies a password against a stored PHC string, whose parameters are capped first.
pub fn verify_in(memory: &mut Memory, password: &[u8], phc: &str) -> Verdict {
    let Some(stored) = read(phc) else { return Verdict::Malformed };
    let Some(argon2) = stored.parameters.argon2(stored.hash.len()) else { return Verdict::Malformed };
    let mut out = zeroize::Zeroizing::new(vec![0; stored.hash.len()]);
    let blocks = memory.blocks(argon2.params());
    match argon2.hash_password_into_with_memory(password, stored.salt.as_ref(), &mut out, blocks) {
        Ok(()) if compare::equal(&out, stored.hash.as_bytes()) => Verdict::Match,
        Ok(()) => Verdict::Mismatch,
        Err(_) => Verdict::Malformed,
    }
}

/// Does the work of a verification for somebody who has no password, so that the time does not tell.
pub fn dummy_verify(memory: &mut Memory, password: &[u8], parameters: Parameters) {
    // The salt decides nothing: the result goes nowhere.
    drop(std::hint::black_box(hash_in(memory, password, &[0x5A; SALT_BYTES], parameters)));
}

/// What a stored hash was made with; `None` when it is none.
#[must_use]
pub fn parameters_of(phc: &str) -> Option<Parameters> {
    read(phc).map(|stored| stored.parameters)
}

/// Whether a stored hash is weaker than `parameters` in any respect, or is no sound hash: at the next
/// sign-in it should be made anew.
#[must_use]
pub fn needs_rehash(phc: &str, parameters: Parameters) -> bool {
    read(phc).is_none_or(|Stored { parameters: stored, hash, .. }| {
        let rose = parameters.memory_kib > stored.memory_kib || parameters.passes > stored.passes;
        rose || hash.len() < HASH_BYTES
    })
}

/// How many threads may hash at once: all cores but one, at least one.
#[must_use]
pub fn threads_for(cores: NonZeroUsize) -> NonZeroUsize {
    NonZeroUsize::new(cores.get() - 1).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Parameters = Parameters { memory_kib: 64, passes: 1, lanes: 1 };

    /// SPEC: the reference implementation's test.c, Argon2id version 19.
    #[test]
    fn published_strings_verify() {
        for (password, phc) in [
            (
                "password",
                "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            ),
            (
                "password",
                "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
            ),
            (
                "password",
                "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            ),
        ] {
            assert_eq!(verify(password.as_bytes(), phc), Verdict::Match, "{phc}");
            assert_eq!(verify(b"passwore", phc), Verdict::Mismatch, "{phc}");
        }
    }

    /// SPEC: RFC 9106 section 5.3 (with secret and associated data, which PHC strings leave out).
    #[test]
    fn rfc_9106_vector() {
        let params = argon2::ParamsBuilder::new()
            .m_cost(32)
            .t_cost(3)
            .p_cost(4)
            .data(argon2::AssociatedData::new(&[4; 12]).unwrap())
            .build()
            .unwrap();
        let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut out = [0; 32];
        argon2.hash_password_into(&[1; 32], &[2; 16], &mut out).unwrap();
        assert_eq!(
            out,
            [
                0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53,
                0xc9, 0xd0, 0x1e, 0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01,
                0xe6, 0x59
            ]
        );
    }

    /// PROPERTY: exactly the password that was hashed verifies, whatever memory was used before.
    /// METHOD: passwords of 0 to 300 bytes that differ in their last byte only, or by a NUL; one
    /// memory for all, with parameters that grow and shrink.
    /// TC-8.
    #[test]
    fn exactly_the_password_verifies() {
        let mut memory = Memory::new();
        for (length, passes) in [(0, 1), (1, 2), (71, 1), (72, 1), (73, 2), (300, 1)] {
            let parameters = Parameters { memory_kib: 64 * passes, passes, lanes: 1 };
            let password = vec![b'x'; length];
            let phc = hash_in(&mut memory, &password, &[7; 16], parameters).unwrap();
            assert_eq!(verify_in(&mut memory, &password, &phc), Verdict::Match);
            let mut other = password.clone();
            other.push(0);
            assert_eq!(verify_in(&mut memory, &other, &phc), Verdict::Mismatch);
            if let Some(last) = other.iter_mut().rev().nth(1) {
                *last ^= 1;
                other.pop();
                assert_eq!(verify_in(&mut memory, &other, &phc), Verdict::Mismatch);
            }
            assert!(!needs_rehash(&phc, parameters));
            assert!(needs_rehash(&phc, Parameters { passes: passes + 1, ..parameters }));
            assert!(needs_rehash(&phc, Parameters { memory_kib: 64 * passes + 8, ..parameters }));
            assert!(
                !needs_rehash(&phc, Parameters { memory_kib: 32, ..parameters }),
                "never to a weaker one"
            );
            assert_eq!(hash(&password, &[7; 16], parameters).unwrap(), phc);
            assert_ne!(hash(&password, &[8; 16], parameters).unwrap(), phc);
        }
    }

    /// PROPERTY: a stored hash over the caps, of another kind or cut off anywhere takes no memory.
    /// TC-53 in part: of a stored hash.
    #[test]
    fn stored_hashes_are_capped() {
        let sound = hash(b"password", &[7; 16], CHEAP).unwrap();
        let mut memory = Memory::new();
        for bad in [
            sound.replace("m=64", "m=4194304"),
            sound.replace("m=64", "m=7"),
            sound.replace("t=1", "t=17"),
            sound.replace("t=1", "t=0"),
            sound.replace("p=1", "p=5"),
            sound.replace("argon2id", "argon2d"),
            sound.replace("v=19", "v=16"),
            sound.replace("p=1", "p=1,keyid=AAAA"),
            sound.replace("m=64,", ""),
            String::new(),
            "$2b$12$abcdefghijklmnopqrstuv".into(),
        ] {
            assert_eq!(verify_in(&mut memory, b"password", &bad), Verdict::Malformed, "{bad}");
            assert!(needs_rehash(&bad, CHEAP));
        }
        for cut in 0..sound.len() - 22 {
            assert_eq!(verify_in(&mut memory, b"password", &sound[..cut]), Verdict::Malformed, "{cut}");
        }
        assert_eq!(memory.bytes(), 0);
        assert_eq!(
            hash(b"", &[0; 16], Parameters { lanes: 5, ..CHEAP }),
            Err(PasswordError::ParametersOutOfBounds)
        );
    }

    /// PROPERTY: a verification for nobody uses as much memory as one for somebody.
    #[test]
    fn nobody_costs_as_much_as_somebody() {
        let (mut nobody, mut somebody) = (Memory::new(), Memory::new());
        let phc = hash(b"password", &[7; 16], CHEAP).unwrap();
        dummy_verify(&mut nobody, b"password", CHEAP);
        assert_eq!(verify_in(&mut somebody, b"other", &phc), Verdict::Mismatch);
        assert_eq!(nobody.bytes(), somebody.bytes());
        let work = nobody.take_work();
        assert_eq!((work, nobody.take_work()), (64, 0));
        assert_eq!(somebody.take_work(), work);
    }

    #[test]
    fn one_core_is_left_for_checks() {
        let threads = |cores| threads_for(NonZeroUsize::new(cores).unwrap()).get();
        assert_eq!((threads(1), threads(2), threads(8)), (1, 1, 7));
    }
}
