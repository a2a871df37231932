//! Aligned tables and trees, in plain ASCII lines that stay readable in a pipe.

use std::fmt;

/// A text with what could steer a terminal written out: answers hold what strangers typed.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        // Direction marks turn a line around: as dangerous as an escape.
        let turns =
            matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter.is_control() || turns { out.extend(letter.escape_unicode()) } else { out.push(letter) }
    }
    out
}

/// Rows under headings, each column as wide as its widest cell.
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl AsRef<[String]>) {
        self.rows.push(cells.as_ref().iter().map(|cell| plain(cell)).collect());
    }

    /// Without its last column where that has nothing in any row.
    pub(crate) fn sparse(mut self) -> Self {
        if self.rows.iter().all(|row| row.last().is_none_or(|cell| cell == "-")) {
            self.head.pop();
            for row in &mut self.rows {
                row.pop();
            }
        }
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |at: usize, head: &str| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.max().unwrap_or_default().max(head.len())
        };
        let widths: Vec<usize> = self.head.iter().enumerate().map(|(at, head)| width(at, head)).collect();
        let line = |f: &mut fmt::Formatter<'_>, cells: &mut dyn Iterator<Item = &str>| {
            let mut text = String::new();
            for (cell, width) in cells.zip(&widths) {
                text.push_str(&format!("{cell:<width$}  "));
            }
            writeln!(f, "{}", text.trim_end())
        };
        line(f, &mut self.head.iter().copied())?;
        for row in &self.rows {
            line(f, &mut row.iter().map(String::as_str))?;
        }
        Ok(())
    }
}

/// A node of a tree: what stands on its line, and its parent's number in the list.
pub(crate) struct Branch {
    pub(crate) label: String,
    pub(crate) parent: Option<usize>,
}

/// Draws the branches below `root`, each under its parent, in the order of the list.
pub(crate) fn tree(root: &str, branches: &[Branch]) -> String {
    let mut text = format!("{}\n", plain(root));
    draw(&mut text, branches, None, "");
    text
}

fn draw(text: &mut String, branches: &[Branch], parent: Option<usize>, indent: &str) {
    let here =
        branches.iter().enumerate().filter(|(at, branch)| branch.parent == parent && Some(*at) != parent);
    let here: Vec<(usize, &Branch)> = here.collect();
    for (at, branch) in &here {
        let last = here.last().is_some_and(|(other, _)| other == at);
        let (joint, rail) = if last { ("`-- ", "    ") } else { ("|-- ", "|   ") };
        text.push_str(&format!("{indent}{joint}{}\n", plain(&branch.label)));
        draw(text, branches, Some(*at), &format!("{indent}{rail}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: columns are aligned, lines have no trailing blanks, and controls are written out.
    #[test]
    fn tables_are_aligned() {
        let mut table = Table::new(&["ID", "NAME", "STATUS"]);
        table.row(["1".into(), "acme".into(), "active".into()]);
        table.row(["1234".into(), "b\u{fc}cher\u{1b}[0m".into(), String::new()]);
        let expected =
            "ID    NAME             STATUS\n1     acme             active\n1234  b\u{fc}cher\\u{1b}[0m\n";
        assert_eq!(table.to_string(), expected);
    }

    /// PROPERTY: an empty table is its headings.
    #[test]
    fn an_empty_table_is_its_headings() {
        assert_eq!(Table::new(&["A", "B"]).to_string(), "A  B\n");
    }

    /// PROPERTY: every branch stands under its parent, and rails end where nothing follows.
    #[test]
    fn trees_are_drawn() {
        let branch = |label: &str, parent| Branch { label: label.into(), parent };
        let branches = [
            branch("sales", None),
            branch("emea", Some(0)),
            branch("berlin", Some(1)),
            branch("apac", Some(0)),
            branch("lab", None),
            branch("desk", Some(4)),
        ];
        let expected = "\
acme
|-- sales
|   |-- emea
|   |   `-- berlin
|   `-- apac
`-- lab
    `-- desk
";
        assert_eq!(tree("acme", &branches), expected);
    }

    /// PROPERTY: a tree of any shape prints every branch once. METHOD: all parents below the own number.
    #[test]
    fn every_branch_is_printed_once() {
        for shape in 0..720_usize {
            let mut left = shape;
            let branches: Vec<Branch> = (0..6)
                .map(|at| {
                    let choice = left % (at + 1);
                    left /= at + 1;
                    Branch { label: format!("n{at}"), parent: choice.checked_sub(1) }
                })
                .collect();
            let text = tree("t", &branches);
            assert_eq!(text.lines().count(), 7, "{text}");
            for at in 0..6 {
                assert_eq!(text.matches(&format!("n{at}")).count(), 1, "{text}");
            }
        }
    }
}
