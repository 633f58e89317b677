//! The problems of uploads that are none of the domain's.

use std::time::Duration;

use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderMap, StatusCode};
use tidemark_platform::http::Problem;
use tidemark_platform::http::tus::SpeaksTus;
use tidemark_platform::media_store::Error;

/// After how many seconds a client may try again that the store did not answer.
const RETRY_AFTER_S: u64 = 5;
/// The status by which tus says that a checksum does not match.
const CHECKSUM_MISMATCH: u16 = 460;
/// After how many seconds a client may ask again whether the deployment keeps media.
const NOT_KEPT_RETRY_AFTER_S: u64 = 3_600;

/// The problems of a route that receives files.
pub(crate) fn problems() -> [Problem; 12] {
    [
        not_kept(),
        length_required(),
        too_large(10_485_760),
        unsupported_type(),
        empty(),
        rejected("the picture is broken, or of a kind that cannot be read"),
        of_store(&Error::Full),
        lost(),
        unavailable(),
        overloaded(),
        inspection_failed(),
        inspected_too_much(Duration::from_secs(20)),
    ]
}

/// The problems of a route by which an upload goes on, beside those of receiving files.
pub(crate) fn problems_of_resumed() -> [Problem; 5] {
    [
        pieces_too_small(262_144),
        wrong_offset(65_536),
        checksum_mismatch(),
        invalid_header("Upload-Offset must be a number of bytes."),
        SpeaksTus::version_not_supported(),
    ]
}

/// The problem with bytes that do not follow those that are kept.
pub(crate) fn wrong_offset(offset: u64) -> Problem {
    let detail = format!("The upload does not go on there. It went on at {offset} a moment ago.");
    Problem::conflict("wrong_upload_offset", detail).explained(
        "The bytes do not follow those that have arrived: they were sent already, or others are missing.",
        "Ask by HEAD for the `Upload-Offset` at which the upload goes on.",
    )
}

/// The problem with a piece that is so small that the upload would have too many parts.
pub(super) fn pieces_too_small(part_bytes: usize) -> Problem {
    let detail =
        format!("The upload has too many parts for pieces of less than {part_bytes} bytes.");
    Problem::unprocessable("upload_pieces_too_small", detail).explained(
        "The upload was sent in so many small pieces that it would have too many parts. None of these bytes was kept.",
        "Go on at the same offset with pieces of as many bytes as `detail` says, or with all that is left.",
    )
}

/// The problem with bytes that are not those that the client meant to send.
pub(super) fn checksum_mismatch() -> Problem {
    let detail = "The bytes do not have the checksum, and none of them was kept.";
    let status = StatusCode::from_u16(CHECKSUM_MISMATCH).unwrap_or(StatusCode::BAD_REQUEST);
    Problem::new(status, "checksum_mismatch", detail).explained(
        "The bytes of the request do not have the checksum that Upload-Checksum names. None of them was kept.",
        "Send them again.",
    )
}

/// The problem with a header that says something of an upload.
pub(crate) fn invalid_header(detail: &'static str) -> Problem {
    Problem::bad_request("invalid_upload_header", detail).explained(
        "A header that says something of an upload is missing, or has another form than it must have.",
        "Send the header that `detail` names as it says.",
    )
}

/// The problem where the deployment keeps no media.
pub(crate) fn not_kept() -> Problem {
    let detail = "This deployment keeps no media.";
    Problem::unavailable("media_not_kept", detail, NOT_KEPT_RETRY_AFTER_S).explained(
        "The deployment is not configured to keep media.",
        "Ask its operator to set `media.place`.",
    )
}

/// The problem with a file of unknown length.
pub(crate) fn length_required() -> Problem {
    let detail =
        "The request must say by Content-Length how many bytes the file has: at least one.";
    Problem::new(StatusCode::LENGTH_REQUIRED, "length_required", detail).explained(
        "The request does not say how large the file is, or it is empty.",
        "Send Content-Length, and no Transfer-Encoding.",
    )
}

/// The problem with a file without bytes.
pub(crate) fn empty() -> Problem {
    rejected("the file is empty")
}

/// Refuses what is sent in another coding, which would not be the bytes of the file.
pub(crate) fn not_encoded(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(CONTENT_ENCODING) {
        let detail = "The file must not be encoded: send it without Content-Encoding.";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "unsupported_media_type", detail));
    }
    Ok(())
}

/// The problem with a file of a type that is not taken.
pub(crate) fn unsupported_type() -> Problem {
    let detail = "Pictures are taken as image/jpeg, image/png and image/webp, and as application/octet-stream if their type is to be found out.";
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        detail,
    )
}

/// The problem with bytes that are not said to follow others.
pub(crate) fn unsupported_type_of_bytes() -> Problem {
    let detail =
        "The bytes of an upload that goes on are taken as application/offset+octet-stream.";
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        detail,
    )
}

/// The problem with a file that is too large for its purpose, or longer than it was said to be.
pub(crate) fn too_large(bytes_max: u64) -> Problem {
    let detail = format!("At most {bytes_max} bytes are taken here.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

/// The problem with a file that is no picture that is taken.
pub(super) fn rejected(reason: &str) -> Problem {
    Problem::unprocessable("picture_rejected", reason).explained(
        "The file is not a picture of the stated type, has too many pixels, or is broken.",
        "Send another file, or state its true type.",
    )
}

/// The problem with a store that did not do what it was asked for.
pub(super) fn of_store(error: &Error) -> Problem {
    match error {
        Error::Full => {
            let detail = "There is no room left for media.";
            let status = StatusCode::INSUFFICIENT_STORAGE;
            Problem::new(status, "media_store_full", detail).explained(
                "The store of media has no room left.",
                "Try again later. The operator sees it too.",
            )
        }
        Error::Exists | Error::Missing | Error::Altered | Error::Slow | Error::Unavailable(_) => {
            error.report();
            unavailable()
        }
    }
}

/// The problem with an upload that is over because the store has lost or altered some of its bytes.
pub(crate) fn lost() -> Problem {
    let detail = "Bytes of the upload that had arrived were lost, so it is over.";
    Problem::new(StatusCode::GONE, "upload_lost", detail).explained(
        "The store of media has lost or altered bytes of the upload that had arrived. The upload is over, and counts no longer.",
        "Upload the file again.",
    )
}

/// The problem with a store that does not answer.
pub(crate) fn unavailable() -> Problem {
    let detail = "The store of media does not answer.";
    Problem::unavailable("media_store_unavailable", detail, RETRY_AFTER_S).explained(
        "The store of media does not answer, or not as it should.",
        "Send the request again after `Retry-After`, with the same Idempotency-Key.",
    )
}

/// The problem with a user whose pictures took too long lately, who may send others after this time.
pub(super) fn inspected_too_much(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let detail =
        format!("Your pictures took too long lately. Others are taken in {seconds} seconds.");
    let status = StatusCode::TOO_MANY_REQUESTS;
    Problem::new(status, "media_inspection_share_used", detail).explained(
        "The pictures of the caller took more time in the last minute than those of one user may.",
        "Send fewer or smaller pictures, and the next one after as many seconds as `detail` says.",
    )
}

/// The problem with a machine that has too much to do to look at a picture in time.
pub(super) fn overloaded() -> Problem {
    let detail = "The picture could not be looked at in time.";
    Problem::unavailable("media_inspection_overloaded", detail, RETRY_AFTER_S).explained(
        "The server had too much to do to look at the picture in time.",
        "Send the request again after `Retry-After`, with the same Idempotency-Key; of an upload that goes on, the last bytes.",
    )
}

/// The problem with a process that was to look at a picture and did not, for no reason of the picture.
pub(super) fn inspection_failed() -> Problem {
    let detail = "The picture could not be looked at.";
    Problem::unavailable("media_inspection_failed", detail, RETRY_AFTER_S).explained(
        "The server could not start the process that looks at pictures, or it was ended from outside. The operator sees it too.",
        "Send the request again after `Retry-After`, with the same Idempotency-Key; of an upload that goes on, the last bytes.",
    )
}
