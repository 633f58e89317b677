//! Connects to a bucket of a store that speaks the protocol of S3.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, RetryConfig};

use crate::config;
use crate::config::required;

/// Why there is no store to work with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is missing.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The folder cannot be made.
    #[error("the folder cannot be made")]
    Folder(#[source] std::io::Error),
    /// The store cannot be used as it is named.
    #[error(transparent)]
    Store(#[from] object_store::Error),
}

/// The bucket and the prefix in a name such as `s3://BUCKET/PREFIX`; `None` if the name has another form.
#[must_use]
pub fn bucket_and_prefix(name: &str) -> Option<(&str, Path)> {
    let (bucket, prefix) = name
        .trim_end_matches('/')
        .strip_prefix("s3://")?
        .split_once('/')?;
    let prefix = Path::parse(prefix).ok()?;
    (!bucket.is_empty()).then_some((bucket, prefix))
}

/// The bucket, as the settings say that it is reached. Nothing is asked of it yet.
///
/// # Errors
/// If a setting is missing, or is not what it should be.
pub fn connect(bucket: &str, settings: &config::ObjectStore) -> Result<AmazonS3, Error> {
    let id = required(&settings.access_key_id, "object_store.access_key_id")?;
    let secret = &settings.secret_access_key;
    let secret = required(secret, "object_store.secret_access_key")?;
    let timeout = Duration::from_secs(settings.request_timeout_s);
    let options = ClientOptions::new()
        .with_allow_http(settings.allow_http)
        .with_timeout(timeout);
    let retry = RetryConfig {
        max_retries: usize::MAX,
        retry_timeout: Duration::from_secs(settings.retry_s),
        ..RetryConfig::default()
    };
    let mut store = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&settings.region)
        .with_access_key_id(id)
        .with_secret_access_key(secret)
        .with_client_options(options)
        .with_retry(retry)
        // Not every store deletes several objects at once.
        .with_disable_bulk_delete(true);
    if !settings.endpoint.is_empty() {
        store = store.with_endpoint(&settings.endpoint);
    }
    Ok(store.build()?)
}
