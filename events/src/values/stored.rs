//! Values as events hold them, and what else a field of an event may be.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{KeyedHash, Sealed};

/// A value that a client states and that rules have accepted.
pub trait Value: Into<Self::Plain> {
    /// The value without its rules.
    type Plain: Serialize + DeserializeOwned;
}

/// A value as an event holds it.
///
/// It is made of a `V` and of nothing else, so no event gets what the rules of `V` refuse. It is read without
/// these rules: what was stored stays readable, whatever they become. So no body of a request has a field of
/// this type; a `V` reads what clients state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Stored<V: Value>(pub(super) V::Plain);

impl<V: Value> From<V> for Stored<V> {
    fn from(value: V) -> Self {
        Self(value.into())
    }
}

impl<V: Value> Deref for Stored<V> {
    type Target = V::Plain;

    fn deref(&self) -> &V::Plain {
        &self.0
    }
}

/// A type that fields of events may have. The macros that declare events require it of every field.
///
/// ```
/// # use tidemark_events::{EventField, Slug, Stored};
/// fn require<T: EventField>() {}
/// require::<Stored<Slug>>();
/// ```
/// What no rules have accepted is none, and neither is a value that is read by rules.
/// ```compile_fail
/// # use tidemark_events::EventField;
/// fn require<T: EventField>() {}
/// require::<String>();
/// ```
/// ```compile_fail
/// # use tidemark_events::{EventField, Slug};
/// fn require<T: EventField>() {}
/// require::<Slug>();
/// ```
#[diagnostic::on_unimplemented(
    message = "no field of an event may be a `{Self}`",
    note = "an event holds what a client states as `Stored<V>`, where `V` is a type of `values`, and parts of its \
            own are declared by `event_field!`"
)]
pub trait EventField {}

macro_rules! event_fields {
    ($($type:ty),+) => {
        $(impl EventField for $type {})+
    };
}

event_fields!(bool, i32, u32, i64, Uuid, KeyedHash, Sealed);

impl<V: Value> EventField for Stored<V> {}
impl<T: EventField> EventField for Box<T> {}
impl<T: EventField> EventField for Option<T> {}
impl<T: EventField> EventField for Vec<T> {}
impl<T: EventField> EventField for BTreeSet<T> {}
impl<K: EventField, T: EventField> EventField for BTreeMap<K, T> {}
