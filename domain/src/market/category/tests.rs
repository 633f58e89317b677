//! The tree and its keepers.

use tidemark_events::samples::{CATEGORY, SELLER};
use uuid::Uuid;

use super::*;
use crate::given::{ADMIN, Given, given, granted, joined, sample};

const CHILD: CategoryId = CategoryId(Uuid::from_u128(33));

fn admin() -> Given {
    given([joined(ADMIN), granted(ADMIN, Role::Admin), joined(SELLER)]).by(ADMIN)
}

fn create(parent_id: Option<CategoryId>) -> Create {
    Create {
        category_id: CHILD,
        parent_id,
        name: "Field cameras".to_owned(),
        slug: "field-cameras".to_owned(),
        sort_order: 1,
    }
}

fn slug() -> Claim {
    Claim::new(ClaimScope::CategorySlug, "field-cameras")
}

#[test]
fn admins_grow_the_tree() {
    let writes = |parent_id| {
        vec![
            Write::event(
                CHILD.0,
                Event::Created {
                    category_id: CHILD,
                    parent_id,
                    name: "Field cameras".to_owned(),
                    slug: "field-cameras".to_owned(),
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
    assert_eq!(orphan, Err(Error::NotFound.into()));
    let inactive = ["category.created", "category.deactivated"].map(sample);
    let below = admin().and(inactive).when(create(Some(CATEGORY)));
    assert_eq!(below, Err(Error::Inactive.into()));
    let taken = admin().claimed(slug(), CATEGORY.0).when(create(None));
    assert_eq!(taken, Err(Error::SlugTaken.into()));
}

#[test]
fn an_id_of_something_else_is_no_category() {
    let user = CategoryId(ADMIN.0);
    assert_eq!(
        admin().when(create(Some(user))),
        Err(Error::NotFound.into())
    );
}

#[test]
fn admins_switch_categories_off_and_on() {
    let category_id = CATEGORY;
    let off = || Deactivate { category_id };
    let on = || Activate { category_id };
    let write = |event| Ok(vec![Write::event(CATEGORY.0, event)]);

    assert_eq!(admin().when(off()), Err(Error::NotFound.into()));
    assert_eq!(admin().when(on()), Err(Error::NotFound.into()));
    let mut category = admin().and([sample("category.created")]);
    assert_eq!(category.when(on()), Err(Error::Active.into()));
    let deactivated = Event::Deactivated { category_id };
    assert_eq!(category.play(off()), write(deactivated));
    assert_eq!(category.when(off()), Err(Error::Inactive.into()));
    assert_eq!(category.play(on()), write(Event::Activated { category_id }));
}

#[test]
fn nobody_else_keeps_categories() {
    let category_id = CATEGORY;
    let seller = admin().and([sample("category.created")]).by(SELLER);
    let role = || Err(access::Error::Role(Role::Admin).into());
    assert_eq!(seller.when(create(None)), role());
    assert_eq!(seller.when(Deactivate { category_id }), role());
    assert_eq!(seller.when(Activate { category_id }), role());
}
