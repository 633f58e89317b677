//! A sample of every event. Golden files pin their text, and the tests of folds and decisions use them.

use uuid::Uuid;

use crate::{
    Actor, AuctionId, CategoryId, CredentialId, Currency, Event, KeyedHash, Metadata, Money,
    ProductId, ReadingId, Recorded, ReserveId, RetryId, Sealed, SessionId, Timestamp, UserId,
};

pub use crate::all_samples as all;

/// The seller in the samples.
pub const SELLER: UserId = UserId(Uuid::from_u128(1));
/// The bidder in the samples.
pub const BIDDER: UserId = UserId(Uuid::from_u128(2));
/// The category in the samples.
pub const CATEGORY: CategoryId = CategoryId(Uuid::from_u128(3));
/// The product in the samples.
pub const PRODUCT: ProductId = ProductId(Uuid::from_u128(4));
/// The auction in the samples.
pub const AUCTION: AuctionId = AuctionId(Uuid::from_u128(5));
/// The reserve in the samples.
pub const RESERVE: ReserveId = ReserveId(Uuid::from_u128(6));
/// The credential in the samples.
pub const CREDENTIAL: CredentialId = CredentialId(Uuid::from_u128(7));
/// The session in the samples.
pub const SESSION: SessionId = SessionId(Uuid::from_u128(8));
/// The reading in the samples.
pub const READING: ReadingId = ReadingId(Uuid::from_u128(9));

/// The retry in the samples.
pub const RETRY: RetryId = RetryId(Uuid::from_u128(10));

/// The time so many seconds after the beginning of 2027.
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(1_798_761_600 + seconds, 0).unwrap_or_default()
}

/// An event as the log would hold it at that position, which is its version and the second of its time
/// too. Its stream is the auction in the samples.
///
/// # Panics
/// If the event cannot be encoded.
#[must_use]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]
pub fn recorded(position: i64, event: &Event) -> Recorded {
    let encoded = event.encode().unwrap();
    let metadata = Metadata {
        actor: Actor::User(SELLER),
        correlation_id: Uuid::from_u128(77),
        causation_id: None,
        traceparent: None,
    };
    Recorded {
        position,
        event_id: Uuid::from_u64_pair(1, position.unsigned_abs()),
        stream_id: AUCTION.0,
        version: position,
        aggregate: event.aggregate().name().to_owned(),
        event_type: encoded.event_type,
        schema_version: encoded.schema_version,
        data: encoded.data,
        metadata: serde_json::to_string(&metadata).unwrap(),
        recorded_at: at(position),
    }
}

/// An amount in euro cents.
#[must_use]
pub const fn euro_cents(amount: i64) -> Money {
    Money {
        amount,
        currency: Currency::EUR,
    }
}

/// A sealed value of the seller with this text as its ciphertext.
pub(crate) fn sealed(text: &str) -> Sealed {
    Sealed {
        subject: SELLER,
        key_version: 1,
        nonce: "bm9uY2Vub25jZW5vbmNlbm9uY2Vub25j".to_owned(),
        ciphertext: text.to_owned(),
    }
}

/// A keyed hash that consists of one hexadecimal digit.
pub(crate) fn hash(digit: &str) -> KeyedHash {
    KeyedHash(digit.repeat(64))
}
