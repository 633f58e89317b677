//! Section `[object_store]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;

use super::bounds::{base_url, positive};

/// The store that keeps backups, which speaks the protocol of S3.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct ObjectStore {
    #[garde(custom(store_url(self.allow_http)))]
    pub endpoint: String,
    pub allow_http: bool,
    pub region: String,
    pub access_key_id: SecretString,
    pub secret_access_key: SecretString,
    // S3 takes no smaller part but the last, and parts are in memory.
    #[garde(range(min = 5, max = 1024))]
    pub part_mib: usize,
    #[garde(custom(positive))]
    pub request_timeout_s: u64,
    #[garde(custom(positive))]
    pub retry_s: u64,
}

/// The setting must be empty, or a URL that is encrypted unless the other setting allows one that is not.
fn store_url(allow_http: bool) -> impl FnOnce(&String, &()) -> garde::Result {
    move |value, ()| {
        if value.is_empty() {
            return Ok(());
        }
        if !allow_http && !value.starts_with("https://") {
            let text = "must begin with https:// unless `object_store.allow_http` is true";
            return Err(garde::Error::new(text));
        }
        base_url(value, &())
    }
}
