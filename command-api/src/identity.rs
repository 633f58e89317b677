//! What the routes of identity need besides commands: passwords and refresh tokens.

pub mod passwords;
pub(crate) mod refresh_token;
