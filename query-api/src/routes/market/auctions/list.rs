//! The list of auctions: its filters, and one statement for each order.

use axum::extract::State;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tidemark_events::{Currency, Money, PayableCurrency};
use tidemark_platform::http::{FieldError, Problem, Query};
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::market::auction::{Auction, Status};
use tidemark_read_models::market::category::Category;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::AuctionPage;
use crate::app::App;
use crate::documents::DocumentPage;
use crate::error::Error;
use crate::freshness::{Fetched, QueriedShards};
use crate::routes::is_no_filter;

/// The greatest number of characters of a search.
const SEARCH_MAX: usize = 200;

/// The order of the list.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Sort {
    /// The auction that ends first comes first.
    #[default]
    EndsAt,
    /// The cheapest auction comes first. A currency is required.
    Price,
    /// The auction with the most bids comes first.
    BidCount,
    /// The auction that was scheduled last comes first.
    Newest,
}

/// The auctions that are asked for.
#[derive(Debug, Deserialize, Serialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only auctions with this status.
    status: Option<Status>,
    /// Only auctions in this category or in one below it.
    category: Option<Uuid>,
    /// Only auctions of this seller.
    seller: Option<Uuid>,
    /// Only auctions in this currency.
    #[param(value_type = Option<PayableCurrency>)]
    currency: Option<Currency>,
    /// Only auctions whose price is at least this, in minor units. A currency is required.
    #[garde(range(min = 0))]
    #[param(minimum = 0)]
    price_min: Option<i64>,
    /// Only auctions whose price is at most this, in minor units. A currency is required.
    #[garde(range(min = 0))]
    #[param(minimum = 0)]
    price_max: Option<i64>,
    /// Words of the title. All of them must occur; `-word` must not occur, `"a phrase"` must occur as
    /// it is, and `or` between two words means that one is enough.
    #[garde(length(chars, max = SEARCH_MAX))]
    q: Option<String>,
    /// The order of the list.
    #[serde(default)]
    #[param(inline)]
    sort: Sort,
    /// `next` of the previous page. Without it, the list starts at its beginning.
    #[serde(skip_serializing_if = "is_no_filter")]
    cursor: Option<String>,
    /// The number of items on the page.
    #[serde(skip_serializing_if = "is_no_filter")]
    #[param(minimum = 1)]
    limit: Option<i64>,
}

/// Where a page ends: the value that the list is sorted by (a moment in microseconds since 1970), then
/// the id.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct PageEnd {
    value: i64,
    id: Uuid,
}

/// List auctions
#[utoipa::path(
    get,
    path = "/v1/auctions",
    operation_id = "list_auctions",
    tag = "auctions",
    params(Filter),
    responses((status = 200, body = AuctionPage))
)]
pub(super) async fn list(
    State(app): State<App>,
    Tidemark(token): Tidemark,
    Query(filter): Query<Filter>,
) -> Result<DocumentPage, Error> {
    filter.require_currency()?;
    let limit = app.limit(filter.limit)?;
    let scope = format!("auctions {}", serde_json::to_string(&filter)?);
    let (after, token) = app.resume(&scope, filter.cursor.as_deref(), token)?;
    let after = after.unwrap_or(filter.sort.before_first());
    let shards = [
        QueriedShards::all::<Auction>(),
        QueriedShards::all::<Category>(),
    ];
    let query = || select(&app.pool, &filter, after, limit + 1);
    let found = app.freshness.fetch(token, shards, query).await?;
    let page_end = |json: &str| filter.sort.page_end(json);
    DocumentPage::new(found, limit, (&app.cursors, &scope), page_end)
}

impl Filter {
    /// Refuses to compare prices without a currency: amounts in different currencies have no order.
    fn require_currency(&self) -> Result<(), Problem> {
        let compares_prices = matches!(self.sort, Sort::Price)
            || self.price_min.is_some()
            || self.price_max.is_some();
        if compares_prices && self.currency.is_none() {
            let detail = "is required to compare prices";
            return Err(Problem::invalid(vec![FieldError::parameter(
                "currency", detail,
            )]));
        }
        Ok(())
    }
}

impl Sort {
    /// A page end that comes before every auction in this order.
    const fn before_first(self) -> PageEnd {
        match self {
            Self::EndsAt | Self::Price => PageEnd {
                value: 0,
                id: Uuid::nil(),
            },
            Self::BidCount | Self::Newest => PageEnd {
                value: i64::MAX,
                id: Uuid::max(),
            },
        }
    }

    /// Where a page with this last document ends in this order.
    fn page_end(self, json: &str) -> serde_json::Result<PageEnd> {
        #[derive(Deserialize)]
        struct Sorted {
            id: Uuid,
            ends_at: DateTime<Utc>,
            current_price: Money,
            bid_count: i64,
        }
        let sorted: Sorted = serde_json::from_str(json)?;
        let value = match self {
            Self::EndsAt => sorted.ends_at.timestamp_micros(),
            Self::Price => sorted.current_price.amount,
            Self::BidCount => sorted.bid_count,
            Self::Newest => 0,
        };
        Ok(PageEnd {
            value,
            id: sorted.id,
        })
    }
}

/// Each order has a statement of its own, so that each is checked and can read its index from where a
/// page starts and stop after `limit` rows.
async fn select(
    pool: &PgPool,
    filter: &Filter,
    after: PageEnd,
    limit: i64,
) -> sqlx::Result<Fetched<String>> {
    macro_rules! select_in_order {
        ($after:literal, $order:literal) => {
            sqlx::query_as!(
                Fetched::<String>,
                r#"
                select s.timeline as "timeline!",
                       s.head as "head!",
                       least(s.position, c.position) as "position!",
                       least(s.blocked_at, c.blocked_at) as blocked_at,
                       least(s.parked_at, c.parked_at) as parked_at,
                       false as "is_one_row!",
                       array(
                           select r.doc::text
                             from auction_rows r
                            where r.generation = s.generation
                              and ($1::text is null or r.status = $1)
                              and ($2::uuid is null or r.category_id = any (array(
                                      with recursive below as (
                                          select $2::uuid as id
                                           union
                                          select k.id
                                            from category_rows k
                                            join below b
                                              on b.id = k.parent_id
                                           where k.generation = c.generation
                                      )
                                      select id from below
                                  )))
                              and ($3::uuid is null or r.seller_id = $3)
                              and ($4::text is null or r.currency = $4)
                              and ($5::bigint is null or r.price >= $5)
                              and ($6::bigint is null or r.price <= $6)
                              and ($7::text is null
                                   or r.search @@ websearch_to_tsquery('simple', folded($7)))
                              and "#
                    + $after
                    + r#"
                            order by "#
                    + $order
                    + r#"
                            limit $10
                       ) as "items!"
                  from serving s
                  join serving c
                    on c.read_model = 'category'
                 where s.read_model = 'auction'
                "#,
                filter.status.map(Status::name),
                filter.category,
                filter.seller,
                filter.currency.map(|currency| currency.code()),
                filter.price_min,
                filter.price_max,
                filter.q.as_deref(),
                after.value,
                after.id,
                limit,
            )
            .fetch_one(pool)
            .await
        };
    }
    match filter.sort {
        Sort::EndsAt => select_in_order!(
            "(r.ends_at, r.id) > (timestamptz 'epoch' + $8::bigint * interval '1 microsecond', $9::uuid)",
            "r.ends_at, r.id"
        ),
        Sort::Price => {
            select_in_order!("(r.price, r.id) > ($8::bigint, $9::uuid)", "r.price, r.id")
        }
        Sort::BidCount => select_in_order!(
            "(r.bid_count, r.id) < ($8::bigint, $9::uuid)",
            "r.bid_count desc, r.id desc"
        ),
        // Ids are UUIDv7, so a later auction has a higher id.
        Sort::Newest => select_in_order!("$8::bigint is not null and r.id < $9::uuid", "r.id desc"),
    }
}
