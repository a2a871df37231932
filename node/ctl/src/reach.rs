//! How to reach a node, and as whom: flags over the environment over a profile.

use crate::answer;
use crate::error::CtlError;
use crate::profile::Profile;
use crate::{secret, when};
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tessera_client::{ClientError, Config, Trust};
use tessera_model::limits::REASON_BYTES_MAX;
use tessera_model::{CommandId, Handle, Name, PublicId, Receipt, TenantId};

/// Where a node listens unless it is told otherwise.
const PORT: u16 = 7443;

/// How to reach the node.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "How to reach the node")]
pub(crate) struct Reach {
    /// A profile, or the folder that holds its client.toml (a node writes one into its data directory).
    /// Also TESSERA_PROFILE. Without it: ~/.config/tessera/client.toml.
    #[arg(long, global = true, value_name = "PATH")]
    profile: Option<PathBuf>,
    /// Where the node listens, on port 7443 unless named; also TESSERA_ADDRESS.
    #[arg(long, global = true, value_name = "HOST[:PORT]")]
    address: Option<String>,
    /// The name in the node's certificate, when it is not the host of the address; also
    /// TESSERA_SERVER_NAME.
    #[arg(long, global = true, value_name = "NAME")]
    server_name: Option<String>,
    /// The trusted certificates (PEM); also TESSERA_CA.
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The key or session to ask with; also TESSERA_KEY. Others on this machine can see arguments:
    /// --key-file is safer.
    #[arg(id = "reach_key", long = "key", global = true, value_name = "HANDLE")]
    key: Option<String>,
    /// A file that holds the key; also TESSERA_KEY_FILE.
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// With an operator's key: the tenant to act on, by name or id; `system` for the operators' own.
    /// Also TESSERA_TENANT.
    #[arg(id = "reach_tenant", long = "tenant", global = true, value_name = "TENANT")]
    tenant: Option<TenantRef>,
    /// How long to wait for an answer.
    #[arg(long, global = true, value_name = "SPAN", default_value = "10s", value_parser = when::patience)]
    timeout: Duration,
    /// Repeat a command whose outcome is not known, under the id that was printed then. Spans such as +7d
    /// count from the id's own time, so that the repeat is the same command.
    #[arg(long, global = true, value_name = "UUID", value_parser = command_id)]
    command_id: Option<CommandId>,
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Everything that the flags, the environment and the profile said.
#[derive(Clone)]
pub(crate) struct Settled {
    pub(crate) config: Config,
    /// The address as it was given.
    pub(crate) address: String,
    /// The tenant that the key belongs to.
    pub(crate) home: Option<TenantId>,
    /// The tenant that is meant, by flag.
    pub(crate) tenant: Option<TenantRef>,
    /// The tenant that an operator's key acts on without the flag: by variable or profile.
    pub(crate) default_tenant: Option<TenantRef>,
    pub(crate) profile: Profile,
    pub(crate) command_id: Option<CommandId>,
}

impl Reach {
    /// The profile that is meant; an empty one when there is none.
    pub(crate) fn profile(&self) -> Result<Profile, CtlError> {
        match self.profile.clone().or_else(|| variable("TESSERA_PROFILE").map(PathBuf::from)) {
            Some(path) => Profile::read(&path),
            None => Ok(Profile::personal()?.unwrap_or_default()),
        }
    }

    /// The trusted certificates' file, when one is named.
    pub(crate) fn ca(&self, profile: &Profile) -> Option<PathBuf> {
        let variable = || variable("TESSERA_CA").map(PathBuf::from);
        self.ca.clone().or_else(variable).or_else(|| profile.ca.clone())
    }

    /// The name that the node's certificate must hold, when one is named.
    pub(crate) fn server_name(&self, profile: &Profile) -> Option<String> {
        let variable = || variable("TESSERA_SERVER_NAME");
        self.server_name.clone().or_else(variable).or_else(|| profile.server_name.clone())
    }

    /// Puts together what was said, and looks the address up.
    pub(crate) async fn settle(&self) -> Result<Settled, CtlError> {
        let profile = self.profile()?;
        let address = self.address.clone().or_else(|| variable("TESSERA_ADDRESS"));
        let address = address.or_else(|| profile.address.clone()).ok_or_else(|| {
            CtlError::usage("where is the node?")
                .advise("give --profile PATH (a node writes one into its data directory), or --address HOST:PORT and --ca FILE")
        })?;
        let (address, host) = place(&address)?;
        let ca = self.ca(&profile).ok_or_else(|| {
            CtlError::usage("which certificates are trusted?").advise("give the file with --ca FILE")
        })?;
        let pem = std::fs::read(&ca).map_err(|error| {
            CtlError::config(format!("the trusted certificates {}: {error}", ca.display()))
        })?;
        let trust = Trust::roots_pem(&pem).map_err(|error| {
            if let ClientError::BadConfig(what) = error {
                CtlError::config(format!("{}: {what}", ca.display()))
            } else {
                CtlError::of(&error, &address)
            }
        })?;
        let server_name = self.server_name(&profile).unwrap_or(host);
        let found = tokio::net::lookup_host(&address).await;
        let mut addresses = found.map_err(|error| {
            let unreachable = CtlError::of(&ClientError::Unreachable(None), &address);
            unreachable.advise(format!("the address cannot be looked up: {error}"))
        })?;
        let unreachable = || CtlError::of(&ClientError::Unreachable(None), &address);
        let first = addresses.next().ok_or_else(unreachable)?;
        let mut config = Config::new(first, &server_name, trust);
        config.addresses.extend(addresses);
        config.deadline = self.timeout;
        config.streams = 1;
        config.credential = self.credential(&profile)?;
        let home = config.credential.as_deref().map(home).transpose()?;
        let default = variable("TESSERA_TENANT").or_else(|| profile.tenant.clone());
        let default_tenant = default.map(|text| text.parse()).transpose();
        let default_tenant = default_tenant.map_err(|error| {
            CtlError::config(format!("the tenant of TESSERA_TENANT or the profile: {error}"))
        })?;
        let (tenant, command_id) = (self.tenant.clone(), self.command_id);
        Ok(Settled { config, address, home, tenant, default_tenant, profile, command_id })
    }

    /// The file that the key is in, when it is in one.
    pub(crate) fn key_path(&self, profile: &Profile) -> Option<PathBuf> {
        let path = if self.key.is_some() {
            None
        } else if self.key_file.is_some() {
            self.key_file.clone()
        } else if variable("TESSERA_KEY").is_some() {
            None
        } else {
            variable("TESSERA_KEY_FILE").map(PathBuf::from).or_else(|| profile.key_file.clone())
        };
        path.filter(|path| path.as_os_str() != "-")
    }

    /// The key: from its flags, the environment or the profile. A profile's file may be missing.
    fn credential(&self, profile: &Profile) -> Result<Option<String>, CtlError> {
        if let Some(key) = &self.key {
            return Ok(Some(key.clone()));
        }
        if let Some(path) = &self.key_file {
            return secret::file(path).map(Some);
        }
        if let Some(key) = variable("TESSERA_KEY") {
            return Ok(Some(key));
        }
        if let Some(path) = variable("TESSERA_KEY_FILE") {
            return secret::file(&PathBuf::from(path)).map(Some);
        }
        match profile.key_file.as_ref().filter(|path| path.exists()) {
            Some(path) => secret::file(path).map(Some),
            None => Ok(None),
        }
    }
}

/// An address with its port, and the host in it, which the certificate names: `host`, `host:port`, an IPv6
/// address in brackets, or alone without a port.
fn place(text: &str) -> Result<(String, String), CtlError> {
    let wrong = |what: &str| {
        Err(CtlError::usage(format!("the address {text:?} cannot be used: {what}"))
            .advise("an address is HOST or HOST:PORT: id.example.org, 127.0.0.1:7443, [::1]:7443"))
    };
    let (host, port) = match text.rsplit_once(':') {
        _ if text.parse::<Ipv6Addr>().is_ok() => (text, None),
        None => (text, None),
        Some((_, port)) if port.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
    };
    let port = match port.map(str::parse::<u16>) {
        None => PORT,
        Some(Ok(port)) if port != 0 => port,
        Some(_) => return wrong("its port is no number from 1 to 65535"),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let six = bare.contains(':');
    if bare.is_empty() || bare.contains(['[', ']', '/', ' ']) || six && bare.parse::<Ipv6Addr>().is_err() {
        return wrong("its host is none");
    }
    let whole = if six { format!("[{bare}]:{port}") } else { format!("{bare}:{port}") };
    Ok((whole, bare.to_owned()))
}

/// A variable of the environment; an empty one is none.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The tenant that a key belongs to.
fn home(key: &str) -> Result<TenantId, CtlError> {
    Handle::parse_text(key)
        .map(|handle| handle.tenant)
        .map_err(|error| CtlError::config(format!("the key cannot be used: {error}")))
}

/// A tenant as people name it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum TenantRef {
    Id(TenantId),
    Name(Name),
}

impl FromStr for TenantRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "system" {
            return Ok(Self::Id(TenantId::SYSTEM));
        }
        match TenantId::parse(text) {
            Some(id) => Ok(Self::Id(id)),
            None => name(text).map(Self::Name),
        }
    }
}

impl std::fmt::Display for TenantRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(TenantId::SYSTEM) => f.write_str("system"),
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// Reads a name.
pub(crate) fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| error.to_string())
}

/// Reads the name of a tenant to be.
pub(crate) fn tenant_name(text: &str) -> Result<Name, String> {
    Name::of_tenant(text).map_err(|error| error.to_string())
}

/// Reads a pattern of permissions.
pub(crate) fn scope(text: &str) -> Result<String, String> {
    tessera_model::Scope::parse(text.as_bytes())
        .map_err(|error| error.to_string())
        .map(|scope| scope.to_string())
}

pub(crate) fn pattern(text: &str) -> Result<tessera_model::Pattern, String> {
    tessera_model::Pattern::new(text).map_err(|error| error.to_string())
}

/// Reads why something is done.
pub(crate) fn because(text: &str) -> Result<String, String> {
    if text.len() > REASON_BYTES_MAX {
        return Err(format!("a reason has {REASON_BYTES_MAX} bytes at most"));
    }
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err("a reason is one line of text, and not empty".to_owned());
    }
    Ok(text.to_owned())
}

/// Reads a network.
pub(crate) fn network(text: &str) -> Result<tessera_model::Network, String> {
    tessera_model::Network::parse(text).map_err(|error| error.to_string())
}

/// Reads a public id.
pub(crate) fn public_id(text: &str) -> Result<PublicId, String> {
    PublicId::parse(text).ok_or_else(|| "an id looks like 0190163d-8694-739b-aea5-966c26f8ad90".to_owned())
}

fn command_id(text: &str) -> Result<CommandId, String> {
    public_id(text).map(|id| CommandId(id.0))
}

/// Reads a receipt.
pub(crate) fn at_least(text: &str) -> Result<Receipt, String> {
    answer::receipt(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: an address without a port has the node's own; what is no address is a mistake of the
    /// command line.
    #[test]
    fn addresses_have_ports() {
        for (text, whole, host) in [
            ("id.example.org", "id.example.org:7443", "id.example.org"),
            ("id.example.org:1", "id.example.org:1", "id.example.org"),
            ("127.0.0.1", "127.0.0.1:7443", "127.0.0.1"),
            ("::1", "[::1]:7443", "::1"),
            ("[::1]", "[::1]:7443", "::1"),
            ("[::1]:65535", "[::1]:65535", "::1"),
        ] {
            let (found, name) = place(text).expect(text);
            assert_eq!((found.as_str(), name.as_str()), (whole, host));
        }
        for bad in ["", ":7443", "host:", "host:0", "host:65536", "host:x", "a:b:c", "https://host", "[::1"] {
            assert_eq!(place(bad).expect_err(bad).exit(), 2, "{bad}");
        }
    }

    /// PROPERTY: an id of 16 digits is an id, `system` is tenant 0, all else is a name; each prints back.
    #[test]
    fn tenants_are_named() {
        for text in ["system", "0001000000000002", "acme", "0001"] {
            assert_eq!(text.parse::<TenantRef>().expect(text).to_string(), text);
        }
        assert_eq!("system".parse(), Ok(TenantRef::Id(TenantId(0))));
        assert!("a b".parse::<TenantRef>().is_err());
    }
}
