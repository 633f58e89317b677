//! What requests and answers of uploads that go on say in headers.

use std::convert::Infallible;

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponseParts, ResponseParts};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;
use tidemark_domain::media::media::Media as MediaState;
use tidemark_events::Timestamp;
use tidemark_events::media::media::{PictureType, Purpose};
use tidemark_platform::http::tus::{
    UPLOAD_CHECKSUM, UPLOAD_EXPIRES, UPLOAD_LENGTH, UPLOAD_METADATA, UPLOAD_OFFSET,
};
use tidemark_platform::http::{Problem, without_parameters};

use crate::media;
use crate::media::Checksum;

/// The media type of bytes that follow others.
const OFFSET_TYPE: &str = "application/offset+octet-stream";

/// What a client says of a file before it sends it.
#[derive(Debug)]
pub(super) struct Stated {
    pub(super) purpose: Purpose,
    pub(super) picture_type: Option<PictureType>,
    pub(super) bytes: i64,
}

/// What the headers say that open an upload.
pub(super) fn stated(headers: &HeaderMap) -> Result<Stated, Problem> {
    let bytes = number(headers, &UPLOAD_LENGTH).filter(|bytes| *bytes > 0);
    let bytes = bytes.ok_or_else(|| {
        media::invalid_header("Upload-Length must be a number of bytes, at least 1.")
    })?;
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let metadata = text(headers, &UPLOAD_METADATA).unwrap_or_default();
    let purpose = named(metadata, "purpose")?.and_then(|name| {
        let name: &str = &name;
        Purpose::deserialize(IntoDeserializer::<ValueError>::into_deserializer(name)).ok()
    });
    let purpose = purpose.ok_or_else(|| {
        media::invalid_header("Upload-Metadata must name a purpose of media, in Base64.")
    })?;
    let picture_type = match named(metadata, "filetype")? {
        Some(media_type) => media::picture_type(&media_type)?,
        None => None,
    };
    Ok(Stated {
        purpose,
        picture_type,
        bytes,
    })
}

/// The value of this name in `Upload-Metadata`.
fn named(metadata: &str, name: &str) -> Result<Option<String>, Problem> {
    let mut found = None;
    for pair in metadata.split(',') {
        let pair = pair.trim();
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        if key != name {
            continue;
        }
        let value = STANDARD.decode(value).ok();
        let value = value.and_then(|value| String::from_utf8(value).ok());
        if value.is_none() || found.is_some() {
            let detail = "Upload-Metadata must hold each name once, with a value in Base64.";
            return Err(media::invalid_header(detail));
        }
        found = value;
    }
    Ok(found)
}

/// What a request says of the bytes that it sends.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) offset: u64,
    /// How many there are, if the request says so.
    pub(super) bytes: Option<u64>,
    pub(super) checksum: Option<Checksum>,
}

/// What the headers say of the bytes that follow.
pub(super) fn sent(headers: &HeaderMap) -> Result<Sent, Problem> {
    media::not_encoded(headers)?;
    let media_type = text(headers, &CONTENT_TYPE).unwrap_or_default();
    if !without_parameters(media_type).eq_ignore_ascii_case(OFFSET_TYPE) {
        return Err(media::unsupported_type_of_bytes());
    }
    let offset = number(headers, &UPLOAD_OFFSET)
        .ok_or_else(|| media::invalid_header("Upload-Offset must be a number of bytes."))?;
    let checksum = match headers.get(UPLOAD_CHECKSUM) {
        Some(header) => Some(Checksum::parse(header.to_str().unwrap_or_default())?),
        None => None,
    };
    Ok(Sent {
        offset,
        bytes: number(headers, &CONTENT_LENGTH),
        checksum,
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A number of digits alone. One that is larger than any is taken for the largest.
fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let text = text(headers, name)?;
    let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// What is kept of the metadata that a client has sent: of a file of which only these are known.
pub(super) fn metadata(
    purpose: Purpose,
    picture_type: Option<PictureType>,
) -> (HeaderName, String) {
    let purpose = ("purpose", purpose.name());
    let file_type = picture_type.map(|it| ("filetype", it.media_type()));
    let pairs = [Some(purpose), file_type].into_iter().flatten();
    let pairs = pairs.map(|(name, value)| format!("{name} {}", STANDARD.encode(value)));
    (UPLOAD_METADATA, pairs.collect::<Vec<_>>().join(","))
}

/// `Upload-Expires`, by which an answer says when an upload ends that is not complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expires(Timestamp);

impl Expires {
    /// When an upload in this state ends; none if it is over.
    pub(super) fn of(state: &MediaState) -> Option<Self> {
        match state {
            MediaState::Uploading(upload) => Some(Self(*upload.expires_at)),
            MediaState::None
            | MediaState::Stored(_)
            | MediaState::Over { .. }
            | MediaState::Removed => None,
        }
    }
}

impl IntoResponseParts for Expires {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        let date = self.0.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(date) = HeaderValue::try_from(date) {
            parts.headers_mut().insert(UPLOAD_EXPIRES, date);
        }
        Ok(parts)
    }
}

/// How far an upload has come, as answers say it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progressed {
    pub(super) offset: u64,
    pub(super) length: u64,
    /// None once it is complete.
    pub(super) expires_at: Option<Timestamp>,
}

impl IntoResponseParts for Progressed {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        let headers = parts.headers_mut();
        headers.insert(UPLOAD_OFFSET, self.offset.into());
        headers.insert(UPLOAD_LENGTH, self.length.into());
        self.expires_at.map(Expires).into_response_parts(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let pairs = pairs.iter().cloned();
        pairs
            .map(|(name, value)| (name, HeaderValue::try_from(value).unwrap()))
            .collect()
    }

    #[test]
    fn an_upload_states_its_purpose_its_type_and_its_length() {
        let purpose = "filename Yg==,purpose cHJvZHVjdF9waWN0dXJl";
        let typed = format!("{purpose}, filetype aW1hZ2UvcG5n");
        for (metadata, picture_type) in [(purpose, None), (&typed, Some(PictureType::Png))] {
            for (length, bytes) in [("7", 7), ("18446744073709551616", i64::MAX)] {
                let headers = of(&[(UPLOAD_LENGTH, length), (UPLOAD_METADATA, metadata)]);
                let stated = stated(&headers).unwrap();
                assert_eq!(stated.purpose, Purpose::ProductPicture);
                assert_eq!((stated.picture_type, stated.bytes), (picture_type, bytes));
            }
        }
    }

    #[test]
    fn what_is_not_stated_as_it_should_be_is_refused() {
        let purpose = "purpose cHJvZHVjdF9waWN0dXJl";
        let twice = format!("{purpose},{purpose}");
        let html = format!("{purpose},filetype dGV4dC9odG1s");
        for (length, metadata, code) in [
            ("0", purpose, "invalid_upload_header"),
            ("-1", purpose, "invalid_upload_header"),
            ("+1", purpose, "invalid_upload_header"),
            ("", purpose, "invalid_upload_header"),
            ("1", "", "invalid_upload_header"),
            ("1", "purpose", "invalid_upload_header"),
            ("1", "purpose !", "invalid_upload_header"),
            ("1", "purpose cG9lbQ==", "invalid_upload_header"),
            ("1", &twice, "invalid_upload_header"),
            ("1", &html, "unsupported_media_type"),
        ] {
            let headers = of(&[(UPLOAD_LENGTH, length), (UPLOAD_METADATA, metadata)]);
            let refused = stated(&headers).unwrap_err();
            assert_eq!(refused.code(), code, "{length} {metadata}");
        }
    }

    #[test]
    fn bytes_are_sent_with_their_offset_and_type() {
        let typed = (CONTENT_TYPE, "Application/Offset+Octet-Stream; a=b");
        let found = sent(&of(&[typed.clone(), (UPLOAD_OFFSET, "9")])).unwrap();
        assert_eq!((found.offset, found.bytes), (9, None));
        for (headers, code) in [
            (of(&[(UPLOAD_OFFSET, "9")]), "unsupported_media_type"),
            (of(std::slice::from_ref(&typed)), "invalid_upload_header"),
            (
                of(&[typed.clone(), (UPLOAD_OFFSET, "1e3")]),
                "invalid_upload_header",
            ),
            (
                of(&[typed, (UPLOAD_OFFSET, "9"), (UPLOAD_CHECKSUM, "crc32 AA==")]),
                "invalid_upload_header",
            ),
        ] {
            assert_eq!(sent(&headers).unwrap_err().code(), code, "{headers:?}");
        }
    }
}
