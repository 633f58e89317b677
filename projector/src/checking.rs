//! Checks that a database is whole: the log has no gap and ends where its head says, each stream has the versions
//! 1, 2, 3 …, no event differs from those of a backup, and nothing is ahead of the log. It changes nothing.

pub(crate) mod fingerprints;

use std::fmt;

use serde::Serialize;
use sqlx::PgPool;

use self::fingerprints::Fingerprints;
use crate::cli::Error;

/// How many events one statement reads.
const PAGE: i64 = 10_000;

/// What is wrong with a database, and at which position.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Fault {
    position: i64,
    fault: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "position {}: {}", self.position, self.fault)
    }
}

/// What a check found.
#[derive(Debug, Serialize)]
pub(crate) struct Findings {
    /// The position up to which the log was to be checked.
    pub(crate) end: i64,
    /// What is wrong: the fault of the lowest position first, and of each kind only the first.
    pub(crate) faults: Vec<Fault>,
}

impl Fault {
    const fn new(position: i64, fault: String) -> Self {
        Self { position, fault }
    }
}

/// Checks a database, and its log up to a position or to the end. It may be written to meanwhile. `progress` is told
/// the position that was reached.
///
/// # Errors
/// If Postgres does not answer, or the fingerprints cannot be read or written.
pub(crate) async fn check(
    pool: &PgPool,
    up_to: Option<i64>,
    fingerprints: &mut Fingerprints,
    mut progress: impl FnMut(i64, i64),
) -> Result<Findings, Error> {
    let ends = ends(pool).await?;
    let end = up_to.unwrap_or(ends.last);
    let mut faults = Vec::new();
    if ends.head != ends.last {
        let ends_at = format!(
            "`log_head` is at {}, but the last event is at {}",
            ends.head, ends.last
        );
        faults.push(Fault::new(ends.head.min(ends.last) + 1, ends_at));
    }
    let mut checked = 0;
    while checked < end {
        progress(checked, end);
        match check_page(pool, checked, end, fingerprints).await? {
            Ok(position) => checked = position,
            Err(fault) => {
                faults.push(fault);
                break;
            }
        }
    }
    progress(checked, end);
    if checked == end && fingerprints.next().await?.is_some() {
        let lacks = "the backup has this event, and the log ends before it".to_owned();
        faults.push(Fault::new(end + 1, lacks));
    }
    faults.extend(ahead_of_the_log(pool).await?);
    faults.sort();
    Ok(Findings { end, faults })
}

struct Ends {
    head: i64,
    last: i64,
}

/// Where the log ends, by its head and by its events, as one statement sees both.
async fn ends(pool: &PgPool) -> sqlx::Result<Ends> {
    sqlx::query_as!(
        Ends,
        r#"
        select log_head.position as head,
               coalesce((select max(position) from events), 0) as "last!"
          from log_head
        "#
    )
    .fetch_one(pool)
    .await
}

/// Checks the events after a position, and returns the last position that it checked, or the first fault.
async fn check_page(
    pool: &PgPool,
    after: i64,
    end: i64,
    fingerprints: &mut Fingerprints,
) -> Result<Result<i64, Fault>, Error> {
    // The fingerprint covers the stored text of each column. It is made in Postgres, so that no event is sent.
    let page = sqlx::query!(
        r#"
        select position,
               stream_id,
               version,
               version = 1 or exists (
                   select
                     from events before
                    where before.stream_id = events.stream_id
                      and before.version = events.version - 1
                      and before.position < events.position
               ) as "follows!",
               substring(sha256(convert_to(concat_ws(
                   e'\n', event_id, stream_id, version, aggregate, type, schema_version,
                   (extract(epoch from recorded_at) * 1000000)::bigint, data, metadata
               ), 'UTF8')) for 8) as "fingerprint!"
          from events
         where position > $1
           and position <= $2
         order by position
         limit $3
        "#,
        after,
        end,
        PAGE,
    )
    .fetch_all(pool)
    .await?;
    let mut checked = after;
    for event in page {
        let position = event.position;
        let fault = |what: String| Ok(Err(Fault::new(position, what)));
        if position != checked + 1 {
            break;
        }
        if !event.follows {
            return fault(format!(
                "version {} of the stream {} does not follow the version before it",
                event.version, event.stream_id
            ));
        }
        if !fingerprints.take(&event.fingerprint).await? {
            return fault("the event is not the one that the backup has".to_owned());
        }
        checked = position;
    }
    if checked == after || checked < end.min(after + PAGE) {
        let missing = "the event is missing".to_owned();
        return Ok(Err(Fault::new(checked + 1, missing)));
    }
    Ok(Ok(checked))
}

/// The first of the checkpoints whose event the log does not hold. A checkpoint that is known to be of another timeline
/// is one of them.
async fn ahead_of_the_log(pool: &PgPool) -> sqlx::Result<Option<Fault>> {
    sqlx::query_as!(
        Fault,
        r#"
        select position as "position!",
               what || ' is not in the log' as "fault!"
          from (
               select format('the checkpoint of shard %s of generation %s of %s', shard, generation, read_model) as what,
                      position
                 from checkpoints
                where not log_holds(position, event_id)
                union all
               select format('the checkpoint of the reactor %s', name),
                      position
                 from reactors
                where not log_holds(position, event_id)
                union all
               select 'the last event that the relay published',
                      relay_progress.position
                 from relay_progress,
                      log_head
                where relay_progress.position > log_head.position
                union all
               select format('the snapshot of the stream %s at version %s', stream_id, version),
                      log_head.position + 1
                 from snapshots,
                      log_head
                where not exists (
                          select
                            from events
                           where events.stream_id = snapshots.stream_id
                             and events.version = snapshots.version
                      )
               ) as of_no_event
         order by position
         limit 1
        "#
    )
    .fetch_optional(pool)
    .await
}
