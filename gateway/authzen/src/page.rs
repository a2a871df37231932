//! Pages of a search: tokens are the engine's sealed cursors, narrowed to the whole question.

use crate::read::{Members, canonical, member, object, text};
use tessera_engine::Cursors;
use tessera_gateway_http::{Admitted, Json, Problem};
use tessera_model::limits::PAGE_ROWS_MAX;
use tessera_model::{CursorFault, ListKind, Refusal, cursor};

/// Where a search goes on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    /// The last number that was seen, or the life of the tenant that numbers are of.
    pub(crate) at: u64,
    /// What stands beside it.
    pub(crate) tail: Vec<u8>,
}

/// What a request says about its page.
pub(crate) struct Page {
    cursors: Cursors,
    /// Results at most.
    pub(crate) limit: usize,
    /// Where it begins; `None` for the beginning.
    pub(crate) from: Option<Place>,
}

fn bad(refusal: Refusal) -> Problem {
    Problem::from(refusal).as_bad_request().at("page/token")
}

/// The token cannot be gone on with: what it counted by is gone.
pub(crate) fn outdated() -> Problem {
    bad(Refusal::Changed)
}

/// The token is none that was given out.
pub(crate) fn damaged() -> Problem {
    bad(Refusal::CursorRefused(CursorFault::Damaged))
}

impl Page {
    /// Reads `page`, and holds a token against the question that it was given for: every entity, and the limit if it
    /// is said again. It may wait for the disk.
    pub(crate) fn read(
        admitted: &Admitted,
        (kind, path): (ListKind, &str),
        content: &Members,
    ) -> Result<Self, Problem> {
        let page = match member(content, "page") {
            None => &[],
            Some(value) => object(value, "page")?,
        };
        if let Some(value) = member(page, "properties") {
            object(value, "page/properties")?;
        }
        let limit = match member(page, "limit") {
            None => None,
            Some(Json::Whole(limit)) if *limit >= 0 => {
                Some(usize::try_from(*limit).unwrap_or(usize::MAX).min(PAGE_ROWS_MAX))
            }
            Some(_) => return Err(Problem::unreadable("must be a non-negative integer").at("page/limit")),
        };
        let mut question = String::new();
        for name in ["subject", "action", "resource", "context"] {
            canonical(member(content, name).unwrap_or(&Json::Null), &mut question);
        }
        let tenant = admitted.bound().entry.tenant;
        let cursors = admitted.engine().relation_cursors(tenant, kind, &[path, &question])?;
        let token = match member(page, "token") {
            None => "",
            Some(value) => text(value, "page/token")?,
        };
        if token.is_empty() {
            return Ok(Self { cursors, limit: limit.unwrap_or(PAGE_ROWS_MAX), from: None });
        }
        let bytes = cursor::from_text(token).ok_or_else(damaged)?;
        let (at, tail) = cursors.tail(Some(&bytes)).map_err(bad)?.ok_or_else(damaged)?;
        let (before, tail) = tail.split_first_chunk::<4>().ok_or_else(damaged)?;
        let before = usize::try_from(u32::from_le_bytes(*before)).unwrap_or(PAGE_ROWS_MAX);
        if limit.is_some_and(|limit| limit != before) {
            return Err(Problem::unreadable("is another one than that of the page before").at("page/limit"));
        }
        let from = Some(Place { at, tail: tail.to_vec() });
        Ok(Self { cursors, limit: before, from })
    }

    /// The number that a list by number goes on behind; 0 for the beginning.
    pub(crate) fn number(&self) -> Result<u64, Problem> {
        match &self.from {
            None => Ok(0),
            Some(Place { at, tail }) if tail.is_empty() => Ok(*at),
            Some(_) => Err(damaged()),
        }
    }

    /// The token of a place.
    pub(crate) fn token(&self, place: &Place) -> String {
        let limit = u32::try_from(self.limit).unwrap_or(u32::MAX).to_le_bytes();
        let tail = [limit.as_slice(), &place.tail].concat();
        cursor::to_text(&self.cursors.behind(place.at, &tail))
    }
}
