//! `tessera fleet`: the cells of a fleet, as one of its nodes sees them.

use crate::answer::{self, Answer};
use crate::error::CtlError;
use crate::link::{Link, Window};
use crate::moving::ask_settled;
use crate::secret::confirm;
use crate::table::Table;
use serde_json::{Map, Value, json};
use tessera_client::wire::{CellRow, FleetRow, PeerRow, PlacementRow, Request};
use tessera_model::moving::SettleWay;
use tessera_model::{TenantId, UnixMillis, grouped};

/// What can be asked about a fleet.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum FleetVerb {
    /// The cells, which of them the node reaches, what each of them has, and where two say otherwise. Exit code 1 when a
    /// cell is not reached, has another fleet file, or says otherwise.
    #[command(after_help = "Examples:\n  tessera fleet status\n  tessera fleet status --json")]
    Status,
    /// Where tenants live that are not where they were born, or were not at some time.
    #[command(after_help = "Examples:\n  tessera fleet placements\n  tessera fleet placements --all --json")]
    Placements(Window),
    /// Open the tenants of a cell that was restored although not all other cells have been heard. Only where no tenant has
    /// left it since its backup was taken: one that has would be answered by two cells.
    #[command(after_help = "Examples:\n  tessera fleet open\n  tessera fleet open --yes")]
    Open {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// A cell with what is known of it.
struct Seen {
    cell: CellRow,
    own: bool,
    reached: bool,
    asked: UnixMillis,
    trouble: Option<String>,
    version: u64,
    tenants: u64,
    placements: u64,
    differs: u64,
}

impl Seen {
    fn of(cell: CellRow, own: &FleetRow, peers: &[PeerRow]) -> Self {
        let is_own = cell.cell == own.cell;
        let peer = peers.iter().find(|peer| peer.cell == cell.cell);
        Self {
            own: is_own,
            reached: is_own || peer.is_some_and(|peer| peer.reached),
            asked: peer.map_or(UnixMillis(0), |peer| peer.seen),
            trouble: peer.and_then(|peer| peer.trouble.clone()),
            version: if is_own { own.version } else { peer.map_or(0, |peer| peer.version) },
            tenants: if is_own { own.tenants } else { peer.map_or(0, |peer| peer.tenants) },
            placements: if is_own { own.placements } else { peer.map_or(0, |peer| peer.placements) },
            differs: peer.map_or(0, |peer| peer.differs),
            cell,
        }
    }

    /// What is not as it should be, in a word or two.
    fn state(&self, version: u64) -> &'static str {
        match self {
            Self { own: true, .. } => "asked",
            Self { reached: false, asked: UnixMillis(0), .. } => "not asked yet",
            Self { reached: false, .. } => "not reached",
            Self { differs: 1.., .. } => "says otherwise",
            _ if self.version != version => "another file",
            _ => "reached",
        }
    }

    fn object(&self, version: u64) -> Value {
        let mut object = Map::new();
        let fields = json!({
            "cell": self.cell.name, "number": self.cell.cell, "address": self.cell.address,
            "certificate": self.cell.certificate, "http": self.cell.http, "own": self.own,
            "reached": self.reached, "state": self.state(version), "version": self.version,
            "tenants": self.tenants, "placements": self.placements, "differs": self.differs,
            "trouble": self.trouble,
        });
        object.extend(fields.as_object().cloned().unwrap_or_default());
        answer::put_instant(&mut object, "asked", Some(self.asked).filter(|asked| asked.0 > 0));
        Value::Object(object)
    }
}

impl FleetVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Status => status(link).await,
            Self::Placements(window) => placements(link, &window).await,
            Self::Open { yes } => open(link, yes).await,
        }
    }
}

async fn own(link: &Link) -> Result<FleetRow, CtlError> {
    let row = link.page::<FleetRow>(&Request::ReadFleet {}).await?.rows.pop();
    row.ok_or_else(|| {
        CtlError::unknown("the node belongs to no fleet")
            .advise("fleet.file and fleet.cell in its configuration")
    })
}

async fn status(link: &Link) -> Result<Answer, CtlError> {
    let own = own(link).await?;
    let peers = link.page::<PeerRow>(&Request::ListPeers {}).await?.rows;
    let cells = Window::all().read(link, |after, limit| Request::ListCells { after, limit }).await?.rows;
    let seen: Vec<Seen> = cells.into_iter().map(|cell| Seen::of(cell, &own, &peers)).collect();
    let mut table =
        Table::new(&["NUMBER", "CELL", "ADDRESS", "STATE", "FILE", "TENANTS", "PLACED", "DIFFER"]);
    for one in &seen {
        table.row([
            one.cell.cell.to_string(),
            one.cell.name.clone(),
            one.cell.address.clone(),
            one.state(own.version).to_owned(),
            one.version.to_string(),
            grouped(one.tenants),
            grouped(one.placements),
            grouped(one.differs),
        ]);
    }
    let sound = seen.iter().all(|one| matches!(one.state(own.version), "asked" | "reached"));
    let objects: Vec<Value> = seen.iter().map(|one| one.object(own.version)).collect();
    let mut answer = Answer::said(table.to_string());
    for one in &seen {
        if let Some(trouble) = &one.trouble {
            answer = answer.line(format!("{}: {trouble}", one.cell.name));
        }
    }
    let unheard = own.unheard == Some(true);
    if unheard {
        answer = answer.line(format!(
            "Cell {} was restored: its tenants are closed until all other cells have answered (tessera fleet open)",
            own.name
        ));
    }
    let sound = sound && !unheard;
    let answer = answer
        .with("waits", unheard)
        .with("version", own.version)
        .with("cell", own.name.as_str())
        .with("sound", sound)
        .with("cells", objects);
    Ok(if sound { answer } else { answer.denied() })
}

async fn open(link: &Link, yes: bool) -> Result<Answer, CtlError> {
    let own = own(link).await?;
    confirm(yes, "Opening tenants that may live in another cell by now", &own.name)?;
    ask_settled(link, TenantId::SYSTEM, (SettleWay::TrustOwn, true)).await?;
    Ok(Answer::said(format!("The tenants of cell {} are open.", own.name)).with("cell", own.name.as_str()))
}

async fn placements(link: &Link, window: &Window) -> Result<Answer, CtlError> {
    own(link).await?;
    let cells = Window::all().read(link, |after, limit| Request::ListCells { after, limit }).await?.rows;
    let name = |number: u32| {
        let known = cells.iter().find(|cell: &&CellRow| cell.cell == number);
        known.map_or_else(|| number.to_string(), |cell| cell.name.clone())
    };
    let found =
        window.read::<PlacementRow>(link, |after, limit| Request::ListPlacements { after, limit }).await?;
    let mut table = Table::new(&["TENANT", "EPOCH", "CELL"]);
    let mut rows: Vec<Value> = Vec::new();
    for row in &found.rows {
        table.row([row.tenant.to_string(), row.epoch.to_string(), name(row.cell)]);
        rows.push(json!({
            "tenant": row.tenant.to_string(), "epoch": row.epoch.to_string(), "cell": name(row.cell), "number": row.cell,
        }));
    }
    Ok(found.told(Answer::said(table.to_string()).with("placements", rows)))
}
