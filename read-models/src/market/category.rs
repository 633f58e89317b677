//! The tree of categories: a row for each category. Queries find the categories below another by a join,
//! because a fold changes few rows, and a category can have any number of others below it.

use serde::{Deserialize, Serialize};
use tidemark_events::CategoryId;
use tidemark_events::market::category::Event;
use tidemark_events::market::product::Picture;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Column, EventFilter, FoldInput, ReadModel, RowOf, schema};

/// A category of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Category)]
pub struct Row {
    /// The id of the category.
    #[schema(value_type = Uuid)]
    pub id: CategoryId,
    /// The category above this one; none if this one is at the top of the tree.
    #[schema(value_type = Option<Uuid>)]
    pub parent_id: Option<CategoryId>,
    /// The name that people see.
    #[schema(example = "Sextants")]
    pub name: String,
    /// The name in URLs, which no other category has.
    #[schema(example = "sextants")]
    pub slug: String,
    /// The place among the categories with the same parent, the lowest first.
    #[schema(minimum = -2_147_483_648i64, maximum = 2_147_483_647i64, example = 10)]
    pub sort_order: i32,
    /// Whether products and categories may be filed under the category.
    #[schema(example = true)]
    pub active: bool,
    /// The picture; none if there is none.
    #[schema(value_type = Option<schema::UploadedPicture>)]
    pub picture: Option<Picture>,
    /// The version of the category: the number of its changes.
    #[schema(minimum = 1, example = 7)]
    pub version: i64,
}

/// The read model whose rows are categories, each under its own id.
#[derive(Clone, Copy, Debug)]
pub struct Category;

impl ReadModel for Category {
    const NAME: &'static str = "category";
    const FOLD_VERSION: i32 = 2;
    const EVENTS: EventFilter = EventFilter::Types(&[
        "category.created",
        "category.picture_chosen",
        "category.activated",
        "category.deactivated",
    ]);
    const ROW_OF: RowOf = RowOf::Stream;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn columns(row: &Row) -> Vec<Column> {
        vec![
            Column::uuid("parent_id", row.parent_id.map(|parent| parent.0)),
            Column::text("slug", &*row.slug),
            Column::integer("sort_order", i64::from(row.sort_order)),
        ]
    }

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        input
            .event_of()
            .map(|event| id(event).0)
            .into_iter()
            .collect()
    }

    fn fold(_: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        let Some(event) = input.event_of() else {
            return row;
        };
        let mut row = row.or_else(|| created(event))?;
        match event {
            Event::Created { .. } => {}
            Event::PictureChosen { picture, .. } => row.picture = *picture,
            Event::Activated { .. } => row.active = true,
            Event::Deactivated { .. } => row.active = false,
        }
        row.version = input.recorded.version;
        Some(row)
    }
}

fn id(event: &Event) -> CategoryId {
    match event {
        Event::Created { category_id, .. }
        | Event::PictureChosen { category_id, .. }
        | Event::Activated { category_id }
        | Event::Deactivated { category_id } => *category_id,
    }
}

/// The first row of a category. `None` if it has not been created.
fn created(event: &Event) -> Option<Row> {
    let Event::Created {
        category_id,
        parent_id,
        name,
        slug,
        sort_order,
    } = event
    else {
        return None;
    };
    Some(Row {
        id: *category_id,
        parent_id: *parent_id,
        name: String::clone(name),
        slug: String::clone(slug),
        sort_order: *sort_order,
        active: true,
        picture: None,
        version: 0,
    })
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{CATEGORY, stored};

    use super::*;
    use crate::testing::given;

    #[test]
    fn a_category_is_active_until_it_is_deactivated() {
        let category_id = CATEGORY;
        let created = Event::Created {
            category_id,
            parent_id: None,
            name: stored("Cameras"),
            slug: stored("cameras"),
            sort_order: 1,
        };
        let deactivated = Event::Deactivated { category_id };
        let activated = Event::Activated { category_id };
        let active = |events: Vec<Event>| given::<Category>(events)[&CATEGORY.0].active;
        assert!(active(vec![created.clone()]));
        assert!(!active(vec![created.clone(), deactivated.clone()]));
        assert!(active(vec![created, deactivated, activated]));
    }
}
