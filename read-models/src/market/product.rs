//! A product as its page shows it. Drafts are rows too: who may see one is the query's affair.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemark_events::market::product::{Condition, Event, Shipping};
use tidemark_events::{AuctionId, CategoryId, ProductId, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{EventFilter, FoldInput, ReadModel, schema};

/// Where a product is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProductStatus)]
pub enum Status {
    /// Only its seller sees it.
    Draft,
    /// Offered.
    Listed,
    /// Offered no more.
    Withdrawn,
    /// Somebody else's now.
    Sold,
}

impl Status {
    /// As documents and columns have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Listed => "listed",
            Self::Withdrawn => "withdrawn",
            Self::Sold => "sold",
        }
    }
}

/// A product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Product)]
pub struct Row {
    /// The product.
    #[schema(value_type = Uuid)]
    pub id: ProductId,
    /// Who sells.
    #[schema(value_type = Uuid)]
    pub seller_id: UserId,
    /// Where it is filed.
    #[schema(value_type = Uuid)]
    pub category_id: CategoryId,
    /// One line.
    pub title: String,
    /// Any number of lines.
    pub description: String,
    /// Its state.
    #[schema(value_type = schema::Condition)]
    pub condition: Condition,
    /// References to pictures, the main one first.
    pub images: Vec<String>,
    /// Name and value, such as `weight` and `2 kg`.
    pub specifications: BTreeMap<String, String>,
    /// How it is sent; none means collection only.
    #[schema(value_type = Option<schema::Shipping>)]
    pub shipping: Option<Shipping>,
    /// Where it is in its life.
    pub status: Status,
    /// The auction that sold it.
    #[schema(value_type = Option<Uuid>)]
    pub sold_in: Option<AuctionId>,
    /// Of the stream.
    pub version: i64,
}

/// Products, each by its own id.
#[derive(Clone, Copy, Debug)]
pub struct Product;

impl ReadModel for Product {
    const NAME: &'static str = "product";
    const EVENTS: EventFilter = EventFilter::Types(&[
        "product.drafted",
        "product.listed",
        "product.withdrawn",
        "product.sold",
    ]);
    const IN_REDIS: bool = true;

    type Row = Row;

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
        let mut row = row.or_else(|| drafted(event))?;
        match event {
            Event::Drafted { .. } => {}
            Event::Listed { .. } => row.status = Status::Listed,
            Event::Withdrawn { .. } => row.status = Status::Withdrawn,
            Event::Sold { auction_id, .. } => {
                row.status = Status::Sold;
                row.sold_in = Some(*auction_id);
            }
        }
        row.version = input.recorded.version;
        Some(row)
    }
}

fn id(event: &Event) -> ProductId {
    match event {
        Event::Drafted { product_id, .. }
        | Event::Listed { product_id, .. }
        | Event::Withdrawn { product_id, .. }
        | Event::Sold { product_id, .. } => *product_id,
    }
}

/// The first row; every stream starts with the draft.
fn drafted(event: &Event) -> Option<Row> {
    let Event::Drafted {
        product_id,
        seller_id,
        category_id,
        title,
        description,
        condition,
        images,
        specifications,
        shipping,
    } = event
    else {
        return None;
    };
    Some(Row {
        id: *product_id,
        seller_id: *seller_id,
        category_id: *category_id,
        title: title.clone(),
        description: description.clone(),
        condition: *condition,
        images: images.clone(),
        specifications: specifications.clone(),
        shipping: shipping.clone(),
        status: Status::Draft,
        sold_in: None,
        version: 0,
    })
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{AUCTION, BIDDER, CATEGORY, PRODUCT, SELLER, euro_cents};

    use super::*;
    use crate::testing::given;

    fn drafted() -> Event {
        Event::Drafted {
            product_id: PRODUCT,
            seller_id: SELLER,
            category_id: CATEGORY,
            title: "Field camera".to_owned(),
            description: "Large format, 1962.".to_owned(),
            condition: Condition::Good,
            images: Vec::new(),
            specifications: BTreeMap::new(),
            shipping: None,
        }
    }

    fn listed() -> Event {
        Event::Listed {
            product_id: PRODUCT,
            seller_id: SELLER,
            category_id: CATEGORY,
        }
    }

    fn row(events: impl IntoIterator<Item = Event>) -> Row {
        given::<Product>(events).remove(&PRODUCT.0).unwrap()
    }

    #[test]
    fn a_draft_is_a_draft_until_it_is_listed() {
        let draft = row([drafted()]);
        assert_eq!((draft.status, draft.version), (Status::Draft, 1));
        assert_eq!(row([drafted(), listed()]).status, Status::Listed);
    }

    #[test]
    fn a_withdrawn_product_is_offered_no_more() {
        let withdrawn = Event::Withdrawn {
            product_id: PRODUCT,
            seller_id: SELLER,
            category_id: CATEGORY,
        };
        assert_eq!(
            row([drafted(), listed(), withdrawn]).status,
            Status::Withdrawn
        );
    }

    #[test]
    fn a_sold_product_names_its_auction() {
        let sold = Event::Sold {
            product_id: PRODUCT,
            seller_id: SELLER,
            category_id: CATEGORY,
            auction_id: AUCTION,
            buyer_id: BIDDER,
            price: euro_cents(12_000),
        };
        let row = row([drafted(), listed(), sold]);
        assert_eq!((row.status, row.sold_in), (Status::Sold, Some(AUCTION)));
    }
}
