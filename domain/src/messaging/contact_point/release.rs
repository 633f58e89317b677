//! How an operator lets messages be sent to an address again.

use tidemark_events::ContactPointId;
use tidemark_events::identity::user::Role;
use tidemark_events::messaging::contact_point::{Event, Scope};

use super::{ContactPoint, Error};
use crate::decision::refusals;
use crate::identity::access;
use crate::{Command, Refusal, Stop, View, Write};

/// Lets messages be sent to an address again. Only an operator may do this.
#[derive(Clone, Debug)]
pub struct Release {
    /// The contact point of the address.
    pub contact_point_id: ContactPointId,
}

impl Command for Release {
    fn name(&self) -> &'static str {
        "release_contact_point"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotFound, Error::NotSuppressed]);
        [access::role_refusals(Role::Operator), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require(view, Role::Operator)?;
        let point = view.get::<ContactPoint>(self.contact_point_id.0)?;
        let ContactPoint::Known { address_hash, .. } = point else {
            return Err(Error::NotFound.into());
        };
        if !point.is_suppressed(Scope::AllButCritical, view.now()) {
            return Err(Error::NotSuppressed.into());
        }
        Ok(vec![Write::event(
            self.contact_point_id.0,
            Event::Released {
                contact_point_id: self.contact_point_id,
                address_hash: address_hash.clone(),
            },
        )])
    }
}
