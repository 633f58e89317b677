//! Media: what users upload, how much each may have, and when it is removed. The bytes themselves are not seen here.

pub mod avatar;
#[expect(
    clippy::module_inception,
    reason = "the context is named for its main noun"
)]
pub mod media;
pub mod media_account;
pub mod processes;
