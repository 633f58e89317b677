//! The scenarios of the context `audit`.

mod trail;
