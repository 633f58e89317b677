//! How many slots there are between two times, without looking at each: there may be one each second, for years.

use tidemark_events::Timestamp;

use super::{Schedule, at};

/// The seconds of a day.
const DAY_S: i64 = 86_400;

impl Schedule {
    /// How many slots there are after `after` and not later than `until`. It looks at each day between them and at each transition of the
    /// zone. `None` beyond the times that there are.
    #[must_use]
    pub fn count_all(&self, after: Timestamp, until: Timestamp) -> Option<u32> {
        let named = Named::of(self)?;
        let (mut from, until) = (after.timestamp(), until.timestamp());
        let mut local = self.not_again(from)?;
        let mut count = 0;
        loop {
            let offset = i64::from(self.offset_at(at(from)?)?);
            let transition = self.transition_after(at(from)?);
            let transition = transition.map(|(at, offset)| (at.timestamp(), i64::from(offset)));
            let Some((moment, following)) = transition.filter(|(moment, _)| *moment <= until)
            else {
                count += named.count(local, until + offset)?;
                return u32::try_from(count).ok();
            };
            // The last second before the transition, as the clock shows it.
            let last = moment - 1 + offset;
            count += named.count(local, last)?;
            local = if !self.is_of_local_times {
                moment - 1 + following
            } else if following > offset {
                // Those that are left out run at the first moment after them, together with one that is named for it.
                let shown = moment + following;
                count += named.count(local.max(last), shown)?.min(1);
                local.max(shown)
            } else {
                local.max(last)
            };
            from = moment;
        }
    }

    /// The local time after which the next slots are named that come after this moment: what the clock shows then, or, if it shows that
    /// again, the last time that it shows for the second time.
    fn not_again(&self, moment: i64) -> Option<i64> {
        let local = moment + i64::from(self.offset_at(at(moment)?)?);
        if !self.is_of_local_times {
            return Some(local);
        }
        let next = jiff::Timestamp::from_second(moment + 1).ok()?;
        let Some(last) = self.zone.preceding(next).next() else {
            return Some(local);
        };
        let before = last.timestamp().as_second() - 1;
        Some(local.max(before + i64::from(self.offset_at(at(before)?)?)))
    }
}

/// The local times that an expression names, by the second.
struct Named<'a> {
    schedule: &'a Schedule,
    hours: Vec<u16>,
    minutes: Vec<u16>,
    seconds: Vec<u16>,
    /// The first one of a day.
    first: i64,
}

impl<'a> Named<'a> {
    fn of(schedule: &'a Schedule) -> Option<Self> {
        let pattern = &schedule.cron.pattern;
        let (hours, minutes) = (pattern.hours.values(), pattern.minutes.values());
        let seconds = pattern.seconds.values();
        let first = |values: &[u16]| values.first().copied().map(i64::from);
        let first = (first(&hours)? * 60 + first(&minutes)?) * 60 + first(&seconds)?;
        Some(Self {
            schedule,
            hours,
            minutes,
            seconds,
            first,
        })
    }

    /// How many there are after one local time and not later than another one; both are seconds since 1970.
    fn count(&self, after: i64, until: i64) -> Option<usize> {
        if until <= after {
            return Some(0);
        }
        let (first, last) = (after.div_euclid(DAY_S), until.div_euclid(DAY_S));
        let each = self.hours.len() * self.minutes.len() * self.seconds.len();
        let mut count = 0;
        for day in first..last {
            if self.has_day(day)? {
                count += each;
            }
        }
        Some(count + self.of_day_until(until)? - self.of_day_until(after)?)
    }

    /// How many there are on the day of a local time up to then.
    fn of_day_until(&self, time: i64) -> Option<usize> {
        if !self.has_day(time.div_euclid(DAY_S))? {
            return Some(0);
        }
        let second = u32::try_from(time.rem_euclid(DAY_S)).ok()?;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let before =
            |values: &[u16], bound: u32| values.partition_point(|value| u32::from(*value) < bound);
        let has = |values: &[u16], value: u32| values.iter().any(|it| u32::from(*it) == value);
        let (minutes, seconds) = (self.minutes.len(), self.seconds.len());
        let mut count = before(&self.hours, hour) * minutes * seconds;
        if has(&self.hours, hour) {
            count += before(&self.minutes, minute) * seconds;
            if has(&self.minutes, minute) {
                count += before(&self.seconds, second + 1);
            }
        }
        Some(count)
    }

    /// Whether the expression names this day, by its number since 1970.
    fn has_day(&self, day: i64) -> Option<bool> {
        let time = at(day * DAY_S + self.first)?;
        self.schedule.cron.is_time_matching(&time).ok()
    }
}
