//! The limits within which auctions and bids must be.

use chrono::TimeDelta;

/// The shortest auction: a shorter one would give nobody the time to bid.
pub const DURATION_MIN: TimeDelta = TimeDelta::seconds(1);
/// The longest auction, before late bids extend it. The product cannot be auctioned again meanwhile.
pub const DURATION_MAX: TimeDelta = TimeDelta::days(30);
/// The longest anti-sniping window in seconds, which is the most by which one bid extends an auction.
pub const ANTI_SNIPING_WINDOW_MAX_S: u32 = 3_600;
/// How far ahead an auction may start or end. Whoever states a later time has made a mistake.
pub const AHEAD_MAX: TimeDelta = TimeDelta::days(730);
