//! Texts and entities by number: each has one, so that two are the same when their numbers are.

use crate::value::{Uid, Word};
use std::collections::HashMap;
use std::sync::Arc;

/// Texts and entities that policies and stored entities speak of. Numbers are never given again.
#[derive(Clone, Debug, Default)]
pub struct Names {
    words: Vec<Arc<str>>,
    by_text: HashMap<Arc<str>, Word>,
    uids: Vec<(Word, Word)>,
    by_pair: HashMap<(Word, Word), Uid>,
}

impl Names {
    /// The number of a text, a new one when it has none.
    pub fn word(&mut self, text: &str) -> Word {
        if let Some(word) = self.by_text.get(text) {
            return *word;
        }
        let word = Word(number(self.words.len()));
        let text: Arc<str> = Arc::from(text);
        self.words.push(Arc::clone(&text));
        self.by_text.insert(text, word);
        word
    }

    /// How many texts and entities there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.words.len() + self.uids.len()
    }

    /// The number of an entity, a new one when it has none.
    pub fn uid(&mut self, kind: &str, id: &str) -> Uid {
        let pair = (self.word(kind), self.word(id));
        self.pair(pair)
    }

    pub(crate) fn pair(&mut self, pair: (Word, Word)) -> Uid {
        let next = Uid(number(self.uids.len()));
        let uid = *self.by_pair.entry(pair).or_insert(next);
        if uid == next {
            self.uids.push(pair);
        }
        uid
    }

    /// The number of a text, when it has one.
    #[must_use]
    pub fn known_word(&self, text: &str) -> Option<Word> {
        self.by_text.get(text).copied()
    }

    pub(crate) fn known_uid(&self, pair: (Word, Word)) -> Option<Uid> {
        self.by_pair.get(&pair).copied()
    }

    pub(crate) fn words(&self) -> &[Arc<str>] {
        &self.words
    }

    pub(crate) fn uids(&self) -> &[(Word, Word)] {
        &self.uids
    }
}

/// LIMIT: four thousand millions; whoever fills a table has a limit far below.
pub(crate) fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Whoever gives numbers to texts and entities.
pub(crate) trait Numbers {
    fn word(&mut self, text: &str) -> Word;
    fn uid(&mut self, kind: &str, id: &str) -> Uid;
}

impl Numbers for Names {
    fn word(&mut self, text: &str) -> Word {
        Self::word(self, text)
    }

    fn uid(&mut self, kind: &str, id: &str) -> Uid {
        Self::uid(self, kind, id)
    }
}
