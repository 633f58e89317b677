//! No value that a field of an event may hold stops a reactor: the extremes of every field of every event that a reactor answers
//! go through all of them into the tables.

use std::collections::{BTreeMap, BTreeSet};

use tidemark_domain::PROCESS_MANAGERS;
use tidemark_events::Event;
use tidemark_tests::{App, eventually};

use super::extremes::{Stored, stored, streams, write};

/// Where nobody answers, so that actions are stored and no command acts.
const NOBODY: &str = "http://127.0.0.1:9";

/// How far each reactor has come, and whether it is blocked.
async fn checkpoints(app: &App) -> BTreeMap<String, (i64, Option<String>)> {
    let sql = "select name, position, blocked from reactors";
    let rows: Vec<(String, i64, Option<String>)> = sqlx::query_as(sql)
        .fetch_all(&app.database.pool)
        .await
        .unwrap();
    let rows = rows.into_iter();
    rows.map(|(name, position, blocked)| (name, (position, blocked)))
        .collect()
}

/// The streams that end with an event that a reactor answers.
fn log() -> Vec<Stored> {
    let answered: BTreeSet<_> = { PROCESS_MANAGERS.iter() }
        .flat_map(|it| it.event_types)
        .copied()
        .collect();
    let is_answered = |events: &Vec<Event>| {
        let last = events.last().unwrap().encode().unwrap();
        answered.contains(&*last.event_type)
    };
    let streams = (1..).zip(streams().into_iter().filter(is_answered));
    streams
        .flat_map(|(number, events)| stored(number, events))
        .collect()
}

#[tokio::test]
async fn no_value_of_any_field_stops_a_reactor() {
    let app = App::start().await;
    let mut settings = app.settings.clone();
    settings.set("TIDEMARK_COMMAND_API__URL", NOBODY);
    let _projector = app.spawn_projector_as("reactors", &settings).await;
    eventually("every reactor to begin", || async {
        let begun = checkpoints(&app).await;
        (begun.len() == PROCESS_MANAGERS.len()).then_some(())
    })
    .await;
    let log = log();
    assert!(log.len() > 400, "{} events", log.len());
    write(&app, &log).await;
    let head = app.database.head().await;
    for process_manager in PROCESS_MANAGERS {
        let name = process_manager.name;
        eventually(&format!("{name} to answer the log"), || async {
            let (position, blocked) = checkpoints(&app).await.remove(name)?;
            assert_eq!(blocked, None, "{name}");
            (position == head).then_some(())
        })
        .await;
    }
    // Times that Postgres does not have are those next to them, and only texts that it does not have are given up.
    let sql = "select count(*) filter (where due_at = '9999-12-31T23:59:59.999999Z'),
                      count(*) filter (where due_at = '1970-01-01T00:00:00Z'),
                      count(*) filter (where target = 'answer' and reactor = 'auction-timer'),
                      count(*) filter (where target = 'answer'),
                      count(distinct reactor)
                 from reactor_actions";
    let (last, first, timers, given_up, reactors): (i64, i64, i64, i64, i64) = sqlx::query_as(sql)
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    assert!(
        last > 0 && first > 0,
        "{last} at the end of time, {first} at its beginning"
    );
    assert_eq!(timers, 0, "given up by the auction timer");
    assert!(given_up > 0, "a control");
    assert_eq!(usize::try_from(reactors).unwrap(), PROCESS_MANAGERS.len());
}
