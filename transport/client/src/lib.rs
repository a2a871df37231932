//! The caller's side of Tessera: connect once, ask from any task.
//!
//! One [`Client`] keeps a few QUIC connections and pipelines every call over them. It reconnects by
//! itself, repeats within the deadline what may be repeated (a command under the same command id), and
//! fails closed: without an answer there is no Permit.
//!
//! ```no_run
//! # async fn example() -> Result<(), tessera_client::ClientError> {
//! use tessera_client::{Client, Config, Trust};
//!
//! let trust = Trust::roots_pem(b"-----BEGIN CERTIFICATE-----...")?;
//! let mut config = Config::new("127.0.0.1:7443".parse().unwrap(), "localhost", trust);
//! config.credential = Some("tkey_...".to_owned());
//! let client = Client::connect(config).await?;
//!
//! let signed_in = client.sign_in("amy@example.org", "correct horse battery staple").await?;
//! let handle = signed_in.handle_text().unwrap_or_default();
//! if client.is_permitted(&handle, "orders.read", None).await {
//!     // go on
//! }
//! # Ok(())
//! # }
//! ```

mod authorize;
mod call;
mod client;
mod config;
mod device;
mod double;
mod error;
mod events;
mod ids;
mod inspect;
mod lane;
mod link;
mod load;
mod pages;
mod pool;
mod refresh;
mod relations;
mod resource;
mod routes;
mod tls;
mod touched;
mod visibility;

pub use authorize::{Authorized, Wanted};
pub use client::{Client, Found};
pub use config::{Balance, Config};
pub use device::DeviceSigner;
pub use double::Permitted;
pub use error::ClientError;
pub use events::EventWatch;
pub use pages::Pages;
pub use relations::{Beside, RelationStep, tuple};
pub use tls::Trust;

pub use tessera_wire as wire;
