//! Random bytes from the system's generator.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

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
}
