//! One reader under test: its corpus replayed, inputs changed, panics caught and made small.

use crate::corpus;
use crate::mutate::mutate;
use crate::random::Random;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// LIMIT: inputs of each kind that are kept to be changed again; a new one then takes the place of an old one.
const POOL_MAX: usize = 1_024;
/// LIMIT: tries to make a finding smaller.
const SHRINKS_MAX: usize = 2_000;
/// LIMIT: inputs that a file of the corpus keeps, and bytes of each: what a reviewer still reads.
const KEPT_MAX: usize = 40;
/// LIMIT: bytes of an input that is kept: some lines of a screen.
const KEPT_BYTES_MAX: usize = 400;
/// LIMIT: letters of an error that tell it from others.
const CLASS_LETTERS_MAX: usize = 96;
/// Executions that a family of readers has in the short form; a target's own number is a share of it.
const FAMILY: u64 = 200_000;
/// How long one input may take before it is told as one that never ends.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a reader answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outcome {
    taken: bool,
    class: u64,
}

impl Outcome {
    /// It was taken; `class` tells kinds of what was read apart.
    #[must_use]
    pub fn taken(class: &impl Hash) -> Self {
        Self { taken: true, class: hash(class) }
    }

    /// It was refused; the words of the error tell reasons apart, not its numbers and what it quotes.
    #[must_use]
    pub fn refused(error: &impl fmt::Debug) -> Self {
        let (text, mut quoted) = (format!("{error:?}"), false);
        let words = text.chars().filter(|letter| {
            quoted ^= *letter == '"';
            !quoted && letter.is_ascii_alphabetic()
        });
        Self { taken: false, class: hash(&words.take(CLASS_LETTERS_MAX).collect::<String>()) }
    }

    /// As the result says.
    #[must_use]
    pub fn of<T, E: fmt::Debug>(result: &Result<T, E>) -> Self {
        match result {
            Ok(_) => Self::taken(&0),
            Err(error) => Self::refused(error),
        }
    }

    /// As the option says.
    #[must_use]
    pub fn some<T>(found: &Option<T>) -> Self {
        Self { taken: found.is_some(), class: 0 }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// The target.
    pub name: String,
    /// Inputs tried, the corpus among them.
    pub executions: u64,
    /// Of these, taken by the reader.
    pub taken: u64,
    /// Inputs of the corpus.
    pub corpus: usize,
    /// Kinds of answers that were seen.
    pub classes: usize,
    /// The seed.
    pub seed: u64,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, executions, taken, corpus, classes, seed } = self;
        write!(
            f,
            "fuzz {name}: {executions} executions (seed {seed}), {taken} taken, {classes} kinds of answers, {corpus} of the corpus, 0 findings"
        )
    }
}

/// A reader that panicked, or a corpus that cannot be read.
#[derive(Clone, Debug)]
pub struct FindingError {
    name: String,
    what: String,
    /// The smallest input that was found to do it.
    pub input: Vec<u8>,
    seed: u64,
    execution: u64,
}

impl fmt::Display for FindingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, what, input, seed, execution } = self;
        write!(
            f,
            "fuzz {name}: {what} (seed {seed}, execution {execution})\nas text: {:?}\na line for proof/fuzz/corpus/{name}.txt: {}",
            String::from_utf8_lossy(input),
            corpus::to_hex(input)
        )
    }
}

impl std::error::Error for FindingError {}

/// A reader under test.
#[derive(Clone, Debug)]
pub struct Target {
    name: String,
    seeds: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
    bytes_max: usize,
    share: u64,
    kept: bool,
}

impl Target {
    /// A target with its name, which is that of its corpus.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let (seeds, words) = (Vec::new(), Vec::new());
        Self { name: name.to_owned(), seeds, words, bytes_max: 4_096, share: FAMILY, kept: true }
    }

    /// Good inputs, to be changed.
    #[must_use]
    pub fn seeds<B: AsRef<[u8]>>(mut self, seeds: impl IntoIterator<Item = B>) -> Self {
        self.seeds.extend(seeds.into_iter().map(|seed| seed.as_ref().to_vec()));
        self
    }

    /// Words that the reader looks for, separated by spaces.
    #[must_use]
    pub fn words(mut self, words: &str) -> Self {
        self.words.extend(words.split(' ').map(|word| word.as_bytes().to_vec()));
        self
    }

    /// LIMIT: bytes of an input.
    #[must_use]
    pub const fn bytes_max(mut self, bytes: usize) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// So many executions in the short form, where a family has 200,000; and no corpus of its own.
    #[must_use]
    pub const fn one_of_many(mut self, executions: u64) -> Self {
        (self.share, self.kept) = (executions, false);
        self
    }

    /// So many executions in the short form, where a family has 200,000.
    #[must_use]
    pub const fn share(mut self, executions: u64) -> Self {
        self.share = executions;
        self
    }

    /// Replays the corpus and tries changed inputs: as many as `TESSERA_EXECUTIONS` says for a family, from the
    /// seed `TESSERA_SEED`.
    ///
    /// # Errors
    /// A [`FindingError`].
    pub fn run(&self, read: impl FnMut(&[u8]) -> Outcome) -> Result<Run, FindingError> {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let family = number("TESSERA_EXECUTIONS").unwrap_or(FAMILY);
        let executions = u128::from(family) * u128::from(self.share) / u128::from(FAMILY);
        let executions = u64::try_from(executions).unwrap_or(u64::MAX).max(100);
        self.search(executions, number("TESSERA_SEED").unwrap_or(1), read)
    }

    /// As [`Target::run`], with both numbers given.
    ///
    /// # Errors
    /// A [`FindingError`].
    pub fn search(
        &self,
        executions: u64,
        seed: u64,
        mut read: impl FnMut(&[u8]) -> Outcome,
    ) -> Result<Run, FindingError> {
        let watch = Watch::new(&self.name, seed);
        let mut run = Run { name: self.name.clone(), executions: 0, taken: 0, corpus: 0, classes: 0, seed };
        let kept = if self.kept { corpus::read(&self.name) } else { Ok(Vec::new()) };
        let corpus = kept.map_err(|error| self.finding(error.to_string(), Vec::new(), &run))?;
        run.corpus = corpus.len();
        let mut chosen = corpus.into_iter().chain(self.seeds.iter().cloned());
        let whole = executions.max(u64::try_from(run.corpus + self.seeds.len()).unwrap_or(u64::MAX));
        // Inputs that were taken, and those that were refused in a way of their own.
        let mut good = self.seeds.clone();
        if good.is_empty() {
            good.push(Vec::new());
        }
        let mut odd = good.clone();
        let (mut classes, mut fresh) = (BTreeSet::new(), Vec::new());
        let mut random = Random::new(seed, &self.name);
        while run.executions < whole {
            let input = match chosen.next() {
                Some(input) => input,
                None => {
                    let pool = if random.below(4) == 0 { &odd } else { &good };
                    let from = random.pick(pool).map(Vec::as_slice).unwrap_or_default();
                    mutate(&mut random, from, &good, &self.words, self.bytes_max)
                }
            };
            run.executions += 1;
            watch.note(&input);
            let outcome = match catch_unwind(AssertUnwindSafe(|| read(&input))) {
                Ok(outcome) => outcome,
                Err(panic) => {
                    let small = self.smaller(input, &mut read);
                    return Err(self.finding(said(&*panic), small, &run));
                }
            };
            run.taken += u64::from(outcome.taken);
            if classes.insert((outcome.taken, outcome.class)) {
                if input.len() <= KEPT_BYTES_MAX && fresh.len() < KEPT_MAX {
                    fresh.push(input.clone());
                }
                keep(if outcome.taken { &mut good } else { &mut odd }, input, &mut random);
            } else if outcome.taken && random.below(32) == 0 {
                keep(&mut good, input, &mut random);
            }
        }
        run.classes = classes.len();
        if self.kept && std::env::var("TESSERA_CORPUS").is_ok_and(|mode| mode == "write") {
            corpus::write(&self.name, &fresh)
                .map_err(|error| self.finding(error.to_string(), Vec::new(), &run))?;
        }
        Ok(run)
    }

    fn finding(&self, what: String, input: Vec<u8>, run: &Run) -> FindingError {
        FindingError { name: self.name.clone(), what, input, seed: run.seed, execution: run.executions }
    }

    /// Cuts pieces out of an input while it still makes the reader panic.
    fn smaller(&self, mut input: Vec<u8>, read: &mut impl FnMut(&[u8]) -> Outcome) -> Vec<u8> {
        let mut tries = 0;
        let mut piece = input.len() / 2;
        while piece > 0 && tries < SHRINKS_MAX {
            let mut at = 0;
            while at < input.len() && tries < SHRINKS_MAX {
                let mut less = input.clone();
                drop(less.drain(at..(at + piece).min(less.len())));
                tries += 1;
                if catch_unwind(AssertUnwindSafe(|| read(&less))).is_err() {
                    input = less;
                } else {
                    at += piece;
                }
            }
            piece /= 2;
        }
        input
    }
}

fn keep(pool: &mut Vec<Vec<u8>>, input: Vec<u8>, random: &mut Random) {
    if pool.len() < POOL_MAX {
        pool.push(input);
    } else if let Some(place) = pool.get_mut(random.below(POOL_MAX)) {
        *place = input;
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a panic: {}", text.unwrap_or_default())
}

/// Tells an input that never ends, and ends the process: nothing else can.
struct Watch {
    current: Arc<Mutex<(u64, Vec<u8>)>>,
    _end: Sender<()>,
}

impl Watch {
    fn new(name: &str, seed: u64) -> Self {
        let current = Arc::new(Mutex::new((0, Vec::new())));
        let (end, ended) = mpsc::channel::<()>();
        let (seen, name) = (Arc::clone(&current), name.to_owned());
        drop(std::thread::spawn(move || {
            let mut before = 0;
            while matches!(ended.recv_timeout(PATIENCE), Err(RecvTimeoutError::Timeout)) {
                let (number, input) = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if number == before {
                    let line = format!(
                        "fuzz {name}: an input that does not end (seed {seed}, execution {number}): {}\n",
                        corpus::to_hex(&input)
                    );
                    drop(std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()));
                    std::process::exit(101);
                }
                before = number;
            }
        }));
        Self { current, _end: end }
    }

    fn note(&self, input: &[u8]) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.0 += 1;
        current.1.clear();
        current.1.extend_from_slice(input);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader with a fault behind three conditions: a magic, a length that fits, and a nesting.
    fn faulty(bytes: &[u8]) -> Outcome {
        let Some(rest) = bytes.strip_prefix(b"TSX1") else { return Outcome::refused(&"magic") };
        let Some((len, body)) = rest.split_first() else { return Outcome::refused(&"short") };
        if usize::from(*len) != body.len() {
            return Outcome::refused(&"length");
        }
        let depth = body.iter().filter(|byte| **byte == b'(').count();
        assert!(depth < 3, "planted");
        Outcome::taken(&depth)
    }

    fn target() -> Target {
        Target::new("planted").seeds(["TSX1\u{2}ab"]).words("( )").one_of_many(5_000)
    }

    /// PROPERTY: a planted panic is found, made small and told with its seed; the same seed finds the same.
    #[test]
    fn a_planted_panic_is_found() {
        let found = [(); 2].map(|()| target().search(50_000, 3, faulty).expect_err("not found"));
        assert_eq!(found[0].input, found[1].input);
        assert_eq!((found[0].seed, found[0].execution), (3, found[1].execution));
        assert!(found[0].to_string().contains("a panic: planted"), "{}", found[0]);
        assert!(found[0].input.len() <= 12, "{:?}", found[0].input);
    }

    /// PROPERTY: without the fault nothing is found, and both kinds of answers were seen.
    #[test]
    fn a_sound_reader_has_no_findings() {
        let run = target().search(5_000, 3, |bytes| Outcome::of(&std::str::from_utf8(bytes)));
        let run = run.expect("a finding");
        assert_eq!(run.executions, 5_000);
        assert!(run.taken > 0 && run.taken < run.executions && run.classes > 1, "{run}");
    }
}
