//! Which parts of a projector a process runs. The roles of users are something else: those are in
//! `tidemark_events::identity::user`.

use clap::ValueEnum;

/// A part of the projector that can run in a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Keep read models, build their generations, and let these serve
    Projections,
    /// Answer events, and send the commands that follow
    Reactors,
    /// Do what is done outside, such as sending mails; no other role needs the master key
    Effects,
}

impl Role {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::Projections, Self::Reactors, Self::Effects];
}
