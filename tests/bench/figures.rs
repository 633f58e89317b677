//! The figures: one module for each group that `--only` names.

pub(crate) mod commands;
pub(crate) mod expiry;
pub(crate) mod growth;
pub(crate) mod http;
pub(crate) mod lists;
pub(crate) mod live;
pub(crate) mod memory;
pub(crate) mod reads;
pub(crate) mod rebuild;
pub(crate) mod rebuilding;
pub(crate) mod tasks;
pub(crate) mod visible;
