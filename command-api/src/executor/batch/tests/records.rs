//! Which event of its group the idempotency record of each command names.

use tidemark_event_store::RecordId;

use super::*;
use crate::executor::submission::Idempotency;

fn keyed(mut command: QueuedCommand, key: u128) -> QueuedCommand {
    command.submission.idempotency = Some(Idempotency {
        id: RecordId(Uuid::from_u128(key)),
        service_key: None,
        request_hash: Vec::new(),
    });
    command
}

#[test]
fn each_record_of_a_group_names_the_last_event_of_its_own_command() {
    let bids = [10_000, 10_100, 10_500].into_iter();
    let commands = (1..).zip(bids).map(|(key, amount)| keyed(bid(amount), key));
    let (groups, ..) = decide(commands.collect());
    assert_eq!(groups.len(), 1);
    let named = groups[0].idempotency_records.iter();
    let named: Vec<_> = named
        .map(|record| (record.id.0.as_u128(), record.status, record.last_event))
        .collect();
    // The second bid is too low: its record is only looked for.
    assert_eq!(
        named,
        [
            (1, Some(200), Some(0)),
            (2, None, None),
            (3, Some(200), Some(1))
        ]
    );
}
