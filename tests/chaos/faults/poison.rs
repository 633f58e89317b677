//! An event is in the log that cannot be applied. It is in a stream that the clients do not use, so
//! that whatever they notice of it is too much.

use std::time::Duration;

use futures::FutureExt;
use rand::RngExt;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tidemark_events::Encoded;
use tidemark_tests::{Process, append_strange};
use uuid::Uuid;

use super::crash_points::arm;
use super::recovery::PROJECTOR_RESUMES;
use super::{Fault, Injection, Outcome};
use crate::load::Tally;
use crate::stack::Stack;
use crate::supervisor::Program;
use crate::wait::wait_until;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "poison-malformed",
        "an event's data is not that of its type",
        5,
        |i| poison(i, &MALFORMED).boxed(),
    ),
    Fault::new(
        "poison-unknown-type",
        "an event's type is unknown to the build",
        5,
        |i| poison(i, &UNKNOWN_TYPE).boxed(),
    ),
    Fault::new(
        "poison-refused-row",
        "Postgres refuses the row that an event makes",
        5,
        |i| poison(i, &REFUSED_ROW).boxed(),
    ),
    Fault::new(
        "poison-stream",
        "an event's data is not that of its type, and only the data says which rows it is about",
        5,
        |i| poison_stream(i).boxed(),
    ),
    Fault::new("poison-panic", "the fold of an event panics", 5, |i| {
        poison(i, &PANIC).boxed()
    }),
];

/// For how long queries are measured.
const MEASURE: Duration = Duration::from_secs(2);
/// How long 99 of 100 queries may take, most of which wait for what their client has just written.
const DELAY_MAX: Duration = Duration::from_secs(1);

/// An event of a category that cannot be applied.
struct Poison {
    event_type: &'static str,
    data: fn(Uuid) -> Value,
    cause: Cause,
}

/// Why the event cannot be applied.
#[derive(Clone, Copy, PartialEq)]
enum Cause {
    /// Its data cannot be read.
    Data,
    /// The build does not know its type, and no row is parked.
    Type,
    /// The table refuses the row.
    Constraint,
    /// The build's fold panics.
    Fold,
}

const MALFORMED: Poison = Poison {
    event_type: "category.activated",
    data: |_| json!({"category_id": 5}),
    cause: Cause::Data,
};
const UNKNOWN_TYPE: Poison = Poison {
    event_type: "category.exploded",
    data: |_| json!({}),
    cause: Cause::Type,
};
const REFUSED_ROW: Poison = Poison {
    event_type: "category.activated",
    data: |id| json!({"category_id": id}),
    cause: Cause::Constraint,
};
const PANIC: Poison = Poison {
    event_type: "category.activated",
    data: |id| json!({"category_id": id}),
    cause: Cause::Fold,
};

/// Everybody else goes on as if nothing had happened. The row waits, and has all further events once
/// the cause is gone.
async fn poison(mut injection: Injection, poison: &Poison) -> Outcome {
    let stack = injection.stack.clone();
    let id = Uuid::from_u128(injection.rng.random());
    let program = stack.projectors[0].supervised.program();
    create(&stack, id).await;
    if let Err(skipped) = poison.cause.begin(&injection, id).await {
        return skipped;
    }
    let before = injection.load.tally();
    let position = append(&stack, id, poison.event_type, &(poison.data)(id)).await;
    append(
        &stack,
        id,
        "category.deactivated",
        &json!({"category_id": id}),
    )
    .await;
    assert_nobody_waits(&injection, before).await;

    if poison.cause != Cause::Type {
        wait_until("the row is listed as parked", || async {
            is_listed(&stack, id, position).await
        })
        .await;
    }
    poison.cause.end(&stack, id, program).await;
    let recovered = wait_until("the row has its last event", || has_last_event(&stack, id)).await;
    assert_eq!(parked(&stack).await, 0, "rows are parked");
    Outcome::Recovered(recovered + injection.wait_for_read_models(PROJECTOR_RESUMES).await)
}

/// As above, but the stream waits, in each shard of the read model, until an operator has it go on.
async fn poison_stream(mut injection: Injection) -> Outcome {
    let stack = injection.stack.clone();
    let stream = Uuid::from_u128(injection.rng.random());
    let before = injection.load.tally();
    append(&stack, stream, "preferences.changed", &json!({})).await;
    assert_nobody_waits(&injection, before).await;
    wait_until("the stream is parked", || async {
        parked(&stack).await > 0
    })
    .await;
    let waiting = "select id from parked where read_model = 'preferences' limit 1";
    let id = sqlx::query_scalar(waiting).fetch_one(&stack.pool).await;
    repair(&stack, "preferences", id.unwrap(), "skip").await;
    let recovered = wait_until("the stream goes on", || async { parked(&stack).await == 0 }).await;
    Outcome::Recovered(recovered + injection.wait_for_read_models(PROJECTOR_RESUMES).await)
}

/// Fails if a query fails or waits for long from now on, of which the clients have noticed this before, or a read model is
/// blocked.
async fn assert_nobody_waits(injection: &Injection, before: Tally) {
    let load = &injection.load;
    let p99 = load.p99_of_queries(MEASURE).await;
    let meanwhile = load.tally() - before;
    assert_eq!(meanwhile.failed_reads, 0, "queries failed: {meanwhile:?}");
    assert!(
        p99 < DELAY_MAX,
        "99 of 100 queries took {p99:?}, not less than {DELAY_MAX:?}"
    );
    assert_nothing_is_blocked(&injection.stack).await;
}

impl Cause {
    /// Makes sure that the event will not be applied, where the event alone does not.
    async fn begin(self, injection: &Injection, id: Uuid) -> Result<(), Outcome> {
        let stack = &injection.stack;
        match self {
            Self::Data | Self::Type => {}
            Self::Constraint => {
                let condition = format!("id <> '{id}' or (doc ->> 'version')::bigint < 2");
                let constraint = constraint(id);
                let change = format!("add constraint {constraint} check ({condition})");
                change_rows(stack, &change).await;
            }
            Self::Fold => {
                let projector = &stack.projectors[0];
                arm(projector, &format!("projector_fold_{id}=return"))?;
                projector.restart_with(|_| ()).await;
                injection.wait_for_read_models(PROJECTOR_RESUMES).await;
            }
        }
        Ok(())
    }

    /// Does what has the row made again, as an operator does.
    async fn end(self, stack: &Stack, id: Uuid, program: Program) {
        match self {
            Self::Data => repair(stack, "category", id, "skip").await,
            Self::Type => {}
            Self::Constraint => {
                change_rows(stack, &format!("drop constraint {}", constraint(id))).await;
                repair(stack, "category", id, "retry").await;
            }
            // Another build tries again by itself.
            Self::Fold => {
                let projector = &stack.projectors[0];
                projector.restart_with(|it| *it = program).await;
            }
        }
    }
}

/// The name of the constraint that refuses the row.
fn constraint(id: Uuid) -> String {
    format!("poison_{}", id.simple())
}

/// Makes a category, and waits for its row.
async fn create(stack: &Stack, id: Uuid) {
    let created = json!({
        "category_id": id,
        "parent_id": null,
        "name": "Clocks",
        "slug": format!("poisoned-{}", id.simple()),
        "sort_order": 0,
    });
    append(stack, id, "category.created", &created).await;
    wait_until("the category has a row", || async {
        row_version(stack, id).await == Some(1)
    })
    .await;
}

async fn append(stack: &Stack, id: Uuid, event_type: &str, data: &Value) -> i64 {
    let encoded = Encoded {
        event_type: event_type.to_owned(),
        schema_version: 1,
        data: data.to_string(),
    };
    append_strange(&stack.settings, id, encoded).await
}

/// Changes the table of the rows of categories.
async fn change_rows(stack: &Stack, change: &str) {
    let sql = format!("alter table category_rows {change}");
    let changed = sqlx::query(AssertSqlSafe(sql)).execute(&stack.pool).await;
    changed.unwrap();
}

/// The version of the category that its row shows, if there is a row.
async fn row_version(stack: &Stack, id: Uuid) -> Option<i64> {
    sqlx::query_scalar("select max((doc ->> 'version')::bigint) from category_rows where id = $1")
        .bind(id)
        .fetch_one(&stack.pool)
        .await
        .unwrap()
}

async fn has_last_event(stack: &Stack, id: Uuid) -> bool {
    row_version(stack, id).await == Some(3)
}

async fn parked(stack: &Stack) -> i64 {
    let parked = sqlx::query_scalar("select count(*) from parked");
    parked.fetch_one(&stack.pool).await.unwrap()
}

async fn assert_nothing_is_blocked(stack: &Stack) {
    let blocked: Vec<String> =
        sqlx::query_scalar("select blocked from checkpoints where blocked is not null")
            .fetch_all(&stack.pool)
            .await
            .unwrap();
    assert!(blocked.is_empty(), "read models are blocked: {blocked:?}");
}

/// Whether the operators' tool lists the row as one that lacks the event.
async fn is_listed(stack: &Stack, id: Uuid, position: i64) -> bool {
    let listed = Process::operators_tool(&stack.settings, &["parked", "list", "--json"]).await;
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    let mut listed = listed.iter();
    listed.any(|row| {
        row["read_model"] == "category" && row["id"] == json!(id) && row["position"] == position
    })
}

/// Does something about the parked row as an operator does.
async fn repair(stack: &Stack, read_model: &str, id: Uuid, remedy: &str) {
    let settings = stack.settings.as_service("operator");
    let (id, reason) = (id.to_string(), "It was a test.");
    let arguments = ["parked", remedy, read_model, &id, "--reason", reason];
    let tool = Process::operators_tool(&settings, &arguments).await;
    assert!(tool.status.success(), "{tool:?}");
}
