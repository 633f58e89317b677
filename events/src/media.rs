//! Events of media: files that users upload, and how much of them each user has.

#[expect(
    clippy::module_inception,
    reason = "the context is named for its main noun"
)]
pub mod media;
pub mod media_account;
