//! One example of every event: what golden files pin, and what the tests of folds run through.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{
    AuctionId, CategoryId, CredentialId, Currency, Event, KeyedHash, Money, ProductId, ReadingId,
    ReserveId, Sealed, SessionId, Timestamp, UserId, auction, category, credential, product,
    reading, reserve, session, user,
};

/// The seller of the examples.
pub const SELLER: UserId = UserId(Uuid::from_u128(1));
/// The bidder of the examples.
pub const BIDDER: UserId = UserId(Uuid::from_u128(2));
/// The category of the examples.
pub const CATEGORY: CategoryId = CategoryId(Uuid::from_u128(3));
/// The product of the examples.
pub const PRODUCT: ProductId = ProductId(Uuid::from_u128(4));
/// The auction of the examples.
pub const AUCTION: AuctionId = AuctionId(Uuid::from_u128(5));
/// The reserve of the examples.
pub const RESERVE: ReserveId = ReserveId(Uuid::from_u128(6));
/// The credential of the examples.
pub const CREDENTIAL: CredentialId = CredentialId(Uuid::from_u128(7));
/// The session of the examples.
pub const SESSION: SessionId = SessionId(Uuid::from_u128(8));
/// The reading of the examples.
pub const READING: ReadingId = ReadingId(Uuid::from_u128(9));

/// So many seconds into 2027.
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(1_798_761_600 + seconds, 0).unwrap_or_default()
}

/// An amount in euro cents.
#[must_use]
pub const fn euro_cents(amount: i64) -> Money {
    Money {
        amount,
        currency: Currency::EUR,
    }
}

/// One example of every event, in an order in which they could have happened.
#[must_use]
pub fn all() -> Vec<Event> {
    [users(), market(), auctions()].concat()
}

fn sealed(text: &str) -> Sealed {
    Sealed {
        subject: SELLER,
        key_version: 1,
        nonce: "bm9uY2Vub25jZW5vbmNlbm9uY2Vub25j".to_owned(),
        ciphertext: text.to_owned(),
    }
}

fn users() -> Vec<Event> {
    let hash = |text: &str| KeyedHash(text.repeat(64));
    vec![
        user::Event::Registered {
            user_id: SELLER,
            credential_id: CREDENTIAL,
            email: sealed("ZW1haWw"),
            email_hash: hash("a"),
            display_name: sealed("bmFtZQ"),
        }
        .into(),
        user::Event::RoleGranted {
            user_id: SELLER,
            role: user::Role::Seller,
        }
        .into(),
        user::Event::RoleRevoked {
            user_id: SELLER,
            role: user::Role::Seller,
        }
        .into(),
        credential::Event::PasswordSet {
            credential_id: CREDENTIAL,
            user_id: SELLER,
            password_hash: sealed("aGFzaA"),
        }
        .into(),
        session::Event::Opened {
            session_id: SESSION,
            user_id: SELLER,
            token_hash: hash("b"),
            idle_until: at(604_800),
            ends_at: at(2_592_000),
        }
        .into(),
        session::Event::Refreshed {
            session_id: SESSION,
            user_id: SELLER,
            token_hash: hash("c"),
            idle_until: at(604_900),
        }
        .into(),
        session::Event::Ended {
            session_id: SESSION,
            user_id: SELLER,
            reason: session::EndReason::LoggedOut,
        }
        .into(),
        reading::Event::Recorded {
            reading_id: READING,
            reader_id: BIDDER,
            scope: reading::Scope::Stream {
                stream_id: AUCTION.0,
                after_version: 0,
            },
        }
        .into(),
    ]
}

fn market() -> Vec<Event> {
    let category_id = CATEGORY;
    let (product_id, seller_id) = (PRODUCT, SELLER);
    vec![
        category::Event::Created {
            category_id,
            parent_id: None,
            name: "Cameras".to_owned(),
            slug: "cameras".to_owned(),
            sort_order: 1,
        }
        .into(),
        category::Event::Deactivated { category_id }.into(),
        category::Event::Activated { category_id }.into(),
        product::Event::Drafted {
            product_id,
            seller_id,
            category_id,
            title: "Field camera".to_owned(),
            description: "Large format, 1962.".to_owned(),
            condition: product::Condition::Good,
            images: vec!["https://images.example/1.jpg".to_owned()],
            specifications: BTreeMap::from([("format".to_owned(), "4x5".to_owned())]),
            shipping: Some(product::Shipping {
                price: euro_cents(900),
                countries: vec!["DE".to_owned()],
            }),
        }
        .into(),
        product::Event::Listed {
            product_id,
            seller_id,
            category_id,
        }
        .into(),
        product::Event::Withdrawn {
            product_id,
            seller_id,
            category_id,
        }
        .into(),
        product::Event::Sold {
            product_id,
            seller_id,
            category_id,
            auction_id: AUCTION,
            buyer_id: BIDDER,
            price: euro_cents(12_000),
        }
        .into(),
    ]
}

fn auctions() -> Vec<Event> {
    let (auction_id, product_id, seller_id) = (AUCTION, PRODUCT, SELLER);
    vec![
        auction::Event::Scheduled {
            auction_id,
            product_id,
            category_id: CATEGORY,
            seller_id,
            title: "Field camera".to_owned(),
            starting_price: euro_cents(10_000),
            minimum_increment: 500,
            buy_now_price: Some(50_000),
            reserve_id: Some(RESERVE),
            starts_at: at(0),
            ends_at: at(3_600),
            anti_sniping_window_s: 60,
        }
        .into(),
        reserve::Event::Set {
            reserve_id: RESERVE,
            auction_id,
            product_id,
            seller_id,
            amount: euro_cents(11_000),
        }
        .into(),
        auction::Event::Opened {
            auction_id,
            product_id,
            seller_id,
        }
        .into(),
        auction::Event::BidPlaced {
            auction_id,
            product_id,
            seller_id,
            bidder_id: BIDDER,
            amount: euro_cents(12_000),
            reserve_met: true,
        }
        .into(),
        auction::Event::Extended {
            auction_id,
            product_id,
            seller_id,
            ends_at: at(3_660),
        }
        .into(),
        auction::Event::BoughtNow {
            auction_id,
            product_id,
            seller_id,
            buyer_id: BIDDER,
            price: euro_cents(50_000),
        }
        .into(),
        auction::Event::Closed {
            auction_id,
            product_id,
            seller_id,
            outcome: auction::Outcome::Sold {
                winner_id: BIDDER,
                price: euro_cents(12_000),
            },
        }
        .into(),
        auction::Event::Cancelled {
            auction_id,
            product_id,
            seller_id,
        }
        .into(),
    ]
}
