//! Sees to it that a process may have as many open files as it may have connections. Service managers and shells often
//! allow 1,024, as programs of old could not use more, and leave it to a program to raise that.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process has open besides the connections of clients: those to other servers, and a few files.
const OTHERS: usize = 256;

/// Raises the limit to what so many connections need, as far as this process may.
pub(super) fn allow_connections(connections: usize) {
    let needed = u64::try_from(connections.saturating_add(OTHERS)).unwrap_or(u64::MAX);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let is_enough = |limit: Option<u64>| limit.is_none_or(|limit| needed <= limit);
    if is_enough(current) {
        return;
    }
    let most = maximum.map_or(needed, |maximum| needed.min(maximum));
    let raised = Rlimit {
        current: Some(most),
        maximum,
    };
    if setrlimit(Resource::Nofile, raised).is_err() || !is_enough(Some(most)) {
        tracing::warn!(
            needed,
            allowed = ?maximum,
            "the limit of open files is too low for http.connections_max connections"
        );
    }
}
