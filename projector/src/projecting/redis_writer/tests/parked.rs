//! What Redis holds of a row that is parked.

use tidemark_read_models::storage::{ParkedKind, ParkedRow};

use super::*;

#[tokio::test]
async fn readers_of_a_parked_document_ask_postgres() {
    let mut case = Case::new("parked", 10_000).await;
    case.commit(0, 1, vec![row(CATEGORY.0, "{}", 1)]).await;
    case.catch_up().await;
    let parked = ParkedRow {
        id: CATEGORY.0,
        kind: ParkedKind::Row,
        position: 2,
        reason: "on purpose".to_owned(),
    };
    // As if Redis had been away meanwhile: only a refill tells it.
    let batch = RowBatch {
        from: at(1),
        to: at(3),
        rows: Vec::new(),
        parked: Parked {
            events: vec![(parked.id, parked.position)],
            rows: vec![parked],
            ..Parked::default()
        },
    };
    case.storage.write(Arc::new(batch)).await.unwrap();
    case.handle.start_at(at(3), 1);
    case.catch_up().await;
    assert_eq!(case.get(CATEGORY.0).await, cached("", 2, 3));

    let released = RowBatch {
        from: at(3),
        to: at(3),
        rows: vec![row(CATEGORY.0, r#"{"made":1}"#, 2)],
        parked: Parked {
            released: vec![CATEGORY.0],
            ..Parked::default()
        },
    };
    case.write(released).await;
    case.catch_up().await;
    let made = cached(r#"{"made":1}"#, 2, 3);
    assert_eq!(case.get(CATEGORY.0).await, made);
    delete(&mut case.raw, &case.key).await;
    case.writer.catch_up(true).await.unwrap();
    assert_eq!(case.get(CATEGORY.0).await, made);
}
