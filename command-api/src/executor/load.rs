//! Loading what a decision rests on, outside the loop that decides.

use tidemark_domain::{Claim, Load, Loaded};
use tidemark_event_store::Log;
use uuid::Uuid;

use crate::error::Error;

/// Events of a stream read at once.
const PAGE: i64 = 1_000;

/// Something that was loaded.
pub(super) enum Found {
    /// A stream as it is.
    Stream(Uuid, Loaded),
    /// Who owns a claim.
    Claim(Claim, Option<Uuid>),
}

/// Reads it from the log.
pub(super) async fn load(log: &Log, wanted: &Load) -> Result<Found, Error> {
    match wanted {
        Load::Stream(id) => Ok(Found::Stream(*id, stream(log, *id).await?)),
        Load::Claim(claim) => {
            let owner = log.owner(claim.scope.name(), &claim.key).await?;
            Ok(Found::Claim(claim.clone(), owner))
        }
    }
}

/// The state of a stream, folded from its events.
pub(super) async fn stream(log: &Log, id: Uuid) -> Result<Loaded, Error> {
    let mut loaded = Loaded::default();
    loop {
        let page = log.stream(id, loaded.version, PAGE).await?;
        for recorded in &page {
            loaded.apply(&recorded.decode()?, recorded.recorded_at);
        }
        if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            return Ok(loaded);
        }
    }
}
