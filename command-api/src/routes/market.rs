//! Routes of commands about what is for sale: categories, products, auctions, bids and watch lists.

mod auctions;
mod categories;
mod products;
mod watch_lists;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(auctions::router())
        .merge(categories::router())
        .merge(products::router())
        .merge(watch_lists::router())
}
