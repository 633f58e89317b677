//! Processes that are told to end, as in a deployment, or start at the same time.

use std::time::{Duration, Instant};

use futures::FutureExt;

use super::recovery::{PROJECTOR_RESUMES, RELAY_RESUMES};
use super::{Fault, Injection, Outcome};

pub(super) const FAULTS: &[Fault] = &[
    Fault::new("three-relays", "three relays start at once", 3, |i| {
        three_relays(i).boxed()
    }),
    Fault::new(
        "rolling-restart",
        "SIGTERM to each process in turn, beside a second one",
        3,
        |i| rolling_restart(i).boxed(),
    ),
];

/// A process that is told to end has ended in this time.
const SHUTDOWN: Duration = Duration::from_secs(21);

/// One of the three leads, the others wait.
async fn three_relays(injection: Injection) -> Outcome {
    let relays = &injection.stack.relays;
    for relay in relays {
        relay.supervised.end();
    }
    for relay in relays {
        relay.supervised.release();
    }
    Outcome::Recovered(injection.wait_for_relay(RELAY_RESUMES).await)
}

/// Every process is replaced while another one of its kind runs, so that one retry is always enough
/// for a client.
async fn rolling_restart(injection: Injection) -> Outcome {
    let stack = &injection.stack;
    let before = injection.load.tally();
    let standbys = stack
        .processes()
        .filter(|process| process.supervised.is_held());
    for process in standbys {
        process.supervised.release();
    }
    stack.ready().await;
    for process in stack.processes() {
        let asked = Instant::now();
        process.stop().await;
        let (name, took) = (process.supervised.name(), asked.elapsed());
        assert!(
            took < SHUTDOWN,
            "{name} ended only after {took:?}, not within {SHUTDOWN:?}"
        );
        process.supervised.release();
        process.ready().await;
    }
    let meanwhile = injection.load.tally() - before;
    assert_eq!(
        meanwhile.second_retries, 0,
        "one retry was not enough for a client: {meanwhile:?}"
    );
    injection.load.wait_for_accepted_command().await;
    Outcome::Recovered(injection.wait_for_read_models(PROJECTOR_RESUMES).await)
}
