//! The order in which queued commands are decided.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tidemark_domain::market::product::List;
use tidemark_events::{Actor, Metadata, ProductId};
use uuid::Uuid;

use super::*;
use crate::admission::Admission;

const FIRST: u128 = 1;
const SECOND: u128 = 2;
const THIRD: u128 = 3;

/// A command of a user, with a number by which the test tells it from others.
fn command(user: u128, number: u128, deadline: Instant) -> QueuedCommand {
    let share = Share::User(Uuid::from_u128(user));
    let submission = Submission {
        command: Arc::new(List {
            product_id: ProductId(Uuid::nil()),
        }),
        metadata: Metadata {
            actor: Actor::Anonymous,
            correlation_id: Uuid::nil(),
            causation_id: None,
            traceparent: None,
        },
        session: None,
        share: share.clone(),
        stream_id: Uuid::from_u128(number),
        status: StatusCode::OK,
        expected_versions: None,
        idempotency: None,
        subject_keys: Vec::new(),
    };
    let permit = Admission::new("commands", 1, 1).admit(share).ok().unwrap();
    QueuedCommand::new(submission, deadline, None, permit).0
}

/// A queue that has received these commands, each of a user and with a number.
fn queue(commands: &[(u128, u128)]) -> Queue {
    let (sender, queue) = Queue::new();
    for (user, number) in commands {
        let command = command(*user, *number, Instant::now());
        assert!(sender.send(command).is_ok());
    }
    queue
}

fn number(command: &QueuedCommand) -> u128 {
    command.submission.stream_id.as_u128()
}

fn rest(mut queue: Queue) -> Vec<u128> {
    std::iter::from_fn(|| queue.pop().as_ref().map(number)).collect()
}

#[test]
fn principals_take_turns_and_each_keeps_its_order() {
    let queue = queue(&[
        (FIRST, 10),
        (FIRST, 11),
        (FIRST, 12),
        (SECOND, 20),
        (THIRD, 30),
    ]);
    assert_eq!(rest(queue), [10, 20, 30, 11, 12]);
}

#[test]
fn loaded_commands_come_before_later_ones_of_their_principal() {
    let mut queue = queue(&[
        (FIRST, 10),
        (FIRST, 11),
        (SECOND, 20),
        (FIRST, 12),
        (SECOND, 21),
    ]);
    let mut loading = Vec::new();
    while loading.len() < 3 {
        loading.extend(queue.pop());
    }
    assert_eq!(loading.iter().map(number).collect::<Vec<_>>(), [10, 20, 11]);
    queue.push_loaded(loading);
    assert_eq!(rest(queue), [20, 10, 21, 11, 12]);
}

#[test]
fn commands_that_are_decided_again_come_first() {
    let mut queue = queue(&[(FIRST, 10), (SECOND, 20)]);
    let again = [11, 12].map(|number| command(THIRD, number, Instant::now()));
    queue.push_again(again.into_iter());
    assert_eq!(rest(queue), [11, 12, 10, 20]);
}

#[test]
fn overdue_commands_are_taken_out() {
    let mut queue = queue(&[(FIRST, 10), (SECOND, 20)]);
    let now = Instant::now();
    let again = [30, 31].map(|number| command(THIRD, number, now + Duration::from_secs(1)));
    queue.push_again(again.into_iter());
    let mut overdue: Vec<_> = queue.take_overdue(now).iter().map(number).collect();
    overdue.sort_unstable();
    assert_eq!(overdue, [10, 20]);
    assert_eq!(rest(queue), [30, 31]);
}
