//! The certificate: whether it belongs to its key, and how long it still holds.

use super::finding::Finding;
use crate::config::Config;
use crate::exit;
use crate::tls;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use tessera_accept::{Identity, Validity};
use tessera_model::UnixMillis;

const NAME: &str = "certificate";
/// LIMIT: with so many days left it should have been renewed: authorities that renew by themselves do it 30 days before.
const DAYS_LEFT: u64 = 21;
const DAY: u64 = 86_400;

/// Looks at the certificate that the node shows.
pub(crate) fn look(config: &Config, now_s: u64) -> Finding {
    let (chain, key) = tls::files(config);
    match tls::is_wanting(config) {
        Ok(true) => {
            return Finding::ok(NAME, "none is configured: serve makes a self-signed one for quic.names");
        }
        Ok(false) => {}
        Err(error) => return Finding::fail(NAME, error.code, error.what, "bring both files back"),
    }
    let read =
        |path: &std::path::Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let pair = read(&chain).and_then(|chain| read(&key).map(|key| (chain, key)));
    let files = "bring quic.certificate_file and quic.key_file, both in PEM and of one pair";
    let (chain_pem, key_pem) = match pair {
        Ok(pair) => pair,
        Err(what) => return Finding::fail(NAME, exit::CONFIG, what, files),
    };
    if let Err(error) = Identity::new(&chain_pem, &key_pem) {
        return Finding::fail(NAME, exit::CONFIG, format!("{}: {error}", chain.display()), files);
    }
    let validity = match Validity::of_chain(&chain_pem) {
        Ok(validity) => validity,
        Err(error) => {
            return Finding::fail(NAME, exit::CONFIG, format!("{}: {error}", chain.display()), files);
        }
    };
    let open = std::fs::metadata(&key).is_ok_and(|about| about.permissions().mode() & 0o077 != 0);
    if open {
        let shown = key.display();
        return Finding::warn(
            NAME,
            format!("{shown} can be read by others on this machine"),
            format!("chmod 600 {shown}"),
        );
    }
    judge(&chain.display().to_string(), validity, now_s)
}

fn judge(shown: &str, validity: Validity, now_s: u64) -> Finding {
    let at = |seconds: u64| UnixMillis(seconds.saturating_mul(1_000));
    let Validity { from, until } = validity;
    let whole = until.saturating_sub(from);
    let left = until.saturating_sub(now_s);
    // A short-lived one is due when two thirds of its life have passed.
    let due = (DAYS_LEFT * DAY).min(whole / 3);
    let renew = "renew it; a node that runs takes the new files into use by itself";
    let finding = if now_s < from {
        Finding::fail(
            NAME,
            exit::CONFIG,
            format!("{shown} does not hold before {}", at(from)),
            "set the clock right, or bring a certificate that holds",
        )
    } else if now_s >= until {
        Finding::fail(
            NAME,
            exit::CONFIG,
            format!("{shown} has ended at {}: no caller takes it", at(until)),
            renew,
        )
    } else if left < due {
        Finding::warn(NAME, format!("{shown} ends at {}, in {} days", at(until), left / DAY), renew)
    } else {
        Finding::ok(NAME, format!("{shown} belongs to its key and holds until {}", at(until)))
    };
    finding.with(
        json!({ "from": at(from).to_string(), "until": at(until).to_string(), "days_left": left / DAY }),
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    /// PROPERTY: a certificate that has ended, has not begun, or ends soon is told; of one with a short life a third is soon.
    #[test]
    fn certificates_that_end_are_told() {
        let of = |from: u64, until: u64, now: u64| {
            judge("node.pem", Validity { from: from * DAY, until: until * DAY }, now * DAY).level
        };
        assert_eq!((of(10, 375, 9), of(10, 375, 10)), (Level::Fail, Level::Ok));
        assert_eq!((of(10, 375, 354), of(10, 375, 355)), (Level::Ok, Level::Warn));
        assert_eq!((of(10, 375, 374), of(10, 375, 375)), (Level::Warn, Level::Fail));
        assert_eq!((of(10, 16, 14), of(10, 16, 15)), (Level::Ok, Level::Warn));
    }

    /// PROPERTY: no certificate of its own is fine, a configured one that is missing, is none, or is another key's fails; an
    /// open key warns.
    #[test]
    fn certificates_that_do_not_hold_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::development(folder.path());
        assert_eq!(look(&config, 0).level, Level::Ok);
        tls::first(&config).expect("made");
        let now = 1_790_000_000;
        assert_eq!(look(&config, now).level, Level::Ok, "{}", look(&config, now).what);
        let (chain, key) = tls::files(&config);
        config.quic.certificate_file = chain.clone();
        config.quic.key_file = folder.path().join("other.key");
        assert_eq!(look(&config, now).level, Level::Fail);
        std::fs::write(&config.quic.key_file, rcgen::KeyPair::generate().expect("a key").serialize_pem())
            .expect("written");
        let other = look(&config, now);
        assert!(other.level == Level::Fail && other.what.contains("belong together"), "{}", other.what);
        config.quic.key_file = key.clone();
        assert_eq!(look(&config, now).level, Level::Ok);
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).expect("mode");
        assert_eq!(look(&config, now).level, Level::Warn);
        std::fs::write(&chain, "no PEM").expect("written");
        assert_eq!((look(&config, now).level, look(&config, now).code), (Level::Fail, exit::CONFIG));
    }
}
