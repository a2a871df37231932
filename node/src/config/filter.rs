//! What may stand in `log.filter`: a level, or pairs of target and level. A word that is neither would be
//! taken for a target that nobody has, and the log would fall silent.

use super::locate::nearest;

/// The levels, from none to all.
const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
}

fn is_target(word: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-');
    !word.is_empty() && word.bytes().all(sound)
}

/// What is wrong with a filter, and what to write instead.
pub(super) fn fault(filter: &str) -> Option<String> {
    let form = "a level is off, error, warn, info, debug or trace; a pair is TARGET=LEVEL, such as tessera_engine=debug";
    filter.split(',').map(str::trim).find_map(|word| match word.split_once('=') {
        None if is_level(word) => None,
        None => Some(match nearest(&word.to_ascii_lowercase(), LEVELS).filter(|_| !word.is_empty()) {
            Some(level) => format!("has {word:?}, which is no level; did you mean {level}?"),
            None => format!("has {word:?}, which is neither a level nor a pair: {form}"),
        }),
        Some((target, level)) if is_target(target) && is_level(level) => None,
        Some((target, level)) if is_target(target) => {
            Some(format!("has {level:?} for {target}, which is no level: {form}"))
        }
        Some((target, _)) => Some(format!("has {target:?}, which is no target: {form}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::EnvFilter;

    /// PROPERTY: what passes here is taken by the log too; a word that is neither a level nor a pair does
    /// not pass, and a slip finds its level.
    #[test]
    fn filters_are_levels_or_pairs() {
        for sound in
            ["info", "WARN", "off", "warn,tessera_engine=debug", "tessera_transport::door=trace, error"]
        {
            assert_eq!(fault(sound), None, "{sound}");
            assert!(EnvFilter::try_new(sound).is_ok(), "{sound}");
        }
        for bad in ["", "banana", "info,", "info,banana", "=debug", "tessera_engine=", "a b=info", "7"] {
            assert!(fault(bad).is_some(), "{bad}");
        }
        assert!(fault("inof").expect("a slip").contains("did you mean info?"));
    }
}
