//! How much of the process one principal may take. Work is admitted while there is room for it, in all and
//! of one principal; more is refused at once, since waiting in a long queue would help nobody.

use std::net::IpAddr;
use std::sync::Arc;

use metrics::gauge;
use tidemark_platform::shares::{Held, Shares};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::error::Error;

/// Whose share of the process a piece of work takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Share {
    /// A user, in whatever sessions.
    User(Uuid),
    /// A service, or a reactor.
    Service(Arc<str>),
    /// Everybody without a credential at an address.
    Address(IpAddr),
}

impl Share {
    /// What it is the share of.
    const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Service(_) => "service",
            Self::Address(_) => "address",
        }
    }
}

/// Admits work while there is less than a bound, in all and of one share.
#[derive(Clone)]
pub(crate) struct Admission {
    slots: Arc<Semaphore>,
    shares: Shares<Share>,
    per_share_max: usize,
    gauge: &'static str,
}

/// The right to a place among what is admitted. Dropping it makes room for other work.
pub struct Permit {
    _held: Held<Share>,
    gauge: &'static str,
    _slot: OwnedSemaphorePermit,
}

impl Admission {
    /// Admits up to `max` in all, and up to `per_share_max` of one share. The metric `gauge` shows how much
    /// is admitted.
    pub(crate) fn new(gauge: &'static str, max: usize, per_share_max: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(max)),
            shares: Shares::default(),
            per_share_max,
            gauge,
        }
    }

    /// Admits work that takes from `share`.
    ///
    /// # Errors
    /// At once, if there is no room: [`Error::TooManyRequests`] if the share is used up, which is the fault
    /// of whose it is, and [`Error::Overloaded`] if there is no room for anybody.
    pub(crate) fn admit(&self, share: Share) -> Result<Permit, Error> {
        let too_many = Error::TooManyRequests {
            share: share.kind(),
            max: self.per_share_max,
        };
        let held = self.shares.take(share, self.per_share_max);
        let held = held.ok_or(too_many)?;
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        let slot = slot.map_err(|_| Error::Overloaded)?;
        gauge!(self.gauge).increment(1);
        Ok(Permit {
            _held: held,
            gauge: self.gauge,
            _slot: slot,
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        gauge!(self.gauge).decrement(1);
    }
}
