//! Every integration test, linked once. Each module is about one promise.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod whole;
