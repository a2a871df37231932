//! `tessera policy`: texts of policies, held against their schema, formatted and tested without a node; what a node
//! is asked for stands in a file of its own.

use crate::answer::Answer;
use crate::error::{CtlError, REFUSED};
use crate::explain::Explain;
use crate::line::over;
use crate::link::Link;
use crate::policy_node::{self, EntityVerb};
use crate::policy_test::{self, Report};
use crate::reach::Reach;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use tessera_policy_cedar::{Parsed, PolicyError, Schema};
use tessera_program::Names;

/// What can be done with policies.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum PolicyVerb {
    /// Read policies, and with a schema hold them against it as a node would. Exit code 1 when they are refused.
    #[command(
        after_help = "Examples:\n  tessera policy check documents.cedar --schema documents.cedarschema\n  tessera policy check documents.cedar --json"
    )]
    Check {
        /// Files of policies.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The schema that they must fit.
        #[arg(long)]
        schema: Option<PathBuf>,
    },
    /// Print a file of policies in one form, or write it back. Comments stay.
    #[command(
        after_help = "Examples:\n  tessera policy format documents.cedar\n  tessera policy format documents.cedar --write\n  tessera policy format documents.cedar --unchanged"
    )]
    Format {
        /// The file of policies.
        file: PathBuf,
        /// Write the file instead of printing.
        #[arg(long, conflicts_with = "unchanged")]
        write: bool,
        /// Print nothing; exit code 1 when the file has another form.
        #[arg(long)]
        unchanged: bool,
    },
    /// Run test files of Cedar: policies, schema, entities, questions and the decisions they should have. Paths
    /// in them are relative to the working directory. Exit code 1 when a decision is another one.
    #[command(
        after_help = "Examples:\n  tessera policy test documents.json\n  tessera policy test tests/*.json --json"
    )]
    Test {
        /// The test files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Set the policies of the tenant, their schema, or what a forbid does that fails: what is named, and the rest stays.
    #[command(
        after_help = "Examples:\n  tessera policy put documents.cedar --schema documents.cedarschema\n  tessera policy put documents.cedar --if-version 3 --dry-run\n  tessera policy put --failing-forbid cedar"
    )]
    Put(policy_node::Put),
    /// List the policies of the tenant by name.
    #[command(after_help = "Example:\n  tessera policy list")]
    List,
    /// Print the policies of the tenant, or their schema.
    #[command(after_help = "Examples:\n  tessera policy show\n  tessera policy show --schema")]
    Show {
        /// Print the schema: the built-in one where none was set.
        #[arg(long)]
        schema: bool,
        /// Of a version that is kept, as `tessera policy list` tells them.
        #[arg(long, value_name = "VERSION")]
        version: Option<u32>,
    },
    /// What a file would change of the tenant's policies, or what has changed since a version that is kept. Exit code 1
    /// where something would change or has.
    #[command(
        after_help = "Examples:\n  tessera policy diff documents.cedar\n  tessera policy diff --from 3\n  tessera policy diff --from 3 --to 5"
    )]
    Diff {
        /// The file of policies; without one, the present set or that of --to.
        #[arg(required_unless_present = "from")]
        file: Option<PathBuf>,
        /// From this version that is kept; without it, from the present one.
        #[arg(long, value_name = "VERSION")]
        from: Option<u32>,
        /// To this version, in the place of a file.
        #[arg(long, value_name = "VERSION", conflicts_with = "file")]
        to: Option<u32>,
    },
    /// Take all policies of the tenant away, and their schema. Entities must be gone before.
    #[command(after_help = "Example:\n  tessera policy delete --if-version 3")]
    Delete {
        /// Only when the present set has this version.
        #[arg(long, value_name = "VERSION")]
        if_version: Option<u32>,
    },
    /// Why may somebody do something, or not, and which policies say so? As `tessera explain`.
    #[command(
        after_help = "Examples:\n  tessera policy explain amy@example.org documents.read --resource Document:2027\n  tessera policy explain amy@example.org tills.open --context '{\"ip\": \"10.1.2.3\"}' --at 2027-03-01T08:00:00Z"
    )]
    Explain(Explain),
    /// Entities: what policies know of the things that they speak about.
    #[command(subcommand)]
    Entity(EntityVerb),
}

impl PolicyVerb {
    pub(crate) async fn reach(self, reach: &Reach) -> Result<Answer, CtlError> {
        match self {
            Self::Check { files, schema } => check(&files, schema.as_deref()),
            Self::Format { file, write, unchanged } => format(&file, write, unchanged),
            Self::Test { files } => Ok(test(&files)),
            asked @ (Self::Put(_)
            | Self::List
            | Self::Show { .. }
            | Self::Diff { .. }
            | Self::Delete { .. }
            | Self::Explain(_)
            | Self::Entity(_)) => over(reach.tenant().await, async |link| asked.run(link).await).await,
        }
    }

    async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Put(put) => put.run(link).await,
            Self::List => policy_node::list(link).await,
            Self::Show { schema, version } => policy_node::show(link, schema, version).await,
            Self::Diff { file, from, to } => policy_node::diff(link, file.as_deref(), (from, to)).await,
            Self::Delete { if_version } => policy_node::delete(link, if_version).await,
            Self::Explain(explain) => explain.run(link).await,
            Self::Entity(verb) => verb.run(link).await,
            Self::Check { .. } | Self::Format { .. } | Self::Test { .. } => {
                Err(CtlError::unexpected("no node is asked for this"))
            }
        }
    }
}

/// The bytes of a file, one more than may be at most.
pub(crate) fn bytes(path: &Path, bytes_max: usize) -> Result<Vec<u8>, CtlError> {
    let mut found = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max as u64 + 1).read_to_end(&mut found))
        .map_err(|error| CtlError::file("reading", path, &error))?;
    Ok(found)
}

/// Faults of a file, a line each.
pub(crate) fn lines(path: &Path, faults: &[PolicyError]) -> Vec<String> {
    let line = |fault: &PolicyError| match fault.place {
        Some(_) => format!("{}:{fault}", path.display()),
        None => format!("{}: {fault}", path.display()),
    };
    faults.iter().map(line).collect()
}

/// Faults of a file as objects.
pub(crate) fn objects(faults: &[PolicyError]) -> Value {
    let object = |fault: &PolicyError| {
        json!({
            "reason": fault.reason.name(),
            "line": fault.place.map(|place| place.line),
            "column": fault.place.map(|place| place.column),
            "message": fault.says,
            "advice": fault.advice,
        })
    };
    Value::Array(faults.iter().map(object).collect())
}

pub(crate) const TEXT_BYTES: usize = tessera_policy_cedar::TEXT_BYTES_MAX;

fn check(files: &[PathBuf], schema: Option<&Path>) -> Result<Answer, CtlError> {
    let (mut told, mut objects_told, mut good) = (Vec::new(), Vec::new(), true);
    let mut shape = None;
    if let Some(path) = schema {
        match Schema::parse(&bytes(path, TEXT_BYTES)?) {
            Ok(read) => shape = Some(read),
            Err(faults) => {
                let answer = Answer::said(lines(path, &faults).join("\n")).with("ok", false);
                let file = file_object(&path.display().to_string(), None, false, &faults);
                return Ok(answer.with("files", vec![file]).ends(REFUSED));
            }
        }
    }
    for path in files {
        let file = path.display().to_string();
        match check_one(&bytes(path, TEXT_BYTES)?, shape.as_ref()) {
            Ok(parsed) => {
                let (policies, templates) = (parsed.count(), parsed.templates());
                let held = if shape.is_some() { "they fit the schema" } else { "held against no schema" };
                told.push(format!("{file}: {policies} policies, {templates} templates, {held}"));
                objects_told.push(file_object(&file, Some((policies, templates)), shape.is_some(), &[]));
            }
            Err(faults) => {
                good = false;
                told.extend(lines(path, &faults));
                objects_told.push(file_object(&file, None, false, &faults));
            }
        }
    }
    let answer = Answer::said(told.join("\n")).with("ok", good).with("files", objects_told);
    Ok(if good { answer } else { answer.ends(REFUSED) })
}

/// What a file came to: its policies and templates when it is good, whether a schema was asked, its faults.
pub(crate) fn file_object(
    file: &str,
    count: Option<(usize, usize)>,
    validated: bool,
    faults: &[PolicyError],
) -> Value {
    json!({
        "file": file, "policies": count.map(|(policies, _)| policies),
        "templates": count.map(|(_, templates)| templates), "validated": validated, "faults": objects(faults),
    })
}

fn check_one(text: &[u8], schema: Option<&Schema>) -> Result<Parsed, Vec<PolicyError>> {
    let parsed = Parsed::parse(text)?;
    if let Some(schema) = schema {
        parsed.validate(schema)?;
    }
    parsed.compile(&mut Names::default())?;
    Ok(parsed)
}

fn format(path: &Path, write: bool, unchanged: bool) -> Result<Answer, CtlError> {
    let before = bytes(path, TEXT_BYTES)?;
    let text = match tessera_policy_cedar::format(&before) {
        Ok(text) => text,
        Err(faults) => {
            let answer = Answer::said(lines(path, &faults).join("\n")).with("ok", false);
            return Ok(answer.with("faults", objects(&faults)).ends(REFUSED));
        }
    };
    let changed = text.as_bytes() != before;
    if write {
        if changed {
            replace(path, &text).map_err(|error| CtlError::file("writing", path, &error))?;
        }
        let said = if changed { "written in its one form" } else { "has its one form already" };
        return Ok(Answer::said(format!("{}: {said}", path.display())).with("changed", changed));
    }
    if unchanged {
        let said = if changed { "has another form" } else { "has its one form" };
        let answer = Answer::said(format!("{}: {said}", path.display())).with("changed", changed);
        return Ok(if changed { answer.with("ok", false).ends(REFUSED) } else { answer });
    }
    Ok(Answer::said(text.clone()).with("changed", changed).with("text", text))
}

/// Writes a file that is there anew: it has the whole old text or the whole new one, and its mode.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // A link stays one.
    let path = path.canonicalize()?;
    let mode = std::fs::metadata(&path)?.permissions();
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let mut file = File::options().write(true).create_new(true).open(&beside)?;
    let written = file
        .set_permissions(mode)
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&beside, &path));
    if written.is_err() {
        drop(std::fs::remove_file(&beside));
    }
    written
}

/// Runs every file, and tells of each what came of it.
fn test(files: &[PathBuf]) -> Answer {
    let (mut told, mut objects_told) = (Vec::new(), Vec::new());
    let (mut passed, mut failed, mut noted) = (0_usize, 0_usize, 0_usize);
    for path in files {
        let file = path.display().to_string();
        match policy_test::run(Path::new(""), path) {
            Ok(report) => {
                let bad = report.asked.iter().filter(|one| !one.passed()).count();
                passed += report.asked.len() - bad;
                failed += bad;
                noted += report.asked.iter().filter(|one| one.passed() && !one.same_causes()).count();
                told.extend(report_lines(&file, &report, bad));
                objects_told.push(report_object(&file, &report));
            }
            Err(wrong) => {
                failed += 1;
                told.extend(wrong.lines());
                objects_told.push(json!({"file": file, "asked": [], "error": wrong.object()}));
            }
        }
    }
    if files.len() > 1 {
        told.push(format!("{passed} passed, {failed} failed"));
    }
    let answer = Answer::said(told.join("\n")).with("ok", failed == 0).with("passed", passed);
    let answer = answer.with("failed", failed).with("other_causes", noted).with("files", objects_told);
    if failed > 0 { answer.ends(REFUSED) } else { answer }
}

fn report_lines(file: &str, report: &Report, bad: usize) -> Vec<String> {
    let mut told = vec![format!("{file}: {} passed, {bad} failed", report.asked.len() - bad)];
    for one in &report.asked {
        if !one.passed() {
            told.push(format!("  FAILED {}: expected {}, found {}", one.what, one.expected, one.found));
        } else if !one.same_causes() {
            told.push(format!("  note {}: {}", one.what, one.causes()));
        }
    }
    told
}

fn report_object(file: &str, report: &Report) -> Value {
    let asked: Vec<Value> = report
        .asked
        .iter()
        .map(|one| {
            json!({
                "what": one.what, "expected": one.expected, "found": one.found, "passed": one.passed(),
                "reason": one.reason, "errors": one.errors, "same_causes": one.same_causes(),
            })
        })
        .collect();
    json!({"file": file, "asked": asked, "error": null})
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of the guide: a name in a line of its own, and a fenced block behind it.
    fn guide_files() -> Vec<(String, String)> {
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/policies.md");
        let guide = std::fs::read_to_string(guide).expect("the guide");
        let (mut files, mut name, mut open) = (Vec::new(), None, false);
        for line in guide.lines() {
            if line.starts_with("```") {
                open = !open && name.is_some();
                if open {
                    files.extend(name.take().map(|name: String| (name, String::new())));
                }
            } else if open {
                let (_, text) = files.last_mut().expect("a file");
                *text += &format!("{line}\n");
            } else if !line.is_empty() {
                name = line.strip_prefix('`').and_then(|rest| rest.strip_suffix("`:")).map(str::to_owned);
            }
        }
        files
    }

    /// PROPERTY: every example of the guide fits its schema, has its one form and decides as the page says,
    /// for the reasons that it says.
    #[test]
    fn examples_of_the_guide_hold() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = guide_files();
        for (name, text) in &files {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        let mut tests = 0;
        for (name, text) in &files {
            let path = folder.path().join(name);
            if name.ends_with(".cedar") {
                assert_eq!(format(&path, false, true).expect("read").exit(), 0, "{name}");
                let schema = path.with_extension("cedarschema");
                assert_eq!(
                    check(std::slice::from_ref(&path), Some(&schema)).expect("read").exit(),
                    0,
                    "{name}"
                );
            }
            if !text.contains("shouldValidate") {
                continue;
            }
            tests += 1;
            let report =
                policy_test::run(folder.path(), &path).unwrap_or_else(|wrong| panic!("{:?}", wrong.lines()));
            assert!(report.asked.len() >= 3);
            for one in &report.asked {
                assert!(one.passed() && one.same_causes(), "{name}: {one:?}");
            }
        }
        assert_eq!(tests, 5);
    }

    const SCHEMA: &str = "entity User, Doc;\naction read appliesTo { principal: [User], resource: [Doc] };";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        folder
    }

    fn case(folder: &Path, policies: &str, good: bool, decision: &str) -> PathBuf {
        let at = |name: &str| folder.join(name).display().to_string();
        let uid = |kind: &str, id: &str| json!({"type": kind, "id": id});
        let file = json!({
            "policies": at(policies), "schema": at("s.cedarschema"), "entities": at("e.json"),
            "shouldValidate": good,
            "requests": [{
                "principal": uid("User", "a"), "action": uid("Action", "read"), "resource": uid("Doc", "d"),
                "context": {}, "decision": decision, "reason": ["policy0"], "errors": [],
            }],
        });
        let path = folder.join("case.json");
        std::fs::write(&path, file.to_string()).expect("written");
        path
    }

    /// PROPERTY: a decision that is another one, and policies that are taken where they should be refused or
    /// the other way round, end with exit code 1; what is wrong with a file has its name and place.
    #[test]
    fn what_differs_is_told() {
        let folder = folder(&[
            ("s.cedarschema", SCHEMA),
            ("e.json", "[]"),
            ("good.cedar", "permit(principal, action, resource);"),
            ("bad.cedar", "permit(principal, action, resource)\nwhen { principal.a };"),
        ]);
        let folder = folder.path();
        for (policies, good, decision, exit) in [
            ("good.cedar", true, "allow", 0),
            ("good.cedar", true, "Allow", 0),
            ("good.cedar", true, "deny", 1),
            ("good.cedar", false, "allow", 1),
            ("bad.cedar", false, "deny", 0),
            ("bad.cedar", true, "deny", 1),
            ("none.cedar", true, "deny", 1),
        ] {
            let answer = test(&[case(folder, policies, good, decision)]);
            assert_eq!(answer.exit(), exit, "{policies} {good} {decision}: {}", answer.text());
        }
        let answer = test(&[case(folder, "bad.cedar", true, "deny")]);
        assert!(answer.text().contains("bad.cedar:2:"), "{}", answer.text());
        assert_eq!(answer.json()["files"][0]["error"]["faults"][0]["line"], 2);
        let path = folder.join("case.json");
        for text in ["", "{}", "[1]", "{\"policies\": 1}", "{\"a\": 1, \"a\": 2}", "\u{0}"] {
            std::fs::write(&path, text).expect("written");
            assert_eq!(test(std::slice::from_ref(&path)).exit(), 1, "{text}");
        }
    }

    /// PROPERTY: `check` and `format` tell what is wrong and where, and end with exit code 1 then.
    #[test]
    fn files_are_checked_and_formatted() {
        let folder = folder(&[
            ("s.cedarschema", SCHEMA),
            ("wrong.cedarschema", "entity User = { a: Nothing };"),
            ("good.cedar", "permit(principal,action,resource);"),
            ("bad.cedar", "permit(principal, action, resource)\nwhen { principal.a };"),
            ("broken.cedar", "permit(principal\n"),
        ]);
        let at = |name: &str| folder.path().join(name);
        let schema = at("s.cedarschema");
        assert_eq!(check(&[at("good.cedar"), at("bad.cedar")], None).expect("read").exit(), 0);
        assert_eq!(check(&[at("good.cedar")], Some(&schema)).expect("read").exit(), 0);
        let bad = check(&[at("bad.cedar"), at("good.cedar")], Some(&schema)).expect("read");
        assert_eq!(bad.exit(), 1);
        assert!(bad.text().contains("bad.cedar:2:"), "{}", bad.text());
        assert_eq!(bad.json()["files"][0]["faults"][0]["reason"], "Validation");
        assert_eq!(check(&[at("broken.cedar")], None).expect("read").exit(), 1);
        assert_eq!(check(&[at("good.cedar")], Some(&at("wrong.cedarschema"))).expect("read").exit(), 1);
        assert!(check(&[at("none.cedar")], None).is_err());
        assert_eq!(format(&at("good.cedar"), false, true).expect("read").exit(), 1);
        let printed = format(&at("good.cedar"), false, false).expect("read");
        assert!(printed.text().contains("permit (principal, action, resource);"), "{}", printed.text());
        let link = folder.path().join("link.cedar");
        std::os::unix::fs::symlink(at("good.cedar"), &link).expect("a link");
        let names = || std::fs::read_dir(folder.path()).expect("a folder").count();
        let (before, mode) = (names(), std::fs::metadata(at("good.cedar")).expect("a file").permissions());
        assert_eq!(format(&link, true, false).expect("read").exit(), 0);
        assert!(link.is_symlink() && names() == before);
        assert_eq!(std::fs::metadata(at("good.cedar")).expect("a file").permissions(), mode);
        assert_eq!(format(&at("good.cedar"), false, true).expect("read").exit(), 0);
        assert_eq!(format(&at("broken.cedar"), false, false).expect("read").exit(), 1);
    }
}
