//! A product as its page shows it. Drafts have rows too: the query decides who may see one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemark_events::market::product::{Condition, Event, Picture, Shipping};
use tidemark_events::{AuctionId, CategoryId, ProductId, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Column, EventFilter, FoldInput, ReadModel, RowOf, schema};

/// Where a product is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProductStatus, example = "listed")]
pub enum Status {
    /// Only the seller sees the product.
    Draft,
    /// Everybody sees the product.
    Listed,
    /// The seller has withdrawn the product.
    Withdrawn,
    /// An auction has sold the product.
    Sold,
}

impl Status {
    /// The name of the status in documents and queries.
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

/// A product that is or was for sale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Product)]
pub struct Row {
    /// The id of the product.
    #[schema(value_type = Uuid)]
    pub id: ProductId,
    /// The seller of the product.
    #[schema(value_type = Uuid)]
    pub seller_id: UserId,
    /// The category that the product is filed under.
    #[schema(value_type = Uuid)]
    pub category_id: CategoryId,
    /// The title, one line.
    #[schema(example = "Brass sextant")]
    pub title: String,
    /// The description, any number of lines.
    #[schema(example = "In its box.\nThe mirrors are clear.")]
    pub description: String,
    /// How used the product is.
    pub condition: Condition,
    /// The URLs of pictures, the main picture first.
    #[schema(example = json!(["https://images.example/sextant.jpg"]))]
    pub images: Vec<String>,
    /// Pictures that the seller has uploaded, the main picture first.
    #[schema(value_type = Vec<schema::UploadedPicture>)]
    pub pictures: Vec<Picture>,
    /// The URL of a video; none if there is none.
    #[schema(example = "https://videos.example/sextant")]
    pub video: Option<String>,
    /// Properties by name, such as `weight` with the value `2 kg`.
    #[schema(example = json!({ "weight": "2 kg" }))]
    pub specifications: BTreeMap<String, String>,
    /// How the product is sent; none if the buyer must collect it.
    #[schema(value_type = Option<schema::Shipping>)]
    pub shipping: Option<Shipping>,
    /// Where the product is in its life.
    pub status: Status,
    /// The auction that sold the product; none unless it is sold.
    #[schema(value_type = Option<Uuid>, example = json!(null))]
    pub sold_in: Option<AuctionId>,
    /// The version of the product: the number of its changes.
    #[schema(minimum = 1, example = 7)]
    pub version: i64,
}

/// The read model whose rows are products, each under its own id.
#[derive(Clone, Copy, Debug)]
pub struct Product;

impl ReadModel for Product {
    const NAME: &'static str = "product";
    const FOLD_VERSION: i32 = 2;
    const EVENTS: EventFilter = EventFilter::Types(&[
        "product.drafted",
        "product.pictures_chosen",
        "product.listed",
        "product.withdrawn",
        "product.sold",
    ]);
    const ROW_OF: RowOf = RowOf::Stream;
    const IN_REDIS: bool = true;

    type Row = Row;

    fn columns(row: &Row) -> Vec<Column> {
        vec![
            Column::uuid("seller_id", row.seller_id.0),
            Column::uuid("category_id", row.category_id.0),
            Column::text("status", row.status.name()),
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
        let mut row = row.or_else(|| drafted(event))?;
        match event {
            Event::Drafted { .. } => {}
            Event::PicturesChosen {
                pictures, video, ..
            } => {
                row.pictures.clone_from(pictures);
                row.video = video.as_deref().cloned();
            }
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
        | Event::PicturesChosen { product_id, .. }
        | Event::Listed { product_id, .. }
        | Event::Withdrawn { product_id, .. }
        | Event::Sold { product_id, .. } => *product_id,
    }
}

/// The first row of a product. `None` if it has not been drafted.
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
        title: String::clone(title),
        description: String::clone(description),
        condition: *condition,
        images: images.iter().map(|it| String::clone(it)).collect(),
        pictures: Vec::new(),
        video: None,
        specifications: specifications
            .iter()
            .map(|(name, value)| (String::clone(name), String::clone(value)))
            .collect(),
        shipping: shipping.clone(),
        status: Status::Draft,
        sold_in: None,
        version: 0,
    })
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{
        AUCTION, BIDDER, CATEGORY, PRODUCT, SELLER, euro_cents, stored,
    };

    use super::*;
    use crate::testing::given;

    fn drafted() -> Event {
        Event::Drafted {
            product_id: PRODUCT,
            seller_id: SELLER,
            category_id: CATEGORY,
            title: stored("Field camera"),
            description: stored("Large format, 1962."),
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
    fn a_withdrawn_product_is_withdrawn() {
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
            price: euro_cents(12_000).into(),
        };
        let row = row([drafted(), listed(), sold]);
        assert_eq!((row.status, row.sold_in), (Status::Sold, Some(AUCTION)));
    }
}
