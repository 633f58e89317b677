//! The one list of aggregates, as the macro that turns it into types. It holds no aggregate itself.

/// Who may read an aggregate's topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Analytics consumers are granted the topic, and auditors see payloads.
    Public,
    /// The topic is for Tidemark alone, and payloads are never shown.
    Internal,
}

/// Declares [`Aggregate`](crate::Aggregate) and [`Event`](crate::Event) from a table with one line an
/// aggregate: its name in Rust, its module, its name in the log, its visibility.
macro_rules! aggregates {
    ($($(#[$doc:meta])* $name:ident($module:ident) = $text:literal, $visibility:ident;)+) => {
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
            $($(#[$doc])* $name($module::Event),)+
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

        /// The shape of every aggregate's facts.
        #[cfg(test)]
        fn schemas() -> Vec<schemars::Schema> {
            vec![$(schemars::schema_for!($module::Event)),+]
        }

        /// The facts of one aggregate.
        pub trait AggregateEvent: Into<Event> + Clone + Send + Sync + 'static {
            /// Which aggregate.
            const AGGREGATE: Aggregate;

            /// The fact inside `event`, if it is one of this aggregate.
            fn from_event(event: &Event) -> Option<&Self>;
        }

        $(
            impl From<$module::Event> for Event {
                fn from(event: $module::Event) -> Self {
                    Self::$name(event)
                }
            }

            impl AggregateEvent for $module::Event {
                const AGGREGATE: Aggregate = Aggregate::$name;

                fn from_event(event: &Event) -> Option<&Self> {
                    if let Event::$name(event) = event { Some(event) } else { None }
                }
            }
        )+
    };
}
pub(crate) use aggregates;
