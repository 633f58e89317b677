//! What the parsers of bodies and parameters say, in words of the API. Clients know JSON and the description of
//! the API; they know neither Rust's types nor serde.

/// What a parser says, for people who do not know it.
pub(super) fn of_parser(message: &str) -> String {
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
        return format!("must be {}", kind(expected));
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
        return "must be an integer in the range that the description gives".to_owned();
    }
    message.to_owned()
}

/// What serde expects, in words of JSON.
fn kind(expected: &str) -> String {
    let name = match expected {
        "a string" | "str" | "string" => "a string",
        "a boolean" => "true or false",
        "a sequence" => "an array",
        "a map" => "an object",
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => {
            "an integer in the range that the description gives"
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
    use super::of_parser;

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
                "must be an integer in the range that the description gives",
            ),
            (
                "unknown variant `x`, expected one of `new`, `good`",
                "must be one of new, good",
            ),
            ("UUID parsing failed: invalid length", "must be a UUID"),
            (
                "invalid digit found in string",
                "must be an integer in the range that the description gives",
            ),
            ("must not be a leap second", "must not be a leap second"),
        ] {
            assert_eq!(of_parser(said), told);
        }
    }
}
