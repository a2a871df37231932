//! Where in a TOML text a key stands, and which known key is nearest to an unknown one.

/// The line, from 1, of the key with this path; of its table when the key itself is not there.
pub(crate) fn line_of(text: &str, path: &[String]) -> Option<usize> {
    let (key, table) = path.split_last()?;
    let table = table.join(".");
    let whole = path.join(".");
    let (mut here, mut found_table) = (String::new(), None);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            here = name.trim().trim_matches('[').to_owned();
            if here == whole {
                return Some(number + 1);
            }
            if here == table {
                found_table = Some(number + 1);
            }
            continue;
        }
        let name = line.split('=').next().unwrap_or_default().trim().trim_matches('"');
        if line.contains('=') && (here == table && name == key || here.is_empty() && name == whole) {
            return Some(number + 1);
        }
    }
    found_table
}

/// The known name that is nearest to `name`, when any is near at all.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|candidate| (distance(name, candidate), *candidate)).min()?;
    let contained = known.iter().find(|candidate| candidate.contains(name) || name.contains(**candidate));
    if near.0 <= name.len().div_ceil(3) { Some(near.1) } else { contained.copied() }
}

/// Letters to insert, delete or replace to make `left` into `right`.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.chars().enumerate() {
        let mut diagonal = at;
        let mut before = at + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (other, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let cost = if letter == *other { diagonal } else { diagonal.min(before).min(*cell) + 1 };
            diagonal = *cell;
            *cell = cost;
            before = cost;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// METHOD: the textbook's recursion. Slow and obvious.
    fn slow(left: &[char], right: &[char]) -> usize {
        match (left, right) {
            ([], rest) | (rest, []) => rest.len(),
            ([a, left_rest @ ..], [b, right_rest @ ..]) if a == b => slow(left_rest, right_rest),
            ([_, left_rest @ ..], [_, right_rest @ ..]) => {
                1 + slow(left_rest, right).min(slow(left, right_rest)).min(slow(left_rest, right_rest))
            }
        }
    }

    /// PROPERTY: the distance is the textbook's, for all pairs of short words over two letters.
    #[test]
    fn distance_agrees_with_the_textbook() {
        let words: Vec<String> = (0..32_u32)
            .flat_map(|bits| {
                (0..=5).map(move |n| (0..n).map(|i| if bits >> i & 1 == 0 { 'a' } else { 'b' }).collect())
            })
            .collect();
        for left in &words {
            for right in &words {
                let (l, r): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
                assert_eq!(distance(left, right), slow(&l, &r), "{left} {right}");
            }
        }
    }

    /// PROPERTY: keys are found in their own table, and a table stands in for a missing key.
    #[test]
    fn keys_have_lines() {
        let text = "# a\nquic.endpoints = 2\n[storage]\ndir = \"x\"\n[quic]\ndir = 1\nlisten = \"y\"\n";
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(line_of(text, &path("storage.dir")), Some(4));
        assert_eq!(line_of(text, &path("quic.dir")), Some(6));
        assert_eq!(line_of(text, &path("quic.endpoints")), Some(2));
        assert_eq!(line_of(text, &path("quic.names")), Some(5));
        assert_eq!(line_of(text, &path("storage")), Some(3));
        assert_eq!(line_of(text, &path("log.format")), None);
    }

    /// PROPERTY: a slip of the pen finds its key, a foreign word finds none.
    #[test]
    fn slips_find_their_key() {
        let known = ["listen", "endpoints", "names", "journal_file_bytes"];
        assert_eq!(nearest("listne", &known), Some("listen"));
        assert_eq!(nearest("journal_files_byte", &known), Some("journal_file_bytes"));
        assert_eq!(nearest("name", &known), Some("names"));
        assert_eq!(nearest("colour", &known), None);
    }
}
