//! The macros that turn declarations into types: one for the events of an aggregate, one for the list of
//! aggregates. No aggregate is named here.

/// Who may read an aggregate's topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Analytics consumers are granted the topic, and auditors see payloads.
    Public,
    /// The topic is for Tidemark alone, and payloads are never shown.
    Internal,
}

/// Declares the events of one aggregate.
///
/// Each variant has a stored type of its own, so that renaming Rust code renames nothing in the log, and
/// braces, since a variant without them could never gain a field.
macro_rules! events {
    (
        $(#[$doc:meta])*
        pub enum Event {
            $($(#[doc = $text:literal])+ #[serde(rename = $type:literal)] $variant:ident { $($fields:tt)* },)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "type", content = "data")]
        pub enum Event {
            $($(#[doc = $text])+ #[serde(rename = $type)] $variant { $($fields)* },)+
        }

        impl Event {
            /// The stored types of all variants.
            pub const TYPES: &'static [&'static str] = &[$($type),+];
        }
    };
}

/// Declares [`Aggregate`](crate::Aggregate) and [`Event`](crate::Event) from a table with one line an
/// aggregate: its name in Rust, its module, its identifier, its name in the log, its visibility.
macro_rules! aggregates {
    ($($(#[$doc:meta])* $name:ident($context:ident::$module:ident, $id:ident) = $text:literal, $visibility:ident;)+) => {
        $(pub use $context::$module::$id;)+

        /// The kinds of streams there are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Aggregate {
            $($(#[$doc])* $name,)+
        }

        impl Aggregate {
            /// Every aggregate, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name in the log, in type names before the dot, and in the topic.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// Whether its facts may leave Tidemark.
            #[must_use]
            pub const fn visibility(self) -> Visibility {
                match self {
                    $(Self::$name => Visibility::$visibility,)+
                }
            }

            /// The aggregate of that name in the log, if this build knows it.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|aggregate| aggregate.name() == name)
            }

            /// The stored types of its events, as far as this build knows them.
            #[must_use]
            pub const fn event_types(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => $context::$module::Event::TYPES,)+
                }
            }

            /// The Kafka topic of its facts, for a deployment's topic prefix.
            #[must_use]
            pub fn topic(self, prefix: &str) -> String {
                format!("{prefix}.{}", self.name())
            }
        }

        /// Any fact, of whichever aggregate.
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[serde(untagged)]
        pub enum Event {
            $($(#[$doc])* $name($context::$module::Event),)+
        }

        impl Event {
            /// The aggregate this fact belongs to.
            #[must_use]
            pub const fn aggregate(&self) -> Aggregate {
                match self {
                    $(Self::$name(_) => Aggregate::$name,)+
                }
            }

            pub(crate) fn parse(aggregate: Aggregate, tagged: &str) -> serde_json::Result<Self> {
                Ok(match aggregate {
                    $(Aggregate::$name => Self::$name(serde_json::from_str(tagged)?),)+
                })
            }
        }

        /// One example of every event, each aggregate's in an order in which they could have happened.
        #[cfg(any(test, feature = "samples"))]
        #[must_use]
        pub fn all_samples() -> Vec<Event> {
            let mut all = Vec::new();
            $(all.extend($context::$module::samples().into_iter().map(Event::$name));)+
            all
        }

        /// The facts of one aggregate.
        pub trait AggregateEvent: Into<Event> + Clone + Send + Sync + 'static {
            /// Which aggregate.
            const AGGREGATE: Aggregate;

            /// The fact inside `event`, if it is one of this aggregate.
            fn from_event(event: &Event) -> Option<&Self>;
        }

        $(
            impl From<$context::$module::Event> for Event {
                fn from(event: $context::$module::Event) -> Self {
                    Self::$name(event)
                }
            }

            impl AggregateEvent for $context::$module::Event {
                const AGGREGATE: Aggregate = Aggregate::$name;

                fn from_event(event: &Event) -> Option<&Self> {
                    if let Event::$name(event) = event { Some(event) } else { None }
                }
            }
        )+
    };
}
