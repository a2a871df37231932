//! Examples in the help of every word: what only leads to others shows theirs.

use clap::Command;

/// Words of a group whose first example is shown with the group.
const SHOWN: usize = 4;

/// The command line, with examples in the help of those groups of words that say none of their own.
pub(crate) fn with_examples(line: Command) -> Command {
    let mut line = line;
    for name in line.get_subcommands().map(|word| word.get_name().to_owned()).collect::<Vec<_>>() {
        line = line.mut_subcommand(name, with_examples);
    }
    if line.get_after_help().is_some() || !line.has_subcommands() {
        return line;
    }
    let shown: Vec<String> = line.get_subcommands().filter_map(first_example).take(SHOWN).collect();
    if shown.is_empty() { line } else { line.after_help(format!("Examples:\n{}", shown.join("\n"))) }
}

/// The first line of a command's examples.
fn first_example(word: &Command) -> Option<String> {
    let text = word.get_after_help()?.to_string();
    text.lines().find(|line| line.starts_with("  tessera ")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command below this one, with how it is called.
    fn all(line: &Command, called: &str, found: &mut Vec<(String, Command)>) {
        found.push((called.to_owned(), line.clone()));
        for word in line.get_subcommands().filter(|word| word.get_name() != "help") {
            all(word, &format!("{called} {}", word.get_name()), found);
        }
    }

    /// Lines of examples that a shell would hand over as they stand.
    fn plain(text: &str) -> impl Iterator<Item = Vec<&str>> {
        let lines = text.lines().filter(|line| line.starts_with("  tessera "));
        let shell = |line: &&str| !line.contains(['|', '<', '>', '$', '\'', '"', '\\', ';', '&', '#']);
        lines.filter(shell).map(|line| line.split_whitespace().collect())
    }

    /// PROPERTY: every word of the command line, groups of words included, shows an example in its help, and every
    /// example that is one plain line is understood.
    #[test]
    fn every_help_has_examples_that_are_understood() {
        let line = crate::command::whole();
        let mut found = Vec::new();
        all(&line, "tessera", &mut found);
        assert!(found.len() > 150, "{}", found.len());
        let mut tried = 0;
        for (called, word) in found {
            let text = word.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(text.contains("Example"), "{called}: no example");
            for words in plain(&text) {
                tried += 1;
                if let Err(error) = line.clone().try_get_matches_from(&words) {
                    panic!("{called}: {}: {error}", words.join(" "));
                }
            }
        }
        assert!(tried > 150, "{tried}");
    }
}
