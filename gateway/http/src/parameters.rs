//! Names and values of a query or a form (WHATWG URL, application/x-www-form-urlencoded), read strictly.

use crate::problem::Problem;

/// LIMIT: parameters of one request: the longest list takes 4.
const PARAMETERS_MAX: usize = 16;

/// Reads `name=value` pairs. A name that stands twice, an escape that is none and text that is not
/// UTF-8 are refused.
///
/// # Errors
/// A [`Problem`] that names the parameter where it can.
pub(crate) fn read(text: &str) -> Result<Vec<(String, String)>, Problem> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name).ok_or_else(|| Problem::unreadable("a parameter does not read"))?;
        let value =
            decode(value).ok_or_else(|| Problem::unreadable("a parameter does not read").at(&name))?;
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(Problem::unreadable("a parameter stands twice").at(&name));
        }
        if pairs.len() >= PARAMETERS_MAX {
            return Err(Problem::unreadable("too many parameters"));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// Undoes percent-encoding and `+`.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: pairs read as a form encodes them; doubled names and broken escapes are refused.
    #[test]
    fn pairs_are_read_strictly() {
        let read_ok = |text| read(text).expect("read");
        assert_eq!(
            read_ok("a=1&b=x+y%2Bz&c"),
            [
                ("a".to_owned(), "1".to_owned()),
                ("b".to_owned(), "x y+z".to_owned()),
                ("c".to_owned(), String::new())
            ]
        );
        for bad in ["a=1&%61=2", "a=%", "a=%4", "a=%zz", "a=%ff", "%ff=1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read(&"x=1&".repeat(17)).is_err());
    }
}
