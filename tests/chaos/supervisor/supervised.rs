//! One process under supervision.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::signals::{Signal, descendants, send};
use super::{DataLock, Program};

/// The pause before a process that died is started again. It doubles with each death in a row that
/// comes soon after a start.
const RESTART_PAUSE_MIN: Duration = Duration::from_millis(100);
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(5);
/// A process that lived this long did not die of its start.
const EARLY: Duration = Duration::from_secs(5);

/// A process that is started again when it dies.
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
    /// Deaths in a row that came soon after a start.
    early_deaths: u32,
    next_start: Instant,
}

impl Supervised {
    /// A process that does not run yet.
    pub(super) fn new(name: &str, log: PathBuf, program: Program, held: bool) -> Self {
        let now = Instant::now();
        Self {
            name: name.to_owned(),
            log,
            state: Mutex::new(State {
                program,
                child: None,
                held,
                starts: 0,
                started_at: now,
                early_deaths: 0,
                next_start: now,
            }),
        }
    }

    /// The name of the process in messages and of its log file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The process id, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.state().child.as_ref().map(Child::id)
    }

    /// How often it was started.
    pub(crate) fn starts(&self) -> u32 {
        self.state().starts
    }

    /// Its latest deaths in a row that each came within 5 s of a start.
    pub(crate) fn early_deaths(&self) -> u32 {
        self.state().early_deaths
    }

    /// Kills it and its children (`kill -9`). Unless it is held, it is started again.
    pub(crate) fn kill(&self) {
        self.signal(Signal::Kill);
    }

    /// Sends a signal to the process if it runs; kill, stop and continue go to its children too.
    pub(crate) fn signal(&self, signal: Signal) {
        // While the state is locked nobody reaps the process, so the id cannot be somebody else's.
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

    /// Keeps it from being started again when it has died.
    pub(crate) fn hold(&self) {
        self.state().held = true;
    }

    /// Has it started if it does not run, and again whenever it dies.
    pub(crate) fn release(&self) {
        let mut state = self.state();
        state.held = false;
        state.early_deaths = 0;
        state.next_start = Instant::now();
    }

    /// Whether it is kept from being started.
    pub(crate) fn is_held(&self) -> bool {
        self.state().held
    }

    /// Changes the program that the next start runs.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Program)) {
        change(&mut self.state().program);
    }

    /// The program that the next start runs.
    pub(crate) fn program(&self) -> Program {
        self.state().program.clone()
    }

    /// The file that its output goes to.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Kills it, holds it, and waits until it is gone.
    pub(crate) fn end(&self) {
        self.hold();
        self.kill();
        let mut state = self.state();
        if let Some(mut child) = state.child.take() {
            // A process that is stopped dies of SIGKILL as well.
            let _ = child.wait();
        }
    }

    /// Starts it if that is due, after having noticed its death.
    pub(super) fn check(&self) {
        let mut state = self.state();
        if let Some(child) = &mut state.child {
            if child.try_wait().unwrap().is_none() {
                return;
            }
            state.child = None;
            let was_early = state.started_at.elapsed() < EARLY;
            state.early_deaths = if was_early { state.early_deaths + 1 } else { 0 };
            let doubled = RESTART_PAUSE_MIN * (1 << state.early_deaths.min(6));
            let pause = if was_early {
                doubled
            } else {
                RESTART_PAUSE_MIN
            };
            state.next_start = Instant::now() + pause.min(RESTART_PAUSE_MAX);
        }
        let data_is_free = || state.program.data_lock.as_ref().is_none_or(DataLock::clear);
        if !state.held && Instant::now() >= state.next_start && data_is_free() {
            state.child = Some(start(&state.program, &self.log));
            state.starts += 1;
            state.started_at = Instant::now();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Starts a program through `setpriv`, which has the kernel kill it when this process dies, and
/// changes the user.
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
    // A group of its own keeps Ctrl-C away from it: this process ends all others in order.
    command.process_group(0);
    command
        .spawn()
        .unwrap_or_else(|error| panic!("setpriv does not start: {error}"))
}
