//! Queries about categories, products, auctions, bids and watches.

mod auctions;
mod bids;
mod categories;
mod products;
mod watches;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(auctions::router())
        .merge(bids::router())
        .merge(categories::router())
        .merge(products::router())
        .merge(watches::router())
}
