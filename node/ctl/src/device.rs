//! `tessera device`: what people sign in on, how far it is trusted, and what its sessions may use.

use crate::answer::{Answer, instant, put_instant, shown, texts};
use crate::device_key::{self, Signer};
use crate::error::CtlError;
use crate::link::{Link, Who, Window};
use crate::reach;
use crate::table::Table;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use tessera_client::DeviceSigner as _;
use tessera_client::wire::{DevicePolicyRow, DeviceRow, Request};
use tessera_model::{Challenge, DeviceKey, Name, Pattern, PublicId, Thumbprint, Trust};

/// What can be done with devices.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum DeviceVerb {
    /// Register a device of a user by its key, as unverified. Users do that for their own, too.
    #[command(
        after_help = "The key is given as it is, or named by its thumbprint (RFC 7638, SHA-256), which is what is kept of it. A program\nthat plays a device has its private key in a file, which is made here.\n\nExamples:\n  tessera device register amy@example.org phone --make-key phone.key\n  tessera device register amy@example.org phone --public-key 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\n  tessera device register amy@example.org phone --thumbprint NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    )]
    Register {
        /// Whose: public id, email, phone number or username.
        who: Who,
        /// What it is called.
        #[arg(value_parser = reach::name)]
        name: Name,
        #[command(flatten)]
        key: KeyOf,
    },
    /// Prove that a device holds its key, for a session that is opened over HTTP: the proof is good once, for two minutes.
    #[command(
        after_help = "Examples:\n  tessera device prove 0190163d-8694-739b-aea5-966c26f8ad90 --with-key phone.key\n  tessera device prove 0190163d-8694-739b-aea5-966c26f8ad90 --with-key phone.key --challenge AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    )]
    Prove {
        /// Its public id.
        #[arg(value_parser = reach::public_id)]
        device: PublicId,
        /// The file that holds its private key (PKCS#8 in PEM, P-256 or Ed25519).
        #[arg(long, value_name = "FILE")]
        with_key: PathBuf,
        /// What it is to sign, where it was asked for elsewhere.
        #[arg(long, value_name = "BASE64URL", value_parser = challenge_text)]
        challenge: Option<Challenge>,
    },
    /// List the devices of a user, revoked ones included.
    #[command(
        after_help = "Examples:\n  tessera device list amy@example.org\n  tessera device list amy@example.org --all --json"
    )]
    List {
        /// Public id, email, phone number or username.
        who: Who,
        #[command(flatten)]
        window: Window,
    },
    /// Say how far a device is trusted; it acts at the next check of its sessions.
    #[command(after_help = "Example:\n  tessera device trust 0190163d-8694-739b-aea5-966c26f8ad90 managed")]
    Trust {
        /// Its public id.
        #[arg(value_parser = reach::public_id)]
        device: PublicId,
        /// unverified, known, managed or hardened.
        #[arg(value_parser = trust)]
        level: Trust,
    },
    /// Set what sessions on one device may use at most, beside the ceiling of its level.
    #[command(
        after_help = "Examples:\n  tessera device limit 0190163d-8694-739b-aea5-966c26f8ad90 orders.read\n  tessera device limit 0190163d-8694-739b-aea5-966c26f8ad90"
    )]
    Limit {
        /// Its public id.
        #[arg(value_parser = reach::public_id)]
        device: PublicId,
        /// Names of permissions, or beginnings with *; none for no ceiling.
        #[arg(value_parser = reach::pattern)]
        patterns: Vec<Pattern>,
    },
    /// Revoke a device for ever: its sessions end. Users do that with their own, too.
    #[command(after_help = "Example:\n  tessera device revoke 0190163d-8694-739b-aea5-966c26f8ad90")]
    Revoke {
        /// Its public id.
        #[arg(value_parser = reach::public_id)]
        device: PublicId,
    },
    /// Show what the tenant asks of devices: the ceiling of each level, and whether one is required.
    #[command(after_help = "Example:\n  tessera device policy")]
    Policy,
    /// Set what sessions on devices of one level may use at most.
    #[command(
        after_help = "Examples:\n  tessera device limit-level unverified 'orders.read' 'profile.*'\n  tessera device limit-level unverified"
    )]
    LimitLevel {
        /// unverified, known, managed or hardened.
        #[arg(value_parser = trust)]
        level: Trust,
        /// Names of permissions, or beginnings with *; none for no ceiling.
        #[arg(value_parser = reach::pattern)]
        patterns: Vec<Pattern>,
    },
    /// Say whether sessions of persons open on devices only. Those that are open stay.
    #[command(after_help = "Examples:\n  tessera device require on\n  tessera device require off")]
    Require {
        /// on or off.
        #[arg(value_parser = ["on", "off"])]
        switch: String,
    },
}

/// By which key a device is registered.
#[derive(Clone, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct KeyOf {
    /// The thumbprint of its key.
    #[arg(long, value_name = "BASE64URL", value_parser = thumbprint)]
    thumbprint: Option<Thumbprint>,
    /// Its public key: 65 bytes of P-256, not compressed, or 32 of Ed25519.
    #[arg(long, value_name = "BASE64URL", value_parser = public_key)]
    public_key: Option<DeviceKey>,
    /// Make a private key of P-256, and keep it in this file, for its owner only.
    #[arg(long, value_name = "FILE")]
    make_key: Option<PathBuf>,
    /// The file that holds its private key (PKCS#8 in PEM, P-256 or Ed25519).
    #[arg(long, value_name = "FILE")]
    device_key: Option<PathBuf>,
}

impl KeyOf {
    fn public(&self) -> Result<Option<DeviceKey>, CtlError> {
        if let Some(path) = &self.make_key {
            return Ok(Some(Signer::make(path)?.public_key()));
        }
        if let Some(path) = &self.device_key {
            return Ok(Some(Signer::read(path)?.public_key()));
        }
        Ok(self.public_key)
    }
}

fn public_key(text: &str) -> Result<DeviceKey, String> {
    DeviceKey::parse(text).ok_or_else(|| {
        "a public key is base64url of 65 bytes (P-256, not compressed) or of 32 (Ed25519)".to_owned()
    })
}

fn challenge_text(text: &str) -> Result<Challenge, String> {
    Challenge::parse(text).ok_or_else(|| "a challenge is 48 characters of base64url".to_owned())
}

fn thumbprint(text: &str) -> Result<Thumbprint, String> {
    Thumbprint::parse(text)
        .ok_or_else(|| "a thumbprint is 43 characters of base64url (RFC 7638, SHA-256)".to_owned())
}

fn trust(text: &str) -> Result<Trust, String> {
    Trust::from_name(text).ok_or_else(|| format!("a level is one of {}", Trust::NAMES.join(", ")))
}

/// Patterns for a cell.
fn below(patterns: &[Pattern]) -> String {
    if patterns.is_empty() { "-".to_owned() } else { texts(patterns).join(" ") }
}

/// A ceiling as the end of a sentence.
fn at_most(patterns: &[Pattern]) -> String {
    if patterns.is_empty() {
        "have no ceiling".to_owned()
    } else {
        format!("may use at most {}", below(patterns))
    }
}

fn devices(rows: &[DeviceRow]) -> (Table, Value) {
    let mut table = Table::new(&["DEVICE", "NAME", "TRUST", "CEILING", "REGISTERED", "REVOKED"]);
    let mut listed = Vec::new();
    for row in rows {
        let (registered, revoked) = (instant(row.registered), instant(row.revoked));
        table.row([
            row.device.to_string(),
            row.name.to_string(),
            row.trust.name().to_owned(),
            below(&row.ceiling),
            shown(registered),
            shown(revoked),
        ]);
        let mut json = Map::new();
        json.insert("device".into(), json!(row.device.to_string()));
        json.insert("subject".into(), json!(row.subject.to_string()));
        json.insert("name".into(), json!(row.name.as_str()));
        json.insert("thumbprint".into(), json!(row.key.to_string()));
        json.insert("trust".into(), json!(row.trust.name()));
        json.insert("ceiling".into(), json!(texts(&row.ceiling)));
        put_instant(&mut json, "registered", registered);
        put_instant(&mut json, "revoked", revoked);
        listed.push(Value::Object(json));
    }
    (table, Value::Array(listed))
}

async fn policy(link: &Link) -> Result<Answer, CtlError> {
    let page = link.page::<DevicePolicyRow>(&Request::ReadDevicePolicy {}).await?;
    let required = page.rows.iter().any(|row| row.required);
    let mut table = Table::new(&["TRUST", "CEILING"]);
    let mut levels = Vec::new();
    for row in &page.rows {
        table.row([row.trust.name().to_owned(), below(&row.ceiling)]);
        levels.push(json!({ "trust": row.trust.name(), "ceiling": texts(&row.ceiling) }));
    }
    let told = if required { "Sessions of persons open on devices only." } else { "No device is required." };
    Ok(Answer::said(table.to_string()).line(told).with("levels", levels).with("required", required))
}

impl DeviceVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Register { who, name, key } => {
                let subject = link.id_of(&who).await?;
                let (thumbprint, public_key) = (key.thumbprint, key.public()?);
                let (name, key) = (name.clone(), thumbprint);
                let request = Request::RegisterDevice { subject, name: name.clone(), key, public_key };
                let made = link.order(&request).await?;
                let device = made.device.ok_or_else(|| CtlError::unnamed(&made, "device"))?;
                let text = format!("Device {name} of {who} is registered: {device}");
                let answer = Answer::said(text).with("device", device.to_string());
                Ok(answer.with("subject", subject.to_string()).made(&made))
            }
            Self::Prove { device, with_key, challenge } => {
                let signer = Signer::read(&with_key)?;
                let challenge = match challenge {
                    Some(challenge) => challenge,
                    None => device_key::challenge(link, device).await?.challenge,
                };
                let proof = signer.prove(device, challenge)?.to_string();
                Ok(Answer::said(proof.clone()).with("device", device.to_string()).with("proof", proof))
            }
            Self::List { who, window } => {
                let subject = link.id_of(&who).await?;
                let request = |after, limit| Request::ListDevices { subject, after, limit };
                let found = window.read::<DeviceRow>(link, request).await?;
                let (table, listed) = devices(&found.rows);
                let answer = Answer::said(table.to_string()).with("subject", subject.to_string());
                Ok(found.told(answer.with("devices", listed)))
            }
            Self::Trust { device, level } => {
                let made = link.order(&Request::TrustDevice { device, trust: level }).await?;
                let answer = Answer::said(format!("The device is {} now.", level.name()));
                Ok(answer.with("device", device.to_string()).with("trust", level.name()).made(&made))
            }
            Self::Limit { device, patterns } => {
                let made = link.order(&Request::LimitDevice { device, patterns: patterns.clone() }).await?;
                let answer = Answer::said(format!("Sessions on it {} by itself.", at_most(&patterns)));
                Ok(answer.with("device", device.to_string()).with("ceiling", texts(&patterns)).made(&made))
            }
            Self::Revoke { device } => {
                let made = link.order(&Request::RevokeDevice { device }).await?;
                let answer = Answer::said("The device is revoked: its sessions ended.");
                Ok(answer.with("device", device.to_string()).made(&made))
            }
            Self::Policy => policy(link).await,
            Self::LimitLevel { level, patterns } => {
                let request = Request::LimitTrust { trust: level, patterns: patterns.clone() };
                let made = link.order(&request).await?;
                let text = format!("Sessions on {} devices {}.", level.name(), at_most(&patterns));
                let answer = Answer::said(text).with("trust", level.name());
                Ok(answer.with("ceiling", texts(&patterns)).made(&made))
            }
            Self::Require { switch } => {
                let required = switch == "on";
                let made = link.order(&Request::RequireDevices { required }).await?;
                let text = if required {
                    "Sessions of persons open on devices only, from now on."
                } else {
                    "Sessions open without a device, too."
                };
                Ok(Answer::said(text).with("required", required).made(&made))
            }
        }
    }
}
