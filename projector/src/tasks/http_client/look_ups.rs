//! The addresses of names. The system has no look-up that can be ended: one that asks a name server which does not answer keeps its
//! thread for as long as the system likes, though nobody waits for it any more. So each has a thread of its own, which it takes from
//! nobody, there are so many of them at most, and an owner has a part of these.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use tidemark_events::UserId;
use tidemark_platform::config;
use tidemark_platform::fair_semaphore::FairSemaphore;
use tidemark_platform::shares::{Held, Shares};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;
use uuid::Uuid;

/// How long a call waits for a place. If none is free by then, others wait for the same, and the call is made later.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// The places for look-ups of one process.
pub(super) struct LookUps {
    free: FairSemaphore<Uuid>,
    of_owners: Shares<Uuid>,
    per_owner_max: usize,
}

/// A place for a look-up, which is taken until the system is done with it.
pub(super) struct Place {
    _one_of_all: OwnedSemaphorePermit,
    _one_of_owner: Held<Uuid>,
}

impl LookUps {
    pub(super) fn new(settings: &config::Tasks) -> Self {
        Self {
            free: FairSemaphore::new(settings.lookups_max),
            of_owners: Shares::default(),
            per_owner_max: settings.lookups_per_user_max,
        }
    }

    /// A place, for which owners who wait have their turns; none if the owner has as many as one may, or if no place is free in time.
    pub(super) async fn place(&self, owner_id: UserId) -> Option<Place> {
        let of_owner = self.of_owners.take(owner_id.0, self.per_owner_max)?;
        let one_of_all = timeout(WAIT_MAX, self.free.acquire(owner_id.0)).await;
        Some(Place {
            _one_of_all: one_of_all.ok()?,
            _one_of_owner: of_owner,
        })
    }
}

impl Place {
    /// The addresses of a host. Whoever does not wait for them leaves the place to the look-up.
    pub(super) async fn look_up(self, host: String) -> io::Result<Vec<SocketAddr>> {
        let (done, found) = oneshot::channel();
        let look_up = move || {
            let found = (host, 0).to_socket_addrs().map(Iterator::collect);
            drop(self);
            // Who asked may have gone.
            done.send(found).ok();
        };
        thread::Builder::new()
            .name("look-up".into())
            .spawn(look_up)?;
        let found = found.await;
        found.map_err(|_| io::Error::other("the look-up panicked"))?
    }
}
