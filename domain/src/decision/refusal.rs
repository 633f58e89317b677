//! Why a rule forbids a command. No HTTP terms are used here: each API maps the kinds to its own answers.

use std::iter;

use tidemark_events::{Money, Timestamp};

/// What sort of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The command makes no sense, whatever the state is.
    Invalid,
    /// The caller is not known.
    Unauthenticated,
    /// The caller was known until the session ended.
    LoggedOut,
    /// The caller is known and is not allowed to do this.
    Forbidden,
    /// The thing that the command is about does not exist.
    NotFound,
    /// The thing that the command is about was there, and never will be again.
    Gone,
    /// The current state does not allow the command.
    Conflict,
}

/// The stable name of a kind of refusal, and what a client that meets it wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The name that clients act on, such as `bid_too_low`.
    pub name: &'static str,
    /// What it means, in whole sentences that hold of every refusal with this code.
    pub meaning: &'static str,
    /// What the client can do, in whole sentences.
    pub what_to_do: &'static str,
}

/// The reason for a refusal. Each noun lists its own reasons in an enum named `Error`.
pub trait Reason: std::error::Error {
    /// What sort of refusal it is.
    fn kind(&self) -> RefusalKind;

    /// The stable name that clients act on, and what it means.
    fn code(&self) -> Code;

    /// The field of the command that is to blame, by the name that clients know, if it is one.
    fn field(&self) -> Option<&'static str> {
        None
    }

    /// When the same command may succeed, if that is known.
    fn retry_at(&self) -> Option<Timestamp> {
        None
    }

    /// The lowest amount that would be accepted, if the amount was too low.
    fn minimum(&self) -> Option<Money> {
        None
    }
}

/// What is wrong with a field of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field, by the name that clients know.
    pub field: &'static str,
    /// What is wrong with it, as people read it.
    pub detail: String,
}

/// A [`Reason`] of any noun, as the executor and the APIs handle it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// What sort of refusal it is.
    pub kind: RefusalKind,
    /// The stable name that clients act on, and what it means.
    pub code: Code,
    /// The reason as people read it.
    pub detail: Box<str>,
    /// The field of the command that is to blame, by the name that clients know, if it is one.
    pub field: Option<&'static str>,
    /// When the same command may succeed, if that is known.
    pub retry_at: Option<Timestamp>,
    /// The lowest amount that would be accepted, if the amount was too low.
    pub minimum: Option<Money>,
    /// What else is refused, so that a client need not find out one by one.
    pub other: Option<Box<Self>>,
}

impl Refusal {
    /// Refuses what one of these refuses, as the first of them does, and tells what is wrong with the fields of the others.
    ///
    /// # Errors
    /// If there is a refusal.
    pub fn all(refusals: impl IntoIterator<Item = Self>) -> Result<(), Self> {
        let all = refusals.into_iter().reduce(Self::and);
        all.map_or(Ok(()), Err)
    }

    /// The same, which tells also what is wrong with the fields of another one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.other = Some(match self.other.take() {
            Some(own) => Box::new(own.and(other)),
            None => Box::new(other),
        });
        self
    }

    /// What is wrong with each field.
    pub fn faults(&self) -> impl Iterator<Item = Fault> {
        let all = iter::successors(Some(self), |it| it.other.as_deref());
        all.filter_map(|it| {
            let (field, detail) = (it.field?, it.detail.to_string());
            Some(Fault { field, detail })
        })
    }

    /// Whether the caller may not learn the version of what the command is about.
    #[must_use]
    pub const fn hides_its_object(&self) -> bool {
        use RefusalKind::{Forbidden, LoggedOut, NotFound, Unauthenticated};
        matches!(
            self.kind,
            Unauthenticated | LoggedOut | Forbidden | NotFound
        )
    }

    /// The same, blamed on this field of the command.
    pub(crate) fn about(self, field: &'static str) -> Self {
        let field = Some(field);
        Self { field, ..self }
    }
}

/// These reasons as refusals.
pub(crate) fn refusals<R: Reason>(reasons: impl IntoIterator<Item = R>) -> Vec<Refusal> {
    reasons.into_iter().map(Refusal::from).collect()
}

impl<R: Reason> From<R> for Refusal {
    fn from(reason: R) -> Self {
        Self {
            kind: reason.kind(),
            code: reason.code(),
            detail: reason.to_string().into(),
            field: reason.field(),
            retry_at: reason.retry_at(),
            minimum: reason.minimum(),
            other: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, thiserror::Error)]
    #[error("must be of another colour")]
    struct Wrong(Option<&'static str>);

    impl Reason for Wrong {
        fn kind(&self) -> RefusalKind {
            RefusalKind::Invalid
        }

        fn code(&self) -> Code {
            Code {
                name: "wrong",
                meaning: "It is wrong.",
                what_to_do: "Take another.",
            }
        }

        fn field(&self) -> Option<&'static str> {
            self.0
        }
    }

    #[test]
    fn the_first_of_several_refusals_tells_of_all_fields() {
        let wrong = [Some("lid"), None, Some("box"), Some("key")].map(Wrong);
        let told = Refusal::all(refusals(wrong)).unwrap_err();
        assert_eq!((told.code.name, told.field), ("wrong", Some("lid")));
        let fields: Vec<_> = told.faults().map(|it| it.field).collect();
        assert_eq!(fields, ["lid", "box", "key"]);
        assert_eq!(Refusal::all([]), Ok(()));
    }
}
