//! The calls of the SQL functions that append.

use sqlx::PgConnection;
use tidemark_events::Timestamp;
use uuid::Uuid;

use super::columns::Columns;
use super::group::{Group, NewEvent};
use super::outcome::Answer;

/// What a call says of a batch besides its groups.
pub(super) struct Call {
    pub(super) executor: Uuid,
    pub(super) batch: i64,
    pub(super) valid_from: Option<Timestamp>,
    pub(super) valid_until: Option<Timestamp>,
    pub(super) known_head: Option<i64>,
}

impl Call {
    /// Appends the groups. One event of one command goes a shorter way, if there is nothing else and all its streams are
    /// known.
    pub(super) async fn send(
        &self,
        groups: Vec<Group>,
        connection: &mut PgConnection,
    ) -> sqlx::Result<Answer> {
        if let [group] = groups.as_slice()
            && let [event] = group.events.as_slice()
            && group.is_plain()
            && group.streams.is_empty()
            && let Some(known_head) = self.known_head
        {
            self.append_one(event, group, known_head, connection).await
        } else {
            self.append(&Columns::from(groups), connection).await
        }
    }

    /// Appends the only event of a group that is plain, and of which all streams are known.
    async fn append_one(
        &self,
        event: &NewEvent,
        group: &Group,
        known_head: i64,
        connection: &mut PgConnection,
    ) -> sqlx::Result<Answer> {
        let (streams, versions): (Vec<_>, Vec<_>) = group.known_streams.iter().copied().unzip();
        let record = group.idempotency_records.first();
        let service_key = record.and_then(|record| record.service_key.as_ref());
        sqlx::query_as!(
            Answer,
            r#"
            select current as "current!",
                   early is true as "early!",
                   late is true as "late!",
                   contended is true as "contended!",
                   head as "head!",
                   at as "at!",
                   moved::text as conflicts
              from append_one(
                       $1, $2, $3, $4,
                       $5, $6, $7, $8, $9, $10, $11, $12,
                       $13, $14,
                       $15, $16, $17, $18, $19, $20, $21,
                       $22
                   )
            "#,
            self.executor,
            self.batch,
            self.valid_from,
            self.valid_until,
            event.event_id,
            event.stream_id,
            event.version,
            event.aggregate,
            event.encoded.event_type,
            event.encoded.schema_version,
            event.encoded.data,
            event.metadata,
            &streams,
            &versions,
            service_key.map(|(principal, _)| &**principal),
            service_key.map(|(_, key)| &**key),
            record.map(|record| &*record.request_hash),
            record.and_then(|record| record.status),
            record.map(|record| record.stream_id),
            record.map(|record| record.version),
            record.map(|record| record.id.0),
            known_head,
        )
        .fetch_one(connection)
        .await
    }

    async fn append(
        &self,
        columns: &Columns,
        connection: &mut PgConnection,
    ) -> sqlx::Result<Answer> {
        let Columns {
            events,
            streams,
            claims_read,
            claims_written,
            idempotency_records,
            subject_keys,
        } = columns;
        sqlx::query_as!(
            Answer,
            r#"
            select current as "current!",
                   early is true as "early!",
                   late is true as "late!",
                   contended is true as "contended!",
                   head as "head!",
                   at as "at!",
                   moved::text as conflicts
              from append(
                       $1, $2, $3, $4,
                       $5, $6, $7, $8, $9, $10, $11, $12, $13,
                       $14, $15, $16,
                       $17, $18, $19, $20,
                       $21, $22, $23, $24,
                       $25, $26, $27, $28, $29, $30, $31, $32,
                       $33, $34, $35, $36,
                       $37,
                       $38, $39
                   )
            "#,
            self.executor,
            self.batch,
            self.valid_from,
            self.valid_until,
            &events.group,
            &events.id,
            &events.stream,
            &events.version,
            &events.aggregate,
            &events.event_type,
            &events.schema,
            &events.data,
            &events.metadata,
            &streams.group,
            &streams.stream,
            &streams.version,
            &claims_read.group,
            &claims_read.scope,
            &claims_read.key,
            &claims_read.owner as &[Option<Uuid>],
            &claims_written.group,
            &claims_written.scope,
            &claims_written.key,
            &claims_written.owner as &[Option<Uuid>],
            &idempotency_records.group,
            &idempotency_records.principal as &[Option<String>],
            &idempotency_records.key as &[Option<String>],
            &idempotency_records.hash,
            &idempotency_records.status as &[Option<i16>],
            &idempotency_records.stream,
            &idempotency_records.version,
            &idempotency_records.last_event as &[Option<i32>],
            &subject_keys.group,
            &subject_keys.subject,
            &subject_keys.version,
            &subject_keys.wrapped as &[Option<Vec<u8>>],
            &idempotency_records.id,
            self.known_head,
            streams.checked,
        )
        .fetch_one(connection)
        .await
    }
}
