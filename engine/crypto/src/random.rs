//! Random bytes from the system's generator.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use std::cell::RefCell;

/// The system gave no random bytes. Nothing secret may be made without them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RandomError;

impl std::fmt::Display for RandomError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the system gave no random bytes")
    }
}

impl std::error::Error for RandomError {}

/// Fills `out`.
///
/// # Errors
/// [`RandomError`] when the system gives none; `out` must not be used then.
pub fn fill(out: &mut [u8]) -> Result<(), RandomError> {
    SystemRandom::new().fill(out).map_err(|_| RandomError)
}

/// Bytes drawn from the system's generator at once for [`draw`]: what the generator asks of the processor for each
/// call costs more than the bytes.
const POOL_BYTES: usize = 1_024;

/// Bytes that were drawn and not given out yet. What is given out is wiped here.
struct Pool {
    bytes: [u8; POOL_BYTES],
    given: usize,
}

impl Pool {
    const EMPTY: Self = Self { bytes: [0; POOL_BYTES], given: POOL_BYTES };

    fn draw(&mut self, out: &mut [u8]) -> Result<(), RandomError> {
        if out.len() > POOL_BYTES - self.given {
            // Marked as given out until they are whole.
            self.given = POOL_BYTES;
            fill(&mut self.bytes)?;
            self.given = 0;
        }
        let end = self.given + out.len();
        let taken = self.bytes.get_mut(self.given..end).ok_or(RandomError)?;
        out.copy_from_slice(taken);
        taken.fill(0);
        self.given = end;
        Ok(())
    }
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool::EMPTY) };
}

/// Fills `out` from a pool of the calling thread, which is filled from the system's generator: for what a node draws
/// for every command. More than a pool holds comes from the generator itself. A machine that is copied while it runs
/// gives both copies what its pools hold, as it gives both the same sessions and keys.
///
/// # Errors
/// [`RandomError`] when the system gives none; `out` must not be used then.
pub fn draw(out: &mut [u8]) -> Result<(), RandomError> {
    if out.len() > POOL_BYTES {
        return fill(out);
    }
    POOL.with_borrow_mut(|pool| pool.draw(out))
}

/// `N` random bytes.
///
/// # Errors
/// [`RandomError`] when the system gives none.
pub fn bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut out = [0; N];
    fill(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: two draws differ, and every byte position takes more than one value.
    #[test]
    fn draws_differ() {
        let draws: Vec<[u8; 32]> = (0..32).map(|_| bytes().unwrap()).collect();
        for at in 0..32 {
            assert!(draws.iter().any(|draw| draw[at] != draws[0][at]), "byte {at}");
        }
    }

    /// PROPERTY: nothing that a pool gives is given twice, across its refills, and nothing given stays in it.
    #[test]
    fn a_pool_gives_nothing_twice() {
        let (mut pool, mut seen) = (Pool::EMPTY, std::collections::BTreeSet::new());
        for size in (16..200).chain([POOL_BYTES]).cycle().take(2_000) {
            let mut out = vec![0; size];
            pool.draw(&mut out).unwrap();
            for part in out.chunks_exact(16) {
                assert!(seen.insert(part.to_vec()), "given before");
            }
            assert!(pool.bytes[..pool.given].iter().all(|byte| *byte == 0));
        }
        let mut large = vec![0; POOL_BYTES + 1];
        draw(&mut large).unwrap();
        assert!(large.iter().any(|byte| *byte != 0));
    }
}
