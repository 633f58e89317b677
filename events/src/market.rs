//! Events about what is for sale: categories, products, auctions and their hidden reserves, and who watches them.

pub mod auction;
pub mod category;
pub mod product;
pub mod reserve;
pub mod watch_list;
