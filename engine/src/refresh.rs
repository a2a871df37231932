//! Refreshing: the handle's mac is verified by the caller's task, before admission; what enters the intake
//! is the handle's place in its family.

use crate::admit::Done;
use crate::bound::Bound;
use crate::check::halves;
use crate::engine::Engine;
use crate::submit::SubmitError;
use crate::view::View;
use tessera_model::{Command, CommandId, Handle, HandleBytes, HandleKind, Refusal};

/// The tag of the handle's life of its place, if that life is known.
fn tag(view: &View, handle: &Handle) -> Option<[u8; 16]> {
    let [w0, w1, w2, ..] = view.table.place(handle.place.0)?.read();
    let (held, _) = halves(w0);
    if held != handle.generation.0 {
        return None;
    }
    let mut tag = [0; 16];
    for (to, from) in tag.iter_mut().zip(w1.to_le_bytes().into_iter().chain(w2.to_le_bytes())) {
        *to = from;
    }
    Some(tag)
}

impl Engine {
    /// Uses a refresh handle: the session's idle end moves, and a rotating client's holder gets the handle's
    /// successor. A repeat within the grace gives the same successor again, under the same command id or a
    /// new one. A handle that was replaced before ends its session.
    ///
    /// A forged handle costs one hash here and reaches nobody.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, or Unknown. `Malformed` when it is no refresh handle, `SessionUnknown` when
    /// it is not authentic or its session has ended, `WrongClient`, `RefreshReused`, `RefreshExpired` or
    /// `RefreshExhausted` otherwise.
    pub async fn refresh(
        &self,
        bound: &Bound,
        id: CommandId,
        bytes: &HandleBytes,
    ) -> Result<Done, SubmitError> {
        let handle = Handle::parse(bytes).map_err(|_| Refusal::Malformed)?;
        if handle.kind != HandleKind::Refresh {
            return Err(Refusal::Malformed.into());
        }
        if !bound.is_at(handle.place, handle.generation) && !self.may(bound, "tessera.sessions.open") {
            return Err(Refusal::Unauthorized.into());
        }
        if handle.tenant != bound.entry.tenant {
            return Err(Refusal::SessionUnknown.into());
        }
        let view = self.view_of(bound)?;
        let unsigned = view.ring.load().verify(&handle, tag(&view, &handle))?;
        let crate::state::Unsigned { place, generation, tag, number, index } = unsigned;
        self.submit(bound, id, Command::RefreshSession { place, generation, tag, number, index }).await
    }
}
