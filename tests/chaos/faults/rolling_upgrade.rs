//! A deployment of another build, process by process, and its withdrawal. The next build has one more read model, and
//! another fold of auctions; see `read-models/src/next_build.rs`.

mod next_build;
mod pages;

use std::time::Duration;

use futures::FutureExt;

use self::next_build::NextBuild;
use self::pages::Pages;
use super::recovery::{PROJECTOR_RESUMES, SLOWNESS};
use super::shards::{STANDSTILL, Shards, Step};
use super::{Fault, Injection, Outcome};
use crate::stack::Process;
use crate::wait::wait_until;

pub(super) const FAULTS: &[Fault] = &[Fault::new(
    "rolling-upgrade",
    "another build replaces projectors and query APIs one by one, and is withdrawn again",
    3,
    |i| rolling_upgrade(i).boxed(),
)];

/// Until the generation of the new fold serves after the first projector of the next build was started.
const SERVES: Duration = Duration::from_secs(20 * SLOWNESS);

/// What is under way while processes are replaced.
struct Upgrade {
    injection: Injection,
    next: NextBuild,
    shards: Shards,
    pages: Pages,
}

/// Nothing stands still, nothing is handed to and fro, no query fails, and none shows rows of both folds.
async fn rolling_upgrade(injection: Injection) -> Outcome {
    let next = match NextBuild::beside(&injection.stack) {
        Ok(next) => next,
        Err(skipped) => return skipped,
    };
    // One that failed in this round may have left something.
    next.remove().await;
    let upgrade = Upgrade {
        shards: Shards::watch(&injection.stack, step("nothing was done yet", 0)),
        pages: Pages::watch(&injection.stack),
        injection,
        next,
    };
    upgrade.deploy().await;
    upgrade.withdraw().await;
    let Upgrade {
        injection,
        next,
        shards,
        pages,
    } = upgrade;
    pages.assert_unmixed().await;
    let longest = shards.assert_moved();
    next.remove().await;
    injection.wait_for_read_models(PROJECTOR_RESUMES).await;
    Outcome::Recovered(longest)
}

impl Upgrade {
    /// Replaces one process after the other. The generation of the new fold serves before the last projector of the old
    /// build ends, as the manual wants it.
    async fn deploy(&self) {
        let [first, second, third] = self.projectors();
        let query_apis = &self.injection.stack.query_apis;
        self.next.migrate().await;
        let join = async {
            for standby in [second, third] {
                standby.supervised.release();
                standby.ready().await;
            }
        };
        self.take(step("two projectors joined", 2), join).await;
        self.replace(&query_apis[0]).await;
        let replaced = step("the first projector was replaced", 2);
        self.take(replaced, self.replace(first)).await;
        self.wait_for_switch().await;
        self.replace(&query_apis[1]).await;
        let replaced = step("the second projector was replaced", 2);
        self.take(replaced, self.replace(second)).await;
        self.kill(second).await;
        let replaced = step("the last projector was replaced", 2);
        self.take(replaced, self.replace(third)).await;
    }

    /// Starts a projector of the old build, lets the old fold serve again, and ends the others.
    async fn withdraw(&self) {
        let [first, second, third] = self.projectors();
        let old = self.next.old_program(first);
        let replaced = first.restart_with(|program| *program = old);
        self.take(step("the first projector was withdrawn", 2), replaced)
            .await;
        self.next.roll_back().await;
        self.next.assert_rows().await;
        self.take(step("the second projector left", 1), second.stop())
            .await;
        self.shards.give_up(next_build::NEW_SHARDS);
        self.take(step("the last projector left", 1), third.stop())
            .await;
    }

    fn projectors(&self) -> [&Process; 3] {
        let mut projectors = self.injection.stack.projectors.iter();
        std::array::from_fn(|_| projectors.next().expect("a stack has three projectors"))
    }

    /// Waits until the generation of the new fold serves.
    async fn wait_for_switch(&self) {
        let served = wait_until("the generation of the new fold serves", || {
            self.next.serves()
        })
        .await;
        assert!(
            served < SERVES,
            "the new fold served only after {served:?}, not within {SERVES:?}"
        );
    }

    /// Has a process run its program in the next build.
    async fn replace(&self, process: &Process) {
        process
            .restart_with(|program| self.next.replace(program))
            .await;
    }

    /// Takes a step, and waits until the projectors have shared the work anew.
    async fn take(&self, step: Step, work: impl Future<Output = ()>) {
        self.shards.begin(step);
        work.await;
        self.shards.settle().await;
    }

    /// Kills a projector. Before others go on, its leases must run out.
    async fn kill(&self, projector: &Process) {
        let killed = Step {
            standstill_max: PROJECTOR_RESUMES,
            ..step("a projector was killed", 2)
        };
        let kill = projector.kill_and_wait();
        self.take(killed, kill.map(drop)).await;
    }
}

/// A step in which every process says what it does.
fn step(name: &'static str, takes_max: i64) -> Step {
    Step {
        name,
        takes_max,
        standstill_max: STANDSTILL,
    }
}
