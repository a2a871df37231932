//! YAML as a tree with the place of every value; JSON is read by it too.
//!
//! Bounded in bytes, depth and values. Aliases are refused: a short text could stand for a huge one.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use tessera_relation::Position;

/// LIMIT: bytes of one file: some 40,000 tuples.
pub(crate) const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// LIMIT: values within values.
const DEPTH_MAX: usize = 32;
/// LIMIT: keys of one map: each is held against those before it.
const KEYS_MAX: usize = 1_024;
/// LIMIT: values of one file.
const VALUES_MAX: usize = 400_000;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A text, or what a plain word stands for; whether it is a block that keeps its lines.
    Text(String, Block),
    List(Vec<Yaml>),
    /// Members in the order of the text.
    Map(Vec<(String, Yaml)>),
}

/// How a text stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// A bare word, which may mean a truth or nothing.
    Plain,
    /// In quotation marks.
    Quoted,
    /// Lines behind `|`.
    Lines,
}

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Yaml {
    pub(crate) at: Position,
    pub(crate) value: Value,
}

/// Why a text is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct YamlError {
    pub(crate) at: Position,
    pub(crate) what: String,
    /// It is good YAML, and more than is supported.
    pub(crate) not_supported: bool,
}

fn place(marker: &Marker) -> Position {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Position { line: number(marker.line()), column: number(marker.col()).saturating_add(1) }
}

fn error(at: Position, what: impl Into<String>) -> YamlError {
    YamlError { at, what: what.into(), not_supported: false }
}

/// A list or map that is being read.
enum Open {
    List(Position, Vec<Yaml>),
    /// The key that waits for its value stands last.
    Map(Position, Vec<(String, Yaml)>, Option<String>),
}

/// Reads the one document of a text.
pub(crate) fn read(text: &str) -> Result<Yaml, YamlError> {
    let start = Position { line: 1, column: 1 };
    if text.len() > FILE_BYTES_MAX {
        return Err(error(start, format!("more than {FILE_BYTES_MAX} bytes")));
    }
    let mut open: Vec<Open> = Vec::new();
    let mut document = None;
    let mut values = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|wrong| error(place(wrong.marker()), wrong.info()))?;
        let at = place(&span.start);
        let done = match event {
            Event::Scalar(text, style, ..) => {
                let block = match style {
                    ScalarStyle::Plain => Block::Plain,
                    ScalarStyle::Literal => Block::Lines,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted | ScalarStyle::Folded => {
                        Block::Quoted
                    }
                };
                Some(Yaml { at, value: Value::Text(text.into_owned(), block) })
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(at, Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(at, Vec::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(at, list)) => Some(Yaml { at, value: Value::List(list) }),
                Some(Open::Map(at, map, _)) => Some(Yaml { at, value: Value::Map(map) }),
                None => None,
            },
            Event::Alias(_) => {
                let what = "aliases are not supported".to_owned();
                return Err(YamlError { at, what, not_supported: true });
            }
            Event::DocumentStart(_) if document.is_some() => {
                return Err(error(at, "a second document"));
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => None,
        };
        values += 1;
        if values > VALUES_MAX || open.len() > DEPTH_MAX {
            return Err(error(at, "too many values, or nested too deep"));
        }
        if let Some(value) = done {
            put(value, &mut open, &mut document)?;
        }
    }
    document.ok_or_else(|| error(start, "nothing is there"))
}

/// Puts a value where it belongs: a list, a key, the value of a key, or the document.
fn put(value: Yaml, open: &mut [Open], document: &mut Option<Yaml>) -> Result<(), YamlError> {
    match open.last_mut() {
        None => *document = Some(value),
        Some(Open::List(_, list)) => list.push(value),
        Some(Open::Map(_, map, waiting)) => match waiting.take() {
            Some(_) if map.len() >= KEYS_MAX => {
                return Err(error(value.at, format!("more than {KEYS_MAX} keys")));
            }
            Some(key) => map.push((key, value)),
            None => match value.value {
                Value::Text(key, _) if !map.iter().any(|(known, _)| *known == key) => *waiting = Some(key),
                Value::Text(key, _) => return Err(error(value.at, format!("{key} stands there twice"))),
                Value::List(_) | Value::Map(_) => return Err(error(value.at, "a key that is no text")),
            },
        },
    }
    Ok(())
}

impl Yaml {
    /// The members of a map.
    pub(crate) fn map(&self, what: &str) -> Result<&[(String, Yaml)], YamlError> {
        match &self.value {
            Value::Map(map) => Ok(map),
            Value::Text(..) | Value::List(_) => Err(error(self.at, format!("{what} is a map"))),
        }
    }

    /// The values of a list; nothing is an empty one.
    pub(crate) fn list(&self, what: &str) -> Result<&[Yaml], YamlError> {
        match &self.value {
            Value::List(list) => Ok(list),
            Value::Text(text, Block::Plain) if matches!(text.as_str(), "" | "~" | "null") => Ok(&[]),
            Value::Text(..) | Value::Map(_) => Err(error(self.at, format!("{what} is a list"))),
        }
    }

    /// A text.
    pub(crate) fn text(&self, what: &str) -> Result<&str, YamlError> {
        match &self.value {
            Value::Text(text, _) => Ok(text),
            Value::List(_) | Value::Map(_) => Err(error(self.at, format!("{what} is a text"))),
        }
    }

    /// A truth: `true` or `false`, not in quotation marks.
    pub(crate) fn truth(&self, what: &str) -> Result<bool, YamlError> {
        match &self.value {
            Value::Text(text, Block::Plain) if text == "true" => Ok(true),
            Value::Text(text, Block::Plain) if text == "false" => Ok(false),
            Value::Text(..) | Value::List(_) | Value::Map(_) => {
                Err(error(self.at, format!("{what} is true or false")))
            }
        }
    }

    /// Where in the file a place of this text is, when the text is lines behind `|`.
    pub(crate) fn place_in(&self, at: Position) -> Position {
        match &self.value {
            // Such a text begins where its first line does, and every line is as far in.
            Value::Text(_, Block::Lines) => Position {
                line: self.at.line.saturating_add(at.line).saturating_sub(1),
                column: self.at.column.saturating_add(at.column).saturating_sub(1),
            },
            Value::Text(..) | Value::List(_) | Value::Map(_) => self.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: values have their places; what would grow without bound is refused.
    #[test]
    fn trees_are_read_and_bounded() {
        let tree = read("a: {b: \"c\", d: [true]}\ne: |\n  x\n  y\n").expect("a tree");
        let map = tree.map("it").expect("a map");
        let (_, e) = map.get(1).expect("e");
        assert_eq!(e.text("e"), Ok("x\ny\n"));
        assert_eq!(e.place_in(Position { line: 2, column: 1 }), Position { line: 4, column: 3 });
        let (_, d) = map[0].1.map("a").expect("a map")[1].clone();
        assert_eq!(d.at, Position { line: 1, column: 16 });
        assert_eq!(d.list("d").expect("a list")[0].truth("t"), Ok(true));
        let bomb = "a: &x [1, 2]\nb: [*x, *x]\n";
        assert!(read(bomb).is_err_and(|error| error.not_supported && error.at.line == 2));
        let deep = "[".repeat(100_000);
        for bad in ["", "a: [", "a: b: c", "- a\n---\n- b", "a: 1\na: 2", "? [a]\n: b", &deep] {
            assert!(read(bad).is_err_and(|error| !error.not_supported), "{bad:.20}");
        }
        let keys = |count: usize| (0..count).map(|key| format!("k{key}: 1\n")).collect::<String>();
        assert!(read(&keys(KEYS_MAX)).is_ok());
        assert!(read(&keys(KEYS_MAX + 1)).is_err_and(|error| error.what.contains("1024 keys")));
    }
}
