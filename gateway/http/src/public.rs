//! People for whom no application speaks: sign-in and registration without a credential, where the tenant
//! that the request names allows it.

use crate::answer::Object;
use crate::caller::{self, Named, Origin};
use crate::door::Shared;
use crate::elevation;
use crate::input::{Input, ill_formed};
use crate::operation::Own;
use crate::order::{self, Answered};
use crate::problem::Problem;
use crate::wake;
use axum::http::request::Parts;
use std::sync::Arc;
use tessera_engine::{Errand, Stranger};
use tessera_model::{CommandId, Identifier, Refusal};

/// Performs what a stranger asks of the tenant that its request names.
pub(crate) async fn perform(
    shared: &Arc<Shared>,
    (own, id): (Own, CommandId),
    (parts, named): (&Parts, Named),
    origin: &Origin,
    input: &Input,
) -> Result<Answered, Problem> {
    // A page of another site must neither sign a browser in nor make subjects with it.
    caller::from_own_page(parts, origin)?;
    let named = match named {
        Named::One(id) => (Some(id), String::new()),
        Named::Unknown(text) => (None, text),
        Named::None => {
            let detail = "name the tenant: by host, by this header or below /t/";
            return Err(Problem::unreadable(detail).at(caller::TENANT_HEADER));
        }
    };
    let errand = if own == Own::Register { Errand::Register } else { Errand::SignIn };
    let (engine, from) = (shared.engine.clone(), origin.address);
    // It may look at a row: not on the threads that answer checks.
    let knock = move || engine.knock_as_stranger((named.0, &named.1), errand, from);
    let stranger: Stranger = tokio::task::spawn_blocking(knock).await.map_err(|_| Problem::failed())??;
    if let Some(entry) = stranger.waits_for() {
        wake::until_awake(shared, entry, wake::patience(shared)).await?;
    }
    if own == Own::ChallengePublicly {
        let device = input.public_id("device")?.ok_or_else(|| ill_formed("device"))?;
        let made = shared.engine.challenge_stranger(&stranger, device)?;
        return Ok((elevation::challenge(device, made), Vec::new()));
    }
    match errand {
        Errand::Register => {
            let identifier = input.identifier("identifier")?.ok_or_else(|| ill_formed("identifier"))?;
            let proof = (identifier, input.secret("password"));
            shared.engine.register(&stranger, id, proof).await?;
            Ok((Object::new().with("accepted", true).value(), Vec::new()))
        }
        Errand::SignIn => {
            // Ill-formed and unknown are one answer.
            let typed = input.text("identifier").unwrap_or_default();
            let identifier = Identifier::guess(typed).map_err(|_| Refusal::SignInFailed)?;
            let proof = (&identifier, input.secret("password"));
            let shown = elevation::shown(input)?;
            if shown.is_none() && input.json("device").is_some() {
                return Err(Problem::from(Refusal::DeviceProofRequired).at("device_proof"));
            }
            let done = shared.engine.sign_in_stranger(&stranger, id, proof, shown.as_ref()).await?;
            order::signed_in(shared, done, input.bool("cookie")?.unwrap_or(false))
        }
    }
}
