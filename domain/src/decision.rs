//! The machinery of every decision: a command looks at states through a view and says what to write,
//! or why a rule forbids it. No aggregate is named here.

mod claim;
mod command;
mod loaded_stream;
mod refusal;
mod state;
mod stop;
mod view;

pub use claim::{Claim, ClaimScope};
pub use command::{Command, Write};
pub use loaded_stream::LoadedStream;
pub(crate) use refusal::refusals;
pub use refusal::{Code, Fault, Reason, Refusal, RefusalKind};
pub use state::{AggregateState, StateSnapshot};
pub(crate) use state::{AnyState, StateOf};
pub use stop::{Load, Stop};
pub use view::{Reads, States, View};
