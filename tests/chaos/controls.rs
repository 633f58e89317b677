//! Positive controls: the mistakes that the invariants must see, made on purpose by small
//! stand-ins. An invariant that does not see its mistake proves nothing when it holds. No switch of
//! the product is involved: a stand-in shares only the servers and the invariants with it.

mod asynchronous_commit;
mod checkpoint_apart_from_rows;
mod increment_documents;
mod poll_by_sequence;
mod progress_before_delivery;
mod support;

use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use futures::FutureExt;
use futures::future::BoxFuture;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::invariants;
use crate::invariants::Invariant;
use crate::panics::message_of;
use crate::report::{ControlReport, ControlResult};
use crate::servers::Paths;

/// A mistake, and the invariant that must see it.
#[derive(Clone, Copy)]
pub(crate) struct Control {
    /// The name, as in `--controls poll-by-sequence`.
    pub(crate) name: &'static str,
    /// What is done wrongly.
    pub(crate) mistake: &'static str,
    invariant: &'static Invariant,
    run: fn(Setup) -> BoxFuture<'static, Outcome>,
}

/// What a stand-in is given.
struct Setup {
    paths: Paths,
    /// An empty directory for data and logs.
    directory: PathBuf,
    rng: StdRng,
}

/// What came of a mistake.
enum Outcome {
    /// The violations that the invariant found.
    Checked(Vec<String>),
    /// This machine cannot make the mistake, for this reason.
    Skipped(String),
}

/// All controls. Each takes seconds.
pub(crate) const ALL: &[Control] = &[
    Control {
        name: "asynchronous-commit",
        mistake: "synchronous_commit is off, and the power fails",
        invariant: &invariants::ACKNOWLEDGED_EVENT_LOST,
        run: |setup| asynchronous_commit::run(setup).boxed(),
    },
    Control {
        name: "progress-before-delivery",
        mistake: "a relay saves its progress before the broker has the records, and dies",
        invariant: &invariants::RECORD_LOST_OR_ALTERED,
        run: |setup| progress_before_delivery::run(setup).boxed(),
    },
    Control {
        name: "checkpoint-apart-from-rows",
        mistake: "a projector writes its checkpoint in another transaction than the rows, and dies",
        invariant: &invariants::EVENT_NOT_APPLIED_ONCE,
        run: |setup| checkpoint_apart_from_rows::run(setup).boxed(),
    },
    Control {
        name: "increment-documents",
        mistake: "documents are incremented, and a batch of events comes again",
        invariant: &invariants::DIFFERS_FROM_REPLAY,
        run: |setup| increment_documents::run(setup).boxed(),
    },
    Control {
        name: "poll-by-sequence",
        mistake: "a poller follows the numbers of a sequence",
        invariant: &invariants::EVENT_NOT_APPLIED_ONCE,
        run: |setup| poll_by_sequence::run(setup).boxed(),
    },
];

impl Control {
    /// Makes the mistake in a directory of its own, which is kept if the mistake was not seen.
    pub(crate) async fn run(&self, paths: &Paths, directory: &Path, seed: u64) -> ControlReport {
        let directory = directory.join(self.name);
        // An earlier run that was interrupted may have left something.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let work = (self.run)(Setup {
            paths: paths.clone(),
            directory: directory.clone(),
            rng: StdRng::seed_from_u64(seed),
        });
        let result = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Outcome::Checked(violations)) if violations.is_empty() => ControlResult::NotSeen,
            Ok(Outcome::Checked(violations)) => ControlResult::Seen {
                violations: violations.len(),
            },
            Ok(Outcome::Skipped(reason)) => ControlResult::Skipped { reason },
            Err(panic) => ControlResult::Broken {
                reason: message_of(&*panic),
            },
        };
        let report = ControlReport {
            name: self.name.to_owned(),
            mistake: self.mistake.to_owned(),
            invariant: self.invariant.name.to_owned(),
            result,
        };
        if report.is_good() {
            let _ = fs::remove_dir_all(&directory);
        }
        report
    }
}
