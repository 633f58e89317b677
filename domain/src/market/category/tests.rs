//! How categories come and go, and who may change them.

use chrono::TimeDelta;
use tidemark_events::Event as AnyEvent;
use tidemark_events::media::media::{Event as MediaEvent, Purpose};
use tidemark_events::samples::{CATEGORY, MEDIA, SELLER, moment, stated, stored};
use uuid::Uuid;

use super::*;
use crate::given::{ADMIN, Given, given, granted, registered, sample};
use crate::media::media::Periods;

const CHILD: CategoryId = CategoryId(Uuid::from_u128(33));

fn admin() -> Given {
    given([
        registered(ADMIN),
        granted(ADMIN, Role::Admin),
        registered(SELLER),
    ])
    .by(ADMIN)
}

fn create(parent_id: Option<CategoryId>) -> Create {
    Create {
        category_id: CHILD,
        parent_id,
        name: stated("Field cameras"),
        slug: stated("field-cameras"),
        sort_order: 1,
    }
}

fn slug() -> Claim {
    Claim::new(ClaimScope::CategorySlug, "field-cameras")
}

/// The refusal of a category whose parent is to blame.
fn of_parent(error: Error) -> Result<Vec<Write>, Refusal> {
    Err(Refusal::from(error).about("parent_id"))
}

#[test]
fn admins_create_categories_at_the_top_and_below_others() {
    let writes = |parent_id| {
        vec![
            Write::event(
                CHILD.0,
                Event::Created {
                    category_id: CHILD,
                    parent_id,
                    name: stored("Field cameras"),
                    slug: stored("field-cameras"),
                    sort_order: 1,
                },
            ),
            Write::Claim(slug(), CHILD.0),
        ]
    };
    assert_eq!(admin().when(create(None)), Ok(writes(None)));
    let below = admin().and([sample("category.created")]);
    let parent_id = Some(CATEGORY);
    assert_eq!(below.when(create(parent_id)), Ok(writes(parent_id)));
}

#[test]
fn a_category_needs_an_active_parent_and_a_slug_of_its_own() {
    let orphan = admin().when(create(Some(CATEGORY)));
    assert_eq!(orphan, of_parent(Error::NotFound));
    let inactive = ["category.created", "category.deactivated"].map(sample);
    let below = admin().and(inactive).when(create(Some(CATEGORY)));
    assert_eq!(below, of_parent(Error::Inactive));
    let taken = admin().claimed(slug(), CATEGORY.0).when(create(None));
    assert_eq!(taken, Err(Error::SlugTaken.into()));
}

#[test]
fn a_category_needs_active_categories_all_the_way_up() {
    let mut tree = admin().and([sample("category.created")]);
    assert!(tree.execute(create(Some(CATEGORY))).is_ok());
    let below = || Create {
        category_id: CategoryId(Uuid::from_u128(34)),
        slug: stated("view-cameras"),
        ..create(Some(CHILD))
    };
    assert!(tree.when(below()).is_ok());
    let mut off = tree.and([sample("category.deactivated")]);
    assert_eq!(off.when(below()), of_parent(Error::Inactive));
    // The child itself is active, and may be deactivated.
    let deactivated = off.execute(Deactivate { category_id: CHILD });
    assert!(deactivated.is_ok());
}

#[test]
fn the_tree_has_a_bounded_number_of_levels() {
    let mut tree = admin();
    let mut parent_id = None;
    let mut add = |level: u32| {
        let id = CategoryId(Uuid::from_u128(100 + u128::from(level)));
        let added = tree.execute(Create {
            category_id: id,
            slug: format!("level-{level}").try_into().unwrap(),
            ..create(parent_id)
        });
        parent_id = Some(id);
        added.map(|writes| writes.len())
    };
    for level in 1..=DEPTH_MAX {
        assert_eq!(add(level), Ok(2));
    }
    assert_eq!(add(DEPTH_MAX + 1), Err(Error::TooDeep.into()));
}

#[test]
fn the_id_of_a_user_is_no_category() {
    let user = CategoryId(ADMIN.0);
    assert_eq!(admin().when(create(Some(user))), of_parent(Error::NotFound));
}

#[test]
fn admins_deactivate_and_activate_categories() {
    let category_id = CATEGORY;
    let off = || Deactivate { category_id };
    let on = || Activate { category_id };
    let write = |event| Ok(vec![Write::event(CATEGORY.0, event)]);

    assert_eq!(admin().when(off()), Err(Error::NotFound.into()));
    assert_eq!(admin().when(on()), Err(Error::NotFound.into()));
    let mut category = admin().and([sample("category.created")]);
    assert_eq!(category.when(on()), Err(Error::Active.into()));
    let deactivated = Event::Deactivated { category_id };
    assert_eq!(category.execute(off()), write(deactivated));
    assert_eq!(category.when(off()), Err(Error::Inactive.into()));
    assert_eq!(
        category.execute(on()),
        write(Event::Activated { category_id })
    );
}

/// Media that an admin has uploaded for something.
fn uploaded(media_id: MediaId, purpose: Purpose) -> AnyEvent {
    MediaEvent::MediaStored {
        media_id,
        owner_id: ADMIN,
        purpose,
        uploaded_sha256: None,
        variants: Vec::new(),
        unshown_until: moment(172_800).into(),
    }
    .into()
}

#[test]
fn a_category_shows_one_picture_which_another_takes_the_place_of() {
    let another = MediaId(Uuid::from_u128(77));
    let of_product = MediaId(Uuid::from_u128(78));
    let choose = |picture| ChoosePicture {
        category_id: CATEGORY,
        picture,
        periods: Periods {
            upload: TimeDelta::days(1),
            unshown: TimeDelta::days(1),
            removal: TimeDelta::days(7),
        },
    };
    let mut category = admin().and([
        sample("category.created"),
        uploaded(MEDIA, Purpose::CategoryPicture),
        uploaded(another, Purpose::CategoryPicture),
        uploaded(of_product, Purpose::ProductPicture),
    ]);
    let types = |decided: Result<Vec<Write>, Refusal>| {
        let writes = decided.unwrap().into_iter();
        let types = writes.filter_map(|write| match write {
            Write::Event(_, event) => Some(event.encode().unwrap().event_type),
            Write::Claim(..) | Write::Release(..) => None,
        });
        types.collect::<Vec<_>>()
    };
    let chosen = category.execute(choose(Some(MEDIA)));
    assert_eq!(types(chosen), ["media.attached", "category.picture_chosen"]);
    assert_eq!(category.when(choose(Some(MEDIA))), Ok(Vec::new()));
    let replaced = category.execute(choose(Some(another)));
    assert_eq!(
        types(replaced),
        [
            "media.detached",
            "media.attached",
            "category.picture_chosen"
        ]
    );
    let removed = category.execute(choose(None));
    assert_eq!(
        types(removed),
        ["media.detached", "category.picture_chosen"]
    );
    let other_purpose = category.when(choose(Some(of_product))).unwrap_err();
    assert_eq!(other_purpose.code.name, "media_of_other_purpose");
    assert_eq!(other_purpose.field, Some("picture"));
    let unknown = category.when(choose(Some(MediaId(CHILD.0)))).unwrap_err();
    assert_eq!(unknown.code.name, "media_not_found");
    let seller = category.by(SELLER).when(choose(Some(MEDIA)));
    assert_eq!(seller, Err(access::Error::Role(Role::Admin).into()));
}

#[test]
fn only_admins_change_categories() {
    let category_id = CATEGORY;
    let seller = admin().and([sample("category.created")]).by(SELLER);
    let role = || Err(access::Error::Role(Role::Admin).into());
    assert_eq!(seller.when(create(None)), role());
    assert_eq!(seller.when(Deactivate { category_id }), role());
    assert_eq!(seller.when(Activate { category_id }), role());
}
