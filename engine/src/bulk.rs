//! Bulk load: rows get their ids and hashes in the caller's task, and go in as one command.

use crate::admit::Done;
use crate::bound::Bound;
use crate::engine::Engine;
use crate::house::House;
use crate::submit::SubmitError;
use tessera_crypto::digest::{identifier_hash, keyed};
use tessera_crypto::password::parameters_of;
use tessera_model::limits::LOAD_ROWS_MAX;
use tessera_model::load::{KeyedRow, LoadField, LoadRow, Loaded, Rejected};
use tessera_model::{Command, CommandId, Limit, PublicId, Refusal};

/// What the ids of loaded subjects are derived under, within the tenant's index key.
const CONTEXT: &[u8] = b"tessera load v1";
/// LIMIT: rows that are hashed between two turns of others on the same thread: some 50 us.
const ROWS_AT_ONCE: usize = 16;

impl Engine {
    /// Makes subjects of rows, each whole or not at all, and tells what became of each
    /// ([`crate::Made::loaded`]). A row that was loaded before, under whatever command, is known again by its
    /// content and changes nothing. A trial changes nothing at all.
    ///
    /// A repeat under the same command id has its receipt alone: what became of the rows is told under a
    /// fresh one.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal of all rows, or Unknown.
    pub async fn load_subjects(
        &self,
        bound: &Bound,
        id: CommandId,
        rows: Vec<LoadRow>,
        trial: bool,
    ) -> Result<Done, SubmitError> {
        self.allowed(bound, "tessera.admin.subjects")?;
        if rows.len() > LOAD_ROWS_MAX {
            return Err(Limit::LoadRows.reached().into());
        }
        let keys = self.house.store.tenant_keys(bound.entry.tenant);
        let keys = keys.map_err(|error| House::unread(&bound.entry, &error)).map_err(Refusal::from)?;
        let key = keys.index.expose();
        let (mut taken, mut places) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        let mut unfit = Vec::new();
        for (at, row) in (0_u32..).zip(rows) {
            if (at as usize).is_multiple_of(ROWS_AT_ONCE) {
                tokio::task::yield_now().await;
            }
            if !row.password.is_empty() && !self.would_verify(row.password.expose()) {
                let refusal = Refusal::HashUnfit;
                unfit.push(Rejected { row: at, field: LoadField::Password, nth: 0, refusal });
                continue;
            }
            let hash = |identifier: &tessera_model::Identifier| {
                identifier_hash(key, identifier.kind().number(), identifier.normal().as_bytes())
            };
            let hashes = row.identifiers.iter().map(hash).collect();
            let digest = keyed(key, &[CONTEXT, &row.content()]);
            let id = PublicId::of_digest(digest.first_chunk().copied().unwrap_or_default());
            taken.push(KeyedRow { id, hashes, row });
            places.push(at);
        }
        let mut done = self.submit(bound, id, Command::LoadSubjects { rows: taken, trial }).await?;
        if let Some(loaded) = done.made.loaded.as_mut() {
            among(loaded, &places, unfit);
        }
        Ok(done)
    }

    /// Whether this node would verify a password against a stored hash.
    fn would_verify(&self, phc: &[u8]) -> bool {
        let parameters = std::str::from_utf8(phc).ok().and_then(parameters_of);
        parameters.is_some_and(|parameters| {
            parameters.within_caps() && parameters.cost() <= self.house.config.password_cost_max
        })
    }
}

/// Gives rejected rows the places that they had before others were taken out, and puts those among them.
fn among(loaded: &mut Loaded, places: &[u32], unfit: Vec<Rejected>) {
    for rejected in &mut loaded.rejected {
        let place = usize::try_from(rejected.row).ok().and_then(|at| places.get(at));
        rejected.row = place.copied().unwrap_or(rejected.row);
    }
    loaded.rejected.extend(unfit);
    loaded.rejected.sort_by_key(|rejected| rejected.row);
}
