//! The macros that declare the events of one aggregate, and the list of all aggregates. No aggregate is
//! named here.

/// Who may read the events of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Consumers may read the topic, and auditors see the data of the events.
    Public,
    /// Only Tidemark reads the topic, and the data of the events is never shown.
    Internal,
}

/// Declares a type that fields of events have. Each of its own fields must be an [`EventField`](crate::EventField),
/// too.
macro_rules! event_field {
    (
        $(#[$doc:meta])*
        pub struct $name:ident { $($(#[$field_doc:meta])* pub $field:ident: $type:ty,)+ }
    ) => {
        $(#[$doc])*
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)+ }

        impl crate::EventField for $name where $($type: crate::EventField,)+ {}
    };
    (
        $(#[$doc:meta])*
        pub enum $name:ident {
            $($(#[$variant_doc:meta])* $variant:ident {
                $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
            },)+
        }
    ) => {
        $(#[$doc])*
        pub enum $name {
            $($(#[$variant_doc])* $variant { $($(#[$field_doc])* $field: $type,)* },)+
        }

        impl crate::EventField for $name where $($($type: crate::EventField,)*)+ {}
    };
}

/// Declares the events of one aggregate.
///
/// Each variant names its stored type, so that renaming Rust code renames nothing in the log. Each has
/// braces, because a variant without them could never get a field. Each field is an
/// [`EventField`](crate::EventField), so that nothing gets into the log that no rules have accepted.
macro_rules! events {
    (
        $(#[$doc:meta])*
        pub enum Event {
            $($(#[doc = $text:literal])+ #[serde(rename = $type:literal)] $variant:ident { $($fields:tt)* },)+
        }
    ) => {
        event_field! {
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
            #[serde(tag = "type", content = "data")]
            pub enum Event {
                $($(#[doc = $text])+ #[serde(rename = $type)] $variant { $($fields)* },)+
            }
        }

        impl Event {
            /// The stored types of all variants.
            pub const TYPES: &'static [&'static str] = &[$($type),+];
        }
    };
}

/// Declares [`Aggregate`](crate::Aggregate) and [`Event`](crate::Event) from a list with a line for each
/// aggregate: its name in Rust, its module, its identifier, its name in the log and its visibility.
macro_rules! aggregates {
    ($($(#[$doc:meta])* $name:ident($context:ident::$module:ident, $id:ident) = $text:literal, $visibility:ident;)+) => {
        $(pub use $context::$module::$id;)+

        /// The kinds of streams.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Aggregate {
            $($(#[$doc])* $name,)+
        }

        impl Aggregate {
            /// Every aggregate, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name in the log, in stored types before the dot, and in the topic.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// Whether its events may leave Tidemark.
            #[must_use]
            pub const fn visibility(self) -> Visibility {
                match self {
                    $(Self::$name => Visibility::$visibility,)+
                }
            }

            /// The aggregate that has this name in the log; `None` if this build knows none.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|aggregate| aggregate.name() == name)
            }

            /// The stored types of those of its events that this build knows.
            #[must_use]
            pub const fn event_types(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => $context::$module::Event::TYPES,)+
                }
            }

            /// The Kafka topic of its events in a deployment with this topic prefix.
            #[must_use]
            pub fn topic(self, prefix: &str) -> String {
                format!("{prefix}.{}", self.name())
            }
        }

        /// An event of any aggregate.
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[serde(untagged)]
        pub enum Event {
            $($(#[$doc])* $name($context::$module::Event),)+
        }

        impl Event {
            /// The aggregate that the event belongs to.
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

        /// A sample of every event. Those of an aggregate are in an order in which they can happen.
        #[cfg(any(test, feature = "samples"))]
        #[must_use]
        pub fn all_samples() -> Vec<Event> {
            let mut all = Vec::new();
            $(all.extend($context::$module::samples().into_iter().map(Event::$name));)+
            all
        }

        /// The events of one aggregate.
        pub trait AggregateEvent: Into<Event> + Clone + Send + Sync + 'static {
            /// The aggregate.
            const AGGREGATE: Aggregate;

            /// The event inside `event`; `None` if it is another aggregate's.
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
