//! Origins of the web: scheme, host and port, as browsers send them (RFC 6454 section 6.1).

use crate::limits::ORIGIN_BYTES_MAX;
use std::fmt;

/// An origin whose scripts may ask. Compared byte by byte; there is no wildcard.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Origin(Box<str>);

/// What is no origin, or none that a tenant may list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OriginError;

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an origin is https://app.example.com as a browser sends it: small letters, no path, no default port; http only for this machine",
        )
    }
}

impl std::error::Error for OriginError {}

impl Origin {
    /// Reads an origin. Plain HTTP is for this machine alone: whoever sits on the way could put scripts into a
    /// page of any other.
    ///
    /// # Errors
    /// [`OriginError`] for everything that no browser would send, `*` and `null` included.
    pub fn new(text: &str) -> Result<Self, OriginError> {
        let (rest, default, secure) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (rest, "443", true),
            (None, Some(rest)) => (rest, "80", false),
            (None, None) => return Err(OriginError),
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let number =
            |port: &str| port.parse::<u16>().is_ok_and(|number| number.to_string() == port && number > 0);
        let ports = port.is_none_or(|port| port != default && number(port));
        let near = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        if text.len() > ORIGIN_BYTES_MAX || !ports || !is_host(host) || !secure && !near {
            return Err(OriginError);
        }
        Ok(Self(text.into()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host as browsers write it: labels of small letters, digits and hyphens (IDNA in its ASCII form), or an
/// address.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address);
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: what a browser sends reads and is kept as it is; everything else is refused.
    #[test]
    fn origins_are_exact() {
        for good in [
            "https://app.example.com",
            "https://app.example.com:8443",
            "https://xn--bcher-kva.example",
            "https://[2001:db8::1]:8443",
            "http://localhost:3000",
            "http://127.0.0.1:5173",
            "http://[::1]:3000",
        ] {
            assert_eq!(Origin::new(good).map(|origin| origin.to_string()), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "*",
            "null",
            "https://",
            "https://*.example.com",
            "https://app.example.com/",
            "https://app.example.com:443",
            "https://app.example.com:08443",
            "https://app.example.com:0",
            "https://app.example.com:65536",
            "https://App.example.com",
            "https://app..example.com",
            "https://-app.example.com",
            "https://app.example.com.",
            "https://amy@app.example.com",
            "https://app.example.com?x",
            "https://b\u{fc}cher.example",
            "http://app.example.com",
            "http://localhost:80",
            "ftp://app.example.com",
            "HTTPS://app.example.com",
            "https://[2001:db8:0::1]",
            "https://app.example.com\n",
            "https://a b.example",
        ] {
            assert_eq!(Origin::new(bad), Err(OriginError), "{bad:?}");
        }
        assert!(Origin::new(&format!("https://{}.example", "a.".repeat(130))).is_err());
    }
}
