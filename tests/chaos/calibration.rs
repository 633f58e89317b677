//! Whether the counters count: every control must turn its counter red.

use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::Path;

use futures::FutureExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use crate::controls::{Control, World};
use crate::round::message;
use crate::servers::Machine;

/// What became of a control.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Calibrated {
    pub(crate) id: String,
    pub(crate) title: String,
    /// The counter that had to see it.
    pub(crate) counter: String,
    /// How much that counted.
    pub(crate) found: usize,
    /// Why this machine could not make the mistake.
    pub(crate) skipped: Option<String>,
    /// Why it did not come to its end.
    pub(crate) broken: Option<String>,
}

impl Calibrated {
    /// Whether the counter saw the mistake, as far as it could be made here.
    pub(crate) fn is_good(&self) -> bool {
        self.broken.is_none() && (self.found > 0 || self.skipped.is_some())
    }
}

/// Makes a mistake in a directory of its own, which is kept if nobody noticed.
pub(crate) async fn calibrate(
    machine: &Machine,
    directory: &Path,
    control: &Control,
    seed: u64,
) -> Calibrated {
    let directory = directory.join(control.id);
    // Of an earlier try.
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let work = (control.run)(World {
        machine: machine.clone(),
        directory: directory.clone(),
        rng: StdRng::seed_from_u64(seed),
    });
    let mut calibrated = Calibrated {
        id: control.id.to_owned(),
        title: control.title.to_owned(),
        counter: String::new(),
        found: 0,
        skipped: None,
        broken: None,
    };
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(caught) => {
            caught.counter.clone_into(&mut calibrated.counter);
            calibrated.found = caught.found.len();
            calibrated.skipped = caught.skipped;
        }
        Err(panic) => calibrated.broken = Some(message(&*panic)),
    }
    if calibrated.is_good() {
        let _ = fs::remove_dir_all(&directory);
    }
    calibrated
}
