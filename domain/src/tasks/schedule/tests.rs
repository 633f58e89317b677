//! The times that expressions name where clocks are set, and what is no expression.

use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(expression: &str, zone: &str) -> Schedule {
    Schedule::read(expression, zone).unwrap()
}

/// The first slots after a time.
fn slots<const N: usize>(expression: &str, zone: &str, after: &str) -> [String; N] {
    let schedule = schedule(expression, zone);
    let mut last = time(after);
    [(); N].map(|()| {
        last = schedule.next_after(last).unwrap();
        last.format("%m-%d %H:%M").to_string()
    })
}

#[test]
fn a_local_time_that_is_left_out_runs_at_the_first_moment_after_it() {
    // New York goes from 02:00 to 03:00, which is 07:00 UTC.
    let daily = slots("30 2 * * *", "America/New_York", "2027-03-13T00:00:00Z");
    assert_eq!(daily, ["03-13 07:30", "03-14 07:00", "03-15 06:30"]);
    // Cairo goes from midnight to 01:00.
    let midnight = slots("0 0 * * *", "Africa/Cairo", "2027-04-29T00:00:00Z");
    assert_eq!(midnight, ["04-29 22:00", "04-30 21:00"]);
}

#[test]
fn a_local_time_that_comes_twice_runs_the_first_time() {
    // New York goes from 02:00 back to 01:00, which is 06:00 UTC.
    let daily = slots("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z");
    assert_eq!(daily, ["11-01 05:30", "11-02 06:30"]);
    // Lord Howe goes back by half an hour, from 02:00 to 01:30, which is 15:00 UTC of the day before.
    let half = slots("45 1 * * *", "Australia/Lord_Howe", "2027-04-03T00:00:00Z");
    assert_eq!(half, ["04-03 14:45", "04-04 15:15"]);
}

#[test]
fn an_hour_with_a_star_or_a_step_runs_whenever_the_clock_shows_it() {
    let every = slots("30 * * * *", "America/New_York", "2026-11-01T05:00:00Z");
    assert_eq!(every, ["11-01 05:30", "11-01 06:30", "11-01 07:30"]);
    let spring = slots("30 * * * *", "America/New_York", "2027-03-14T06:00:00Z");
    assert_eq!(spring, ["03-14 06:30", "03-14 07:30", "03-14 08:30"]);
    let whole = slots("0 * * * *", "America/New_York", "2027-03-14T05:30:00Z");
    assert_eq!(whole, ["03-14 06:00", "03-14 07:00", "03-14 08:00"]);
    let steps = slots(
        "*/15 * * * *",
        "Australia/Lord_Howe",
        "2027-04-03T14:40:00Z",
    );
    assert_eq!(steps, ["04-03 14:45", "04-03 15:00", "04-03 15:15"]);
}

#[test]
fn named_hours_run_once_each_although_a_clock_is_set_between_them() {
    let midnight = slots("0 0 * * *", "Europe/London", "2027-03-27T12:00:00Z");
    assert_eq!(midnight, ["03-28 00:00", "03-28 23:00", "03-29 23:00"]);
    let two = slots("0 1,13 * * *", "Europe/London", "2027-03-27T12:00:00Z");
    assert_eq!(two, ["03-27 13:00", "03-28 01:00", "03-28 12:00"]);
    let back = slots("0 1,13 * * *", "Europe/London", "2026-10-24T14:00:00Z");
    assert_eq!(back, ["10-25 00:00", "10-25 13:00"]);
}

#[test]
fn six_fields_begin_with_seconds() {
    let schedule = schedule("*/20 * * * * *", "UTC");
    let next = schedule.next_after(time("2027-01-01T00:00:19.5Z"));
    assert_eq!(next, Some(time("2027-01-01T00:00:20Z")));
}

#[test]
fn the_newest_slot_and_those_before_it_are_found() {
    let schedule = schedule("* * * * * *", "UTC");
    let (from, until) = (time("2027-01-01T00:00:00Z"), time("2027-02-01T00:00:00.7Z"));
    let newest = schedule.newest(from, until);
    assert_eq!(newest, Some(time("2027-02-01T00:00:00Z")));
    assert_eq!(schedule.count(from, until, 1_000), 1_000);
    assert_eq!(schedule.count(from, time("2027-01-01T00:00:07Z"), 1_000), 7);
    assert_eq!(schedule.newest(from, from), None);
}

/// The slots after a time within the next seven days.
fn each_slot(schedule: &Schedule, after: Timestamp) -> Vec<Timestamp> {
    let first = schedule.next_after(after);
    let slots = std::iter::successors(first, |last| schedule.next_after(*last));
    slots
        .take_while(|slot| *slot <= after + TimeDelta::days(7))
        .collect()
}

#[test]
fn all_slots_are_counted_as_if_each_was_looked_at() {
    // Clocks are set back soon after the first of the days, and forward soon after the second.
    let zones = [
        (
            "America/New_York",
            ["2026-10-31T20:00:07Z", "2027-03-13T20:00:00Z"],
        ),
        (
            "Europe/London",
            ["2026-10-24T16:00:00.5Z", "2027-03-27T16:00:00Z"],
        ),
        (
            "Africa/Cairo",
            ["2026-10-29T12:00:00Z", "2027-04-29T12:00:00Z"],
        ),
        (
            "Australia/Lord_Howe",
            ["2027-04-03T06:00:00Z", "2026-10-03T06:00:00Z"],
        ),
        ("UTC", ["2027-01-31T12:00:00Z", "2026-12-31T12:00:00Z"]),
    ];
    for expression in [
        "*/7 * * * *",
        "30 2 * * *",
        "59 59 0-2 * * *",
        "*/15 0,1,2,3 * * *",
        "0 0 * * *",
        "20 */5 * * MON-FRI",
        "15 0,1 L * *",
        "0 1 * * SUN#1",
    ] {
        for (zone, day) in zones
            .iter()
            .flat_map(|(zone, days)| days.map(|day| (zone, day)))
        {
            let schedule = schedule(expression, zone);
            let slots = each_slot(&schedule, time(day));
            for (minutes, hours) in
                (0..144).flat_map(|it| [(it * 10, 1), (it * 10, 7), (it * 10, 80)])
            {
                let after = time(day) + TimeDelta::minutes(minutes);
                let until = after + TimeDelta::hours(hours);
                let is_between = |slot: &&Timestamp| after < **slot && **slot <= until;
                let each = slots.iter().filter(is_between).count();
                let all = schedule.count_all(after, until);
                assert_eq!(
                    all,
                    u32::try_from(each).ok(),
                    "{schedule:?} from {after} to {until}"
                );
            }
        }
    }
}

#[test]
fn slots_of_years_are_counted() {
    let schedule = schedule("* * * * * *", "Europe/Berlin");
    let (from, until) = (time("2027-01-01T00:00:00Z"), time("2037-01-01T00:00:00Z"));
    let seconds = u32::try_from((until - from).num_seconds()).unwrap();
    assert_eq!(schedule.count_all(from, until), Some(seconds));
}

#[test]
fn a_wrong_expression_and_an_unknown_zone_are_told_together() {
    let faults = Schedule::faults("0 0 1 * MON", "Mars/Base");
    assert_eq!(faults, [ScheduleError::TwoDays, ScheduleError::Zone]);
    assert_eq!(Schedule::faults("0 0 1 * *", "Europe/Berlin"), []);
}

#[test]
fn what_names_no_time_is_refused() {
    let refused = |expression: &str, zone: &str| Schedule::read(expression, zone).unwrap_err();
    let is_due =
        |expression: &str| schedule(expression, "UTC").is_due(time("2027-01-01T00:00:00Z"));
    assert!(!is_due("0 0 30 2 *") && is_due("0 0 29 2 *"));
    assert_eq!(refused("0 0 1 * MON", "UTC"), ScheduleError::TwoDays);
    assert_eq!(refused("0 0 * * *", "Mars/Base"), ScheduleError::Zone);
    for expression in [
        "@daily",
        "* * * *",
        "60 * * * *",
        "0 0 * * * * 2027",
        "a b * * *",
        "* * * * * * *",
        ", * * * *",
        "0 , * * *",
        "1,,2 * * * *",
        "0 0 * * 7,",
        "0 0 1 JANFEB *",
        "0 0 MON * *",
        "0 0 W * *",
        "000 0 * * *",
        "0 -1 * * *",
        "0 1-2-3 * * *",
        "*/ * * * *",
        "? * * * *",
    ] {
        assert_eq!(
            refused(expression, "UTC"),
            ScheduleError::Expression,
            "{expression}"
        );
    }
}

/// The search ends for each, whatever days it names. None names a time only because the parser took it for another.
#[test]
fn every_form_that_the_grammar_has_is_read() {
    let days = ["*", "?", "31", "L", "LW", "15W", "1,15-20/2"];
    let weekdays = ["*", "?", "SUN#5", "5L", "mon-FRI", "0,7"];
    let of_day = days.map(|day| (day, "*"));
    let of_weekday = weekdays.map(|weekday| ("*", weekday));
    for month in ["*", "2", "feb-APR", "*/5", "2,4,6,9,11"] {
        for (day, weekday) in of_day.into_iter().chain(of_weekday) {
            let read = schedule(&format!("0-59/7 1,*/2 {day} {month} {weekday}"), "UTC");
            let is_never = day == "31" && matches!(month, "2" | "2,4,6,9,11");
            let next = read.next_after(time("2027-01-01T00:00:00Z"));
            assert_eq!(next.is_none(), is_never, "{day} {month} {weekday}");
        }
    }
}
