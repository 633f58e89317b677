//! The headers of tus 1.0, the protocol of uploads that go on after they were interrupted
//! (<https://tus.io/protocols/resumable-upload>).

use axum::Router;
use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tower::ServiceBuilder;

use super::Problem;

/// The version of the protocol that a request or an answer speaks.
pub const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
/// How many bytes the file has.
pub const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// How many bytes of it have arrived.
pub const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// What a client says of the file.
pub const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
/// The checksum of the bytes of a request.
pub const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
/// When an upload that is not complete is removed.
pub const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");

/// The method that a request is to be taken for.
pub(crate) const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
pub(crate) const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
pub(crate) const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
pub(crate) const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
pub(crate) const TUS_CHECKSUM_ALGORITHM: HeaderName =
    HeaderName::from_static("tus-checksum-algorithm");

/// The one version that is spoken here.
const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
const EXTENSIONS: HeaderValue =
    HeaderValue::from_static("creation,expiration,checksum,termination");
const CHECKSUM_ALGORITHMS: HeaderValue = HeaderValue::from_static("sha1,sha256");

/// The routes that speak tus.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resumable {
    /// Their paths.
    pub paths: &'static [&'static str],
    /// The most bytes of a file.
    pub bytes_max: u64,
}

impl Resumable {
    /// Whether these are the parts of a request to one of the routes.
    pub(crate) fn has(self, path: Option<&MatchedPath>) -> bool {
        path.is_some_and(|path| self.paths.contains(&path.as_str()))
    }

    /// Takes a `POST` to such a route for the method that it names, since some clients, or what is between them and the server, know few
    /// methods.
    pub(crate) fn override_methods(self, router: Router) -> Router {
        if self.paths.is_empty() {
            return router;
        }
        // The method decides on the route, so it is replaced before one is chosen.
        let overriding = ServiceBuilder::new().map_request(move |request| self.overridden(request));
        Router::new().fallback_service(overriding.service(router))
    }

    fn overridden(self, mut request: Request) -> Request {
        let named = request.headers().get(METHOD_OVERRIDE);
        let named = named.and_then(|it| Method::from_bytes(it.as_bytes()).ok());
        if let Some(named) = named
            && *request.method() == Method::POST
            && self.is_path(request.uri().path())
        {
            // What is sent is a POST, whose answer has a body.
            let is_head = named == Method::HEAD;
            *request.method_mut() = if is_head { Method::GET } else { named };
        }
        request
    }

    /// Whether a request with this path may be one to such a route.
    fn is_path(self, path: &str) -> bool {
        self.paths.iter().any(|route| match route.split_once('{') {
            Some((before, _)) => path.starts_with(before),
            None => path == *route,
        })
    }

    /// Adds to an answer of such a route what each must say, and to that of OPTIONS what the server can do.
    pub(crate) fn describe(self, method: &Method, headers: &mut HeaderMap) {
        if *method != Method::OPTIONS {
            headers.insert(TUS_RESUMABLE, VERSION);
            return;
        }
        headers.insert(TUS_VERSION, VERSION);
        headers.insert(TUS_EXTENSION, EXTENSIONS);
        headers.insert(TUS_MAX_SIZE, self.bytes_max.into());
        headers.insert(TUS_CHECKSUM_ALGORITHM, CHECKSUM_ALGORITHMS);
    }
}

/// A request that speaks the version of tus that is spoken here. One that only reads need not say so.
#[derive(Clone, Copy, Debug)]
pub struct SpeaksTus;

impl SpeaksTus {
    /// The problem with a request that speaks another version, or none.
    #[must_use]
    pub fn version_not_supported() -> Problem {
        let detail = "Uploads that go on speak tus 1.0.0, and say so by Tus-Resumable.";
        Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "tus_version_not_supported",
            detail,
        )
        .header(TUS_VERSION, VERSION)
        .explained(
            "The request does not say that it speaks the version 1.0.0 of tus.",
            "Send `Tus-Resumable: 1.0.0`.",
        )
    }
}

impl<S: Sync> FromRequestParts<S> for SpeaksTus {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        match parts.headers.get(TUS_RESUMABLE) {
            Some(version) if version == VERSION => Ok(Self),
            None if is_read => Ok(Self),
            Some(_) | None => Err(Self::version_not_supported()),
        }
    }
}
