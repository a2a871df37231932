//! `tessera relation import` and `export`: all tuples of a tenant, from and to files.
//!
//! An import may be cut off anywhere and run again: a tuple that is already so is passed over.

use crate::answer::{Answer, instant};
use crate::error::CtlError;
use crate::lines::{self, NoText};
use crate::link::Link;
use crate::relation_ask::record;
use crate::relation_more::is_about_a_tuple;
use crate::store::{StoreError, tuples_of};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tessera_client::wire::{RelationRow, Request};
use tessera_model::limits::{RELATION_BYTES_MAX, RELATION_CHANGES_MAX};
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationRecord};
use tessera_model::{Deadline, Private, UnixMillis};

/// LIMIT: bytes of tuples in one command: with what stands around them they fit into a frame.
const PART_BYTES: usize = 100 * 1024;
/// LIMIT: tuples that are turned down and told one by one.
const TOLD_MAX: usize = 1_000;
/// LIMIT: bytes of one line.
const LINE_BYTES_MAX: usize = 4_096;

/// The form of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Form {
    /// One JSON object a line: user, relation, object, and from and until.
    Ndjson,
    /// A `tuples` file of `OpenFGA`, in JSON: a list of user, relation and object.
    Openfga,
}

/// What an import takes.
#[derive(Clone, clap::Args)]
pub(crate) struct Import {
    /// NDJSON (one object a line), or with `.yaml`, `.yml` or `.json` a file of `OpenFGA`'s tuples; `-` for NDJSON on
    /// standard input.
    file: PathBuf,
    /// Only look whether every line reads.
    #[arg(long)]
    dry_run: bool,
}

/// What an export gives.
#[derive(Clone, clap::Args)]
pub(crate) struct Export {
    /// Where to; standard output when it is left out.
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// In which form.
    #[arg(long, value_enum, default_value = "ndjson")]
    form: Form,
    /// Only those about this object; `type:` for all of a type.
    #[arg(long)]
    object: Option<String>,
}

/// A tuple with the line that it stands on.
type Placed = (u64, RelationRecord);

/// Sends tuples, and keeps what is turned down.
struct Sender<'a> {
    link: &'a Link,
    bar: ProgressBar,
    sent: u64,
    rejected: Vec<(u64, String, String)>,
    count: u64,
}

impl Sender<'_> {
    /// Sends a part; one that is turned down for one of its tuples is parted until that one stands alone.
    async fn send(&mut self, part: &[Placed]) -> Result<(), CtlError> {
        let mut waiting: Vec<&[Placed]> = vec![part];
        while let Some(part) = waiting.pop() {
            if part.is_empty() {
                continue;
            }
            let changes = part.iter().map(|(_, tuple)| RelationChange {
                act: RelationAct::Write,
                condition: RelationCondition::Any,
                tuple: tuple.clone(),
            });
            match self.link.order(&Request::ChangeRelations { changes: changes.collect() }).await {
                Ok(_) => self.sent += part.len() as u64,
                Err(error) if is_about_a_tuple(&error) => match part {
                    [(line, tuple)] => self.turn_down(*line, &shown(tuple), &error.to_string()),
                    _ => {
                        let (first, rest) = part.split_at(part.len() / 2);
                        waiting.push(rest);
                        waiting.push(first);
                    }
                },
                Err(error) => {
                    return Err(error.advise("run the same command again: what stands is passed over"));
                }
            }
            self.bar.set_message(format!("{} tuples", HumanCount(self.sent)));
        }
        Ok(())
    }

    fn turn_down(&mut self, line: u64, what: &str, why: &str) {
        self.count += 1;
        if self.rejected.len() < TOLD_MAX {
            self.bar.suspend(|| crate::output::tell(&format!("tessera: {line}: {what}: {why}")));
            self.rejected.push((line, what.to_owned(), why.to_owned()));
        }
    }
}

fn shown(tuple: &RelationRecord) -> String {
    format!("{} {} {}", tuple.subject, tuple.relation, tuple.object)
}

/// Reads a line of NDJSON.
fn read(text: &str) -> Result<RelationRecord, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let members = value.as_object().ok_or("not an object")?;
    let mut tuple = record("", "", "");
    for (name, value) in members {
        let text = || value.as_str().map(Box::from).ok_or_else(|| format!("{name} is no text"));
        match name.as_str() {
            "user" => tuple.subject = text()?,
            "relation" => tuple.relation = text()?,
            "object" => tuple.object = text()?,
            "from_ms" => tuple.from = deadline(value).ok_or("from_ms is no time at a whole second")?,
            "until_ms" => tuple.until = deadline(value).ok_or("until_ms is no time at a whole second")?,
            // The same for people.
            "from" | "until" if value.is_null() || value.is_string() => {}
            "condition" if value.is_null() => {}
            name => return Err(format!("{name} is not known here")),
        }
    }
    let whole = [&tuple.subject, &tuple.relation, &tuple.object].iter().all(|part| !part.is_empty());
    let windowed = |name| members.contains_key(name) && !members[name].is_null();
    for (name, ms) in [("from", "from_ms"), ("until", "until_ms")] {
        if windowed(name) && !windowed(ms) {
            return Err(format!("{name} needs {ms}: Unix time in ms"));
        }
    }
    if whole { fits(tuple) } else { Err("user, relation and object are needed".to_owned()) }
}

/// Parts that are longer than any that can stand are told with their line, before anything is sent.
fn fits(tuple: RelationRecord) -> Result<RelationRecord, String> {
    for (name, part) in [("user", &tuple.subject), ("relation", &tuple.relation), ("object", &tuple.object)] {
        if part.len() > RELATION_BYTES_MAX {
            return Err(format!("{name} has {} bytes, at most {RELATION_BYTES_MAX}", part.len()));
        }
    }
    Ok(tuple)
}

fn deadline(value: &Value) -> Option<Deadline> {
    if value.is_null() {
        return Some(Deadline::NONE);
    }
    // Windows begin and end at whole seconds.
    let ms = value.as_u64().filter(|ms| ms.is_multiple_of(1_000))?;
    UnixMillis(ms).as_deadline()
}

fn no_text(why: NoText) -> String {
    match why {
        NoText::Long => format!("has more than {LINE_BYTES_MAX} bytes"),
        NoText::Coded(_) => "is not UTF-8".to_owned(),
    }
}

fn is_openfga(file: &Path) -> bool {
    file.extension().is_some_and(|ext| ext == "yaml" || ext == "yml" || ext == "json")
}

/// A file that cannot be read is that, whatever its form; what stands in it wrongly is a mistake.
fn unfit(error: StoreError) -> CtlError {
    if error.unreadable {
        let told = std::io::Error::other(error.what);
        return CtlError::file("reading", &error.file, &told);
    }
    CtlError::usage(error.to_string())
}

/// The tuples of a file that is read as a whole: a list of `OpenFGA`'s, or one object a line. What does not read is told
/// with its line, and nothing is taken then.
pub(crate) fn tuples_in(file: &Path) -> Result<Vec<RelationRecord>, CtlError> {
    if is_openfga(file) {
        return tuples_of(file).map_err(unfit);
    }
    let failed = |error: std::io::Error| CtlError::file("reading", file, &error);
    let mut reader = std::io::BufReader::new(std::fs::File::open(file).map_err(failed)?);
    let (mut tuples, mut number) = (Vec::new(), 0_u64);
    while let Some((_, text)) = lines::next(&mut reader, LINE_BYTES_MAX).map_err(failed)? {
        number += 1;
        let wrong = |why: String| CtlError::usage(format!("{}:{number}: {why}", file.display()));
        let text = text.map_err(|why| wrong(format!("the line {}", no_text(why))))?;
        if !text.trim().is_empty() {
            tuples.push(read(text.trim()).map_err(wrong)?);
        }
    }
    Ok(tuples)
}

/// Writes every tuple of a file.
pub(crate) async fn import(link: &Link, import: Import) -> Result<Answer, CtlError> {
    let file = import.file.as_path();
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} in {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut sender = Sender { link, bar, sent: 0, rejected: Vec::new(), count: 0 };
    let (mut part, mut bytes, mut number): (Vec<Placed>, usize, u64) = (Vec::new(), 0, 0);
    if is_openfga(file) {
        for (at, tuple) in (1_u64..).zip(tuples_of(file).map_err(unfit)?) {
            let what = shown(&tuple);
            match fits(tuple) {
                Ok(tuple) => {
                    bytes += size(&tuple);
                    part.push((at, tuple));
                }
                Err(why) => sender.turn_down(at, &what, &why),
            }
            flush(&mut sender, (&mut part, &mut bytes), import.dry_run, false).await?;
        }
    } else {
        let failed = |error: std::io::Error| CtlError::file("reading", file, &error);
        let mut reader: Box<dyn std::io::BufRead + Send> = if file == Path::new("-") {
            Box::new(std::io::BufReader::new(std::io::stdin()))
        } else {
            Box::new(std::io::BufReader::new(std::fs::File::open(file).map_err(failed)?))
        };
        while let Some((_, text)) = lines::next(&mut reader, LINE_BYTES_MAX).map_err(failed)? {
            number += 1;
            let text = match text {
                Ok(text) => text,
                Err(why) => {
                    sender.turn_down(number, "the line", &no_text(why));
                    continue;
                }
            };
            let line = text.trim();
            if line.is_empty() {
                continue;
            }
            match read(line) {
                Ok(tuple) => {
                    bytes += size(&tuple);
                    part.push((number, tuple));
                }
                Err(why) => sender.turn_down(number, line, &why),
            }
            flush(&mut sender, (&mut part, &mut bytes), import.dry_run, false).await?;
        }
    }
    flush(&mut sender, (&mut part, &mut bytes), import.dry_run, true).await?;
    sender.bar.finish_and_clear();
    Ok(told(&sender, import.dry_run))
}

fn told(sender: &Sender<'_>, dry_run: bool) -> Answer {
    let (sent, count) = (sender.sent, sender.count);
    let word = if dry_run { "read" } else { "stand" };
    let answer = Answer::said(format!("{sent} tuples {word}, {count} were turned down."));
    let rejected = sender.rejected.iter();
    let rejected: Vec<Value> =
        rejected.map(|(line, what, why)| json!({ "line": line, "tuple": what, "why": why })).collect();
    let answer = answer.with("tuples", sent).with("turned_down", count).with("rejected", rejected);
    if count == 0 { answer } else { answer.ends(crate::error::REFUSED) }
}

fn size(tuple: &RelationRecord) -> usize {
    tuple.subject.len() + tuple.relation.len() + tuple.object.len() + 64
}

/// Sends the part in the making when it is full, or when it is the last.
async fn flush(
    sender: &mut Sender<'_>,
    (part, bytes): (&mut Vec<Placed>, &mut usize),
    dry_run: bool,
    last: bool,
) -> Result<(), CtlError> {
    if !last && part.len() < RELATION_CHANGES_MAX && *bytes < PART_BYTES {
        return Ok(());
    }
    if dry_run {
        sender.sent += part.len() as u64;
    } else {
        sender.send(part).await?;
    }
    part.clear();
    *bytes = 0;
    Ok(())
}

/// Where an export goes to.
type Out = Box<dyn std::io::Write + Send>;

fn open(path: Option<&Path>) -> std::io::Result<Out> {
    Ok(match path {
        None => Box::new(std::io::stdout()),
        Some(path) => Box::new(std::io::BufWriter::new(std::fs::File::create(path)?)),
    })
}

/// Writes a text; whether somebody reads. A reader of standard output that has gone away had enough.
fn put(out: &mut Out, text: &str) -> std::io::Result<bool> {
    is_there(out.write_all(text.as_bytes()))
}

fn flushed(out: &mut Out) -> std::io::Result<bool> {
    is_there(out.flush())
}

fn is_there(written: std::io::Result<()>) -> std::io::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

fn object_of(tuple: &RelationRecord) -> Map<String, Value> {
    let mut json = Map::new();
    json.insert("user".into(), json!(tuple.subject));
    json.insert("relation".into(), json!(tuple.relation));
    json.insert("object".into(), json!(tuple.object));
    for (name, at) in [("from_ms", tuple.from), ("until_ms", tuple.until)] {
        if let Some(at) = instant(at) {
            json.insert(name.into(), json!(at.0));
        }
    }
    json
}

/// Writes all tuples to a file or to standard output.
pub(crate) async fn export(link: &Link, export: Export) -> Result<Answer, CtlError> {
    let to = export.output.as_deref().unwrap_or(Path::new("standard output"));
    let failed = |error: std::io::Error| CtlError::file("writing", to, &error);
    let mut out: Option<Out> = None;
    let object = export.object.as_deref().map(|text| Private::new(text.as_bytes().to_vec()));
    let request = Request::ListRelations { object, relation: None, subject: None, after: None, limit: 0 };
    let mut pages = link.client.pages::<RelationRow>(request);
    let (mut written, mut left_out) = (0_u64, 0_u64);
    let mut read = true;
    while let Some(page) = pages.page().await {
        let page = page.map_err(|error| link.told(&error))?;
        // An answer that is refused leaves the file that stands there as it is.
        let out = match &mut out {
            Some(out) => out,
            None => out.insert(open(export.output.as_deref()).map_err(failed)?),
        };
        for RelationRow { tuple } in page {
            let plain = tuple.from == Deadline::NONE && tuple.until == Deadline::NONE;
            if export.form == Form::Openfga && !plain {
                left_out += 1;
                continue;
            }
            let before = match (export.form, written) {
                (Form::Ndjson, _) => "",
                (Form::Openfga, 0) => "[\n",
                (Form::Openfga, _) => ",\n",
            };
            let behind = if export.form == Form::Ndjson { "\n" } else { "" };
            let object = crate::output::sorted(Value::Object(object_of(&tuple)));
            read = put(out, &format!("{before}{object}{behind}")).map_err(failed)?;
            if !read {
                break;
            }
            written += 1;
        }
        if !read {
            break;
        }
    }
    if let (Some(out), Form::Openfga, true) = (&mut out, export.form, read) {
        read = put(out, if written == 0 { "[]\n" } else { "\n]\n" }).map_err(failed)?;
    }
    if let (Some(out), true) = (&mut out, read) {
        flushed(out).map_err(failed)?;
    }
    if left_out > 0 {
        crate::output::tell(&format!("tessera: {left_out} tuples with a window have no such form: left out"));
    }
    let answer = if export.output.is_none() {
        Answer::quiet()
    } else {
        Answer::said(format!("{written} tuples are written."))
    };
    Ok(answer.with("written", written).with("left_out", left_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a line reads as the tuple that it was written from, and anything else is told why not.
    #[test]
    fn lines_are_read_or_refused() {
        let line = r#"{"user":"user:ann","relation":"viewer","object":"doc:1","until_ms":1900000000000}"#;
        let tuple = read(line).expect("a tuple");
        assert_eq!(instant(tuple.until), Some(UnixMillis(1_900_000_000_000)));
        let object = format!("d:{}", "x".repeat(607));
        let long = format!(r#"{{"user":"user:a","relation":"v","object":"{object}"}}"#);
        for (bad, why) in [
            ("[]", "not an object"),
            ("{", "EOF"),
            (r#"{"user":"user:ann","relation":"viewer"}"#, "are needed"),
            (r#"{"user":1,"relation":"viewer","object":"doc:1"}"#, "user is no text"),
            (r#"{"user":"user:a","relation":"v","object":"d:1","condition":{"name":"x"}}"#, "condition"),
            (r#"{"user":"user:a","relation":"v","object":"d:1","until":"2031-01-01T00:00:00Z"}"#, "until_ms"),
            (r#"{"user":"user:a","relation":"v","object":"d:1","until_ms":7}"#, "no time"),
            (r#"{"user":"user:a","relation":"v","object":"d:1","from_ms":1900000000950}"#, "whole second"),
            (r#"{"user":"user:a","relation":"v","object":"d:1","until_ms":99999999999999000}"#, "no time"),
            (&long, "object has 609 bytes"),
        ] {
            let told = read(bad).expect_err(bad);
            assert!(told.contains(why), "{bad}: {told}");
        }
    }

    /// PROPERTY: a file that is not there has one exit code in every form.
    #[test]
    fn missing_files_are_unavailable() {
        for name in ["none.yaml", "none.json", "none.ndjson"] {
            let error = tuples_in(&Path::new("/nowhere").join(name)).expect_err("missing");
            assert_eq!(error.exit(), crate::error::UNAVAILABLE, "{error}");
        }
    }
}
