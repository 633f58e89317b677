//! How words with places for variables become the subject and the body of a mail. Templates can do very little: they name
//! variables, and leave out what depends on one that there may not be. So whatever operators write, it takes bounded time and
//! memory to render.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use minijinja::{Environment, UndefinedBehavior, Value};
use tidemark_events::messaging::template::{BodySource, MessageCategory, SubjectSource, Variable};

/// The most instructions of one template.
const FUEL: u64 = 10_000;
/// The most words between two marks, and the most places and statements of one template. What reads templates calls itself for
/// each of them, and would run out of stack.
const WORDS_MAX: usize = 16;
const PLACES_MAX: usize = 100;
/// The longest subject in bytes: a line of a mail has 998 at most (RFC 5322, section 2.1.1).
const SUBJECT_BYTES_MAX: usize = 980;
/// The longest value that messages have, in characters.
const VALUE_CHARS_MAX: usize = 200;
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
    #[error("would not be one line")]
    NotOneLine,
}

/// Which words have a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The subject.
    Subject,
    /// The body.
    Body,
}

/// Words that were rendered with samples of their category.
#[derive(Clone, Debug)]
pub struct Checked {
    subject: SubjectSource,
    body: BodySource,
    variables: BTreeSet<Variable>,
}

impl Checked {
    /// Tries words out with each sample of a category.
    ///
    /// # Errors
    /// What is wrong with the subject, or with the body.
    pub fn new(
        category: MessageCategory,
        subject: SubjectSource,
        body: BodySource,
    ) -> Result<Self, (Part, Fault)> {
        let body_text = String::from(body.clone());
        let mut variables = BTreeSet::new();
        for (part, source) in [(Part::Subject, subject.as_str()), (Part::Body, &body_text)] {
            let found = variables_of(category, source);
            variables.extend(found.map_err(|fault| (part.clone(), fault))?);
            for sample in samples(category) {
                let rendered = render(source, &sample);
                let rendered = rendered.map_err(|fault| (part.clone(), fault))?;
                if part == Part::Subject && !is_one_line(&rendered) {
                    return Err((part, Fault::NotOneLine));
                }
                if rendered.trim().is_empty() {
                    return Err((part, Fault::Failed("nothing would be seen".to_owned())));
                }
            }
        }
        Ok(Self {
            subject,
            body,
            variables,
        })
    }

    /// The subject.
    #[must_use]
    pub const fn subject(&self) -> &SubjectSource {
        &self.subject
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &BodySource {
        &self.body
    }

    /// What they have places for.
    #[must_use]
    pub const fn variables(&self) -> &BTreeSet<Variable> {
        &self.variables
    }
}

/// The values of variables. One that is left out is undefined: it can be asked for, and not be shown.
pub type Values = BTreeMap<Variable, String>;

/// Renders words.
///
/// # Errors
/// If they cannot be read, show a variable that has no value, or become too large.
pub fn render(source: &str, values: &Values) -> Result<String, Fault> {
    let environment = environment();
    let failed = |error: &minijinja::Error| Fault::Failed(error.to_string());
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
        found.insert(*variable.ok_or_else(|| Fault::Unknown(word.to_owned()))?);
    }
    Ok(found)
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
                return Err(Fault::NotUnderstood(other.to_owned()));
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

/// Values that messages of a category may have: all of them, all but the amount, of which there may be none, and the longest.
fn samples(category: MessageCategory) -> [Values; 3] {
    let value = |variable| match variable {
        Variable::Name => "Ada Lovelace",
        Variable::Title => "Field camera, 4x5",
        Variable::Amount => "120.00 EUR",
        Variable::AuctionId | Variable::TaskId => "0193a1f0-5f0e-7cc3-9d54-1f2a9c6b7e10",
        Variable::Task => "Fetch prices",
        Variable::Reason => "its server asks not to be called any more (410)",
    };
    let variables = variables(category).iter();
    let all: Values = variables.map(|it| (*it, value(*it).to_owned())).collect();
    let mut without = all.clone();
    without.remove(&Variable::Amount);
    let long = "\u{1f4f7}".repeat(VALUE_CHARS_MAX);
    let longest = all.keys().map(|it| (*it, long.clone())).collect();
    [all, without, longest]
}

/// Whether a text can be a subject.
#[must_use]
pub fn is_one_line(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= SUBJECT_BYTES_MAX && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests;
