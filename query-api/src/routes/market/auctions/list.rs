//! The list of auctions: its filters, and how a page is found without examining more than so many rows.

mod order;
mod statements;

use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Deserializer, Serialize};
use tidemark_events::{Currency, PayableCurrency};
use tidemark_platform::http::{FieldError, Problem, Query};
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::{Tidemark, Token};
use tidemark_read_models::market::auction::{Auction, Status};
use tidemark_read_models::market::category::Category;
use unicode_normalization::UnicodeNormalization;
use utoipa::IntoParams;
use uuid::Uuid;

use self::order::Sort;
use self::statements::{Examined, Found, Wanted, look_up_prices, look_up_terms, walk};
use super::AuctionPage;
use crate::app::App;
use crate::documents::DocumentPage;
use crate::error::Error;
use crate::freshness::{Fetched, QueriedShards};
use crate::routes::is_no_filter;

/// The greatest number of characters of a search.
const SEARCH_MAX: usize = 200;
/// How many `-` a search may have. Postgres takes each before no word for an operator within the one before, and fails
/// beyond 32 of them.
const EXCLUSIONS_MAX: usize = 16;
/// The part of the rows that may be examined within which a page is looked for first.
const FIRST_LOOK: i64 = 10;

/// The auctions that are asked for.
#[derive(Debug, Deserialize, Serialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only auctions with this status. Without it, auctions of every status are listed, those that are over among them.
    status: Option<Status>,
    /// Only auctions in this category or in one below it.
    category: Option<Uuid>,
    /// Only auctions of this seller.
    seller: Option<Uuid>,
    /// Only auctions in this currency.
    #[serde(default, deserialize_with = "payable")]
    #[param(value_type = Option<PayableCurrency>)]
    currency: Option<Currency>,
    /// Only auctions whose price is at least this, in minor units. A currency is required.
    #[garde(range(min = 0))]
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807i64)]
    price_min: Option<i64>,
    /// Only auctions whose price is at most this, in minor units, which must not be below `price_min`. A currency is
    /// required.
    #[garde(range(min = 0))]
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807i64)]
    price_max: Option<i64>,
    /// Words of the title, at least one. All of them must occur; `-word` must not occur, `"a phrase"` must occur as
    /// it is, and `or` between two words means that one is enough. Whole words are compared, in whatever case: a part of a
    /// word finds nothing, and neither does another form of it. The search knows no language, so that every word counts,
    /// `the` as well.
    #[garde(length(chars, max = SEARCH_MAX))]
    #[param(min_length = 1, max_length = 200, example = "brass sextant -replica")]
    q: Option<String>,
    /// The order of the list. By `ends_at`, which is the default, the auction that ends first comes first: one that is over,
    /// unless `status` excludes it. By `price` the cheapest comes first, and a `currency` is required; by `bid_count` the one
    /// with the most bids; by `newest` the one that was scheduled last.
    #[serde(default)]
    #[param(inline)]
    sort: Sort,
    /// `next` of the previous page. Without it, the list starts at its beginning.
    #[serde(skip_serializing_if = "is_no_filter")]
    #[param(example = "WzEsNDcxMSwiMDE5OWIzYTQiXZ0s3m")]
    cursor: Option<String>,
    /// The number of items on the page.
    #[serde(skip_serializing_if = "is_no_filter")]
    #[param(minimum = 1)]
    limit: Option<i64>,
}

/// Reads a currency that prices can be in.
fn payable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Currency>, D::Error> {
    let payable = PayableCurrency::deserialize(deserializer)?;
    Ok(Some(payable.into()))
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
    client: ClientAddress,
    Tidemark(token): Tidemark,
    Query(filter): Query<Filter>,
) -> Result<DocumentPage, Error> {
    filter.check()?;
    let limit = app.limit(filter.limit)?;
    let scope = format!("auctions {}", serde_json::to_string(&filter)?);
    let (after, token) = app.resume(&scope, filter.cursor.as_deref(), token).await?;
    let wanted = Wanted {
        filter: &filter,
        after: after.unwrap_or(filter.sort.before_first(filter.price_min)),
        // One more than is shown tells that a page follows.
        limit: limit + 1,
        examined_max: app.limits.examined_rows_max,
    };
    let page_end = |json: &str| filter.sort.page_end(json);
    match find(&app, client, token, wanted).await? {
        Page::Complete(found) => DocumentPage::new(found, limit, (&app.cursors, &scope), page_end),
        Page::Cut(found, last) => {
            DocumentPage::cut(found, (&app.cursors, &scope), &page_end(&last)?)
        }
    }
}

/// What was found for a page.
enum Page {
    /// All that the page shows, and one more if there is one.
    Complete(Fetched<String>),
    /// What was found until so many rows had been examined that the page ends early, and the last of these.
    Cut(Fetched<String>, String),
}

/// Walks a short way, which is enough where many auctions match; looks up those that match where they are few; and
/// else walks as far as it may.
async fn find(
    app: &App,
    client: ClientAddress,
    token: Option<Token>,
    wanted: Wanted<'_>,
) -> Result<Page, Error> {
    let mut shards = vec![QueriedShards::all::<Auction>()];
    if wanted.filter.category.is_some() {
        shards.push(QueriedShards::all::<Category>());
    }
    let deadline = app.freshness.wait_for_shards(token, &shards).await;
    let lists = &app.pools.lists;
    let first_look = Wanted {
        examined_max: (wanted.examined_max / FIRST_LOOK).max(wanted.limit),
        ..wanted
    };
    let filter = wanted.filter;
    if filter.names_terms() || filter.names_prices() {
        let query = || lists.in_turn(client, walk(lists, first_look));
        let walked = app.freshness.fetch_before(deadline, token, &shards, query);
        if let Page::Complete(found) = page(walked.await?, wanted.limit) {
            return Ok(Page::Complete(found));
        }
    }
    if filter.names_terms() {
        let query = || lists.in_turn(client, look_up_terms(lists, wanted));
        let found = app.freshness.fetch_before(deadline, token, &shards, query);
        if let Some(found) = all(found.await?) {
            return Ok(Page::Complete(found));
        }
    }
    if filter.names_prices() {
        let query = || lists.in_turn(client, look_up_prices(lists, wanted));
        let found = app.freshness.fetch_before(deadline, token, &shards, query);
        if let Some(found) = all(found.await?) {
            return Ok(Page::Complete(found));
        }
    }
    let query = || lists.in_turn(client, walk(lists, wanted));
    let walked = app.freshness.fetch_before(deadline, token, &shards, query);
    Ok(page(walked.await?, wanted.limit))
}

/// What a look-up found, unless it is too much.
fn all(fetched: Fetched<Found>) -> Option<Fetched<String>> {
    let are_too_many = fetched.items.iter().any(|found| found.are_too_many);
    let documents = fetched.map(|found| {
        found
            .into_iter()
            .flat_map(|found| found.documents)
            .collect()
    });
    (!are_too_many).then_some(documents)
}

/// What a walk found up to the place that one of its statuses was not examined beyond.
fn page(walked: Fetched<Examined>, limit: i64) -> Page {
    let mut last = None;
    let found = walked.map(|examined| {
        let mut found = Vec::new();
        for row in examined {
            if row.is_last {
                last = Some(row.document.clone());
            }
            if row.is_found {
                found.push(row.document);
            }
            if last.is_some() {
                break;
            }
        }
        found
    });
    let is_full = i64::try_from(found.items.len()).is_ok_and(|found| found >= limit);
    match last {
        Some(last) if !is_full => Page::Cut(found, last),
        Some(_) | None => Page::Complete(found),
    }
}

impl Filter {
    /// Whether it names anything of which there may be few auctions, beside their status and what leads to their
    /// prices.
    const fn names_terms(&self) -> bool {
        let leads_to_prices = matches!(self.sort, Sort::Price) || self.names_prices();
        self.q.is_some()
            || self.category.is_some()
            || self.seller.is_some()
            || self.currency.is_some() && !leads_to_prices
    }

    /// Whether it names prices that the order of the list does not lead to.
    const fn names_prices(&self) -> bool {
        (self.price_min.is_some() || self.price_max.is_some()) && !matches!(self.sort, Sort::Price)
    }

    /// The search in the forms in which the words of titles are found, and with no more `-` than Postgres takes.
    fn words(&self) -> Option<String> {
        let mut exclusions = 0;
        let within_limit = |char| {
            exclusions += usize::from(char == '-');
            if char == '-' && exclusions > EXCLUSIONS_MAX {
                ' '
            } else {
                char
            }
        };
        let words = self.q.as_ref()?.nfkc().map(within_limit);
        Some(words.collect())
    }

    /// Refuses to compare prices without a currency, since amounts in different currencies have no order; and what no
    /// auction can have, which would look like an empty list.
    fn check(&self) -> Result<(), Problem> {
        let compares_prices = matches!(self.sort, Sort::Price)
            || self.price_min.is_some()
            || self.price_max.is_some();
        let prices = self.price_min.zip(self.price_max);
        let faults = [
            (
                compares_prices && self.currency.is_none(),
                "currency",
                "is required to compare prices",
            ),
            (
                prices.is_some_and(|(min, max)| max < min),
                "price_max",
                "must not be below price_min",
            ),
            (
                self.words()
                    .is_some_and(|words| !words.chars().any(char::is_alphanumeric)),
                "q",
                "must contain a word; leave it out to list all",
            ),
        ];
        let faults = faults.into_iter().filter(|(is_wrong, ..)| *is_wrong);
        let faults: Vec<_> = faults
            .map(|(_, name, fault)| FieldError::parameter(name, fault))
            .collect();
        if faults.is_empty() {
            return Ok(());
        }
        Err(Problem::invalid(faults))
    }
}
