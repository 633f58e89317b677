//! Workers that write together, and one of them that cannot.

use std::pin::pin;

use sqlx::Executor;
use tidemark_events::samples;
use tidemark_read_models::market::category::Category;
use tidemark_read_models::storage::StorageError;
use tokio::time::timeout;

use super::*;

/// How many transactions the last writes of all shards of `tally` were.
async fn transactions(database: &Database) -> i64 {
    let sql = "select count(distinct xmin::text) from checkpoints where read_model = 'tally'";
    sqlx::query_scalar(sql)
        .fetch_one(&database.owner)
        .await
        .unwrap()
}

/// A worker for each of three shards.
async fn three_workers(database: &Database) -> [Worker<Tally>; 3] {
    three_workers_with(database, &joint_writer(database)).await
}

async fn three_workers_with(database: &Database, joint_writer: &JointWriter) -> [Worker<Tally>; 3] {
    database.divide_tally(3).await;
    let mut workers = [0, 1, 2].map(|number| {
        let shard = Shard { number, count: 3 };
        worker_of_process(database, shard, "this", joint_writer)
    });
    for worker in &mut workers {
        worker.start().await.unwrap();
    }
    workers
}

/// Lets all of them apply a page at once.
async fn apply_all(
    [first, second, third]: &mut [Worker<Tally>; 3],
    from: LogPoint,
    page: &Page,
) -> [Result<Applied, SubscriberError>; 3] {
    tokio::join!(
        first.apply(from, page),
        second.apply(from, page),
        third.apply(from, page),
    )
    .into()
}

#[tokio::test]
async fn shards_that_are_level_with_the_log_are_written_in_one_transaction() {
    let database = Database::new("together").await;
    let mut workers = three_workers(&database).await;
    let events = database.append_shared(vec![recorded(1), recorded(2)]).await;
    let first = page_with_more(&events[..1]);
    for worker in &mut workers {
        worker.limits.unwritten_time = Duration::ZERO;
        worker.apply(at(0), &first).await.unwrap();
    }
    assert_eq!(transactions(&database).await, 3, "they are behind");

    let second = page(&events[1..]);
    for applied in apply_all(&mut workers, at(1), &second).await {
        applied.unwrap();
    }
    assert_eq!(database.checkpoints("tally").await, [2, 2, 2]);
    assert_eq!(transactions(&database).await, 1);
}

#[tokio::test]
async fn under_load_what_comes_within_the_interval_is_written_in_one_transaction() {
    let database = Database::new("together_load").await;
    let settings = [
        ("TIDEMARK_PROJECTION__TOGETHER_MS", "2000"),
        ("TIDEMARK_PROJECTION__TOGETHER_INTERVAL_MS", "2000"),
    ];
    let joint_writer = JointWriter::spawn(&database.config(&settings).projection);
    let [mut first, mut second, mut third] = three_workers_with(&database, &joint_writer).await;
    let events = vec![recorded(1), recorded(2), recorded(3)];
    let events = database.append_shared(events).await;
    // The first two after a pause do not wait.
    first.apply(at(0), &page(&events[..1])).await.unwrap();
    first.apply(at(1), &page(&events[1..2])).await.unwrap();

    let last = page(&events[2..]);
    let mut waiting = pin!(first.apply(at(2), &last));
    let early = timeout(Duration::from_millis(100), &mut waiting).await;
    assert!(early.is_err(), "it was written alone");
    let all = page(&events);
    let (waited, second, third) =
        tokio::join!(waiting, second.apply(at(0), &all), third.apply(at(0), &all));
    for applied in [waited, second, third] {
        applied.unwrap();
    }
    assert_eq!(transactions(&database).await, 1);
}

#[tokio::test]
async fn shards_that_are_about_to_be_written_are_waited_for() {
    let database = Database::new("together_wait").await;
    let settings = [
        ("TIDEMARK_PROJECTION__TOGETHER_MS", "60000"),
        ("TIDEMARK_PROJECTION__TOGETHER_WAIT_MS", "60000"),
    ];
    let joint_writer = JointWriter::spawn(&database.config(&settings).projection);
    let [mut first, mut second, mut third] = three_workers_with(&database, &joint_writer).await;
    let events = page(&database.append_shared(vec![recorded(1)]).await);
    let folding = joint_writer.begin_folding();
    let mut waiting = pin!(first.apply(at(0), &events));
    let early = timeout(Duration::from_millis(100), &mut waiting).await;
    assert!(early.is_err(), "it was written alone");
    let others = async {
        let others = tokio::join!(second.apply(at(0), &events), third.apply(at(0), &events));
        [others.0, others.1]
    };
    let (waited, others, ()) = tokio::join!(waiting, others, async { drop(folding) });
    waited.unwrap();
    for other in others {
        other.unwrap();
    }
    assert_eq!(transactions(&database).await, 1);
}

#[tokio::test]
async fn a_shard_that_takes_long_is_not_waited_for() {
    let database = Database::new("together_no_wait").await;
    let joint_writer = joint_writer(&database);
    let mut workers = three_workers_with(&database, &joint_writer).await;
    let events = page(&database.append_shared(vec![recorded(1)]).await);
    let _folding = joint_writer.begin_folding();
    for applied in apply_all(&mut workers, at(0), &events).await {
        applied.unwrap();
    }
    assert_eq!(database.checkpoints("tally").await, [1, 1, 1]);
}

#[tokio::test]
async fn the_rows_of_all_shards_of_a_read_model_are_written_by_one_statement() {
    let database = Database::new("together_table").await;
    let joint_writer = patient_writer(&database);
    let mut workers = three_workers_with(&database, &joint_writer).await;
    // Each shard has one of these categories, whose row it has in memory when it is changed again.
    let activated = (1_i64..=6).map(|position| {
        let category = Uuid::from_u128(u128::from(position.unsigned_abs()) % 3);
        activated(position, CategoryId(category))
    });
    let events = database.append_shared(activated.collect()).await;
    for worker in &mut workers {
        worker.apply(at(0), &page(&events[..3])).await.unwrap();
    }
    slow_down(&database, "tally", 0.4).await;
    let from = events[2].point();
    let began = Instant::now();
    for applied in apply_all(&mut workers, from, &page(&events[3..])).await {
        applied.unwrap();
    }
    assert!(began.elapsed() < Duration::from_millis(800));
    let rows: i64 = sqlx::query_scalar("select count(*) from tally_rows where position > 3")
        .fetch_one(&database.owner)
        .await
        .unwrap();
    assert_eq!(rows, 3);
}

/// As on a machine that is busy with something else: to write apart what takes long together would take longer.
#[tokio::test]
async fn read_models_are_written_together_although_that_takes_long_if_none_of_them_does() {
    let database = Database::new("together_slow").await;
    let joint_writer = patient_writer(&database);
    let mut tally = worker_of_process::<Tally>(&database, Shard::ONLY, "this", &joint_writer);
    let mut category = worker_of_process::<Category>(&database, Shard::ONLY, "this", &joint_writer);
    tally.start().await.unwrap();
    category.start().await.unwrap();
    let activated = [2, 3].map(|position| activated(position, CATEGORY));
    let events = [vec![category_created()], activated.to_vec()].concat();
    let events = database.append_shared(events).await;
    // Both have the row in memory when it is changed again.
    tally.apply(at(0), &page(&events[..2])).await.unwrap();
    category.apply(at(0), &page(&events[..2])).await.unwrap();
    for read_model in ["tally", "category"] {
        slow_down(&database, read_model, 0.6).await;
    }
    let (from, changed) = (events[1].point(), page(&events[2..]));
    let began = Instant::now();
    let (of_tally, of_category) =
        tokio::join!(tally.apply(from, &changed), category.apply(from, &changed));
    of_tally.unwrap();
    of_category.unwrap();
    assert!(began.elapsed() > Duration::from_secs(1));
    let transactions = "select count(distinct xmin::text) from checkpoints where read_model in ('tally', 'category')";
    let transactions = sqlx::query_scalar::<_, i64>(transactions);
    let transactions = transactions.fetch_one(&database.owner).await.unwrap();
    assert_eq!(transactions, 1);
}

/// A writer whose statements may take a second.
fn patient_writer(database: &Database) -> JointWriter {
    let settings = [("TIDEMARK_PROJECTION__TOGETHER_MS", "1000")];
    JointWriter::spawn(&database.config(&settings).projection)
}

/// Has each statement that writes rows of a read model take so many seconds longer.
async fn slow_down(database: &Database, read_model: &str, seconds: f64) {
    let slow = format!(
        "create function wait_for_{read_model}() returns trigger language plpgsql
             as 'begin perform pg_sleep({seconds}); return null; end';
         create trigger wait after insert on {read_model}_rows
             for each statement execute function wait_for_{read_model}()"
    );
    let slow = sqlx::raw_sql(sqlx::AssertSqlSafe(slow));
    slow.execute(&database.owner).await.unwrap();
}

fn category_created() -> Recorded {
    let created = samples::all()
        .into_iter()
        .map(|event| samples::recorded(1, &event))
        .find(|event| event.event_type == "category.created");
    created.unwrap()
}

#[tokio::test]
async fn a_shard_that_is_fenced_keeps_no_other_from_being_written() {
    let database = Database::new("together_fenced").await;
    let mut workers = three_workers(&database).await;
    let events = database.append_shared(vec![recorded(1)]).await;
    let mut successor = shard_worker(
        &database,
        Shard {
            number: 1,
            count: 3,
        },
    );
    successor.start().await.unwrap();
    successor.apply(at(0), &page(&events)).await.unwrap();

    let [first, fenced, third] = apply_all(&mut workers, at(0), &page(&events)).await;
    assert!(first.is_ok() && third.is_ok());
    assert!(matches!(
        fenced,
        Err(SubscriberError::Storage(StorageError::Fenced {
            shard: 1,
            ..
        }))
    ));
    assert_eq!(database.checkpoints("tally").await, [1, 1, 1]);
}

#[tokio::test]
async fn a_read_model_whose_table_is_locked_delays_no_other_and_is_then_written_alone() {
    let database = Database::new("together_locked").await;
    let joint_writer = joint_writer(&database);
    let mut free = three_workers_with(&database, &joint_writer).await;
    let mut locked = worker_of_process::<Category>(&database, Shard::ONLY, "this", &joint_writer);
    locked.start().await.unwrap();
    let events = database.append_shared(vec![category_created(), recorded(2)]);
    let events = page(&events.await);

    // Its rows can be read, but not written.
    let mut lock = database.owner.begin().await.unwrap();
    lock.execute("lock table category_rows in exclusive mode")
        .await
        .unwrap();
    let (freed, refused) = tokio::join!(
        async {
            for applied in apply_all(&mut free, at(0), &events).await {
                applied.unwrap();
            }
            database.checkpoint("category").await
        },
        locked.apply(at(0), &events)
    );
    assert_eq!(freed, (0, None), "it was written before the other");
    assert!(refused.is_err(), "the lock was not released in time");
    assert_eq!(database.checkpoints("tally").await, [2, 2, 2]);
    assert!(free.iter().all(|it| it.alone_until.is_none()));
    assert!(locked.alone_until.is_some());
    lock.rollback().await.unwrap();
    locked.start().await.unwrap();
    locked.apply(at(0), &events).await.unwrap();
    assert_eq!(database.checkpoint("category").await, (2, None));
}
