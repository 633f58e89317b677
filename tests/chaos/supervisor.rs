//! Processes that are started again when they die, as an init system does, unless a fault holds them
//! down. What is started here ends with this process, however that ends.

mod signals;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::servers::postgres;

pub(crate) use signals::{Signal, descendants, send};

/// How often it is looked whether a process still lives.
const WATCH: Duration = Duration::from_millis(10);
/// Pause before a process that died is started again; doubles while it dies young.
const RESTART_MIN: Duration = Duration::from_millis(100);
const RESTART_MAX: Duration = Duration::from_secs(5);
/// A process that lived as long did not die of its start.
const GROWN_UP: Duration = Duration::from_secs(5);

/// What is run, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Program {
    /// What stands before the program: `faketime -f +10d`, say. It must `exec` what follows.
    pub(crate) wrapper: Vec<String>,
    /// The binary, and what it is called with.
    pub(crate) command: Vec<String>,
    /// All of its environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// The user that it runs as, if not ours.
    pub(crate) user: Option<&'static str>,
    /// The data directory, where a killed one leaves what must be cleared away before a start.
    pub(crate) cluster: Option<PathBuf>,
}

/// A process under supervision; cheap to share.
#[derive(Debug)]
pub(crate) struct Supervised {
    name: String,
    log: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    program: Program,
    child: Option<Child>,
    held: bool,
    starts: u32,
    started_at: Instant,
    /// Deaths in a row, each soon after a start.
    died_young: u32,
    next_start: Instant,
}

/// Starts and watches. Dropped, it kills everything that it started.
#[derive(Debug)]
pub(crate) struct Supervisor {
    watched: Arc<Mutex<Vec<Arc<Supervised>>>>,
}

impl Supervisor {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        let watched = Arc::new(Mutex::new(Vec::<Arc<Supervised>>::new()));
        let seen: Weak<_> = Arc::downgrade(&watched);
        // One thread starts all of them, and lives as long as they: a child is told of the death of
        // the thread that made it.
        thread::spawn(move || {
            while let Some(watched) = seen.upgrade() {
                let watched = watched.lock().unwrap().clone();
                for process in watched {
                    process.watch();
                }
                thread::sleep(WATCH);
            }
        });
        Self { watched }
    }

    /// Starts a process, with its output in `<logs>/<name>.log`; with `held`, only once released.
    pub(crate) fn add(
        &self,
        name: &str,
        logs: &Path,
        program: Program,
        held: bool,
    ) -> Arc<Supervised> {
        let now = Instant::now();
        let process = Arc::new(Supervised {
            name: name.to_owned(),
            log: logs.join(format!("{name}.log")),
            state: Mutex::new(State {
                program,
                child: None,
                held,
                starts: 0,
                started_at: now,
                died_young: 0,
                next_start: now,
            }),
        });
        self.watched.lock().unwrap().push(process.clone());
        process
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let watched = std::mem::take(&mut *self.watched.lock().unwrap());
        // Clients first, so that they do not fill their logs with what happens to the servers.
        for process in watched.iter().rev() {
            process.end();
        }
    }
}

impl Supervised {
    /// What it is called in logs and tables.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its id, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.state().child.as_ref().map(Child::id)
    }

    /// How often it was started.
    pub(crate) fn starts(&self) -> u32 {
        self.state().starts
    }

    /// How often it died soon after a start since it last lived long.
    pub(crate) fn died_young(&self) -> u32 {
        self.state().died_young
    }

    /// Kills it and its children at once. Unless it is held, it is started again.
    pub(crate) fn kill(&self) {
        self.signal(Signal::Kill);
    }

    /// Sends a signal to it; where it concerns the whole family (kill, stop, continue), to its
    /// children too. Nothing happens if it does not run.
    pub(crate) fn signal(&self, signal: Signal) {
        // Under the lock nobody reaps it, so the id is its own.
        let state = self.state();
        let Some(pid) = state.child.as_ref().map(Child::id) else {
            return;
        };
        let mut pids = vec![pid];
        if matches!(signal, Signal::Kill | Signal::Stop | Signal::Continue) {
            pids.extend(descendants(pid));
        }
        send(signal, &pids);
    }

    /// From now on it is not started again when it has died.
    pub(crate) fn hold(&self) {
        self.state().held = true;
    }

    /// It is started, if it does not run, and again when it dies.
    pub(crate) fn release(&self) {
        let mut state = self.state();
        state.held = false;
        state.died_young = 0;
        state.next_start = Instant::now();
    }

    /// Whether a fault holds it down.
    pub(crate) fn is_held(&self) -> bool {
        self.state().held
    }

    /// Changes what the next start runs.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Program)) {
        change(&mut self.state().program);
    }

    /// What the next start runs.
    pub(crate) fn program(&self) -> Program {
        self.state().program.clone()
    }

    /// Where its output goes.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Kills it for good, and waits until it has gone.
    pub(crate) fn end(&self) {
        self.hold();
        self.kill();
        let mut state = self.state();
        if let Some(mut child) = state.child.take() {
            // A paused one dies of this signal as well.
            let _ = child.wait();
        }
    }

    fn watch(&self) {
        let mut state = self.state();
        if let Some(child) = &mut state.child {
            if child.try_wait().unwrap().is_none() {
                return;
            }
            state.child = None;
            let young = state.started_at.elapsed() < GROWN_UP;
            state.died_young = if young { state.died_young + 1 } else { 0 };
            let doubled = RESTART_MIN * (1 << state.died_young.min(6));
            let pause = if young { doubled } else { RESTART_MIN };
            state.next_start = Instant::now() + pause.min(RESTART_MAX);
        }
        let cleared = || state.program.cluster.as_deref().is_none_or(postgres::clear);
        if !state.held && Instant::now() >= state.next_start && cleared() {
            state.child = Some(start(&state.program, &self.log));
            state.starts += 1;
            state.started_at = Instant::now();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// `setpriv` makes the kernel kill it when this process dies, and changes the user.
fn start(program: &Program, log: &Path) -> Child {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = program.user {
        let (user, group) = (format!("--reuid={user}"), format!("--regid={user}"));
        command.args([&*user, &*group, "--init-groups"]);
    }
    let log = File::options().create(true).append(true).open(log).unwrap();
    command
        .arg("--")
        .args(&program.wrapper)
        .args(&program.command)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(&program.environment)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    // Ctrl-C is for this process alone, which ends the others in order.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
        .spawn()
        .unwrap_or_else(|error| panic!("setpriv: {error}"))
}
