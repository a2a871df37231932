//! Forms of texts: letters, and stars that stand for any letters.

/// A form: the parts between its stars.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    parts: Vec<Box<str>>,
}

impl Pattern {
    /// A form from its letters; `None` is a star.
    #[must_use]
    pub fn new(letters: impl IntoIterator<Item = Option<char>>) -> Self {
        let mut parts = vec![String::new()];
        for letter in letters {
            match (letter, parts.last_mut()) {
                (Some(letter), Some(part)) => part.push(letter),
                (None, _) | (Some(_), None) => parts.push(String::new()),
            }
        }
        Self { parts: parts.into_iter().map(String::into_boxed_str).collect() }
    }

    /// The parts between its stars.
    pub(crate) fn parts(&self) -> &[Box<str>] {
        &self.parts
    }

    /// A form of these parts.
    pub(crate) const fn of(parts: Vec<Box<str>>) -> Self {
        Self { parts }
    }

    /// Whether the whole text has this form.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let Some((first, others)) = self.parts.split_first() else { return text.is_empty() };
        let Some((last, middle)) = others.split_last() else { return **first == *text };
        let Some(rest) = text.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last)) else {
            return false;
        };
        // Taking the first place of each part leaves the most for those behind it.
        let mut rest = rest;
        for part in middle {
            let Some(at) = rest.find(&**part) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow answer: every way to cut the text.
    fn slow(form: &[Option<char>], text: &[char]) -> bool {
        match form.split_first() {
            None => text.is_empty(),
            Some((None, rest)) => (0..=text.len()).any(|cut| slow(rest, &text[cut..])),
            Some((Some(letter), rest)) => text.first() == Some(letter) && slow(rest, &text[1..]),
        }
    }

    /// PROPERTY: a form matches what the slow answer matches. METHOD: all short forms and texts of two letters.
    #[test]
    fn forms_match() {
        let letters = [Some('a'), Some('\u{e9}'), None];
        let mut forms: Vec<Vec<Option<char>>> = vec![Vec::new()];
        let mut texts: Vec<Vec<char>> = vec![Vec::new()];
        for from in 0..121 {
            forms.extend(letters.map(|letter| [forms[from].as_slice(), &[letter]].concat()));
        }
        for from in 0..63 {
            texts.extend(['a', '\u{e9}'].map(|letter| [texts[from].as_slice(), &[letter]].concat()));
        }
        for form in &forms {
            let pattern = Pattern::new(form.iter().copied());
            for text in &texts {
                let whole: String = text.iter().collect();
                assert_eq!(pattern.matches(&whole), slow(form, text), "{form:?} {whole}");
            }
        }
    }
}
