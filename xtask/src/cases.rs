//! Cases that the house is held against (threats TC-1 and on, field cases F-1 and on), and the tests that carry their ids.
//!
//! A catalogue is a text file: `## part`, then for each case a line with its id and what is done, a line `right:`
//! with the right answer, and where it is so a line `part:` (what no test shows) or `waits:` (what it waits for).

use crate::source::Source;
use crate::tree::Tree;
use std::collections::BTreeMap;

/// One catalogue of cases.
#[derive(Debug)]
pub(crate) struct Catalogue {
    /// What stands before the number of an id.
    pub(crate) prefix: &'static str,
    /// The file that holds the cases.
    pub(crate) data: &'static str,
    /// The document that is made of it.
    pub(crate) document: &'static str,
    /// The document's title and its first sentences.
    head: &'static str,
}

/// What is done to an identity server.
pub(crate) const THREATS: Catalogue = Catalogue {
    prefix: "TC",
    data: "xtask/threats.txt",
    document: "docs/threats.md",
    head: "# Threats\n\nWhat is done to an identity server, the right answer to it, and the tests that show that this one gives it.",
};
/// What people reported about comparable products.
pub(crate) const FIELD: Catalogue = Catalogue {
    prefix: "F",
    data: "xtask/field-cases.txt",
    document: "docs/field-cases.md",
    head: "# Field cases\n\nWhat people reported about comparable products, the right answer, and the tests that show that this one gives it.",
};
/// All catalogues.
pub(crate) const CATALOGUES: &[Catalogue] = &[THREATS, FIELD];

/// How much of a case the tests show.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Extent {
    /// All of it.
    #[default]
    Whole,
    /// Not this.
    Part(String),
    /// Nothing, until this is there.
    Waits(String),
}

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    /// Its number.
    pub(crate) number: u32,
    /// Where it stands in its file.
    pub(crate) line: usize,
    /// The part of the catalogue.
    part: String,
    attack: String,
    answer: String,
    /// How much of it is shown, as the catalogue says.
    pub(crate) extent: Extent,
}

/// A test that carries the id of a case.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Claim {
    /// The case.
    pub(crate) number: u32,
    /// Where the function stands.
    pub(crate) path: String,
    /// Its line.
    pub(crate) line: usize,
    /// Its name.
    pub(crate) name: String,
    /// Whether it says that it shows a part only.
    pub(crate) part: bool,
    /// Whether it is a test that the test command runs.
    pub(crate) runs: bool,
}

/// The cases of a catalogue's file; lines that do not fit, with what is wrong.
pub(crate) fn read(catalogue: &Catalogue, text: &str) -> (Vec<Case>, Vec<(usize, String)>) {
    let (mut cases, mut wrong): (Vec<Case>, Vec<(usize, String)>) = (Vec::new(), Vec::new());
    let mut part = String::new();
    for (line, text) in text.lines().enumerate().map(|(line, text)| (line + 1, text.trim())) {
        let fits = if text.is_empty() || text.starts_with("# ") {
            true
        } else if let Some(title) = text.strip_prefix("## ") {
            part = title.to_owned();
            true
        } else if let Some((number, attack)) = begins(catalogue.prefix, text) {
            let (part, attack) = (part.clone(), attack.to_owned());
            cases.push(Case { number, line, part, attack, answer: String::new(), extent: Extent::Whole });
            true
        } else {
            cases.last_mut().is_some_and(|case| case.take(text))
        };
        if !fits {
            wrong.push((line, "is no part, case, `right:`, `part:` or `waits:`, or stands twice".to_owned()));
        }
    }
    for case in &cases {
        if case.answer.is_empty() || case.attack.is_empty() || case.part.is_empty() {
            let what = format!("{}-{} lacks its part, attack or answer", catalogue.prefix, case.number);
            wrong.push((case.line, what));
        }
    }
    for (before, case) in cases.iter().zip(cases.iter().skip(1)) {
        if case.number <= before.number {
            wrong.push((case.line, format!("{}-{} is out of order", catalogue.prefix, case.number)));
        }
    }
    (cases, wrong)
}

impl Case {
    fn take(&mut self, text: &str) -> bool {
        let Some((word, rest)) = text.split_once(": ") else { return false };
        let rest = rest.trim().to_owned();
        match word {
            "right" if self.answer.is_empty() => self.answer = rest,
            "part" if self.extent == Extent::Whole => self.extent = Extent::Part(rest),
            "waits" if self.extent == Extent::Whole => self.extent = Extent::Waits(rest),
            _ => return false,
        }
        true
    }
}

/// `TC-12 what is done` as 12 and the rest.
fn begins<'a>(prefix: &str, text: &'a str) -> Option<(u32, &'a str)> {
    let (number, rest) = text.strip_prefix(prefix)?.strip_prefix('-')?.split_once(' ')?;
    Some((number.parse().ok()?, rest.trim()))
}

/// Every function of the tree that carries an id of the catalogue, by its name or by its document.
pub(crate) fn claims(catalogue: &Catalogue, tree: &Tree) -> Vec<Claim> {
    let mut found = Vec::new();
    for (path, source) in &tree.sources {
        for function in functions(source) {
            let mut ids: BTreeMap<u32, bool> = BTreeMap::new();
            // What other functions say of a case claims nothing; a name does.
            let document = if function.test { function.document.as_str() } else { "" };
            for (number, part) in in_text(catalogue.prefix, document) {
                // Where a document says both, it shows the case.
                let entry = ids.entry(number).or_insert(part);
                *entry = *entry && part;
            }
            for number in in_name(catalogue.prefix, function.name) {
                ids.entry(number).or_insert(false);
            }
            found.extend(ids.into_iter().map(|(number, part)| Claim {
                number,
                path: path.clone(),
                line: function.line,
                name: function.name.to_owned(),
                part,
                runs: function.runs,
            }));
        }
    }
    found.sort();
    found
}

/// The ids in comments of `source`, with their lines.
pub(crate) fn mentioned(prefix: &str, source: &Source) -> Vec<(u32, usize)> {
    let comments = source.raw.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("//"));
    comments
        .flat_map(|(line, text)| in_text(prefix, text).into_iter().map(move |(id, _)| (id, line + 1)))
        .collect()
}

/// A function with what stands above it.
struct Function<'a> {
    name: &'a str,
    line: usize,
    document: String,
    test: bool,
    runs: bool,
}

fn functions(source: &Source) -> Vec<Function<'_>> {
    let raw: Vec<&str> = source.raw.lines().collect();
    let bare: Vec<&str> = source.bare.lines().collect();
    let mut found = Vec::new();
    for (at, line) in bare.iter().enumerate() {
        let Some(name) = defines(line) else { continue };
        let (mut documents, mut attributes) = (Vec::new(), Vec::new());
        for above in (0..at).rev() {
            let text = raw.get(above).map_or("", |line| line.trim());
            let code = bare.get(above).map_or("", |line| line.trim());
            if let Some(document) = text.strip_prefix("///") {
                documents.push(document);
            } else if code.starts_with("#[") || text.starts_with("//") {
                attributes.push(code);
            } else if !code.ends_with(")]") && !code.ends_with(',') {
                // An attribute over several lines is read from its last line upwards.
                break;
            }
        }
        documents.reverse();
        let test = |code: &&str| {
            let word = code.trim_start_matches("#[").split([']', '(']).next().unwrap_or_default();
            word == "test" || word.ends_with("::test")
        };
        let ignored = attributes.iter().any(|code| code.starts_with("#[ignore"));
        let test = attributes.iter().any(test);
        found.push(Function {
            name,
            line: at + 1,
            document: documents.join(" "),
            test,
            runs: test && !ignored,
        });
    }
    found
}

/// The name of the function that a line opens.
fn defines(bare: &str) -> Option<&str> {
    let (before, rest) = bare.split_once("fn ")?;
    let mut words = before.split_whitespace();
    if !words.all(|word| matches!(word, "pub" | "pub(crate)" | "pub(super)" | "async" | "const" | "unsafe")) {
        return None;
    }
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    rest.get(..end).filter(|name| !name.is_empty())
}

/// The ids in a text, each with whether it says "in part" behind it.
fn in_text(prefix: &str, text: &str) -> Vec<(u32, bool)> {
    let needle = format!("{prefix}-");
    let mut found = Vec::new();
    for (at, _) in text.match_indices(&needle) {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let rest = text.get(at + needle.len()..).unwrap_or_default();
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (number, rest) = rest.split_at_checked(digits).unwrap_or_default();
        let whole = !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '-')
            && !rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        if let (true, Ok(number)) = (whole, number.parse()) {
            found.push((number, rest.starts_with(" in part")));
        }
    }
    found
}

/// The ids in a name: `tc_12_what_happens`.
fn in_name(prefix: &str, name: &str) -> Vec<u32> {
    let prefix = prefix.to_ascii_lowercase();
    let words: Vec<&str> = name.split('_').collect();
    let pairs = words.iter().zip(words.iter().skip(1));
    pairs.filter(|(word, _)| **word == prefix).filter_map(|(_, number)| number.parse().ok()).collect()
}

/// The document of a catalogue, or nothing when its file is missing.
pub(crate) fn document(catalogue: &Catalogue, tree: &Tree) -> Option<String> {
    let (cases, _) = read(catalogue, tree.text(catalogue.data)?);
    let claims = claims(catalogue, tree);
    let count = |wanted: fn(&Extent) -> bool| cases.iter().filter(|case| wanted(&case.extent)).count();
    let mut text = format!(
        "{}\n\nMade by `cargo xtask gen` from [{2}](../{2}) and from the tests, which carry the ids in their names (`{1}_N`) or documents (`{3}-N`); do not edit.\n",
        catalogue.head,
        catalogue.prefix.to_ascii_lowercase(),
        catalogue.data,
        catalogue.prefix,
    );
    let shown = count(|extent| *extent == Extent::Whole);
    let parts = count(|extent| matches!(extent, Extent::Part(_)));
    let waiting = count(|extent| matches!(extent, Extent::Waits(_)));
    text.push_str(&format!(
        "Of {} cases {shown} are shown, {parts} are shown in part, {waiting} are not built yet.\n`cargo xtask tidy` refuses an id that is not here, and a case that says more or less than its tests.\n",
        cases.len()
    ));
    let mut part = "";
    for case in &cases {
        if case.part != part {
            part = &case.part;
            text.push_str(&format!(
                "\n## {part}\n\n| case | what is done | right answer | shown by |\n|---|---|---|---|\n"
            ));
        }
        let shown = evidence(case, &claims);
        text.push_str(&format!(
            "| {}-{} | {} | {} | {shown} |\n",
            catalogue.prefix,
            case.number,
            cell(&case.attack),
            cell(&case.answer)
        ));
    }
    Some(text)
}

/// The last cell of a case's row.
fn evidence(case: &Case, claims: &[Claim]) -> String {
    let mut lines = Vec::new();
    match &case.extent {
        Extent::Whole => {}
        Extent::Part(missing) => lines.push(format!("in part; missing: {}", cell(missing))),
        Extent::Waits(what) => lines.push(format!("not built yet: waits for {}", cell(what))),
    }
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for claim in claims.iter().filter(|claim| claim.number == case.number) {
        files.entry(&claim.path).or_default().push(&claim.name);
    }
    lines.extend(files.iter().map(|(path, names)| format!("[{path}](../{path}): `{}`", names.join("`, `"))));
    lines.join("<br>")
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a name and a document give the ids that stand in them whole, and no others.
    #[test]
    fn ids_are_read_whole() {
        assert_eq!(in_name("TC", "tc_1_who_tc_20"), [1, 20]);
        assert!(in_name("TC", "match_1_tc_a_atc_2").is_empty());
        let text = "(TC-16), TC-9 in part: x; F-24, XTC-1 TC-1x TC-, RTC-2, TC-3-4";
        assert_eq!(in_text("TC", text), [(16, false), (9, true), (3, false)]);
        assert_eq!(in_text("F", text), [(24, false)]);
    }

    /// PROPERTY: a catalogue reads as it is written; lines that do not fit are told.
    #[test]
    fn catalogues_are_read() {
        let text = "# T\n\n## One\nTC-1 a\nright: b\npart: c\n\nTC-3 d\nright: e\nwaits: f\nTC-2 g\nright: h\nright: i\nj\n";
        let (cases, wrong) = read(&CATALOGUES[0], text);
        assert_eq!(cases.iter().map(|case| case.number).collect::<Vec<_>>(), [1, 3, 2]);
        assert_eq!(cases[0].extent, Extent::Part("c".into()));
        assert_eq!(cases[1].extent, Extent::Waits("f".into()));
        assert_eq!(wrong.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [13, 14, 11]);
        let (_, wrong) = read(&CATALOGUES[0], "TC-1 a\n");
        assert_eq!(wrong.len(), 1);
    }
}
