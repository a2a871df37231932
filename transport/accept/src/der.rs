//! A certificate's DER, and the parts of it that something here asks for.
//!
//! SPEC: RFC 5280 section 4.1. The reader is total: whatever does not read as a certificate is nothing.

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
/// The version stands under a tag of its own, and may be left out.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// A certificate, as far as it is looked into.
pub(crate) struct Certificate<'a> {
    pub(crate) issuer: &'a [u8],
    pub(crate) validity: Der<'a>,
    pub(crate) subject: &'a [u8],
    extensions: Der<'a>,
}

impl<'a> Certificate<'a> {
    /// Reads one.
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let certificate = Der(der).element(SEQUENCE)?;
        let mut body = Der(Der(certificate).element(SEQUENCE)?);
        if body.0.first() == Some(&VERSION) {
            body.element(VERSION)?;
        }
        body.element(INTEGER)?;
        body.element(SEQUENCE)?;
        let issuer = body.element(SEQUENCE)?;
        let validity = Der(body.element(SEQUENCE)?);
        let subject = body.element(SEQUENCE)?;
        let mut extensions = Der(&[]);
        while let Some((tag, content)) = body.take() {
            if tag == EXTENSIONS {
                extensions = Der(Der(content).element(SEQUENCE)?);
            }
        }
        Some(Self { issuer, validity, subject, extensions })
    }

    /// What stands in the extension of this object identifier.
    pub(crate) fn extension(&self, id: &[u8]) -> Option<&'a [u8]> {
        let mut all = Der(self.extensions.0);
        loop {
            let mut one = Der(all.element(SEQUENCE)?);
            if one.element(OBJECT)? != id {
                continue;
            }
            // Between both may stand that it is critical.
            while let Some((tag, content)) = one.take() {
                if tag == OCTETS {
                    return Some(content);
                }
            }
        }
    }
}

/// What is left of a text in DER.
pub(crate) struct Der<'a>(pub(crate) &'a [u8]);

impl<'a> Der<'a> {
    /// Takes one element: its tag and what stands in it.
    pub(crate) fn take(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = if *first < 0x80 {
            (usize::from(*first), rest)
        } else {
            // The long form; four bytes of length are more than any certificate has.
            let count = usize::from(first & 0x7f);
            if !(1..=4).contains(&count) {
                return None;
            }
            let (digits, rest) = rest.split_at_checked(count)?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// Takes one element of this tag.
    pub(crate) fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.take().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}
