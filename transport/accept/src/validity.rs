//! From when until when a certificate holds.

use crate::der::{Certificate, Der};
use crate::identity::IdentityError;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// From when until when a certificate holds, seconds since 1970.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// Its beginning.
    pub from: u64,
    /// Its end.
    pub until: u64,
}

impl Validity {
    /// Of the first certificate of a chain in PEM.
    ///
    /// # Errors
    /// [`IdentityError::Certificate`] when it does not read.
    pub fn of_chain(chain_pem: &[u8]) -> Result<Self, IdentityError> {
        let bad = IdentityError::Certificate("the certificate does not read as PEM");
        let first = CertificateDer::from_pem_slice(chain_pem).map_err(|_| bad)?;
        Self::of_certificate(&first)
            .ok_or(IdentityError::Certificate("the certificate does not read as X.509"))
    }

    fn of_certificate(der: &[u8]) -> Option<Self> {
        let mut validity = Certificate::read(der)?.validity;
        Some(Self { from: time(&mut validity)?, until: time(&mut validity)? })
    }
}

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Takes a time, in seconds since 1970; 0 for one before.
fn time(der: &mut Der<'_>) -> Option<u64> {
    let (tag, text) = der.take()?;
    let digits = str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: u64 = year.parse().ok()?;
            // RFC 5280 section 4.1.2.5.1.
            (if year < 50 { 2_000 + year } else { 1_900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 {
        return None;
    }
    let part = |at: usize| rest.get(at..at + 2)?.parse::<u64>().ok();
    let (month, day) = (part(0)?, part(2)?);
    let clock = part(4)? * 3_600 + part(6)? * 60 + part(8)?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(days(year, month, day).saturating_mul(86_400).saturating_add(clock))
}

/// Days from 1970 to a day of the Gregorian calendar; 0 for one before.
fn days(year: u64, month: u64, day: u64) -> u64 {
    // Years begin in March: the leap day is their last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.saturating_sub(1), month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    let all = year * 365 + year / 4 - year / 100 + year / 400 + of_year;
    all.saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a certificate's times are read to the second, in both forms of the standard.
    #[test]
    fn times_are_read() {
        for (from, until, right) in [
            ((1975, 1, 1), (4096, 1, 1), (157_766_400, 67_090_118_400)),
            ((2024, 2, 29), (2049, 12, 31), (1_709_164_800, 2_524_521_600)),
            ((2000, 3, 1), (2100, 3, 1), (951_868_800, 4_107_542_400)),
        ] {
            let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("names");
            parameters.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
            parameters.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
            let key = rcgen::KeyPair::generate().expect("a key");
            let made = parameters.self_signed(&key).expect("signed");
            let read = Validity::of_chain(made.pem().as_bytes()).expect("read");
            assert_eq!((read.from, read.until), right);
        }
    }

    /// PROPERTY: whatever is cut off or changed is told as what does not read, or reads; nothing crashes.
    #[test]
    fn what_is_no_certificate_is_told() {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let der = made.cert.der().to_vec();
        let whole = Validity::of_certificate(&der).expect("read");
        for end in 0..der.len() {
            assert_eq!(Validity::of_certificate(&der[..end]), None, "{end}");
        }
        for at in 0..der.len().min(300) {
            for byte in [0x00, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = der.clone();
                changed[at] = byte;
                let _read = Validity::of_certificate(&changed);
            }
        }
        assert!(whole.from < whole.until);
        assert!(Validity::of_chain(b"").is_err() && Validity::of_chain(b"no PEM").is_err());
    }
}
