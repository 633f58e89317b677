//! Reading what a task calls: a few events of a stream that grows for ever.

use tidemark_events::{DecodeError, Event};
use uuid::Uuid;

use super::Log;

/// An event that says what a task calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionPart {
    /// The type of the event.
    pub event_type: String,
    /// The version of its schema.
    pub schema_version: i16,
    /// Its data, as JSON text.
    pub data: String,
}

impl DefinitionPart {
    /// Decodes the event.
    ///
    /// # Errors
    /// See [`Event::decode`].
    pub fn decode(&self) -> Result<Event, DecodeError> {
        Event::decode(&self.event_type, self.schema_version, &self.data)
    }
}

impl Log {
    /// The definition of a task, its newest change and its newest rotation of the secret, in this order, as far as there are any up
    /// to this version of the task, or in all. It reads three events at most, however long the stream is.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn task_definition(
        &self,
        task_id: Uuid,
        up_to: Option<i64>,
    ) -> sqlx::Result<Vec<DefinitionPart>> {
        // Each type stands in the statement, or the index of these types would not be used.
        let up_to = up_to.unwrap_or(i64::MAX);
        let query = || {
            sqlx::query_as!(
                DefinitionPart,
                r#"
                select part.type as "event_type!",
                       part.schema_version as "schema_version!",
                       part.data as "data!"
                  from (
                    (select 1 as place, type, schema_version, data::text
                       from events
                      where stream_id = $1
                        and type = 'task.defined'
                        and version <= $2
                      order by version desc
                      limit 1)
                     union all
                    (select 2, type, schema_version, data::text
                       from events
                      where stream_id = $1
                        and type = 'task.changed'
                        and version <= $2
                      order by version desc
                      limit 1)
                     union all
                    (select 3, type, schema_version, data::text
                       from events
                      where stream_id = $1
                        and type = 'task.secret_rotated'
                        and version <= $2
                      order by version desc
                      limit 1)
                  ) as part
                 order by part.place
                "#,
                task_id,
                up_to,
            )
            .fetch_all(&*self.pool)
        };
        self.pool.read(query).await
    }
}
