//! The life of a product, and who may not change it.

use chrono::TimeDelta;
use tidemark_events::Event as AnyEvent;
use tidemark_events::media::media;
use tidemark_events::media::media::ShownBy;
use tidemark_events::samples::{AUCTION, BIDDER, CATEGORY, MEDIA, PRODUCT, SELLER, stated};
use uuid::Uuid;

use super::*;
use crate::given::{Given, given, granted, registered, sample, writes_of};
use crate::market::category;
use crate::media::media::Periods;

const LIST: List = List {
    product_id: PRODUCT,
};
const WITHDRAW: Withdraw = Withdraw {
    product_id: PRODUCT,
};

fn market() -> Given {
    given([
        registered(SELLER),
        granted(SELLER, Role::Seller),
        registered(BIDDER),
        granted(BIDDER, Role::Seller),
        sample("category.created"),
    ])
    .by(SELLER)
}

/// The sample product after these events.
fn product<const N: usize>(event_types: [&str; N]) -> Given {
    market()
        .and([sample("product.drafted")])
        .and(event_types.map(sample))
}

fn draft() -> Draft {
    let AnyEvent::Product(Event::Drafted {
        product_id,
        category_id,
        title,
        description,
        condition,
        images,
        specifications,
        shipping,
        ..
    }) = sample("product.drafted")
    else {
        panic!("not a draft")
    };
    Draft {
        product_id,
        category_id,
        title: stated(&title),
        description: stated(&description),
        condition,
        images: images.iter().map(|it| stated(it)).collect(),
        specifications: specifications
            .iter()
            .map(|(name, value)| (stated(name), stated(value)))
            .collect(),
        shipping,
    }
}

/// The refusal of a draft whose category is to blame.
fn of_category(error: category::Error) -> Result<Vec<Write>, Refusal> {
    Err(Refusal::from(error).about("category_id"))
}

#[test]
fn sellers_draft_list_and_withdraw() {
    let mut market = market();
    assert_eq!(market.execute(draft()), Ok(writes_of(["product.drafted"])));
    assert_eq!(market.execute(LIST), Ok(writes_of(["product.listed"])));
    assert_eq!(
        market.execute(WITHDRAW),
        Ok(writes_of(["product.withdrawn"]))
    );
}

#[test]
fn a_draft_may_be_withdrawn() {
    assert_eq!(
        product([]).when(WITHDRAW),
        Ok(writes_of(["product.withdrawn"]))
    );
}

#[test]
fn only_sellers_draft() {
    let people = [registered(BIDDER), sample("category.created")];
    let buyer = given(people).by(BIDDER).when(draft());
    assert_eq!(buyer, Err(access::Error::Role(Role::Seller).into()));
}

#[test]
fn a_product_is_filed_under_an_active_category() {
    let people = [registered(SELLER), granted(SELLER, Role::Seller)];
    let nowhere = given(people).by(SELLER).when(draft());
    assert_eq!(nowhere, of_category(category::Error::NotFound));
    let inactive = category::Error::Inactive;
    let off = || [sample("category.deactivated")];
    assert_eq!(
        market().and(off()).when(draft()),
        of_category(inactive.clone())
    );
    assert_eq!(product([]).and(off()).when(LIST), Err(inactive.into()));
}

#[test]
fn the_id_of_a_user_or_product_is_no_category() {
    for id in [SELLER.0, PRODUCT.0] {
        let category_id = CategoryId(id);
        let filed = product([]).when(Draft {
            category_id,
            ..draft()
        });
        assert_eq!(filed, of_category(category::Error::NotFound));
    }
}

#[test]
fn a_product_that_does_not_exist_cannot_be_listed_or_withdrawn() {
    assert_eq!(market().when(LIST), Err(Error::NotFound.into()));
    assert_eq!(market().when(WITHDRAW), Err(Error::NotFound.into()));
}

#[test]
fn sellers_cannot_list_or_withdraw_the_products_of_others() {
    let other = product([]).by(BIDDER);
    assert_eq!(other.when(LIST), Err(Error::NotTheSeller.into()));
    assert_eq!(other.when(WITHDRAW), Err(Error::NotTheSeller.into()));
}

#[test]
fn no_step_is_taken_twice_or_backwards() {
    let listed = product(["product.listed"]);
    assert_eq!(listed.when(LIST), Err(Error::Listed.into()));
    let withdrawn = product(["product.withdrawn"]);
    assert_eq!(withdrawn.when(LIST), Err(Error::Withdrawn.into()));
    assert_eq!(withdrawn.when(WITHDRAW), Err(Error::Withdrawn.into()));
    let sold = product(["product.listed", "product.sold"]);
    assert_eq!(sold.when(LIST), Err(Error::Sold.into()));
    assert_eq!(sold.when(WITHDRAW), Err(Error::Sold.into()));
}

#[test]
fn a_product_in_an_auction_cannot_be_withdrawn() {
    let bound = product(["product.listed"]).claimed(auction_claim(PRODUCT), AUCTION.0);
    assert_eq!(bound.when(WITHDRAW), Err(Error::Auctioned.into()));
}

/// The sample product, and a picture of its seller.
fn with_picture<const N: usize>(event_types: [&str; N]) -> Given {
    let stored = ["media.upload_opened", "media.stored"].map(sample);
    product(event_types).and(stored)
}

fn choose(pictures: &[MediaId]) -> ChoosePictures {
    ChoosePictures {
        product_id: PRODUCT,
        pictures: pictures.to_vec(),
        video: Some(stated("https://videos.example/1")),
        periods: Periods {
            upload: TimeDelta::days(1),
            unshown: TimeDelta::days(3),
            removal: TimeDelta::days(10),
        },
    }
}

#[test]
fn a_product_shows_pictures_that_its_seller_has_uploaded() {
    let writes = writes_of(["media.attached", "product.pictures_chosen"]);
    assert_eq!(with_picture([]).when(choose(&[MEDIA])), Ok(writes));
    let refused = |given: Given| given.when(choose(&[MEDIA])).unwrap_err().code.name;
    assert_eq!(refused(product([])), "media_not_found");
    assert_eq!(refused(with_picture([]).by(BIDDER)), "not_the_seller");
    let uploading = product([]).and([sample("media.upload_opened")]);
    assert_eq!(refused(uploading), "media_not_stored");
    let elsewhere = with_picture([]).and([shown_by(CATEGORY.0)]);
    assert_eq!(refused(elsewhere), "media_shown");
    let sold = with_picture(["product.listed", "product.sold"]);
    assert_eq!(refused(sold), "product_sold");
}

#[test]
fn a_picture_that_is_chosen_no_longer_is_let_go() {
    let shown = || with_picture(["product.pictures_chosen"]).and([sample("media.attached")]);
    let writes = shown().when(choose(&[])).unwrap();
    assert_eq!(writes[0], writes_of(["media.detached"])[0]);
    // It stays as it is if it is chosen again.
    let again = writes_of(["product.pictures_chosen"]);
    assert_eq!(shown().when(choose(&[MEDIA])), Ok(again));
}

/// Else their bytes would count for ever.
#[test]
fn of_a_product_that_is_over_pictures_are_only_taken_away() {
    let take_away = |pictures: &[MediaId]| ChoosePictures {
        video: None,
        ..choose(pictures)
    };
    for (over, code) in [
        (
            &["product.listed", "product.withdrawn"][..],
            "product_withdrawn",
        ),
        (&["product.listed", "product.sold"], "product_sold"),
    ] {
        let shown = || {
            let over = over.iter().map(|it| sample(it));
            let shown = with_picture(["product.pictures_chosen"]);
            shown.and([sample("media.attached")]).and(over)
        };
        let writes = shown().when(take_away(&[])).unwrap();
        assert_eq!(writes[0], writes_of(["media.detached"])[0]);
        shown().when(take_away(&[MEDIA])).unwrap();
        let refused = |choice| shown().when(choice).unwrap_err().code.name;
        assert_eq!(refused(choose(&[])), code, "another video");
        let other = MediaId(Uuid::from_u128(99));
        assert_eq!(refused(take_away(&[other])), code);
    }
}

/// The event that something else shows the picture.
fn shown_by(id: Uuid) -> AnyEvent {
    let mut event = sample("media.attached");
    if let AnyEvent::Media(media::Event::Attached { shown_by, .. }) = &mut event {
        *shown_by = ShownBy::Category { id };
    }
    event
}
