//! `tessera load`: subjects from files, many at a time, run again after whatever cut it off.
//!
//! Rows go in pieces, a few of them on their way at once. Nothing is remembered here: the node knows a row
//! that it has by its content, so a load that was killed is run again from the beginning, and what was
//! loaded is passed over.

mod rejects;
mod source;

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::Link;
use crate::when;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use rejects::{Fault, Rejects, Row};
use serde_json::{Value, json};
use source::Source;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tessera_client::wire::{AttributeRow, Request, WireError};
use tessera_client::{Client, ClientError};
use tessera_model::load::{LoadField, LoadRow, Loaded, Rejected};
use tessera_model::record::AttributeKind;
use tessera_model::{Identifier, Limit, LimitAt, Refusal};
use tessera_rows::{Heading, RowFault, field_of, rejected_field};
use tokio::task::JoinHandle;

/// LIMIT: rows of one piece: half of what a command takes, so that others wait half as long behind it.
const PIECE_ROWS: usize = 256;
/// LIMIT: bytes of the lines of one piece; with what fields take under a frame of 256 KiB.
const PIECE_BYTES: usize = 96 * 1024;
/// LIMIT: pieces on their way: while one is synced the next is decided and another is read.
const PIECES_MAX: usize = 4;
/// LIMIT: rows whose faults are told as they come; the answer and the file of rejects hold more.
const TOLD_MAX: u64 = 20;
/// The first and the longest wait before a piece is sent again.
const WAIT: std::ops::RangeInclusive<Duration> = Duration::from_millis(5)..=Duration::from_millis(500);

/// What to do about a row that is turned down.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum OnError {
    /// Stop at the first; rows behind it that were on their way are loaded.
    Stop,
    /// Leave it out, and keep it in the file of rejects.
    Skip,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum Form {
    /// One JSON object a line.
    Ndjson,
    /// A heading, then values between commas.
    Csv,
}

/// What to load.
#[derive(Clone, clap::Args)]
pub(crate) struct Load {
    /// Files of rows: one JSON object a line, or CSV.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How rows are written; without it, CSV for files that end in .csv.
    #[arg(long, value_enum, value_name = "FORM")]
    form: Option<Form>,
    /// Load nothing: say what would become of every row.
    #[arg(long)]
    dry_run: bool,
    /// What to do about a row that is turned down.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "stop")]
    on_error: OnError,
    /// Where rows are kept that are left out [default: the first file's name and .rejects].
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// How long to try again while the node is away or busy.
    #[arg(long, value_name = "SPAN", default_value = "1m", value_parser = when::patience)]
    patience: Duration,
}

/// Where a row came from, and its bytes for the file of rejects.
struct Origin {
    file: usize,
    line: u64,
    serial: u64,
    /// None of an over-long line.
    bytes: Option<Vec<u8>>,
}

/// Rows on their way.
struct Piece {
    origins: Vec<Origin>,
    request: Arc<Request>,
    sent: JoinHandle<Result<Loaded, ClientError>>,
}

/// A load as far as it has come.
struct Run<'a> {
    load: &'a Load,
    link: &'a Link,
    source: Source,
    rejects: Rejects,
    bar: ProgressBar,
    rows: Vec<LoadRow>,
    origins: Vec<Origin>,
    bytes: usize,
    pieces: VecDeque<Piece>,
    /// Where an identifier stood first, by a hash of it.
    seen: BTreeMap<u128, (u32, u64)>,
    made: u64,
    known: u64,
    stopped: bool,
}

impl Load {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let first = self.files.first().ok_or_else(|| CtlError::usage("which file?"))?;
        let rejects = self.rejects.clone().unwrap_or_else(|| {
            let mut name = first.as_os_str().to_owned();
            name.push(".rejects");
            PathBuf::from(name)
        });
        let keeps = self.keeps();
        if keeps && self.files.len() > 1 {
            Source::can_be_read_twice(&self.files)?;
            self.one_form()?;
        }
        let source = Source::open(&self.files)?;
        let bar = bar(source.total);
        let mut run = Run {
            load: &self,
            link,
            rejects: Rejects::new(&rejects, keeps)?,
            source,
            bar,
            rows: Vec::new(),
            origins: Vec::new(),
            bytes: 0,
            pieces: VecDeque::new(),
            seen: BTreeMap::new(),
            made: 0,
            known: 0,
            stopped: false,
        };
        let began = Instant::now();
        let done = run.all().await;
        run.bar.finish_and_clear();
        for piece in run.pieces.drain(..) {
            piece.sent.abort();
        }
        done?;
        run.answer(began.elapsed())
    }

    const fn keeps(&self) -> bool {
        matches!(self.on_error, OnError::Skip) && !self.dry_run
    }

    /// Rows that are left out are kept in one file: that has one heading, or none.
    fn one_form(&self) -> Result<(), CtlError> {
        let mut first: Option<(&PathBuf, Option<String>)> = None;
        for (number, path) in self.files.iter().enumerate() {
            let line = Source::open(std::slice::from_ref(path))?.next()?;
            // A file of no rows keeps none.
            let Some(line) = line else { continue };
            let heading = self.is_csv(number).then(|| line.text.unwrap_or_default());
            let (other, form) = first.get_or_insert_with(|| (path, heading.clone()));
            if *form != heading {
                let told = format!(
                    "{} and {} are written in two ways, and one file of rejects could not hold rows of both",
                    other.display(),
                    path.display()
                );
                return Err(CtlError::usage(told).advise("load them one after the other"));
            }
        }
        Ok(())
    }

    fn is_csv(&self, file: usize) -> bool {
        let named = || self.files.get(file).and_then(|path| path.extension()).is_some_and(|end| end == "csv");
        self.form.map_or_else(named, |form| form == Form::Csv)
    }
}

/// A bar on standard error, where that is a terminal.
fn bar(total: u64) -> ProgressBar {
    const TEMPLATE: &str = "{bar:30} {percent:>3} %  {msg}  {elapsed} gone, {eta} left";
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
        bar.set_style(style);
    }
    bar
}

impl Run<'_> {
    async fn all(&mut self) -> Result<(), CtlError> {
        let began = Instant::now();
        let mut heading: Option<(usize, Heading)> = None;
        while !self.stopped {
            let Some(line) = self.source.next()? else { break };
            let (file, number) = (line.file, line.number);
            let mut origin = Origin { file, line: number, serial: line.serial, bytes: None };
            let read = match line.text {
                Err(none) => {
                    origin.bytes = none.bytes;
                    Err(RowFault::new("", none.what))
                }
                Ok(text) if self.load.is_csv(file) => {
                    let read = match heading.as_ref().filter(|(of, _)| *of == file) {
                        Some((_, heading)) => heading.read(&text),
                        None => {
                            let kinds = kinds(self.link).await?;
                            let read = Heading::new(&text, &kinds).map_err(|fault| {
                                let named = Fault { what: fault.what, ..self.fault(&origin, fault.field) };
                                CtlError::usage(named.to_string())
                            })?;
                            self.rejects.head(&text);
                            heading = Some((file, read));
                            continue;
                        }
                    };
                    origin.bytes = Some(text.into_bytes());
                    read
                }
                Ok(text) => {
                    let read = tessera_rows::read(&text);
                    origin.bytes = Some(text.into_bytes());
                    read
                }
            };
            match read.and_then(|row| self.first_of_its_kind(&origin, row)) {
                Ok(row) => self.add(row, origin).await?,
                Err(fault) => {
                    let named = Fault { what: fault.what, ..self.fault(&origin, fault.field) };
                    self.turn_down(named, &origin)?;
                }
            }
            let rows = self.made + self.known + self.rejects.count;
            let rate = rows * 1_000 / u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
            self.bar.set_message(format!("{} rows, {}/s", HumanCount(rows), HumanCount(rate)));
            self.bar.set_position(self.source.bytes);
        }
        self.send();
        while !self.pieces.is_empty() {
            self.take_one().await?;
        }
        Ok(())
    }

    fn fault(&self, origin: &Origin, field: impl Into<String>) -> Fault {
        let (file, field) = (self.source.name(origin.file), field.into());
        Fault { file, line: origin.line, field, what: String::new(), code: None }
    }

    /// Notes and tells that a row is turned down.
    fn turn_down(&mut self, fault: Fault, origin: &Origin) -> Result<(), CtlError> {
        if self.rejects.count < TOLD_MAX {
            self.bar.suspend(|| crate::output::tell(&format!("tessera: {fault}")));
        }
        self.stopped |= self.load.on_error == OnError::Stop && !self.load.dry_run;
        let row = Row { serial: origin.serial, bytes: origin.bytes.as_deref() };
        self.rejects.push(fault, self.load.keeps().then_some(row))
    }

    /// An identifier stands once in a load; a row without any is told from its like by where it stands.
    fn first_of_its_kind(&mut self, origin: &Origin, mut row: LoadRow) -> Result<LoadRow, RowFault> {
        let (file, line) = (u32::try_from(origin.file).unwrap_or(u32::MAX), origin.line);
        if row.identifiers.is_empty() {
            row.serial = origin.serial;
            return Ok(row);
        }
        for identifier in &row.identifiers {
            if let Some((file, line)) = self.seen.get(&mark(identifier)) {
                let name = usize::try_from(*file).map(|file| self.source.name(file)).unwrap_or_default();
                let field = field_of(identifier);
                return Err(RowFault::new(field, format!("stands at {name}:{line} already")));
            }
        }
        self.seen.extend(row.identifiers.iter().map(|identifier| (mark(identifier), (file, line))));
        Ok(row)
    }

    /// Puts a row into the piece in the making, and sends that when it is full.
    async fn add(&mut self, row: LoadRow, origin: Origin) -> Result<(), CtlError> {
        let bytes = origin.bytes.as_ref().map_or(0, Vec::len);
        if self.bytes + bytes > PIECE_BYTES {
            self.send();
        }
        self.bytes += bytes;
        self.rows.push(row);
        self.origins.push(origin);
        if self.rows.len() >= PIECE_ROWS {
            self.send();
        }
        while self.pieces.len() > PIECES_MAX {
            self.take_one().await?;
        }
        Ok(())
    }

    fn send(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut self.rows);
        let request = Arc::new(Request::LoadSubjects { trial: self.load.dry_run, rows });
        let (client, order, patience) = (self.link.client.clone(), Arc::clone(&request), self.load.patience);
        let sent = tokio::spawn(async move { deliver(&client, &order, patience).await });
        self.pieces.push_back(Piece { origins: std::mem::take(&mut self.origins), request, sent });
        self.bytes = 0;
    }

    /// Waits for the oldest piece.
    async fn take_one(&mut self) -> Result<(), CtlError> {
        let Some(Piece { origins, request, sent }) = self.pieces.pop_front() else { return Ok(()) };
        let done = sent.await.unwrap_or(Err(ClientError::Closed));
        let loaded = done.map_err(|error| {
            let told = self.link.told(&error);
            if told.exit() == crate::error::UNREACHABLE {
                told.advise("run the same command again: what was loaded is known again and passed over")
            } else {
                told
            }
        })?;
        self.made += u64::from(loaded.made);
        self.known += u64::from(loaded.known);
        let Request::LoadSubjects { rows, .. } = &*request else { return Ok(()) };
        for rejected in &loaded.rejected {
            let at = usize::try_from(rejected.row).unwrap_or(usize::MAX);
            let (Some(origin), Some(row)) = (origins.get(at), rows.get(at)) else { continue };
            let (code, name) = (rejected.refusal.code(), rejected.refusal.name());
            let (what, code) = (rejected.refusal.to_string(), Some((code, name)));
            let named = Fault { what, code, ..self.fault(origin, rejected_field(row, rejected)) };
            self.turn_down(named, origin)?;
        }
        Ok(())
    }

    fn answer(&mut self, took: Duration) -> Result<Answer, CtlError> {
        let kept = self.rejects.finish()?;
        let (made, known, rejected) = (self.made, self.known, self.rejects.count);
        let rows = made + known + rejected;
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = rows * 1_000 / millis;
        let would = if self.load.dry_run { "would be made" } else { "made" };
        let text = format!(
            "{} rows: {} {would}, {} there already, {} turned down. {}.{} s, {} rows/s.",
            HumanCount(rows),
            HumanCount(made),
            HumanCount(known),
            HumanCount(rejected),
            millis / 1_000,
            millis % 1_000 / 100,
            HumanCount(rate),
        );
        let mut answer = Answer::said(text);
        if self.stopped {
            answer = answer.line("Stopped: mend the row and run the same command again, or leave such rows out with --on-error skip.");
        }
        if let Some(kept) = &kept {
            let but = match self.rejects.left_out {
                0 => String::new(),
                left => format!(", but for {left} over-long ones, of which it holds only where they stand"),
            };
            let told = format!("{kept} holds the rows that were turned down{but}: mend and load it.");
            answer = answer.line(told);
        }
        let faults: Vec<Value> = self.rejects.faults.iter().map(Fault::json).collect();
        let answer = answer
            .with("rows", rows)
            .with("made", made)
            .with("known", known)
            .with("rejected", rejected)
            .with("dry_run", self.load.dry_run)
            .with("stopped", self.stopped)
            .with("took_ms", millis)
            .with("rows_per_second", rate)
            .with("rejects", kept)
            .with("errors", faults);
        if rejected == 0 {
            return Ok(answer);
        }
        let first = self.rejects.faults.first();
        let error = json!({
            "exit_code": crate::error::REFUSED,
            "code": first.and_then(|fault| fault.code).map(|(code, _)| code),
            "name": "RowsRejected",
            "message": first.map(ToString::to_string),
            "advice": "mend the rows and load them again",
            "command_id": Value::Null,
            "retry_ms": Value::Null,
        });
        Ok(answer.with("ok", false).with("error", error).denied())
    }
}

/// 128 bits of an identifier's normal form.
fn mark(identifier: &Identifier) -> u128 {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        (seed, identifier.kind().number(), identifier.normal()).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// The kinds of the declared attributes: CSV has texts alone, and an attribute's kind says how one is read.
async fn kinds(link: &Link) -> Result<BTreeMap<String, AttributeKind>, CtlError> {
    let rows = link.page::<AttributeRow>(&Request::ListAttributes {}).await?.rows;
    Ok(rows.into_iter().map(|row| (row.name.as_str().to_owned(), row.kind)).collect())
}

/// Sends a piece until the node has taken it: again while it is away or busy, in halves when it is too large.
async fn deliver(client: &Client, request: &Request, patience: Duration) -> Result<Loaded, ClientError> {
    let (began, mut wait) = (Instant::now(), *WAIT.start());
    loop {
        let error = match client.load(request).await {
            Ok(loaded) => return Ok(loaded),
            Err(error) => error,
        };
        if is_too_large(&error) {
            return halves(client, request, error, patience).await;
        }
        if !passes(&error) || began.elapsed() + wait > patience {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(*WAIT.end());
    }
}

/// Whether it is worth another try.
const fn passes(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Unreachable(_)
            | ClientError::DeadlinePassed
            | ClientError::OutcomeUnknown(_)
            | ClientError::Refused(
                Refusal::Busy(_)
                    | Refusal::NotReady
                    | Refusal::Behind
                    | Refusal::StorageFull
                    | Refusal::ClockSkew
            )
    )
}

const fn is_too_large(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Refused(Refusal::LimitReached(LimitAt { limit: Limit::FrameBytes, .. }))
            | ClientError::Unreadable(WireError::FrameTooLarge)
    )
}

async fn halves(
    client: &Client,
    request: &Request,
    error: ClientError,
    patience: Duration,
) -> Result<Loaded, ClientError> {
    let Request::LoadSubjects { trial, rows } = request else { return Err(error) };
    if rows.len() < 2 {
        // One row that no command holds.
        let refusal = Limit::FrameBytes.reached();
        let rejected = vec![Rejected { row: 0, field: LoadField::Row, nth: 0, refusal }];
        return Ok(Loaded { rejected, ..Loaded::default() });
    }
    let (before, behind) = rows.split_at(rows.len() / 2);
    let part = |rows: &[LoadRow]| Request::LoadSubjects { trial: *trial, rows: rows.to_vec() };
    let mut loaded = Box::pin(deliver(client, &part(before), patience)).await?;
    let second = Box::pin(deliver(client, &part(behind), patience)).await?;
    loaded.made += second.made;
    loaded.known += second.known;
    let shift = u32::try_from(before.len()).unwrap_or(u32::MAX);
    loaded.rejected.extend(second.rejected.into_iter().map(|one| Rejected { row: one.row + shift, ..one }));
    Ok(loaded)
}
