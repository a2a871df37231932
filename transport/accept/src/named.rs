//! What a certificate names, and whether it is its own authority: read from its DER.
//!
//! SPEC: RFC 5280 sections 4.1 and 4.2.1.6. The reader is total, as that of the validity.

use crate::validity::{Der, EXTENSIONS, INTEGER, OBJECT, OCTETS, SEQUENCE, VERSION};
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

const DNS_NAME: u8 = 0x82;
const ADDRESS: u8 = 0x87;
/// The subject's other names: 2.5.29.17.
const OTHER_NAMES: [u8; 3] = [0x55, 0x1d, 0x11];

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
        let certificate = Der(der).element(SEQUENCE)?;
        let mut body = Der(Der(certificate).element(SEQUENCE)?);
        if body.0.first() == Some(&VERSION) {
            body.element(VERSION)?;
        }
        body.element(INTEGER)?;
        body.element(SEQUENCE)?;
        let issuer = body.element(SEQUENCE)?;
        body.element(SEQUENCE)?;
        let is_own_authority = issuer == body.element(SEQUENCE)?;
        let mut name = None;
        while let Some((tag, content)) = body.take() {
            if tag == EXTENSIONS {
                name = other_names(content).and_then(first_of);
            }
        }
        Some(Self { name, is_own_authority })
    }
}

/// The extension that holds the names.
fn other_names(extensions: &[u8]) -> Option<&[u8]> {
    let mut list = Der(Der(extensions).element(SEQUENCE)?);
    loop {
        let mut extension = Der(list.element(SEQUENCE)?);
        if extension.element(OBJECT)? != OTHER_NAMES {
            continue;
        }
        // Between both may stand that it is critical.
        while let Some((tag, content)) = extension.take() {
            if tag == OCTETS {
                return Der(content).element(SEQUENCE);
            }
        }
    }
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
