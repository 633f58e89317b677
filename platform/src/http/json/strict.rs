//! Checks a text against I-JSON (RFC 7493) and a few stricter rules. It finds what serde would accept
//! silently, or reject without a useful reason. It builds no value; serde does that afterwards.

use std::collections::HashSet;

use super::{FAULTS_MAX, FieldError};

/// The largest integer that a JavaScript client, which holds every number as a double, keeps exactly.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Checks a whole JSON text, and returns the values that are well-formed but unacceptable.
///
/// # Errors
/// A description of the fault if the text is not JSON, repeats a key within an object, or is nested more
/// than `depth_max` deep.
pub(super) fn check(text: &str, depth_max: usize) -> Result<Vec<FieldError>, String> {
    let mut scanner = Scanner {
        text,
        at: 0,
        depth_left: depth_max,
        pointer: String::new(),
        refused: Vec::new(),
    };
    scanner.value()?;
    scanner.skip_space();
    match scanner.peek() {
        None => Ok(scanner.refused),
        Some(_) => scanner.malformed("there is text after the value"),
    }
}

/// Adds a reference token to a JSON pointer (RFC 6901).
pub(super) fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth_left: usize,
    pointer: String,
    refused: Vec<FieldError>,
}

impl Scanner<'_> {
    fn value(&mut self) -> Result<(), String> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.nested(b'}', Self::member),
            Some(b'[') => self.nested(b']', |scanner, _, index| scanner.element(index)),
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
            None => self.malformed("the text ends too early"),
        }
    }

    /// Scans an object or an array, from its opening bracket to the closing `end`.
    fn nested(
        &mut self,
        end: u8,
        item: impl Fn(&mut Self, &mut HashSet<String>, usize) -> Result<(), String>,
    ) -> Result<(), String> {
        self.at += 1;
        let Some(depth_left) = self.depth_left.checked_sub(1) else {
            return self.malformed("it is nested too deeply");
        };
        self.depth_left = depth_left;
        let parent = self.pointer.len();
        let mut keys = HashSet::new();
        self.skip_space();
        for index in 0.. {
            if index == 0 && self.take(end) {
                break;
            }
            item(self, &mut keys, index)?;
            self.pointer.truncate(parent);
            self.skip_space();
            if self.take(end) {
                break;
            }
            if !self.take(b',') {
                return self.malformed("a comma or the end of an object or array is missing");
            }
        }
        self.depth_left += 1;
        Ok(())
    }

    fn member(&mut self, keys: &mut HashSet<String>, _index: usize) -> Result<(), String> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return self.malformed("a key in double quotes is missing");
        }
        let key = self.string()?;
        push(&mut self.pointer, &key);
        if !keys.insert(key) {
            return self.malformed("a key is repeated");
        }
        self.skip_space();
        if !self.take(b':') {
            return self.malformed("a colon is missing");
        }
        self.value()
    }

    fn element(&mut self, index: usize) -> Result<(), String> {
        push(&mut self.pointer, &index.to_string());
        self.value()
    }

    /// Scans a string up to its closing quote. Serde checks escapes, surrogates and control characters.
    fn string(&mut self) -> Result<String, String> {
        let rest = &self.text[self.at..];
        let mut escaped = false;
        let end = rest.bytes().skip(1).position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        });
        let Some(end) = end else {
            return self.malformed("a string does not end");
        };
        let Ok(string) = serde_json::from_str::<String>(&rest[..end + 2]) else {
            return self.malformed("a string holds a control character or a bad escape");
        };
        self.at += end + 2;
        if string.contains('\0') {
            self.refuse("holds U+0000, which cannot be stored");
        }
        if let Some(number) = string
            .chars()
            .map(u32::from)
            .find(|&it| is_noncharacter(it))
        {
            self.refuse(&format!("holds U+{number:04X}, which is no character"));
        }
        Ok(string)
    }

    fn number(&mut self) -> Result<(), String> {
        let number = self.run(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        if serde_json::from_str::<&serde_json::value::RawValue>(number).is_err() {
            return self.malformed("a number is not well-formed");
        }
        let representable = if number.contains(['.', 'e', 'E']) {
            number.parse().is_ok_and(f64::is_finite)
        } else {
            number
                .parse::<i64>()
                .is_ok_and(|n| n.unsigned_abs() <= INTEGER_MAX)
        };
        if !representable {
            self.refuse("is a number that not every client can represent");
        } else if number.starts_with('-') && number.parse() == Ok(0_f64) {
            self.refuse("is a negative zero");
        }
        self.at += number.len();
        Ok(())
    }

    fn word(&mut self) -> Result<(), String> {
        let word = self.run(|b| b.is_ascii_alphabetic());
        match word {
            "true" | "false" | "null" => {}
            "NaN" | "Infinity" => self.refuse("is not a number that JSON can carry"),
            _ => return self.malformed("a value is missing"),
        }
        self.at += word.len();
        Ok(())
    }
}

/// Whether this is a code point that Unicode keeps free for use within programs, so that I-JSON has none (RFC 7493,
/// section 2.1).
const fn is_noncharacter(number: u32) -> bool {
    matches!(number, 0xfdd0..=0xfdef) || number & 0xfffe == 0xfffe
}

impl<'a> Scanner<'a> {
    /// The longest text from here on of which every byte `belongs`. Only ASCII bytes may belong.
    fn run(&self, belongs: impl Fn(u8) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        &rest[..rest
            .bytes()
            .position(|byte| !belongs(byte))
            .unwrap_or(rest.len())]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let taken = self.peek() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    fn skip_space(&mut self) {
        self.at += self
            .run(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
            .len();
    }

    /// A body may hold thousands of such values, of which a few are told.
    fn refuse(&mut self, detail: &str) {
        if self.refused.len() < FAULTS_MAX {
            self.refused
                .push(FieldError::pointer(self.pointer.clone(), detail));
        }
    }

    fn malformed<T>(&self, detail: &str) -> Result<T, String> {
        Err(format!(
            "The body is not acceptable JSON: {detail}, at byte {}.",
            self.at
        ))
    }
}
