//! The read models of media.

#[expect(
    clippy::module_inception,
    reason = "the context is named for its main noun"
)]
pub mod media;
