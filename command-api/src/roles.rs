//! What a replica of this process does.

use std::fmt;
use std::str::FromStr;

/// The roles of one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Takes commands.
    pub api: bool,
    /// Stands ready to publish the log; one of all replicas does.
    pub relay: bool,
}

impl Roles {
    /// Both.
    pub const ALL: Self = Self {
        api: true,
        relay: true,
    };
}

/// Not a list of roles.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role; the roles are `api` and `relay`, joined by commas")]
pub struct UnknownRole(String);

impl FromStr for Roles {
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

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(self.api, "api"), (self.relay, "relay")];
        let held: Vec<_> = names
            .iter()
            .filter_map(|(held, name)| held.then_some(*name))
            .collect();
        f.write_str(&held.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_a_list() {
        assert_eq!("api,relay".parse(), Ok(Roles::ALL));
        assert_eq!(
            "relay".parse(),
            Ok(Roles {
                api: false,
                relay: true
            })
        );
        assert_eq!(Roles::ALL.to_string(), "api,relay");
        assert_eq!("".parse::<Roles>(), Err(UnknownRole(String::new())));
    }
}
