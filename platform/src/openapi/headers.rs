//! The headers of requests and answers that several routes have in common.

use utoipa::openapi::header::Header as AnswerHeader;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{SchemaFormat, SchemaType, Type};
use utoipa::openapi::{HeaderBuilder, KnownFormat, Object, ObjectBuilder, Required};

/// A header, with what the description says of it.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub(super) name: &'static str,
    description: &'static str,
    example: &'static str,
    kind: Kind,
}

/// What the value of a header is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    /// Text that a regular expression describes.
    Pattern(&'static str),
    /// The same, without which a request is refused.
    RequiredPattern(&'static str),
    Uuid,
    Seconds,
}

impl Header {
    /// The request that a log line or an event belongs to.
    pub const CORRELATION_ID: Self = Self {
        name: "X-Correlation-Id",
        description: "The id under which the request is logged. A new one is made if the client sends none, or one that is no UUID.",
        example: "0199b3a4-5c7e-7d11-8f0e-2b6c9d1e4a77",
        kind: Kind::Uuid,
    };
    /// The trace that a request belongs to.
    pub const TRACEPARENT: Self = Self {
        name: "traceparent",
        description: "The trace that the request belongs to, as W3C Trace Context writes it. One that is malformed is ignored, as the \
                      standard has it.",
        example: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        kind: Kind::Text,
    };
    /// What makes a repeated command act once.
    pub const IDEMPOTENCY_KEY: Self = Self {
        name: "Idempotency-Key",
        description: "A name that the client makes up for this command. If the same request, byte by byte, is sent \
                      again under the same name within 24 hours, it acts once, and is answered as it was the first \
                      time. Each user and each service has names of their own, and all who send no credential share the \
                      names of a path: a UUID is one that nobody else makes up. A refusal is not kept. Another \
                      request under the name is refused.",
        example: "0199b3a4-5c7e-7d11-8f0e-2b6c9d1e4a77",
        kind: Kind::Pattern("^(\"[A-Za-z0-9_-]{16,64}\"|[A-Za-z0-9_-]{16,64})$"),
    };
    /// The version that a command expects.
    pub const IF_MATCH: Self = Self {
        name: "If-Match",
        description: "The request is refused unless what it is about is at this version, as `ETag` gave it. What has no `ETag`, such as a \
                      list, is at none.",
        example: "\"7\"",
        kind: Kind::Text,
    };
    /// The document that a client has.
    pub const IF_NONE_MATCH: Self = Self {
        name: "If-None-Match",
        description: "The document is not sent again if it is still the one that had this `ETag`.",
        example: "\"7.eYp0nmn3XAaILg8Y3UMP4w\"",
        kind: Kind::Text,
    };
    /// Which bytes of a file a client wants.
    pub const RANGE: Self = Self {
        name: "Range",
        description: "One range of the bytes, which is answered 206. What is malformed, or names several ranges, is answered with \
                      all bytes.",
        example: "bytes=0-65535",
        kind: Kind::Text,
    };
    /// The file of which a client has a part.
    pub const IF_RANGE: Self = Self {
        name: "If-Range",
        description: "`Range` counts only if the file is still the one that had this `ETag`. Otherwise all bytes are sent.",
        example: "\"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\"",
        kind: Kind::Text,
    };
    /// How recent an answer must be.
    pub const TIDEMARK_AT_LEAST: Self = Self {
        name: "Tidemark",
        description: "The newest `Tidemark` that the client has got from either API. The answer is not from before it.",
        example: "1.4711",
        kind: Kind::Text,
    };
    /// The last update that a client has of a live stream.
    pub const LAST_EVENT_ID: Self = Self {
        name: "Last-Event-ID",
        description: "The id of the last update that the client has. Only newer ones are sent.",
        example: "1.4711",
        kind: Kind::Text,
    };
    /// Whose messages an operator looks for.
    pub const EMAIL_ADDRESS: Self = Self {
        name: "Email-Address",
        description: "Only what is of this e-mail address. It is a header because addresses of pages are logged and kept, \
                      and a header is not.",
        example: "ada@example.com",
        kind: Kind::Text,
    };
    /// Whose texts an operator looks for.
    pub const PHONE_NUMBER: Self = Self {
        name: "Phone-Number",
        description: "Only what is of this telephone number (E.164). It is a header because addresses of pages are logged and \
                      kept, and a header is not. It is not combined with `Email-Address`.",
        example: "+4915123456789",
        kind: Kind::Text,
    };
    /// The event that a command answers.
    pub const CAUSATION_ID: Self = Self {
        name: "X-Causation-Id",
        description: "The event that a service answers with its command. One that is no UUID is refused.",
        example: "0199b3a4-5c7e-7d11-8f0e-2b6c9d1e4a77",
        kind: Kind::Uuid,
    };
    /// The reactor whose command it is.
    pub const REACTOR: Self = Self {
        name: "X-Reactor",
        description: "The reactor as which a service sends the command.",
        example: "auction-timer",
        kind: Kind::Text,
    };
    /// What is known after an answer.
    pub const TIDEMARK: Self = Self {
        name: "Tidemark",
        description: "What the answer reflects. Send it with a query, which is then not answered from before it.",
        example: "1.4711",
        kind: Kind::Text,
    };
    /// What an answer lacks.
    pub const TIDEMARK_PARKED: Self = Self {
        name: "Tidemark-Parked",
        description: "Sent if something in the answer lacks the event at this position and later ones, because that event could not be applied and waits for repair.",
        example: "1.4700",
        kind: Kind::Text,
    };
    /// The version of what an answer is about.
    pub const ETAG: Self = Self {
        name: "ETag",
        description: "The version after the command; of a document its version and, behind a dot, what changes with anything that it shows, \
                      such as a name that is erased. Send it as it is, as `If-Match` or `If-None-Match`.",
        example: "\"7\"",
        kind: Kind::Text,
    };
    /// That parts of a file can be asked for.
    pub const ACCEPT_RANGES: Self = Self {
        name: "Accept-Ranges",
        description: "`bytes`: a `Range` of the bytes may be asked for.",
        example: "bytes",
        kind: Kind::Text,
    };
    /// How a browser shows a file.
    pub const CONTENT_DISPOSITION: Self = Self {
        name: "Content-Disposition",
        description: "`inline`: a browser shows the picture where it is, and does not save it as a file.",
        example: "inline",
        kind: Kind::Text,
    };
    /// Which bytes of a file an answer holds.
    pub const CONTENT_RANGE: Self = Self {
        name: "Content-Range",
        description: "Which bytes these are, and how many there are of the file. A refusal names the second alone.",
        example: "bytes 0-65535/150000",
        kind: Kind::Text,
    };
    /// Where the new thing is.
    pub const LOCATION: Self = Self {
        name: "Location",
        description: "The path of what was created, which the query API shows. A new user is shown at `/v1/me`, and only to \
                      themselves: log in first. The path of a session is one of the command API, at which it is \
                      ended; nothing shows it. That of an upload is one of the command API too, at which it goes on.",
        example: "/v1/auctions/0199b3a4-5c7e-7d11-8f0e-2b6c9d1e4a77",
        kind: Kind::Text,
    };
    /// Whether the answer is that of an earlier request.
    pub const IDEMPOTENCY_REPLAYED: Self = Self {
        name: "Idempotency-Replayed",
        description: "`true` if the command had acted before under this `Idempotency-Key`.",
        example: "true",
        kind: Kind::Text,
    };
    /// When to try again.
    pub const RETRY_AFTER: Self = Self {
        name: "Retry-After",
        description: "After how many seconds the client should try again.",
        example: "1",
        kind: Kind::Seconds,
    };
    /// How to authenticate.
    pub const WWW_AUTHENTICATE: Self = Self {
        name: "WWW-Authenticate",
        description: "How to authenticate, and what is wrong with the credential (RFC 6750). A 403 carries it only with the \
                      code `insufficient_scope`.",
        example: "Bearer error=\"invalid_token\"",
        kind: Kind::Text,
    };

    /// The version of tus that a request speaks.
    pub const TUS_RESUMABLE: Self = Self {
        name: "Tus-Resumable",
        description: "The version of tus, which is 1.0.0. Every answer says it too, and requests that only read need not.",
        example: "1.0.0",
        kind: Kind::Pattern("^1\\.0\\.0$"),
    };
    /// The version of tus that the server speaks.
    pub const TUS_VERSION: Self = Self {
        name: "Tus-Version",
        description: "The version of tus that is spoken here.",
        example: "1.0.0",
        kind: Kind::Text,
    };
    /// How many bytes a file has.
    pub const UPLOAD_LENGTH: Self = Self {
        name: "Upload-Length",
        description: "How many bytes the file has.",
        example: "150000",
        kind: Kind::RequiredPattern("^[0-9]{1,18}$"),
    };
    /// What a client says of a file.
    pub const UPLOAD_METADATA: Self = Self {
        name: "Upload-Metadata",
        description: "Names, each with a blank and a value in Base64, separated by commas. `purpose` is what the file is for, as at \
                      `POST /v1/media`, and `filetype` its media type, which is found out if it is left out. All others are \
                      ignored, and not answered.",
        example: "purpose cHJvZHVjdF9waWN0dXJl,filetype aW1hZ2UvanBlZw==",
        kind: Kind::RequiredPattern("purpose "),
    };
    /// How many bytes of a file have arrived.
    pub const UPLOAD_OFFSET: Self = Self {
        name: "Upload-Offset",
        description: "How many bytes of the file have arrived. A request sends those that follow.",
        example: "65536",
        kind: Kind::RequiredPattern("^[0-9]{1,18}$"),
    };
    /// What the bytes of a request must have.
    pub const UPLOAD_CHECKSUM: Self = Self {
        name: "Upload-Checksum",
        description: "The algorithm, `sha1` or `sha256`, a blank, and the checksum of the bytes of the request in Base64. If they \
                      have another one, none is kept. Such a request has few bytes.",
        example: "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
        kind: Kind::Text,
    };
    /// When an upload ends that is not complete.
    pub const UPLOAD_EXPIRES: Self = Self {
        name: "Upload-Expires",
        description: "When the upload ends if it is not complete by then.",
        example: "Wed, 27 Jan 2027 12:00:00 GMT",
        kind: Kind::Text,
    };

    pub(super) fn parameter(self) -> Parameter {
        ParameterBuilder::new()
            .name(self.name)
            .parameter_in(ParameterIn::Header)
            .required(self.required())
            .description(Some(self.description))
            .schema(Some(self.schema()))
            .build()
    }

    pub(super) fn of_answers(self) -> AnswerHeader {
        HeaderBuilder::new()
            .description(Some(self.description))
            .schema(Some(self.schema()))
            .build()
    }

    const fn required(self) -> Required {
        match self.kind {
            Kind::RequiredPattern(_) => Required::True,
            Kind::Text | Kind::Pattern(_) | Kind::Uuid | Kind::Seconds => Required::False,
        }
    }

    fn schema(self) -> Object {
        let text = ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
        match self.kind {
            Kind::Text => text.examples([self.example]).build(),
            Kind::Pattern(pattern) | Kind::RequiredPattern(pattern) => {
                text.pattern(Some(pattern)).examples([self.example]).build()
            }
            Kind::Uuid => text
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
                .examples([self.example])
                .build(),
            Kind::Seconds => ObjectBuilder::new()
                .schema_type(SchemaType::new(Type::Integer))
                .minimum(Some(0))
                .examples([1])
                .build(),
        }
    }
}
