//! A connection to a node as one tenant sees it: commands, lists, and the names that people use.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::profile::Profile;
use crate::reach::{Reach, Settled, TenantRef};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use tessera_client::wire::{
    Made, Page, Request, SessionRow, Shape, SubjectRow, TENANT_OF_CONNECTION, TenantRow,
};
use tessera_client::{Client, ClientError};
use tessera_model::limits::PAGE_ROWS_MAX;
use tessera_model::{CommandId, Identifier, Private, PublicId, Refusal, TenantId, UnixMillis};

/// A connection that is bound to a tenant, or to none.
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) profile: Profile,
    address: String,
    /// The id that the next command goes out under, once somebody asked for it: that of `--command-id`,
    /// or a fresh one.
    next: Mutex<Option<CommandId>>,
}

impl Reach {
    /// To the tenant of the operators.
    pub(crate) async fn system(&self) -> Result<Link, CtlError> {
        let settled = self.settle().await?;
        need_key(&settled)?;
        Link::open(settled, None).await
    }

    /// To a tenant that is named, else to the one that is meant, else to that of the operators.
    pub(crate) async fn tenant_or_system(&self, named: Option<TenantRef>) -> Result<Link, CtlError> {
        let mut settled = self.settle().await?;
        settled.tenant = named.or(settled.tenant);
        if settled.tenant.is_none() && settled.default_tenant.is_none() {
            settled.default_tenant = Some(TenantRef::Id(TenantId::SYSTEM));
        }
        in_tenant(settled).await
    }

    /// To the tenant that is meant.
    pub(crate) async fn tenant(&self) -> Result<Link, CtlError> {
        in_tenant(self.settle().await?).await
    }
}

fn need_key(settled: &Settled) -> Result<TenantId, CtlError> {
    settled.home.ok_or_else(|| {
        CtlError::usage("no key is given").advise(
            "give --key-file FILE or TESSERA_KEY, or a profile that names one; a new node: tessera operator claim",
        )
    })
}

async fn in_tenant(settled: Settled) -> Result<Link, CtlError> {
    let home = need_key(&settled)?;
    if home != TenantId::SYSTEM {
        // The tenant of the environment or a profile is meant for an operator's key.
        let elsewhere = settled.tenant.as_ref().is_some_and(|tenant| *tenant != TenantRef::Id(home));
        return if elsewhere {
            Err(CtlError::usage(format!("this key belongs to tenant {home} and acts there only"))
                .advise("leave out --tenant, or use an operator's key"))
        } else {
            Link::open(settled, None).await
        };
    }
    match settled.tenant.clone().or_else(|| settled.default_tenant.clone()) {
        None => Err(CtlError::usage("which tenant?")
            .advise("give --tenant NAME, or --tenant system for the operators' own")),
        Some(TenantRef::Id(TenantId::SYSTEM)) => Link::open(settled, None).await,
        Some(TenantRef::Id(id)) => Link::open(settled, Some(id)).await,
        Some(named) => {
            let system = Link::open(settled.clone(), None).await?;
            let found = system.tenant_row(&named).await;
            system.close().await;
            Link::open(settled, Some(found?.tenant)).await
        }
    }
}

impl Link {
    /// Connects and says who asks.
    pub(crate) async fn open(settled: Settled, tenant: Option<TenantId>) -> Result<Self, CtlError> {
        let Settled { mut config, address, profile, command_id, .. } = settled;
        config.tenant = tenant;
        match Client::connect(config).await {
            Ok(client) => Ok(Self { client, profile, address, next: Mutex::new(command_id) }),
            Err(error) => Err(CtlError::of(&error, &address)),
        }
    }

    /// A link over a client that exists.
    pub(crate) fn over(client: Client, address: &str) -> Self {
        Self { client, profile: Profile::default(), address: address.to_owned(), next: Mutex::new(None) }
    }

    /// Tells the node that nothing more comes.
    pub(crate) async fn close(self) {
        self.client.close().await;
    }

    /// What a client met, with this node's address.
    pub(crate) fn told(&self, error: &ClientError) -> CtlError {
        let told = CtlError::of(error, &self.address);
        if matches!(error, ClientError::Refused(Refusal::Behind)) {
            let seen = self.client.hello().seen;
            return told.advise(format!("it is at {seen}: is --at-least a receipt of this node and tenant?"));
        }
        told
    }

    /// The time that spans of the next command count from: that of its id. A repeat under the same id so
    /// means the same instants, and is the same command.
    pub(crate) fn now(&self) -> UnixMillis {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        UnixMillis(next.get_or_insert_with(|| self.client.command_id()).unix_ms())
    }

    /// Orders a command, under the id of `--command-id` when it is a repeat.
    pub(crate) async fn order(&self, request: &Request) -> Result<Made, CtlError> {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        let id = next.unwrap_or_else(|| self.client.command_id());
        let done = self.client.request_again(TENANT_OF_CONNECTION, id, request).await;
        match done {
            Err(ClientError::Refused(Refusal::PermissionUnknown)) => Err(self.unknown(request).await),
            done => done.map_err(|error| self.told(&error)),
        }
    }

    /// A page of a list.
    pub(crate) async fn page<T: Shape>(&self, request: &Request) -> Result<Page<T>, CtlError> {
        self.client.list(request).await.map_err(|error| self.told(&error))
    }

    /// The one row that a question is answered with.
    pub(crate) async fn one<T: Shape>(&self, request: &Request) -> Result<T, CtlError> {
        let page = self.page::<T>(request).await?;
        page.rows.into_iter().next().ok_or_else(|| CtlError::unexpected("the node told nothing"))
    }

    /// All live sessions and keys of a subject, page after page.
    pub(crate) async fn sessions(&self, subject: PublicId) -> Result<Vec<SessionRow>, CtlError> {
        let request = |after, limit| Request::ListSessions { subject, after, limit };
        Ok(Window::all().read(self, request).await?.rows)
    }

    /// A tenant by name or id.
    pub(crate) async fn tenant_row(&self, tenant: &TenantRef) -> Result<TenantRow, CtlError> {
        let request = match tenant.clone() {
            TenantRef::Id(id) => Request::ReadTenant { tenant: Some(id), name: None },
            TenantRef::Name(name) => Request::ReadTenant { tenant: None, name: Some(name) },
        };
        let row = self.page(&request).await?.rows.pop();
        row.ok_or_else(|| CtlError::unknown(format!("no tenant is named {tenant}")))
    }

    /// A subject by id or identifier.
    pub(crate) async fn subject(&self, who: &Who) -> Result<SubjectRow, CtlError> {
        let request = match who.clone() {
            Who::Id(id) => Request::ReadSubject { subject: Some(id), identifier: None },
            Who::Identifier(identifier) => {
                Request::ReadSubject { subject: None, identifier: Some(identifier) }
            }
        };
        let row = self.page(&request).await?.rows.pop();
        row.ok_or_else(|| CtlError::unknown(format!("no user or machine is {who}")))
    }

    /// The public id of a subject; by id without asking.
    pub(crate) async fn id_of(&self, who: &Who) -> Result<PublicId, CtlError> {
        match who {
            Who::Id(id) => Ok(*id),
            Who::Identifier(_) => self.subject(who).await.map(|row| row.subject),
        }
    }
}

/// A subject as people name it.
#[derive(Clone)]
pub(crate) enum Who {
    Id(PublicId),
    Identifier(Identifier),
}

impl FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match PublicId::parse(text) {
            Some(id) => Ok(Self::Id(id)),
            None => identifier(text).map(Self::Identifier),
        }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Identifier(identifier) => f.write_str(identifier.typed()),
        }
    }
}

/// Reads an identifier, guessing its kind.
pub(crate) fn identifier(text: &str) -> Result<Identifier, String> {
    Identifier::guess(text).map_err(|error| error.to_string())
}

/// LIMIT: rows of a list that are kept for one answer: some hundred bytes each.
const ROWS_MAX: u32 = 1_000_000;

/// How much of a list.
#[derive(Clone, clap::Args)]
pub(crate) struct Window {
    /// At most so many rows.
    #[arg(long, value_name = "ROWS", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// The whole list: up to 1,000,000 rows.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Go on where an earlier list ended: its `next`.
    #[arg(long, value_name = "CURSOR", value_parser = cursor)]
    cursor: Option<Cursor>,
}

/// Where a list goes on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Cursor(Vec<u8>);

pub(crate) fn cursor(text: &str) -> Result<Cursor, String> {
    let bytes = tessera_model::cursor::from_text(text);
    bytes.map(Cursor).ok_or_else(|| "a cursor is what a list printed as next".to_owned())
}

impl Cursor {
    /// The cursor with these bytes.
    pub(crate) const fn of(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&tessera_model::cursor::to_text(&self.0))
    }
}

/// A list as far as it was asked for.
pub(crate) struct Rows<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) next: Option<Cursor>,
}

impl<T> Rows<T> {
    /// Says where the list goes on, when it does.
    pub(crate) fn told(&self, answer: Answer) -> Answer {
        let next = self.next.as_ref().map(ToString::to_string);
        let answer = answer.with("next", next.clone());
        match next {
            Some(next) => answer.line(format!("There are more: --cursor {next}")),
            None => answer,
        }
    }
}

impl Window {
    /// The whole list, as far as memory for a million rows goes.
    pub(crate) const fn all() -> Self {
        Self { limit: ROWS_MAX, all: true, cursor: None }
    }

    /// Reads pages until there are enough rows, or no more.
    pub(crate) async fn read<T: Shape>(
        &self,
        link: &Link,
        request: impl Fn(Option<Private>, u32) -> Request,
    ) -> Result<Rows<T>, CtlError> {
        let most = usize::try_from(if self.all { ROWS_MAX } else { self.limit }).unwrap_or(usize::MAX);
        let (mut rows, mut next) = (Vec::new(), self.cursor.clone());
        loop {
            let left = most.saturating_sub(rows.len());
            let count = u32::try_from(left.min(PAGE_ROWS_MAX)).unwrap_or(1);
            let after = next.map(|Cursor(bytes)| Private::new(bytes));
            let page: Page<T> = link.page(&request(after, count)).await?;
            rows.extend(page.rows);
            next = page.next.map(Cursor);
            if next.is_none() || rows.len() >= most {
                return Ok(Rows { rows, next });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: cursors of all bytes print and read back; anything else is told what one is.
    #[test]
    fn cursors_read_back() {
        for bytes in [vec![0; 42], vec![255; 42], (0..=90).collect()] {
            let every = Cursor(bytes);
            assert_eq!(cursor(&every.to_string()), Ok(every));
        }
        for bad in ["0", "0+", "+1==", "\u{e9}a"] {
            assert!(cursor(bad).is_err(), "{bad}");
        }
    }

    /// PROPERTY: a subject is named by id, email, phone number or username.
    #[test]
    fn subjects_are_named() {
        for text in ["0190163d-8694-739b-aea5-966c26f8ad90", "amy@example.org", "+49 30 1234567", "amy"] {
            let Ok(who) = text.parse::<Who>() else { panic!("{text}") };
            assert_eq!(who.to_string(), text);
        }
        for bad in ["", "a", "@", "+12", "a b"] {
            assert!(bad.parse::<Who>().is_err(), "{bad}");
        }
    }
}
