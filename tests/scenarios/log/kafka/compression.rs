//! How records are compressed, as the batches say that a broker gives to consumers. A client library would
//! decompress them and not tell.

use tidemark_tests::App;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BATCH_BYTES_MAX: i32 = 65_536;
/// Where a batch states its compression: after its offset, length, epoch, magic byte and checksum.
const ATTRIBUTES_AT: usize = 8 + 4 + 4 + 1 + 4;
/// What stands in the answer between the topic's name and the batch: the counts and number of partitions, an
/// error, two offsets, the count of aborted transactions and the length.
const PARTITION_BYTES: usize = 4 + 4 + 2 + 8 + 8 + 4 + 4;

/// The compression of the first batch of a partition, by the number that Kafka has for it; `None` if the
/// partition is empty.
async fn compression(brokers: &str, topic: &str, partition: i32) -> Option<u8> {
    let text = |text: &str| {
        let length = i16::try_from(text.len()).unwrap();
        [&length.to_be_bytes(), text.as_bytes()].concat()
    };
    let mut request = Vec::new();
    // Fetch, version 4, as any number of the request and from the client "test".
    request.extend([0, 1, 0, 4, 0, 0, 0, 7]);
    request.extend(text("test"));
    // As a consumer, without waiting, from 0 bytes on, uncommitted ones too; one topic with one partition.
    let numbers = [-1, 0, 0, BATCH_BYTES_MAX];
    request.extend(numbers.into_iter().flat_map(i32::to_be_bytes));
    request.extend([0, 0, 0, 0, 1]);
    request.extend(text(topic));
    request.extend([1, partition].into_iter().flat_map(i32::to_be_bytes));
    request.extend(0_i64.to_be_bytes());
    request.extend(BATCH_BYTES_MAX.to_be_bytes());

    let mut broker = TcpStream::connect(brokers).await.unwrap();
    let length = i32::try_from(request.len()).unwrap();
    broker.write_all(&length.to_be_bytes()).await.unwrap();
    broker.write_all(&request).await.unwrap();
    let length = broker.read_u32().await.unwrap();
    let mut answer = vec![0; usize::try_from(length).unwrap()];
    broker.read_exact(&mut answer).await.unwrap();
    // The number of the request, a delay and the count of topics come before the name.
    let batch_at = 4 + 4 + 4 + text(topic).len() + PARTITION_BYTES;
    let attributes = answer.get(batch_at + ATTRIBUTES_AT..)?;
    Some(attributes.get(1)? & 0b111)
}

#[tokio::test]
async fn records_are_compressed_as_every_client_can_read_or_as_configured() {
    let lz4 = App::builder().set("TIDEMARK_KAFKA__COMPRESSION", "lz4");
    for (app, number) in [(App::builder(), 1), (lz4, 3)] {
        let app = app.relay().start().await;
        app.market().await;
        app.settle().await;
        let kafka = app.settings.config().kafka;
        for aggregate in ["user", "category"] {
            let topic = format!("{}.{aggregate}", kafka.topic_prefix);
            let mut found = Vec::new();
            for partition in 0..kafka.partitions {
                found.extend(compression(&kafka.brokers, &topic, partition).await);
            }
            assert!(!found.is_empty(), "{topic} is empty");
            assert!(
                found.iter().all(|&found| found == number),
                "{topic}: {found:?}"
            );
        }
    }
}
