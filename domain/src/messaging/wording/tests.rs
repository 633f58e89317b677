//! What texts say, and that they are no longer than they may be.

use tidemark_events::samples::{AUCTION, NOTIFICATION, PRODUCT, SELLER, euro_cents, stored};
use tidemark_events::{Currency, Sealed, Stored};

use super::*;

fn notice(category: Category, title: &str) -> Template {
    Template::Notification(Box::new(Notice {
        notification_id: NOTIFICATION,
        category,
        subject: notification::Subject::Auction {
            auction_id: AUCTION,
            product_id: PRODUCT,
            title: stored(title),
            amount: Some(euro_cents(12_000).into()),
        },
    }))
}

#[test]
fn a_title_is_shortened_until_the_text_has_no_more_segments_than_it_may() {
    let whole = text(&notice(Category::Outbid, "Field camera"), "", 1);
    assert_eq!(
        whole,
        "You were outbid: \"Field camera\". The highest bid is 120.00 EUR."
    );
    for category in Category::ALL {
        for title in ["東".repeat(200), "a".repeat(200), "€".repeat(200)] {
            for max in 1..=3 {
                let text = text(&notice(category, &title), "", max);
                assert!(segments(&text) <= max, "{max}: {text}");
                assert!(text.starts_with(headline(category)), "{text}");
            }
        }
    }
}

#[test]
fn a_title_is_shortened_in_the_words_of_a_template_too() {
    let Template::Notification(notice) = notice(Category::Outbid, &"a".repeat(200)) else {
        panic!("no notification")
    };
    let body = "{{ title }}{% if amount %} is at {{ amount }}{% endif %}";
    let text = text_of_template(body, &notice, 1).unwrap();
    assert_eq!(text, format!("{}... is at 120.00 EUR", "a".repeat(140)));
    assert_eq!(segments(&text), 1);
    let whole = text_of_template(body, &notice, 2).unwrap();
    assert_eq!(whole, format!("{} is at 120.00 EUR", "a".repeat(200)));
    // What never fits, or cannot be rendered, is not said.
    let long = format!("{}{body}", "b".repeat(150));
    assert_eq!(text_of_template(&long, &notice, 1), None);
    assert_eq!(text_of_template("{{ task }}", &notice, 1), None);
}

#[test]
fn a_text_with_a_code_is_one_segment() {
    let code = Template::PhoneCode {
        code: Box::new(Sealed {
            subject: SELLER,
            key_version: 1,
            nonce: String::new(),
            ciphertext: String::new(),
        }),
    };
    let text = text(&code, CODE_PLACE, 1);
    assert!(text.starts_with("000000 is your code"), "{text}");
    assert_eq!(segments(&text), 1);
}

#[test]
fn an_amount_has_the_digits_of_its_currency() {
    let amount = |amount, currency| money(Money { amount, currency });
    assert_eq!(amount(5, Currency::EUR), "0.05 EUR");
    assert_eq!(amount(120, Currency::EUR), "1.20 EUR");
    assert_eq!(amount(120, Currency::JPY), "120 JPY");
    assert_eq!(amount(1_234, Currency::KWD), "1.234 KWD");
    assert_eq!(money(*Stored::from(euro_cents(1))), "0.01 EUR");
}

#[test]
fn no_title_begins_a_header() {
    assert_eq!(one_line("a\r\nBcc: b"), "a  Bcc: b");
    assert_eq!(one_line("=?utf-8?q?a=0Ab?="), "= ?utf-8?q?a=0Ab?=");
}
