//! F22: every id of a case exists, a test carries it, and a catalogue says no more than the tests show.

use crate::cases::{self, CATALOGUES, Claim, Extent};
use crate::house::House;
use crate::violation::Violation;
use std::collections::BTreeSet;

/// How many threats there are: none is left out.
const THREATS: u32 = 120;

/// F22: ids of cases agree with the catalogues.
pub(crate) fn cases(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for catalogue in CATALOGUES {
        let Some(text) = house.tree.text(catalogue.data) else {
            found.push(Violation::new("F22", catalogue.data, 0, "is missing"));
            continue;
        };
        let (cases, wrong) = cases::read(catalogue, text);
        found.extend(wrong.into_iter().map(|(line, what)| Violation::new("F22", catalogue.data, line, what)));
        let numbers: BTreeSet<u32> = cases.iter().map(|case| case.number).collect();
        if catalogue.prefix == "TC" && !numbers.iter().copied().eq(1..=THREATS) {
            let what = format!("holds other cases than TC-1 to TC-{THREATS}");
            found.push(Violation::new("F22", catalogue.data, 0, what));
        }
        let claims = cases::claims(catalogue, &house.tree);
        let id = |number: u32| format!("{}-{number}", catalogue.prefix);
        for (path, source) in &house.tree.sources {
            let mentioned = cases::mentioned(catalogue.prefix, source);
            for (number, line) in mentioned.into_iter().filter(|(number, _)| !numbers.contains(number)) {
                let what = format!("{} is in no catalogue: {}", id(number), catalogue.data);
                found.push(Violation::new("F22", path, line, what));
            }
        }
        for claim in &claims {
            if !numbers.contains(&claim.number) {
                let what = format!("{} is in no catalogue: {}", id(claim.number), catalogue.data);
                found.push(Violation::new("F22", &claim.path, claim.line, what));
            } else if !claim.runs {
                let what = format!("`{}` carries {} and is no test that runs", claim.name, id(claim.number));
                found.push(Violation::new("F22", &claim.path, claim.line, what));
            }
        }
        for case in &cases {
            let own: Vec<&Claim> = claims.iter().filter(|claim| claim.number == case.number).collect();
            let part = own.iter().all(|claim| claim.part);
            let what = match (&case.extent, own.is_empty()) {
                (Extent::Whole | Extent::Part(_), true) => "no test carries it: say what it `waits:` for",
                (Extent::Waits(_), false) => "a test carries it: say what is missing as `part:`",
                (Extent::Whole, false) if part => "its tests show it in part: say what is missing as `part:`",
                (Extent::Whole | Extent::Part(_), false) | (Extent::Waits(_), true) => continue,
            };
            let what = format!("{}: {what}", id(case.number));
            found.push(Violation::new("F22", catalogue.data, case.line, what));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::planting::found;

    /// All threats, waiting, but for the first ones.
    fn threats(first: &str, from: u32) -> String {
        let mut text = format!("## All\n{first}");
        for number in from..=THREATS {
            text.push_str(&format!("TC-{number} a\nright: b\nwaits: c\n"));
        }
        text
    }

    const FIELD: (&str, &str) = ("xtask/field-cases.txt", "## All\nF-7 a\nright: b\nwaits: c\n");
    const DATA: &str = "xtask/threats.txt";

    fn judged(first: &str, from: u32, code: &str) -> Vec<String> {
        let text = threats(first, from);
        found(cases, &[(DATA, &text), FIELD, ("a/src/b.rs", code)])
    }

    /// PROPERTY: a case without a test waits; one with a test does not; a part is said on both sides.
    #[test]
    fn catalogue_and_tests_agree() {
        let test = "//! A.\n/// It does (TC-1).\n#[tokio::test(flavor = \"x\")]\nasync fn f() {}\n";
        let part = "//! A.\n/// TC-1 in part: b.\n#[test]\nfn f() {}\n";
        assert!(judged("", 1, "//! A.\n").is_empty());
        assert!(judged("TC-1 a\nright: b\n", 2, test).is_empty());
        assert!(judged("TC-1 a\nright: b\n", 2, "//! A.\n#[test]\nfn tc_1_f() {}\n").is_empty());
        assert!(judged("TC-1 a\nright: b\npart: c\n", 2, part).is_empty());
        let line = [format!("{DATA}:2")];
        assert_eq!(judged("", 1, test), line);
        assert_eq!(judged("TC-1 a\nright: b\n", 2, part), line);
        assert_eq!(judged("TC-1 a\nright: b\n", 2, "//! A.\n"), line);
        assert_eq!(judged("TC-1 a\nright: b\npart: c\n", 2, "//! A.\n"), line);
    }

    /// PROPERTY: an id that no catalogue has is found in names, documents and comments, and so is one that no
    /// running test carries.
    #[test]
    fn planted_ids_are_found() {
        for (code, line) in [
            ("//! A.\n#[test]\nfn tc_121_f() {}\n", 3),
            ("//! A.\n/// TC-121.\n#[test]\nfn f() {}\n", 2),
            ("//! A.\n// TC-0.\n", 2),
            ("//! A.\n/// F-8.\n#[test]\nfn f() {}\n", 2),
        ] {
            assert!(judged("", 1, code).contains(&format!("a/src/b.rs:{line}")), "{code}");
        }
        for code in ["fn tc_1_f() {}", "#[test]\n#[ignore]\nfn tc_1_f() {}", "#[cfg(test)]\nfn tc_1_f() {}"] {
            let found = judged("TC-1 a\nright: b\n", 2, &format!("//! A.\n{code}\n"));
            assert_eq!(found.len(), 1, "{code}: {found:?}");
        }
        // What stands in a text in quotes is nobody's.
        assert!(judged("", 1, "//! A.\nconst A: &str = \"\n#[test]\nfn tc_121_f() {}\n\";\n").is_empty());
    }

    /// PROPERTY: a catalogue that leaves a threat out, or does not read, is found.
    #[test]
    fn catalogues_are_whole() {
        assert_eq!(judged("", 2, "//! A.\n"), [format!("{DATA}:0")]);
        assert_eq!(judged("x\n", 1, "//! A.\n"), [format!("{DATA}:2")]);
        assert_eq!(found(cases, &[FIELD]), [format!("{DATA}:0")]);
    }
}
