//! A sample of every event. Golden files pin their text, and the tests of folds and decisions use them.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

use std::fmt::Debug;

use uuid::Uuid;

use crate::{
    Actor, Amount, AuctionId, CategoryId, ContactPointId, CredentialId, Currency, DigestId, Event,
    ForkId, KeyedHash, MediaAccountId, MediaId, MessageId, Metadata, Moment, NotificationId,
    PreferencesId, Price, ProductId, PublicationId, ReadingId, RebuildId, Recorded, RepairId,
    ReserveId, RetryId, Sealed, SessionId, Stored, TaskId, TaskRunId, TemplateId, TextBudgetId,
    Timestamp, UserId, Value, WatchListId,
};

pub use crate::all_samples as all;

/// The samples as a build before the present rules could have stored them: with values that these refuse.
///
/// # Panics
/// If one of them cannot be read.
#[must_use]
pub fn before_rules() -> Vec<Event> {
    let refused = [
        ("\"EUR\"", "\"XXX\""),
        ("\"DE\"", "\"Germany\""),
        ("\"cameras\"", "\"00000000-0000-0000-0000-000000000003\""),
        ("Field camera", "\u{202e}"),
        ("Large format", "\\u0007"),
        ("https://", "two\\nlines"),
        ("4x5", ""),
        ("Cameras", " "),
        ("auction-timer", "\\t"),
        ("2027-01-01T00:00:00Z", "1969-12-31T23:59:60.500Z"),
        ("\"amount\":1", "\"amount\":-1"),
        ("\"minimum_increment\":", "\"minimum_increment\":-"),
        ("\"buy_now_price\":", "\"buy_now_price\":-"),
    ];
    let before = |event: Event| {
        let stored = event.encode().unwrap();
        let data = refused
            .into_iter()
            .fold(stored.data, |data, (now, before)| data.replace(now, before));
        Event::decode(&stored.event_type, stored.schema_version, &data).unwrap()
    };
    all().into_iter().map(before).collect()
}

/// The seller in the samples.
pub const SELLER: UserId = UserId(Uuid::from_u128(1));
/// The bidder in the samples.
pub const BIDDER: UserId = UserId(Uuid::from_u128(2));
/// Another bidder in the samples, who is outbid.
pub const RIVAL: UserId = UserId(Uuid::from_u128(0x12));
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

/// The watch list in the samples.
pub const WATCH_LIST: WatchListId = WatchListId(Uuid::from_u128(0x50));
/// The id of the watch in the samples.
pub const WATCH: Uuid = Uuid::from_u128(0x51);

/// The media in the samples.
pub const MEDIA: MediaId = MediaId(Uuid::from_u128(0x40));
/// The media account in the samples.
pub const MEDIA_ACCOUNT: MediaAccountId = MediaAccountId(Uuid::from_u128(0x41));

/// The message in the samples.
pub const MESSAGE: MessageId = MessageId(Uuid::from_u128(0x20));

/// The message in the samples that is sent later.
pub const LATER_MESSAGE: MessageId = MessageId(Uuid::from_u128(0x25));

/// The message in the samples that is not sent.
pub const UNSENT_MESSAGE: MessageId = MessageId(Uuid::from_u128(0x23));

/// The contact point in the samples.
pub const CONTACT_POINT: ContactPointId = ContactPointId(Uuid::from_u128(0x24));

/// The template in the samples, which is that of mails in English that greet who registers.
pub const TEMPLATE: TemplateId =
    TemplateId(Uuid::from_u128(0x0000_0000_0000_7db6_b01f_915a_10eb_3c7e));

/// The text in the samples.
pub const TEXT: MessageId = MessageId(Uuid::from_u128(0x26));

/// The text budget in the samples.
pub const TEXT_BUDGET: TextBudgetId = TextBudgetId(Uuid::from_u128(0x27));

/// The notification in the samples.
pub const NOTIFICATION: NotificationId = NotificationId(Uuid::from_u128(0x21));

/// The digest in the samples.
pub const DIGEST: DigestId = DigestId(Uuid::from_u128(0x28));

/// The mail of the digest in the samples.
pub const DIGEST_MAIL: MessageId = MessageId(Uuid::from_u128(0x29));

/// The preferences in the samples.
pub const PREFERENCES: PreferencesId = PreferencesId(Uuid::from_u128(0x22));

/// The task in the samples.
pub const TASK: TaskId = TaskId(Uuid::from_u128(0x30));
/// The run of a task in the samples.
pub const TASK_RUN: TaskRunId = TaskRunId(Uuid::from_u128(0x31));

/// The repair in the samples.
pub const REPAIR: RepairId = RepairId(Uuid::from_u128(12));
/// The retry in the samples.
pub const RETRY: RetryId = RetryId(Uuid::from_u128(10));
/// The rebuild in the samples.
pub const REBUILD: RebuildId = RebuildId(Uuid::from_u128(11));
/// The fork in the samples.
pub const FORK: ForkId = ForkId(Uuid::from_u128(13));
/// The publication in the samples.
pub const PUBLICATION: PublicationId = PublicationId(Uuid::from_u128(14));

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

/// The same time as a client states it.
#[must_use]
pub fn moment(seconds: i64) -> Moment {
    Moment::nearest(at(seconds))
}

/// The value that a client states by this text.
///
/// # Panics
/// If the rules of the value refuse the text.
#[must_use]
pub fn stated<V: TryFrom<String, Error: Debug>>(text: &str) -> V {
    text.to_owned().try_into().unwrap()
}

/// The same value as events hold it.
///
/// # Panics
/// If the rules of the value refuse the text.
#[must_use]
pub fn stored<V: Value + TryFrom<String, Error: Debug>>(text: &str) -> Stored<V> {
    Stored::from(stated::<V>(text))
}

/// So many minor units.
///
/// # Panics
/// If the number is out of range.
#[must_use]
pub fn amount(minor_units: i64) -> Amount {
    minor_units.try_into().unwrap()
}

/// An amount in euro cents.
///
/// # Panics
/// If the number is out of range.
#[must_use]
pub fn euro_cents(cents: i64) -> Price {
    price(cents)
}

pub(crate) fn price<const MIN: i64>(cents: i64) -> Price<MIN> {
    Price::new(cents.try_into().unwrap(), Currency::EUR.try_into().unwrap())
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
