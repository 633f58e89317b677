//! Sections `[command_api]`, `[query_api]` and `[projector]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use std::net::SocketAddr;

use serde::Deserialize;

/// Where one process listens, and where others reach it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    pub listen: SocketAddr,
    pub url: String,
}
