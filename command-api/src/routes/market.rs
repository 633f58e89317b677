//! Commands about what is for sale: categories, products, auctions, bids.

mod auctions;
mod categories;
mod money;
mod products;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(auctions::router())
        .merge(categories::router())
        .merge(products::router())
}
