//! What a store keeps, on a folder. That a bucket keeps the same is shown by a scenario.

use std::path::Path as FilePath;

use tempfile::TempDir;

use super::*;

fn store() -> (TempDir, MediaStore) {
    let root = tempfile::tempdir().unwrap();
    let store = folder(root.path().to_owned()).unwrap();
    (root, store_in(store))
}

fn store_in(store: impl ObjectStore) -> MediaStore {
    MediaStore {
        store: Arc::new(store),
        operations: Operations::of_folder(Duration::from_mins(1), 64),
    }
}

async fn parts(store: &MediaStore) -> Vec<Part> {
    store.parts(ID, |bytes| bytes).await.unwrap()
}

/// The bytes of all parts.
async fn read_parts(store: &MediaStore) -> Vec<u8> {
    let read = store.read_parts(ID, parts(store).await);
    let read: Vec<(Part, Bytes)> = read.try_collect().await.unwrap();
    let bytes: Vec<_> = read.into_iter().map(|(_, bytes)| bytes).collect();
    bytes.concat()
}

/// The number of files below a folder, which may be removed meanwhile: what is under way goes on when nobody waits for it.
fn files(folder: &FilePath) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries
        .map(Result::unwrap)
        .map(|entry| {
            let path = entry.path();
            if path.is_dir() { files(&path) } else { 1 }
        })
        .sum()
}

const ID: Uuid = Uuid::from_u128(7);

#[tokio::test]
async fn parts_follow_each_other_and_are_never_overwritten() {
    let (_root, store) = store();
    let put = |offset, bytes: &'static [u8]| store.put_part(ID, offset, bytes.into());
    assert_eq!(parts(&store).await, []);
    put(0, b"abc").await.unwrap();
    put(10, b"z").await.unwrap();
    let part = |offset, bytes| Part { offset, bytes };
    assert_eq!(parts(&store).await, [part(0, 3)]);
    // Another request has sent the same in other pieces.
    put(2, b"cde").await.unwrap();
    put(3, b"defghij").await.unwrap();
    let found = parts(&store).await;
    assert_eq!(found, [part(0, 3), part(3, 7), part(10, 1)]);
    assert!(matches!(put(3, b"other").await, Err(Error::Exists)));
    assert_eq!(read_parts(&store).await, b"abcdefghijz");
}

/// Whether a part is missed by the list, or when it is read, depends on the turns of the two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_removed_while_it_is_read_has_fewer_bytes() {
    let (_root, store) = store();
    for _ in 0..200 {
        for offset in 0..4 {
            store.put_part(ID, offset, "a".into()).await.unwrap();
        }
        let removing = tokio::spawn({
            let store = store.clone();
            async move { store.remove_upload(ID).await }
        });
        assert!(read_parts(&store).await.len() <= 4);
        removing.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_is_complete_is_read_in_ranges() {
    let (_root, store) = store();
    store.put(ID, "5a", "0123456789".into()).await.unwrap();
    store.put(ID, "5a", "0123456789".into()).await.unwrap();
    let read = store.read(ID, "5a", 2..5).await.unwrap();
    let read: Vec<Bytes> = read.try_collect().await.unwrap();
    assert_eq!(read.concat(), b"234");
    let missing = store.read(ID, "5b", 0..1).await.map(drop);
    assert!(matches!(missing, Err(Error::Missing)));
}

/// Parts may be kept in another form, which has more bytes.
#[tokio::test]
async fn parts_follow_each_other_by_the_bytes_of_the_upload() {
    let (_root, store) = store();
    store.put_part(ID, 0, "ab..".into()).await.unwrap();
    store.put_part(ID, 2, "c..".into()).await.unwrap();
    let found = store.parts(ID, |bytes| bytes - 2).await.unwrap();
    let part = |offset, bytes| Part { offset, bytes };
    assert_eq!(found, [part(0, 2), part(2, 1)]);
}

#[tokio::test]
async fn a_removal_that_was_interrupted_goes_on_with_the_rest() {
    let (root, store) = store();
    for offset in 0..100 {
        store.put_part(ID, offset, "a".into()).await.unwrap();
    }
    loop {
        let before = files(root.path());
        if before == 0 {
            break;
        }
        let removing = store.remove_upload(ID);
        // It is dropped as soon as something is removed.
        let mut removing = std::pin::pin!(removing);
        while files(root.path()) == before {
            let turn = Duration::from_millis(1);
            if tokio::time::timeout(turn, &mut removing).await.is_ok() {
                break;
            }
        }
        assert!(files(root.path()) < before);
    }
}

#[tokio::test]
async fn what_is_removed_leaves_nothing() {
    let (root, store) = store();
    store.put_part(ID, 0, "a".into()).await.unwrap();
    store.put(ID, "5a", "b".into()).await.unwrap();
    store.remove_upload(ID).await.unwrap();
    assert_eq!(files(root.path()), 1);
    store.put_part(ID, 0, "a".into()).await.unwrap();
    store.remove_media(ID).await.unwrap();
    assert_eq!(files(root.path()), 0);
    store.remove_media(ID).await.unwrap();
}
