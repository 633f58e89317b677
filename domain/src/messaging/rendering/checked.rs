//! How words are tried out with samples before they are published, so that none is published that says nothing, or that fails with
//! the values of some message.

use std::collections::BTreeSet;

use tidemark_events::messaging::template::{BodySource, MessageCategory, SubjectSource, Variable};

use super::{Fault, Values, is_one_line, render, variables, variables_of};
use crate::messaging::segments::{CUT, segments};

/// The longest value that messages have, in characters.
const VALUE_CHARS_MAX: usize = 200;

/// A part of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The subject of a mail.
    Subject,
    /// What the message itself says.
    Body,
    /// What the messages tell of.
    Category,
}

impl Part {
    /// The name by which clients state it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Body => "body",
            Self::Category => "category",
        }
    }
}

/// Words that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faulty {
    /// Which of them.
    pub part: Part,
    /// Why.
    pub fault: Fault,
}

/// Words that were rendered with samples of their category.
#[derive(Clone, Debug)]
pub struct Checked {
    subject: Option<SubjectSource>,
    body: BodySource,
    variables: BTreeSet<Variable>,
}

impl Checked {
    /// Tries the words of mails out with each sample of a category.
    ///
    /// # Errors
    /// What is wrong with the subject, with the body, or with both.
    pub fn of_mail(
        category: MessageCategory,
        subject: Option<SubjectSource>,
        body: BodySource,
    ) -> Result<Self, Vec<Faulty>> {
        let source = String::from(body.clone());
        let tried_subject = match &subject {
            Some(subject) => try_out(category, Part::Subject, subject.as_str()),
            None => Err(Fault::NoSubject),
        };
        let tried_body = try_out(category, Part::Body, &source);
        let mut variables = BTreeSet::new();
        let mut faulty = Vec::new();
        for (part, tried) in [(Part::Subject, tried_subject), (Part::Body, tried_body)] {
            match tried {
                Ok(found) => variables.extend(found),
                Err(fault) => faulty.push(Faulty { part, fault }),
            }
        }
        if !faulty.is_empty() {
            return Err(faulty);
        }
        Ok(Self {
            subject,
            body,
            variables,
        })
    }

    /// Tries the words of texts out with each sample of a category. They do not name the recipient, whose name is sealed where it
    /// is decided how long the text is, and fit into so many segments with a title of which little is left.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn of_text(
        category: MessageCategory,
        subject: Option<&SubjectSource>,
        body: BodySource,
        segments_max: u32,
    ) -> Result<Self, Vec<Faulty>> {
        let mut faulty = Vec::new();
        let mut add = |part, fault| faulty.push(Faulty { part, fault });
        if subject.is_some() {
            add(Part::Subject, Fault::NoMail);
        }
        let mut variables = BTreeSet::new();
        if category == MessageCategory::Welcome {
            add(Part::Category, Fault::NotTexted);
        } else {
            match try_out_text(category, &String::from(body.clone()), segments_max) {
                Ok(found) => variables = found,
                Err(fault) => add(Part::Body, fault),
            }
        }
        if !faulty.is_empty() {
            return Err(faulty);
        }
        Ok(Self {
            subject: None,
            body,
            variables,
        })
    }

    /// The subject; none if they are those of texts.
    #[must_use]
    pub const fn subject(&self) -> Option<&SubjectSource> {
        self.subject.as_ref()
    }

    /// The source of what the message itself says.
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

/// Tries a part of mails out with each sample of a category, and returns what it has places for.
fn try_out(
    category: MessageCategory,
    part: Part,
    source: &str,
) -> Result<BTreeSet<Variable>, Fault> {
    let found = variables_of(category, source)?;
    for sample in samples(category) {
        let rendered = render(source, &sample)?;
        if part == Part::Subject && !is_one_line(&rendered) {
            return Err(Fault::NotOneLine);
        }
        check_shows(&rendered)?;
    }
    Ok(found)
}

/// Tries the words of texts out, and returns what they have places for.
fn try_out_text(
    category: MessageCategory,
    source: &str,
    segments_max: u32,
) -> Result<BTreeSet<Variable>, Fault> {
    let found = variables_of(category, source)?;
    if found.contains(&Variable::Name) {
        return Err(Fault::Unknown(Variable::Name.name().to_owned()));
    }
    let [all, without, _] = samples(category);
    for sample in [all, without] {
        let rendered = render(source, &shortest_titles(sample))?;
        check_shows(&rendered)?;
        if segments(&rendered) > segments_max {
            return Err(Fault::TooLong(segments_max));
        }
    }
    Ok(found)
}

fn check_shows(rendered: &str) -> Result<(), Fault> {
    if rendered.trim().is_empty() {
        return Err(Fault::Failed("nothing would be seen".to_owned()));
    }
    Ok(())
}

/// Values that messages of a category may have: all of them, all but the amount, of which there may be none, and the longest.
pub(super) fn samples(category: MessageCategory) -> [Values; 3] {
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

/// The same values with titles of which nothing is left.
fn shortest_titles(mut values: Values) -> Values {
    for title in [Variable::Title, Variable::Task] {
        if let Some(value) = values.get_mut(&title) {
            CUT.clone_into(value);
        }
    }
    values
}
