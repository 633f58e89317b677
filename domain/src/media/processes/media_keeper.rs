//! Has uploads end that nobody completes, media be deleted that nothing shows, and the bytes of both be removed.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tidemark_events::media::media;
use tidemark_events::{Event, MediaId, Moment, Stored};

use crate::process_manager::{Action, ProcessManager, What};

/// Has uploads end that nobody completes, media be deleted that nothing shows, and the bytes of both be removed.
pub const PROCESS_MANAGER: ProcessManager = ProcessManager {
    name: "media-keeper",
    event_types: &[
        "media.upload_opened",
        "media.upload_ended",
        "media.stored",
        "media.detached",
        "media.deleted",
    ],
    commands: &[
        "expire_upload",
        "delete_unshown_media",
        "record_media_removal",
    ],
    fulfilled: &["upload_over", "media_kept", "media_removed"],
    final_refusals: &[],
    react,
};

/// The name of the effect that removes what has arrived of an upload.
pub const REMOVE_UPLOAD: &str = "remove-upload";
/// The name of the effect that removes all bytes of media.
pub const REMOVE_MEDIA: &str = "remove-media";

/// What the bytes belong to that are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The media.
    pub media_id: MediaId,
}

fn react(event: &Event) -> Vec<Action> {
    let Event::Media(event) = event else {
        return Vec::new();
    };
    let action = match event {
        // What has arrived is not needed any more then, whether the upload is complete or not.
        media::Event::UploadOpened {
            media_id,
            expires_at,
            ..
        } => remove(REMOVE_UPLOAD, *media_id, Some(expires_at)),
        media::Event::UploadEnded { media_id, .. } => remove(REMOVE_MEDIA, *media_id, None),
        media::Event::Deleted {
            media_id,
            remove_at,
            ..
        } => remove(REMOVE_MEDIA, *media_id, Some(remove_at)),
        media::Event::MediaStored {
            media_id,
            unshown_until,
            ..
        }
        | media::Event::Detached {
            media_id,
            unshown_until,
            ..
        } => Action {
            name: "delete-unshown".to_owned(),
            due_at: Some(**unshown_until),
            owner_id: None,
            about: None,
            what: What::Command {
                path: format!("/v1/media/{media_id}/delete-unshown"),
                body: Some(json!({"unshown_until": unshown_until})),
            },
        },
        media::Event::Attached { .. } | media::Event::Removed { .. } => return Vec::new(),
    };
    vec![action]
}

fn remove(effect: &str, media_id: MediaId, due_at: Option<&Stored<Moment>>) -> Action {
    Action {
        name: effect.to_owned(),
        due_at: due_at.map(|it| **it),
        owner_id: None,
        about: None,
        what: What::Effect {
            name: effect.to_owned(),
            destination: String::new(),
            body: json!(Removal { media_id }),
        },
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{MEDIA, at};

    use super::*;
    use crate::given::sample;

    #[test]
    fn what_is_not_needed_is_removed_in_time() {
        let deletion = What::Command {
            path: format!("/v1/media/{MEDIA}/delete-unshown"),
            body: Some(json!({"unshown_until": "2027-01-03T00:00:00Z"})),
        };
        let removal = |effect: &str| remove(effect, MEDIA, None).what;
        for (event_type, due_at, what) in [
            (
                "media.upload_opened",
                Some(at(86_400)),
                removal(REMOVE_UPLOAD),
            ),
            ("media.upload_ended", None, removal(REMOVE_MEDIA)),
            ("media.stored", Some(at(172_800)), deletion),
            ("media.deleted", Some(at(864_000)), removal(REMOVE_MEDIA)),
        ] {
            let [action] = &react(&sample(event_type))[..] else {
                panic!("one action");
            };
            assert_eq!(
                (action.due_at, &action.what),
                (due_at, &what),
                "{event_type}"
            );
        }
    }
}
