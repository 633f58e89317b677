//! The forms that expressions of cron may have. The parser of the library is more lenient than people can see: it passes over
//! empty items, so that an expression may name no minute at all, for which it then searches for a long time, and takes `JANFEB`
//! for the twelfth month.

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The fields that say on which days, and at which time.
pub(super) struct Fields<'a> {
    /// The seconds, minutes and hours.
    pub(super) times: &'a [&'a str],
    pub(super) day: &'a str,
    pub(super) month: &'a str,
    pub(super) weekday: &'a str,
}

impl<'a> Fields<'a> {
    /// Five fields, or six that begin with seconds.
    pub(super) fn of(fields: &'a [&'a str]) -> Option<Self> {
        let (times, days) = fields.split_at_checked(fields.len().checked_sub(3)?)?;
        let &[day, month, weekday] = days else {
            return None;
        };
        let fields = Self {
            times,
            day,
            month,
            weekday,
        };
        (matches!(times.len(), 2 | 3) && fields.are_well_formed()).then_some(fields)
    }

    /// Whether each field is a list of items that it may have. The bounds of numbers are left to the parser.
    fn are_well_formed(&self) -> bool {
        let mut times = self.times.iter();
        times.all(|field| is_list(field, |item| is_range(item, is_number)))
            && (self.day == "?" || is_list(self.day, is_of_month))
            && is_list(self.month, |item| is_range(item, is_month))
            && (self.weekday == "?" || is_list(self.weekday, is_of_week))
    }
}

fn is_list(field: &str, is_item: impl Fn(&str) -> bool) -> bool {
    field.split(',').all(is_item)
}

/// `*`, a value, or a first and a last one, and a step if there is one.
fn is_range(item: &str, is_value: impl Fn(&str) -> bool) -> bool {
    let (values, step) = match item.split_once('/') {
        Some((values, step)) => (values, Some(step)),
        None => (item, None),
    };
    let are_values = match values.split_once('-') {
        Some((first, last)) => is_value(first) && is_value(last),
        None => values == "*" || is_value(values),
    };
    are_values && step.is_none_or(is_number)
}

/// Days of the month: also the last one, the last one from Monday to Friday, and the one of these that is nearest to a day.
fn is_of_month(item: &str) -> bool {
    let nearest = item.strip_suffix(['W', 'w']).is_some_and(is_number);
    let last = ["L", "LW"].iter().any(|it| it.eq_ignore_ascii_case(item));
    nearest || last || is_range(item, is_number)
}

/// Days of the week: also the first to the fifth of one in the month, and the last of one.
fn is_of_week(item: &str) -> bool {
    let last = item.strip_suffix(['L', 'l']).is_some_and(is_weekday);
    let nth = item
        .split_once('#')
        .is_some_and(|(day, which)| is_weekday(day) && is_number(which));
    nth || last || is_range(item, is_weekday)
}

fn is_month(value: &str) -> bool {
    is_number(value) || is_one_of(&MONTHS, value)
}

fn is_weekday(value: &str) -> bool {
    is_number(value) || is_one_of(&WEEKDAYS, value)
}

fn is_one_of(names: &[&str], value: &str) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(value))
}

fn is_number(text: &str) -> bool {
    matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit())
}
