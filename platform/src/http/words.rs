//! What the parsers of bodies and parameters say, in words of the API. Clients know JSON and the description of
//! the API; they know neither Rust's types nor serde.

use serde_json::Value;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::schemas::Schemas;

/// What a UUID must be.
pub(crate) const UUID: &str = "must be a UUID with its four hyphens alone";

/// Whether a text is a UUID without hyphens, in braces or as a URN. The parser takes these, too, but the format `uuid` of
/// descriptions does not (RFC 9562, section 4).
pub(crate) fn is_uuid_in_another_form(text: &str) -> bool {
    text.len() != Hyphenated::LENGTH && Uuid::try_parse(text).is_ok()
}

/// What a parser says of a value of this schema, for people who do not know it. The schema is null if it is not known.
pub(super) fn of_parser(message: &str, schema: &Value) -> String {
    let message = message.split(" at line ").next().unwrap_or_default();
    if message.starts_with("missing field ") {
        return "is required".to_owned();
    }
    if message.starts_with("unknown field ") {
        return "is unknown here".to_owned();
    }
    if let Some((_, expected)) = message
        .split_once(", expected ")
        .filter(|_| message.starts_with("unknown variant ") || message.starts_with("invalid "))
    {
        return format!("must be {}", kind(expected, schema));
    }
    if message.starts_with("UUID parsing failed") {
        return "must be a UUID".to_owned();
    }
    if message.starts_with("provided string was not `true` or `false`") {
        return "must be true or false".to_owned();
    }
    // The standard library's words for numbers in query strings.
    if message.contains("digit found in string")
        || message.starts_with("cannot parse integer")
        || message.starts_with("number too ")
    {
        return "must be an integer".to_owned();
    }
    message.to_owned()
}

/// What a rule of `garde` says, in the words of all other faults.
pub(super) fn of_rule(message: &str) -> String {
    let rules = [
        ("length is lower than ", "must have a length of at least "),
        ("length is greater than ", "must have a length of at most "),
        ("lower than ", "must be at least "),
        ("greater than ", "must be at most "),
    ];
    let told = rules.iter().find_map(|(said, told)| {
        let bound = message.strip_prefix(said)?;
        Some(format!("{told}{bound}"))
    });
    told.unwrap_or_else(|| message.to_owned())
}

/// What serde expects, in words of JSON.
fn kind(expected: &str, schema: &Value) -> String {
    let name = match expected {
        "a string" | "str" | "string" => "a string",
        "a boolean" => "true or false",
        "a sequence" => "an array",
        "a map" => "an object",
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => {
            return if Schemas::is_integer(schema) {
                Schemas::words(schema)
            } else {
                "an integer".to_owned()
            };
        }
        _ if expected.starts_with("struct ") => "an object",
        _ if expected.contains("UUID") => "a UUID",
        listed if listed.starts_with("one of ") || listed.starts_with('`') => {
            return listed.replace('`', "");
        }
        _ => "as the description says",
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{of_parser, of_rule};

    #[test]
    fn parsers_speak_in_words_of_the_api() {
        for (said, told) in [
            ("missing field `email`", "is required"),
            (
                "unknown field `a`, expected `b` at line 1 column 2",
                "is unknown here",
            ),
            ("invalid type: null, expected a string", "must be a string"),
            (
                "invalid type: integer `17`, expected struct Price",
                "must be an object",
            ),
            (
                "invalid type: string \"a\", expected u32",
                "must be an integer",
            ),
            (
                "unknown variant `x`, expected one of `new`, `good`",
                "must be one of new, good",
            ),
            ("UUID parsing failed: invalid length", "must be a UUID"),
            ("invalid digit found in string", "must be an integer"),
            ("must not be a leap second", "must not be a leap second"),
        ] {
            assert_eq!(of_parser(said, &Value::Null), told);
        }
    }

    #[test]
    fn a_value_that_is_no_integer_is_told_the_range() {
        let said = "invalid type: floating point `1.5`, expected i64";
        let told = |schema| of_parser(said, &schema);
        let price = json!({"type": ["integer", "null"], "minimum": 1, "maximum": 9});
        assert_eq!(told(price), "must be an integer from 1 to 9");
        let version = json!({"type": "integer", "minimum": 1, "maximum": i64::MAX});
        assert_eq!(
            told(version),
            "must be an integer from 1 to 9223372036854775807"
        );
    }

    #[test]
    fn rules_speak_in_words_of_the_api() {
        for (said, told) in [
            ("lower than 0", "must be at least 0"),
            ("greater than 3600", "must be at most 3600"),
            (
                "length is greater than 200",
                "must have a length of at most 200",
            ),
            ("length is lower than 1", "must have a length of at least 1"),
            ("must be a word", "must be a word"),
        ] {
            assert_eq!(of_rule(said), told);
        }
    }
}
