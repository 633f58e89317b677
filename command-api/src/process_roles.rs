//! Which parts of the command API a replica runs. The roles of users are something else: those are in
//! `tidemark_events::identity::user`.

use std::fmt;
use std::str::FromStr;

/// Which parts of the command API a replica runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessRoles {
    /// Whether the replica accepts commands.
    pub api: bool,
    /// Whether the replica stands ready to publish the log. One of all that do is active.
    pub relay: bool,
}

impl ProcessRoles {
    /// All parts.
    pub const ALL: Self = Self {
        api: true,
        relay: true,
    };
}

/// A name that is not a role's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role; the roles are `api` and `relay`, joined by commas")]
pub struct UnknownRole(String);

impl FromStr for ProcessRoles {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let mut roles = Self {
            api: false,
            relay: false,
        };
        for name in text.split(',') {
            match name.trim() {
                "api" => roles.api = true,
                "relay" => roles.relay = true,
                unknown => return Err(UnknownRole(unknown.to_owned())),
            }
        }
        Ok(roles)
    }
}

impl fmt::Display for ProcessRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles = [(self.api, "api"), (self.relay, "relay")];
        let names: Vec<_> = roles
            .iter()
            .filter_map(|(is_held, name)| is_held.then_some(*name))
            .collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_a_list() {
        assert_eq!("api,relay".parse(), Ok(ProcessRoles::ALL));
        assert_eq!(
            "relay".parse(),
            Ok(ProcessRoles {
                api: false,
                relay: true
            })
        );
        assert_eq!(ProcessRoles::ALL.to_string(), "api,relay");
        assert_eq!("".parse::<ProcessRoles>(), Err(UnknownRole(String::new())));
    }
}
