//! What holds for every read model.

use std::collections::BTreeSet;

use serde_json::Value;
use tidemark_events::{Aggregate, Event, samples};

use crate::{EventFilter, FoldInput, ReadModel, RowOf, for_each_read_model, testing};

/// The types of the sample events that change a row.
fn changing_types<M: ReadModel>() -> BTreeSet<String> {
    let events = samples::all();
    let changing = events.into_iter().filter_map(|event| {
        let recorded = samples::recorded(1, &event);
        let input = FoldInput {
            recorded: &recorded,
            event: Some(event),
        };
        (!M::keys(&input).is_empty()).then(|| recorded.event_type.clone())
    });
    changing.collect()
}

fn assert_types_agree<M: ReadModel>() {
    let declared = match M::EVENTS {
        EventFilter::Types(types) => types.iter().map(ToString::to_string).collect(),
        EventFilter::AllHeaders => samples::all()
            .iter()
            .map(|event| samples::recorded(1, event).event_type)
            .collect::<BTreeSet<_>>(),
    };
    assert_eq!(changing_types::<M>(), declared, "{}", M::NAME);
}

#[test]
fn every_declared_type_changes_a_row_and_no_other_does() {
    for_each_read_model!(assert_types_agree());
}

fn assert_rows_survive<M: ReadModel>() {
    for row in testing::given::<M>(samples::all()).into_values() {
        let text = serde_json::to_string(&row).unwrap();
        assert!(
            serde_json::from_str::<M::Row>(&text).unwrap() == row,
            "{text}"
        );
    }
}

#[test]
fn rows_are_read_as_they_were_written() {
    for_each_read_model!(assert_rows_survive());
}

/// The sample events twice, those of one aggregate after the others.
fn with_last(aggregate: Aggregate) -> Vec<(i64, Event)> {
    let events = [samples::all(), samples::all()].concat();
    let mut events: Vec<_> = (1..).zip(events).collect();
    events.sort_by_key(|(_, event)| event.aggregate() == aggregate);
    events
}

fn assert_streams_may_wait<M: ReadModel>() {
    if M::ROW_OF != RowOf::Data {
        return;
    }
    let rows = |aggregate: &Aggregate| testing::folded::<M>(with_last(*aggregate));
    let documents = |aggregate| serde_json::to_string(&rows(aggregate)).unwrap();
    let seen: BTreeSet<_> = Aggregate::ALL.iter().map(documents).collect();
    assert_eq!(seen.len(), 1, "{}: {seen:#?}", M::NAME);
}

#[test]
fn streams_may_wait_for_their_events_where_rows_gather_several() {
    for_each_read_model!(assert_streams_may_wait());
}

fn assert_rows_are_of<M: ReadModel>() {
    for event in samples::all() {
        let mut recorded = samples::recorded(1, &event);
        let data: Value = serde_json::from_str(&recorded.data).unwrap();
        let stream_id = &data[format!("{}_id", recorded.aggregate)];
        recorded.stream_id = stream_id.as_str().unwrap().parse().unwrap();
        let input = M::EVENTS.fold_input(&recorded).unwrap();
        let keys = input.map(|input| M::keys(&input)).unwrap_or_default();
        if let (Some(id), [_, ..]) = (M::ROW_OF.id(&recorded), &*keys) {
            assert_eq!(keys, [id], "{}: {}", M::NAME, recorded.event_type);
        }
    }
}

#[test]
fn an_event_is_about_the_row_that_its_read_model_declares() {
    for_each_read_model!(assert_rows_are_of());
}
