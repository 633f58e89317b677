//! Processes that are started again when they die, as an init system does, unless a fault holds
//! them down. Every process that is started here ends with this one, however this one ends.

mod data_lock;
mod signals;
mod supervised;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

pub(crate) use data_lock::DataLock;
pub(crate) use signals::{Signal, send};
pub(crate) use supervised::Supervised;

/// How often each process is checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// A program to be supervised, with all that a start of it needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Program {
    /// What stands before the command, such as `faketime -f +10d`. It must `exec` the command.
    pub(crate) wrapper: Vec<String>,
    /// The binary and its arguments.
    pub(crate) command: Vec<String>,
    /// The whole environment, except for `PATH`.
    pub(crate) environment: BTreeMap<String, String>,
    /// The user that it runs as, if not the user of this process.
    pub(crate) user: Option<&'static str>,
    /// A lock file that a killed process leaves behind, and that must be removed before a start.
    pub(crate) data_lock: Option<DataLock>,
}

/// Starts and watches processes. When it is dropped, it kills all of them.
#[derive(Debug)]
pub(crate) struct Supervisor {
    processes: Arc<Mutex<Vec<Arc<Supervised>>>>,
}

impl Supervisor {
    /// A supervisor without processes.
    pub(crate) fn new() -> Self {
        let processes = Arc::new(Mutex::new(Vec::<Arc<Supervised>>::new()));
        let watched: Weak<_> = Arc::downgrade(&processes);
        // One thread starts all processes and lives as long as they do, because the kernel kills a
        // child when the thread that started it ends (see `--pdeathsig`).
        thread::spawn(move || {
            while let Some(processes) = watched.upgrade() {
                let processes = processes.lock().unwrap().clone();
                for process in processes {
                    process.check();
                }
                thread::sleep(CHECK_INTERVAL);
            }
        });
        Self { processes }
    }

    /// Adds a process whose output goes to `<logs>/<name>.log`. It is started soon; if it is
    /// `held`, only once it is released.
    pub(crate) fn add(
        &self,
        name: &str,
        logs: &Path,
        program: Program,
        held: bool,
    ) -> Arc<Supervised> {
        let log = logs.join(format!("{name}.log"));
        let process = Arc::new(Supervised::new(name, log, program, held));
        self.processes.lock().unwrap().push(process.clone());
        process
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let processes = std::mem::take(&mut *self.processes.lock().unwrap());
        // Clients end before servers, so that their logs do not fill with the servers' end.
        for process in processes.iter().rev() {
            process.end();
        }
    }
}
