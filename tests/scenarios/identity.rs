//! The scenarios of the context `identity`.

mod personal_data;
mod registration;
mod roles;
mod sessions;
