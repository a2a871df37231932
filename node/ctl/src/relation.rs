//! `tessera relation`: who is what to whom, and what follows.

use crate::answer::Answer;
use crate::error::{CtlError, REFUSED, UNAVAILABLE, UNREACHABLE};
use crate::line::over;
use crate::link::{Link, Window};
use crate::reach::Reach;
use crate::relation_ask::{self, Along, Changes, record};
use crate::relation_more;
use crate::relation_move::{self, Export, Import};
use crate::relation_watch::{self, Watch};
use crate::store::{self, Report, StoreError};
use serde_json::{Value, json};
use std::path::PathBuf;
use tessera_model::{Name, Receipt};

/// Exit code of a file that uses what is not supported.
const NOT_SUPPORTED: u8 = UNREACHABLE;

/// What can be done with relations.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum RelationVerb {
    /// Run store files of `OpenFGA`: their model, tuples and assertions. No node is asked. Exit code 1 when an
    /// assertion fails or a file is wrong, 3 when a file uses what is not supported.
    #[command(
        after_help = "Examples:\n  tessera relation test store.fga.yaml\n  tessera relation test models/*.fga.yaml --json"
    )]
    Test {
        /// The store files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// The relationship model: types, relations, and how one follows from others.
    #[command(subcommand)]
    Model(ModelVerb),
    /// Write and remove tuples: up to 1,000 are one command, and all happen or none.
    #[command(
        after_help = "Examples:\n  tessera relation write 'user:ann viewer document:1' 'team:a#member editor folder:x'\n  tessera relation write 'user:ann viewer document:1' --until +7d --strict\n  tessera relation write --remove 'user:ann viewer document:1' --require 'user:bob owner document:1'\n  tessera relation write --file tuples.yaml\n  tessera relation write --file tuples.ndjson --strict"
    )]
    Write(Changes),
    /// List stored tuples.
    #[command(
        after_help = "Examples:\n  tessera relation read --object document:1\n  tessera relation read --object document: --relation viewer --limit 50"
    )]
    Read {
        /// Only those about this object; `type:` for all of a type.
        #[arg(long)]
        object: Option<String>,
        /// Only those of this relation.
        #[arg(long)]
        relation: Option<String>,
        /// Only those that name this subject.
        #[arg(long)]
        subject: Option<String>,
        #[command(flatten)]
        window: Window,
    },
    /// Is a subject in a relation to an object? Exit code 0 for permit, 1 for deny.
    #[command(
        after_help = "Examples:\n  tessera relation check user:ann viewer document:1\n  tessera relation check user:ann viewer document:1 --with 'user:ann member team:a' --at-least 1.42"
    )]
    Check {
        /// `type:id`, `type:id#relation` or `type:*`.
        subject: String,
        /// The relation.
        relation: String,
        /// `type:id`.
        object: String,
        #[command(flatten)]
        along: Along,
    },
    /// Many checks at once. Exit code 1 when one is no permit.
    #[command(
        after_help = "A line is SUBJECT RELATION OBJECT and, if it is to be called so, an id: the answer carries it, or else the number of the line.\n\nExamples:\n  tessera relation check-batch questions.txt\n  echo 'user:ann viewer document:1 first' | tessera relation check-batch"
    )]
    CheckBatch {
        /// A file of questions; `-` for standard input.
        #[arg(default_value = "-")]
        file: PathBuf,
        /// The receipt of a write that the answers must have seen.
        #[arg(long, value_name = "RECEIPT", value_parser = crate::answer::receipt)]
        at_least: Option<Receipt>,
    },
    /// Write every tuple of a file. Cut off anywhere it may be run again: what stands is passed over. Exit code 1
    /// when tuples were turned down.
    #[command(
        after_help = "Examples:\n  tessera relation import tuples.ndjson\n  tessera relation import tuples.yaml\n  cat tuples.ndjson | tessera relation import -"
    )]
    Import(Import),
    /// Write all tuples to a file or to standard output.
    #[command(
        after_help = "Examples:\n  tessera relation export --output tuples.ndjson\n  tessera relation export --form openfga --output tuples.json"
    )]
    Export(Export),
    /// Tell the changes of tuples and of the model as they happen, one a line, until it is ended.
    #[command(
        after_help = "Behind a position it goes on where it ended: the cursor of each line is good for that. Whoever reads too slowly is told so, and where to begin anew.\n\nExamples:\n  tessera relation watch\n  tessera relation watch --once --cursor AQYBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADAAAAAAAAAOzg2i_VBfMV"
    )]
    Watch(Watch),
    /// Let a permission follow from a relation to a resource: `tessera check PERMISSION --resource TYPE:ID`.
    #[command(after_help = "Example:\n  tessera relation map documents.read document can_view")]
    Map {
        /// The permission.
        #[arg(value_parser = crate::reach::name)]
        permission: Name,
        /// The type of the resources.
        type_name: String,
        /// The relation.
        relation: String,
    },
    /// Take such a mapping back.
    #[command(after_help = "Example:\n  tessera relation unmap documents.read document")]
    Unmap {
        /// The permission.
        #[arg(value_parser = crate::reach::name)]
        permission: Name,
        /// The type of the resources.
        type_name: String,
    },
    /// List the permissions that follow from relations.
    #[command(after_help = "Example:\n  tessera relation mappings")]
    Mappings {
        #[command(flatten)]
        window: Window,
    },
    /// Why a check has its answer: the way to a tuple, or what takes it away. Exit code 0 for permit, 1 for deny.
    #[command(after_help = "Example:\n  tessera relation explain user:ann viewer document:1")]
    Explain {
        /// `type:id`, `type:id#relation` or `type:*`.
        subject: String,
        /// The relation.
        relation: String,
        /// `type:id`.
        object: String,
        #[command(flatten)]
        along: Along,
    },
    /// One level of a relation to an object: who stands there, and which sets count. What one answer does not hold, from
    /// some thousand names on, is counted in the end.
    #[command(after_help = "Example:\n  tessera relation expand document:1 viewer")]
    Expand {
        /// `type:id`.
        object: String,
        /// The relation.
        relation: String,
        #[command(flatten)]
        along: Along,
    },
    /// The objects of a type to which a subject is in a relation.
    #[command(after_help = "Example:\n  tessera relation list-objects user:ann viewer document")]
    ListObjects {
        /// `type:id`, `type:id#relation` or `type:*`.
        subject: String,
        /// The relation.
        relation: String,
        /// The type.
        type_name: String,
        #[command(flatten)]
        window: Window,
        #[command(flatten)]
        along: Along,
    },
    /// The subjects of a type that are in a relation to an object.
    #[command(
        after_help = "Examples:\n  tessera relation list-subjects document:1 viewer user\n  tessera relation list-subjects document:1 viewer team#member"
    )]
    ListSubjects {
        /// `type:id`.
        object: String,
        /// The relation.
        relation: String,
        /// The type, or `type#relation` for sets.
        type_name: String,
        #[command(flatten)]
        window: Window,
        #[command(flatten)]
        along: Along,
    },
}

/// What can be done with the model.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum ModelVerb {
    /// Put a model in the place of the present one. One that leaves stored tuples behind is refused.
    #[command(
        after_help = "Examples:\n  tessera relation model set model.fga\n  tessera relation model set model.fga --dry-run\n  tessera relation model set model.fga --allow-orphans"
    )]
    Set {
        /// The model, in the modeling language.
        file: PathBuf,
        /// Take it although stored tuples do not fit it; they stay, and count in no answer.
        #[arg(long)]
        allow_orphans: bool,
        /// Only say what would become of it.
        #[arg(long)]
        dry_run: bool,
    },
    /// Show the model.
    #[command(
        after_help = "Examples:\n  tessera relation model show\n  tessera relation model show --version 3"
    )]
    Show {
        /// An earlier version; the last 16 are kept.
        #[arg(long)]
        version: Option<u32>,
    },
    /// List the versions that are kept, the present one first.
    #[command(after_help = "Example:\n  tessera relation model list")]
    List,
}

impl RelationVerb {
    /// Runs it over a link, or here when it needs no node.
    pub(crate) async fn reach(self, reach: &Reach) -> Result<Answer, CtlError> {
        if let Self::Test { files } = &self {
            return Ok(test(files));
        }
        over(reach.tenant().await, async |link| self.run(link).await).await
    }

    async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Test { files } => Ok(test(&files)),
            Self::Model(ModelVerb::Set { file, allow_orphans, dry_run }) => {
                relation_ask::set_model(link, &file, allow_orphans, dry_run).await
            }
            Self::Model(ModelVerb::Show { version }) => relation_ask::show_model(link, version).await,
            Self::Model(ModelVerb::List) => relation_more::models(link).await,
            Self::CheckBatch { file, at_least } => relation_more::check_batch(link, &file, at_least).await,
            Self::Import(import) => relation_move::import(link, import).await,
            Self::Export(export) => relation_move::export(link, export).await,
            Self::Watch(watch) => relation_watch::watch(link, watch).await,
            Self::Map { permission, type_name, relation } => {
                relation_more::map(link, permission, [type_name, relation]).await
            }
            Self::Unmap { permission, type_name } => relation_more::unmap(link, permission, type_name).await,
            Self::Mappings { window } => relation_more::mappings(link, &window).await,
            Self::Write(changes) => relation_ask::write(link, changes).await,
            Self::Read { object, relation, subject, window } => {
                relation_ask::read(link, &window, [object, relation, subject]).await
            }
            Self::Check { subject, relation, object, along } => {
                relation_ask::check(link, record(&subject, &relation, &object), &along).await
            }
            Self::Explain { subject, relation, object, along } => {
                relation_ask::explain(link, record(&subject, &relation, &object), &along).await
            }
            Self::Expand { object, relation, along } => {
                relation_ask::expand(link, (&object, &relation), &along).await
            }
            Self::ListObjects { subject, relation, type_name, window, along } => {
                relation_ask::objects(link, &window, [&subject, &relation, &type_name], &along).await
            }
            Self::ListSubjects { object, relation, type_name, window, along } => {
                relation_ask::subjects(link, &window, [&object, &relation, &type_name], &along).await
            }
        }
    }
}

/// Runs every file, and tells of each what came of it.
fn test(files: &[PathBuf]) -> Answer {
    let (mut lines, mut told) = (Vec::new(), Vec::new());
    let (mut passed, mut failed, mut exit) = (0_usize, 0_usize, 0_u8);
    for file in files {
        match store::run(file) {
            Ok(report) => {
                let bad = report.assertions.iter().filter(|one| !one.passed).count();
                passed += report.assertions.len() - bad;
                failed += bad;
                if bad > 0 {
                    exit = worse(exit, REFUSED);
                }
                lines.extend(report_lines(file, &report, bad));
                told.push(report_json(file, &report));
            }
            Err(error) => {
                exit = worse(exit, code(&error));
                lines.push(error.to_string());
                told.push(json!({
                    "file": file.display().to_string(),
                    "error": {
                        "not_supported": error.not_supported,
                        "line": error.at.map(|at| at.line),
                        "column": error.at.map(|at| at.column),
                        "message": error.what,
                    },
                }));
            }
        }
    }
    lines.push(format!("{passed} passed, {failed} failed"));
    let answer = Answer::said(lines.join("\n"));
    answer.with("ok", exit == 0).with("passed", passed).with("failed", failed).with("files", told).ends(exit)
}

/// What fails outweighs what is not supported, and that outweighs success.
fn worse(one: u8, other: u8) -> u8 {
    let weight = |exit: u8| match exit {
        0 => 0,
        NOT_SUPPORTED => 1,
        _ => 2,
    };
    if weight(other) > weight(one) { other } else { one }
}

fn code(error: &StoreError) -> u8 {
    if error.not_supported {
        NOT_SUPPORTED
    } else if error.unreadable {
        UNAVAILABLE
    } else {
        REFUSED
    }
}

fn report_lines(file: &std::path::Path, report: &Report, bad: usize) -> Vec<String> {
    let good = report.assertions.len() - bad;
    let mut lines = vec![format!("{}: {good} passed, {bad} failed", file.display())];
    for one in &report.assertions {
        if one.passed {
            lines.push(format!("  ok    {}: {}", one.test, one.question));
        } else {
            lines.push(format!("  FAIL  {}: {}", one.test, one.question));
            lines.push(format!("        expected {}", shown(&one.expected)));
            lines.push(format!("        found    {}", shown(&one.found)));
        }
    }
    lines
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}

fn report_json(file: &std::path::Path, report: &Report) -> Value {
    let assertions = report.assertions.iter().map(|one| {
        json!({
            "test": one.test,
            "question": one.question,
            "expected": one.expected,
            "found": one.found,
            "passed": one.passed,
        })
    });
    json!({
        "file": file.display().to_string(),
        "name": report.name,
        "assertions": assertions.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn field(file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field").join(file)
    }

    /// PROPERTY: every store file of the field runs and passes whole (F-01, F-02, F-05, F-06, F-08, F-09,
    /// F-11, F-12, F-13, F-17).
    #[test]
    fn field_store_files_pass() {
        let folder =
            std::fs::read_dir(field("")).expect("the folder").map(|file| file.expect("a file").path());
        let (refused, good): (Vec<PathBuf>, Vec<PathBuf>) =
            folder.partition(|path| path.to_string_lossy().contains(".refused."));
        assert!(good.len() >= 12 && refused.len() >= 3);
        for path in good {
            let report = store::run(&path).unwrap_or_else(|error| panic!("{error}"));
            assert!(!report.assertions.is_empty(), "{}", path.display());
            for one in &report.assertions {
                assert!(one.passed, "{}: {one:?}", path.display());
            }
            assert_eq!(test(&[path]).exit(), 0);
        }
        for path in refused {
            assert_eq!(test(&[path]).exit(), 1);
        }
    }

    /// PROPERTY: every store file of the guide passes whole.
    #[test]
    fn store_files_of_the_guide_pass() {
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/relations.md");
        let guide = std::fs::read_to_string(guide).expect("the guide");
        let files: Vec<&str> = guide
            .split("\n```yaml\n")
            .skip(1)
            .map(|rest| rest.split("\n```\n").next().expect("an end"))
            .collect();
        assert!(files.len() >= 3);
        for text in files {
            let report = run(text).unwrap_or_else(|error| panic!("{error}"));
            assert!(!report.assertions.is_empty());
            for one in &report.assertions {
                assert!(one.passed, "{}: {one:?}", report.name);
            }
        }
    }

    /// PROPERTY: a wrong file is refused at its first fault, with the place, and nothing of it counts (F-15).
    #[test]
    fn f_15_wrong_files_are_refused_with_their_place() {
        let told = |file: &str| store::run(&field(file)).expect_err(file).to_string();
        let mixed = told("16-mixed-operators.refused.fga.yaml");
        assert!(
            mixed.contains("yaml:12:45: refused: model line 8, column 43: different operators"),
            "{mixed}"
        );
        let half = told("17-half-written-model.refused.fga.yaml");
        assert!(half.contains("model line 4, column 9: expected the end of the line"), "{half}");
        let tuple = told("18-ill-typed-tuple.refused.fga.yaml");
        assert!(tuple.contains("tuple 2 (team:fga writer file:bad)") && tuple.contains("2027"), "{tuple}");
    }

    fn run(text: &str) -> Result<Report, StoreError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.fga.yaml");
        std::fs::write(&path, text).expect("written");
        store::run(&path)
    }

    const HEAD: &str = "model: |\n  model\n    schema 1.1\n  type user\n  type doc\n    relations\n      define viewer: [user]\n";

    /// PROPERTY: thirty levels deep is an error of the depth, never a quiet no (F-12).
    #[test]
    fn f_12_too_deep_is_an_error() {
        let mut text = "model: |\n  model\n    schema 1.1\n  type person\n  type role\n    relations\n      define perm: [person, role#perm]\ntuples:\n".to_owned();
        for level in 2..=30 {
            let above = level - 1;
            text +=
                &format!("  - {{user: \"role:r{level}#perm\", relation: perm, object: \"role:r{above}\"}}\n");
        }
        text += "  - {user: \"person:deep\", relation: perm, object: \"role:r30\"}\ntests:\n  - check:\n";
        for level in 1..=30 {
            text += &format!(
                "    - {{user: \"person:deep\", object: \"role:r{level}\", assertions: {{perm: true}}}}\n"
            );
        }
        let report = run(&text).expect("it runs");
        let found: Vec<&str> = report.assertions.iter().map(|one| one.found.as_str()).collect();
        // The person stands 25 steps below the sixth role from the top, and no further from those behind it.
        assert_eq!(found.len(), 30);
        assert!(found[..5].iter().all(|found| found.starts_with("error 2002")), "{found:?}");
        assert!(found[5..].iter().all(|found| *found == "true"), "{found:?}");
    }

    /// PROPERTY: what is not supported is told as such, with its place, and never counts as passed.
    #[test]
    fn what_is_not_supported_is_told() {
        let cases = [
            ("model: |\n  model\n    schema 1.1\n  type user\n  condition c(x: int) {\n    x < 1\n  }\n", 5),
            ("model: |\n  module core\n  type user\n", 2),
            (
                "model: |\n  model\n    schema 1.1\n  type user\n  type d\n    relations\n      define v: [user with c]\n",
                7,
            ),
            (
                &*format!(
                    "{HEAD}tuples:\n  - {{user: \"user:a\", relation: viewer, object: \"doc:1\", condition: {{name: c}}}}\n"
                ),
                9,
            ),
            (
                &*format!(
                    "{HEAD}tests:\n  - check:\n      - {{user: \"user:a\", object: \"doc:1\", context: {{x: 1}}, assertions: {{viewer: true}}}}\n"
                ),
                10,
            ),
            (&*format!("{HEAD}surprises: 1\n"), 8),
        ];
        for (text, line) in cases {
            let error = run(text).expect_err(text);
            assert!(error.not_supported, "{text}: {error}");
            assert_eq!((error.at.map(|at| at.line), code(&error)), (Some(line), 3), "{text}: {error}");
        }
        assert_eq!((worse(3, 1), worse(1, 3), worse(0, 3), worse(0, 0)), (1, 1, 3, 0));
    }

    /// PROPERTY: a few lines never ask without end, and a file is read no further than it may be long.
    #[test]
    fn files_are_bounded() {
        let many = |word: &str, count: usize| {
            let names: Vec<String> = (0..count).map(|number| format!("\"{word}:{number}\"")).collect();
            names.join(", ")
        };
        let text = |count| {
            format!(
                "{HEAD}tests:\n  - check:\n    - {{users: [{}], objects: [{}], assertions: {{viewer: false}}}}\n",
                many("user", count),
                many("doc", 100)
            )
        };
        assert_eq!(run(&text(20)).expect("it runs").assertions.len(), 2_000);
        let error = run(&text(1_001)).expect_err("too many");
        assert_eq!(
            (error.what.as_str(), error.at.map(|at| at.line)),
            ("more than 100000 assertions", Some(10))
        );
        let endless = store::run(Path::new("/dev/zero")).expect_err("it has no end");
        assert!(endless.unreadable && endless.what.contains("4194304 bytes"), "{endless}");
    }

    /// PROPERTY: an assertion that does not hold fails, and says what was found.
    #[test]
    fn a_wrong_assertion_fails() {
        let text = format!(
            "{HEAD}tuples:\n  - {{user: \"user:a\", relation: viewer, object: \"doc:1\"}}\ntests:\n  - check:\n      - {{user: \"user:b\", object: \"doc:1\", assertions: {{viewer: true}}}}\n    list_objects:\n      - {{user: \"user:a\", type: doc, assertions: {{viewer: []}}}}\n    list_users:\n      - {{object: \"doc:1\", user_filter: [{{type: user}}], assertions: {{viewer: {{users: [\"user:a\"]}}}}}}\n"
        );
        let report = run(&text).expect("it runs");
        let found: Vec<(bool, &str)> =
            report.assertions.iter().map(|one| (one.passed, one.found.as_str())).collect();
        assert_eq!(found, [(false, "false"), (false, "doc:1"), (true, "user:a")]);
    }
}
