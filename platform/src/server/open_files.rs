//! Sees to it that a process may have as many open files as it may need. Service managers and shells often allow 1,024, as programs of
//! old could not use more, and leave it to a program to raise that.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Config;

/// What a process has open besides: connections to other servers, and a few files.
const OTHERS: usize = 256;
/// An operation on the folder of media opens a file and, for a moment, the folder that it is in.
const PER_OPERATION: usize = 2;

/// Raises the limit to what the connections, downloads and operations take that the settings allow, as far as this process may.
pub fn allow_open_files(config: &Config) {
    let needed = u64::try_from(needed(config)).unwrap_or(u64::MAX);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let is_enough = |limit: Option<u64>| limit.is_none_or(|limit| needed <= limit);
    if is_enough(current) {
        return;
    }
    let most = maximum.map_or(needed, |maximum| needed.min(maximum));
    let raised = Rlimit {
        current: Some(most),
        maximum,
    };
    if setrlimit(Resource::Nofile, raised).is_err() || !is_enough(Some(most)) {
        tracing::warn!(
            needed,
            allowed = ?maximum,
            "the limit of open files is too low for http.connections_max connections and media.downloads_max downloads"
        );
    }
}

/// A download has a file open, or a connection to the store, as long as it is sent.
fn needed(config: &Config) -> usize {
    let operations = config.media.folder_operations_max * PER_OPERATION;
    let media = config.media.downloads_max.saturating_add(operations);
    let media = if config.media.place.is_empty() {
        0
    } else {
        media
    };
    config
        .http
        .connections_max
        .saturating_add(media)
        .saturating_add(OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config_with;

    #[test]
    fn what_media_take_is_reckoned_beside_connections() {
        let without = needed(&config_with(&[]));
        let with = needed(&config_with(&[
            ("TIDEMARK_MEDIA__PLACE", "/srv/media"),
            ("TIDEMARK_MEDIA__DOWNLOADS_MAX", "1000"),
            ("TIDEMARK_MEDIA__FOLDER_OPERATIONS_MAX", "10"),
        ]));
        assert_eq!(with - without, 1_020);
    }
}
