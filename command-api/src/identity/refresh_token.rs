//! Refresh tokens as clients hold them. The log stores only a keyed hash of each.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
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
    format!(
        "{}.{}",
        session_id.0.simple(),
        URL_SAFE_NO_PAD.encode(secret)
    )
}

/// The session that a token names; none if the text is no token. It proves nothing.
pub(crate) fn session_of(token: &str) -> Option<SessionId> {
    let (session_id, _) = token.split_once('.')?;
    Uuid::try_parse(session_id).ok().map(SessionId)
}
