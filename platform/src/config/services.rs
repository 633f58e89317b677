//! Sections `[services.<name>]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use serde::Deserialize;

/// What one service may do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceGrant {
    #[serde(deserialize_with = "super::list::deserialize")]
    pub commands: Vec<String>,
    #[serde(default)]
    pub acts_as_reactors: bool,
}
