//! What the routes of identity need besides commands: e-mail addresses, passwords and refresh tokens.

pub(crate) mod email;
pub mod passwords;
pub(crate) mod refresh_token;
