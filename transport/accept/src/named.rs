//! What a certificate names, and whether it is an authority's: read from its DER.
//!
//! SPEC: RFC 5280 sections 4.2.1.6 and 4.2.1.9.

use crate::der::{Certificate, Der, SEQUENCE};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::net::IpAddr;

/// By what callers know the holder of a certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Named {
    /// The first name of a host in it, or else the first address; a pattern is none.
    pub name: Option<String>,
    /// It stands alone and names itself as its issuer: whoever trusts it needs no other file.
    pub is_own_authority: bool,
}

const BOOLEAN: u8 = 0x01;
const DNS_NAME: u8 = 0x82;
const ADDRESS: u8 = 0x87;
/// The subject's other names: 2.5.29.17.
const OTHER_NAMES: [u8; 3] = [0x55, 0x1d, 0x11];
/// Whose certificate it is: 2.5.29.19.
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];

impl Named {
    /// Of the first certificate of a chain in PEM; none when it does not read.
    #[must_use]
    pub fn of_chain(chain_pem: &[u8]) -> Option<Self> {
        let mut chain = CertificateDer::pem_slice_iter(chain_pem);
        let first = chain.next()?.ok()?;
        let mut found = Self::of_certificate(&first)?;
        found.is_own_authority &= chain.next().is_none();
        Some(found)
    }

    fn of_certificate(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::read(der)?;
        let names = certificate.extension(&OTHER_NAMES).and_then(|names| Der(names).element(SEQUENCE));
        Some(Self {
            name: names.and_then(first_of),
            is_own_authority: certificate.issuer == certificate.subject,
        })
    }
}

/// Whether a certificate is an authority's: verifiers take none as a server's. One that does not read says nothing.
pub(crate) fn is_authority(der: &[u8]) -> bool {
    let constraints =
        || Der(Certificate::read(der)?.extension(&BASIC_CONSTRAINTS)?).element(SEQUENCE).map(Der);
    let told = constraints().and_then(|mut constraints| constraints.element(BOOLEAN));
    told.is_some_and(|told| told.iter().any(|byte| *byte != 0))
}

fn first_of(names: &[u8]) -> Option<String> {
    let (mut names, mut address) = (Der(names), None);
    while let Some((tag, content)) = names.take() {
        match tag {
            DNS_NAME if !content.starts_with(b"*") => {
                return str::from_utf8(content).ok().map(str::to_owned);
            }
            ADDRESS => address = address.or_else(|| ip(content)),
            _ => {}
        }
    }
    address.map(|address| address.to_string())
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    four.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(names: &[&str]) -> (rcgen::CertificateParams, rcgen::KeyPair) {
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let parameters = rcgen::CertificateParams::new(names).expect("names");
        (parameters, rcgen::KeyPair::generate().expect("a key"))
    }

    /// PROPERTY: a host's name comes before an address, and a pattern is nobody's; a certificate that stands alone and
    /// has signed itself is its own authority. Whatever is cut off is nothing.
    #[test]
    fn names_are_read() {
        let cases: [(&[&str], Option<&str>); 5] = [
            (&["id.example.org", "b.example.org"], Some("id.example.org")),
            (&["10.0.0.7", "*.example.org", "id.example.org"], Some("id.example.org")),
            (&["10.0.0.7"], Some("10.0.0.7")),
            (&["*.example.org", "2001:db8::7"], Some("2001:db8::7")),
            (&[], None),
        ];
        for (names, right) in cases {
            let (parameters, key) = made(names);
            let certificate = parameters.self_signed(&key).expect("signed");
            let pem = certificate.pem();
            let read = Named::of_chain(pem.as_bytes()).expect("read");
            assert_eq!((read.name.as_deref(), read.is_own_authority), (right, true), "{names:?}");
            let chain = format!("{pem}{pem}");
            assert!(!Named::of_chain(chain.as_bytes()).expect("read").is_own_authority);
            let der = certificate.der();
            for end in 0..der.len() {
                assert_eq!(Named::of_certificate(&der[..end]), None, "{end}");
            }
        }
        assert_eq!(Named::of_chain(b"no PEM"), None);
    }
}
