//! Routes of commands about what is for sale: categories, products, auctions and bids.

mod auctions;
mod categories;
mod products;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(auctions::router())
        .merge(categories::router())
        .merge(products::router())
}
