//! Read models about what is for sale: categories, products, auctions and bids.

pub mod auction;
pub mod bid;
pub mod category;
pub mod product;
