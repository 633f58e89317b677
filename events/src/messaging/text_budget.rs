//! Events of text budgets: how many segments of texts were asked for on one day. There is one stream a day for codes, which anybody can
//! have sent, and one for all other texts, so that all of a kind are counted together, and two that are asked for at once cannot both
//! take the last segment.

use uuid::Builder;

use crate::{MessageId, Timestamp};

id! {
    /// The id of the text budget of a day.
    TextBudgetId
}

/// What stands in the ids of text budgets where those of others have random bits.
const MARK: [u8; 10] = [0x07, 0xb6, 0x1d, 0x90, 0x4a, 0x2e, 0xc3, 0x58, 0xf7, 0x14];
/// The same in those of the budgets for codes.
const CODE_MARK: [u8; 10] = [0x03, 0x5c, 0xe8, 0x21, 0x9d, 0x76, 0x0f, 0xb4, 0x6a, 0xd1];
/// The length of a day, without leap seconds, as Unix counts.
const DAY_MS: i64 = 24 * 3_600 * 1_000;

impl TextBudgetId {
    /// The id of the budget of the day (UTC) of this time for all texts but codes, of which there is no other.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        Self::marked(time, &MARK)
    }

    /// The id of the budget of the day (UTC) of this time for codes, of which there is no other.
    #[must_use]
    pub fn of_codes(time: Timestamp) -> Self {
        Self::marked(time, &CODE_MARK)
    }

    fn marked(time: Timestamp, mark: &[u8; 10]) -> Self {
        let milliseconds = time.timestamp_millis();
        let begin = (milliseconds - milliseconds.rem_euclid(DAY_MS)).unsigned_abs();
        Self(Builder::from_unix_timestamp_millis(begin, mark).into_uuid())
    }
}

events! {
    /// The events of a text budget.
    pub enum Event {
        /// A text was asked for, and its segments count, whatever becomes of it.
        #[serde(rename = "text_budget.spent")]
        Spent {
            /// The text budget.
            text_budget_id: TextBudgetId,
            /// The text.
            message_id: MessageId,
            /// In how many pieces networks carry it, each of which is paid for; 0 of a code that is not sent because of its number.
            segments: u32,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{TEXT, TEXT_BUDGET};

    vec![Event::Spent {
        text_budget_id: TEXT_BUDGET,
        message_id: TEXT,
        segments: 1,
    }]
}

#[cfg(test)]
mod tests {
    use crate::samples::at;

    use super::*;

    #[test]
    fn each_day_has_a_budget_of_its_own() {
        let today = TextBudgetId::of(at(0));
        assert_eq!(today, TextBudgetId::of(at(86_399)));
        assert_ne!(today, TextBudgetId::of(at(86_400)));
        assert_ne!(today, TextBudgetId::of(at(-1)));
        assert_eq!(today.0.get_version_num(), 7);
        assert_ne!(today, TextBudgetId::of_codes(at(0)));
        assert_eq!(TextBudgetId::of_codes(at(0)).0.get_version_num(), 7);
    }
}
