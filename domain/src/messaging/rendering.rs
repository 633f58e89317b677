//! How words with places for variables become the subject and the body of a mail, or a text. Templates can do very little: they name
//! variables, and leave out what depends on one that there may not be. So whatever operators write, it takes bounded time and
//! memory to render.

mod checked;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use minijinja::{Environment, UndefinedBehavior, Value};
use tidemark_events::messaging::template::{MessageCategory, Variable};

pub use checked::{Checked, Faulty, Part};

/// The most instructions of one template.
const FUEL: u64 = 10_000;
/// The most words between two marks, and the most places and statements of one template. What reads templates calls itself for
/// each of them, and would run out of stack.
const WORDS_MAX: usize = 16;
const PLACES_MAX: usize = 100;
/// The longest subject in bytes: a line of a mail has 998 at most (RFC 5322, section 2.1.1).
const SUBJECT_BYTES_MAX: usize = 980;
/// How much of a word that is refused is told.
const QUOTED_CHARS_MAX: usize = 60;
/// The largest subject or body.
const OUTPUT_BYTES_MAX: usize = 256 * 1_024;
/// The words that statements and conditions are made of, beside variables.
const KEYWORDS: [&str; 7] = ["if", "elif", "else", "endif", "not", "and", "or"];
/// What places and statements begin and end with. Comments are between the third pair.
const MARKS: [(&str, &str); 3] = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];

/// Why words cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// They have a place for a variable that such messages do not have.
    #[error("names the variable `{0}`, which messages of this category do not have")]
    Unknown(String),
    /// They do more than to name variables and to ask whether there is one.
    #[error(
        "has `{0}`: only variables, `if`, `elif`, `else` and `endif` with `not`, `and` and `or` are understood"
    )]
    NotUnderstood(String),
    /// They cannot be read, or not be rendered with a sample.
    #[error("cannot be rendered: {0}")]
    Failed(String),
    /// The subject would have several lines, be longer than a line of a mail, or have nothing to see.
    #[error(
        "must be one line of at most {SUBJECT_BYTES_MAX} bytes with something to see, also with the longest title"
    )]
    NotOneLine,
    /// A mail has a subject, and there is none.
    #[error("is missing, which each mail has")]
    NoSubject,
    /// A text has no subject, and there is one.
    #[error("is stated, and texts have none")]
    NoMail,
    /// No text tells of it.
    #[error("is never told of by a text")]
    NotTexted,
    /// The text would be too long, however short the title is.
    #[error("would take more than {0} segments")]
    TooLong(u32),
}

/// The values of variables. One that is left out is undefined: it can be asked for, and not be shown.
pub type Values = BTreeMap<Variable, String>;

/// Renders words.
///
/// # Errors
/// If they cannot be read, show a variable that has no value, or become too large.
pub fn render(source: &str, values: &Values) -> Result<String, Fault> {
    let environment = environment();
    let failed = |error: &minijinja::Error| {
        let told = error
            .detail()
            .map_or_else(|| error.kind().to_string(), str::to_owned);
        Fault::Failed(told)
    };
    let template = environment.template_from_str(source);
    let template = template.map_err(|error| failed(&error))?;
    let values = values.iter();
    let values: BTreeMap<&str, Value> = values
        .map(|(it, value)| (it.name(), Value::from(value.as_str())))
        .collect();
    let mut output = Output(Vec::new());
    let rendered = template.render_captured_to(Value::from(values), &mut output);
    rendered.map_err(|error| failed(&error))?;
    String::from_utf8(output.0).map_err(|error| Fault::Failed(error.to_string()))
}

/// Without filters, functions and tests. A variable that has no value can be asked for, since that is what `if` is for, but
/// nothing else can be done with it.
fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment
}

/// What is rendered, as long as it is not too large.
struct Output(Vec<u8>);

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_BYTES_MAX {
            return Err(io::Error::other("it is too large"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The variables that words have places for.
fn variables_of(category: MessageCategory, source: &str) -> Result<BTreeSet<Variable>, Fault> {
    let known = variables(category);
    let mut found = BTreeSet::new();
    for word in words(source)? {
        if KEYWORDS.contains(&word) {
            continue;
        }
        let variable = known.iter().find(|it| it.name() == word);
        found.insert(*variable.ok_or_else(|| Fault::Unknown(quoted(word)))?);
    }
    Ok(found)
}

/// As much of a word as a refusal repeats.
fn quoted(word: &str) -> String {
    if word.chars().count() <= QUOTED_CHARS_MAX {
        return word.to_owned();
    }
    let beginning: String = word.chars().take(QUOTED_CHARS_MAX).collect();
    format!("{beginning}…")
}

/// The words between marks, comments left out.
fn words(source: &str) -> Result<Vec<&str>, Fault> {
    let mut words = Vec::new();
    let mut places = 0;
    let mut rest = source;
    while let Some(at) = rest.find('{') {
        let inside = MARKS
            .iter()
            .find(|(begin, _)| rest[at..].starts_with(begin));
        let Some((begin, end)) = inside else {
            rest = &rest[at + 1..];
            continue;
        };
        let after = &rest[at + begin.len()..];
        let Some(length) = after.find(end) else {
            return Err(Fault::Failed(format!(
                "`{begin}` is not followed by `{end}`"
            )));
        };
        if *begin != "{#" {
            // A hyphen removes white space beside the mark.
            let inside = after[..length].trim_matches('-');
            let is_word = |it: &str| it.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
            if let Some(other) = inside.split_whitespace().find(|word| !is_word(word)) {
                return Err(Fault::NotUnderstood(quoted(other)));
            }
            places += 1;
            if inside.split_whitespace().count() > WORDS_MAX || places > PLACES_MAX {
                return Err(Fault::Failed(format!(
                    "it has more than {PLACES_MAX} places, or more than {WORDS_MAX} words in one"
                )));
            }
            words.extend(inside.split_whitespace());
        }
        rest = &after[length + end.len()..];
    }
    Ok(words)
}

/// What messages of a category have.
const fn variables(category: MessageCategory) -> &'static [Variable] {
    match category {
        MessageCategory::Welcome => &[Variable::Name],
        MessageCategory::Outbid
        | MessageCategory::Won
        | MessageCategory::NotWon
        | MessageCategory::Sold
        | MessageCategory::Unsold
        | MessageCategory::EndsSoon => &[
            Variable::Name,
            Variable::Title,
            Variable::Amount,
            Variable::AuctionId,
        ],
        MessageCategory::TaskPaused => &[
            Variable::Name,
            Variable::Task,
            Variable::TaskId,
            Variable::Reason,
        ],
    }
}

/// Whether a text can be a subject.
#[must_use]
pub fn is_one_line(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= SUBJECT_BYTES_MAX && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests;
