//! Events about the log itself: who read it.

pub mod reading;
