//! Events of rebuilds, which record what an operator had done to a generation of a read model.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{EventField, Line, Stored};

id! {
    /// The id of the record.
    RebuildId
}

/// The name of a read model.
pub type ReadModelName = Line<100>;
/// Why an operator ordered something.
pub type Reason = Line<500>;

/// What an operator ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Build the read model anew, beside the generation that serves, and let the new one serve.
    Build,
    /// Pause the build.
    Pause,
    /// Go on with a paused build.
    Resume,
    /// Give up the build, and delete what was built.
    Cancel,
    /// Let the generation serve again that served before.
    RollBack,
    /// Drop a generation that is kept, before its time.
    Drop,
}

impl EventField for Order {}

events! {
    /// The events of a rebuild.
    pub enum Event {
        /// An operator ordered something about the generations of a read model.
        #[serde(rename = "rebuild.ordered")]
        Ordered {
            /// The record.
            rebuild_id: RebuildId,
            /// The read model whose generations it is about.
            read_model: Stored<ReadModelName>,
            /// What was ordered.
            order: Order,
            /// The number of the generation that was to be dropped. Other orders name none.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            generation: Option<i32>,
            /// Why the operator ordered it.
            reason: Stored<Reason>,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{REBUILD, stored};

    vec![Event::Ordered {
        rebuild_id: REBUILD,
        read_model: stored("auction"),
        order: Order::Drop,
        generation: Some(1),
        reason: stored("the fold was mended"),
    }]
}
