//! Refresh tokens as clients hold them. The log stores only a keyed hash of each.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use tidemark_event_store::LookupKey;
use tidemark_events::SessionId;
use uuid::Uuid;

const SECRET_BYTES: usize = 32;

/// A new token: the id of the session, by which the session is found, and 256 random bits, which
/// prove that the client may refresh it.
#[expect(
    clippy::disallowed_methods,
    reason = "refresh tokens are drawn here and nowhere else"
)]
pub(crate) fn new_refresh_token(session_id: SessionId) -> String {
    let mut secret = [0; SECRET_BYTES];
    rand::rng().fill_bytes(&mut secret);
    token(session_id, &secret)
}

/// The token that follows `spent`. Only who has the lookup key of the deployment can tell, and always gives the
/// same one, so that an answer that was lost can be given again although no token is stored.
pub(crate) fn next_refresh_token(
    session_id: SessionId,
    spent: &str,
    lookup_key: &LookupKey,
) -> String {
    let secret = lookup_key.mac("next_refresh_token", spent.as_bytes());
    token(session_id, &secret)
}

fn token(session_id: SessionId, secret: &[u8]) -> String {
    let secret = URL_SAFE_NO_PAD.encode(secret);
    format!("{}.{secret}", session_id.0.simple())
}

/// The session that a token names; none if the text is no token. It proves nothing.
pub(crate) fn session_of(token: &str) -> Option<SessionId> {
    let (session_id, _) = token.split_once('.')?;
    Uuid::try_parse(session_id).ok().map(SessionId)
}
