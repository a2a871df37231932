//! Lines of a file or of standard input, of which no one fills the memory.

use std::io::{BufRead, Read as _};

/// Why a line is no text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum NoText {
    /// It has more bytes than a line may have.
    Long,
    /// It is not UTF-8: its bytes.
    Coded(Vec<u8>),
}

/// The next line, with how many bytes it has, its end included; none behind the last one. Of an over-long line no
/// more than `most` bytes are held.
pub(crate) fn next(
    reader: &mut impl BufRead,
    most: usize,
) -> std::io::Result<Option<(u64, Result<String, NoText>)>> {
    let mut bytes = Vec::new();
    let mut whole = reader.by_ref().take(most as u64 + 1).read_until(b'\n', &mut bytes)? as u64;
    if whole == 0 {
        return Ok(None);
    }
    while whole > most as u64 && !bytes.ends_with(b"\n") {
        // The rest of it is passed over, a piece at a time.
        let mut rest = Vec::new();
        let more = reader.by_ref().take(most as u64).read_until(b'\n', &mut rest)? as u64;
        whole += more;
        if more == 0 || rest.ends_with(b"\n") {
            break;
        }
    }
    let text = if whole > most as u64 {
        Err(NoText::Long)
    } else {
        String::from_utf8(bytes).map_err(|error| NoText::Coded(error.into_bytes()))
    };
    Ok(Some((whole, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: over-long lines and such that are no text are told as that, whatever their length, and those
    /// behind them are read as they are.
    #[test]
    fn bad_lines_do_not_hide_good_ones() {
        let text = [&b"a\n"[..], &[b'x'; 100], b"\n\xff\n", &[b'y'; 7], b"\n", &[b'z'; 8], b"\nend"].concat();
        let (mut reader, mut found) = (std::io::BufReader::with_capacity(3, text.as_slice()), Vec::new());
        while let Some((whole, text)) = next(&mut reader, 8).expect("read") {
            found.push((whole, text.map(|text| text.trim_end().to_owned())));
        }
        let good = |text: &str| Ok(text.to_owned());
        assert_eq!(
            found,
            [
                (2, good("a")),
                (101, Err(NoText::Long)),
                (2, Err(NoText::Coded(b"\xff\n".to_vec()))),
                (8, good("yyyyyyy")),
                (9, Err(NoText::Long)),
                (3, good("end")),
            ]
        );
    }
}
