//! Read models about what is for sale: categories, products, auctions, bids and watches.

pub mod auction;
pub mod bid;
pub mod category;
pub mod product;
pub mod watch;
