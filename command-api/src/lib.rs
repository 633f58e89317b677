//! The command API: checks what clients send, has commands decided and appended, and answers. It hosts
//! the relay, and it is the only process that appends to the log. It answers no queries.

mod admission;
pub mod app;
pub mod caller;
pub mod error;
pub mod executor;
pub mod identity;
pub mod media;
mod process_roles;
mod relay;
mod routes;
mod run;
pub mod schedules;
mod start_error;

pub use admission::{Permit, Share};
pub use process_roles::ProcessRoles;
pub use routes::{api, api_for_others};
pub use run::run;
pub use start_error::StartError;
