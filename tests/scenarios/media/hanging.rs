//! A folder that hangs, as one of a file server that does not answer: a pipe in place of a file, which nobody can open before somebody
//! opens its other end.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use futures::future::join_all;
use image::ImageFormat;
use tidemark_tests::pictures::picture;
use tidemark_tests::{App, Client, Process, eventually};
use tokio::time::timeout;

/// More than the threads of a process that files are read by.
const REQUESTS: usize = 600;
/// So many are sent at a time, which is what one address may.
const AT_ONCE: usize = 100;

/// A picture whose file hangs, and another one that is intact.
struct Hanging {
    app: App,
    queries: Process,
    client: Client,
    hung: String,
    intact: String,
    file: PathBuf,
    bytes: Vec<u8>,
}

impl Hanging {
    async fn begin() -> Self {
        let app = App::builder()
            .set("TIDEMARK_MEDIA__STORE_TIMEOUT_MS", 1_000)
            .set("TIDEMARK_MEDIA__FOLDER_OPERATIONS_MAX", 4)
            .set("TIDEMARK_HTTP__DRAIN_MS", 5_000)
            .projector()
            .start()
            .await;
        let queries = app.spawn_query_api().await;
        let client = app.client.via_query_api(&queries.url);
        let seller = app.seller().await;
        let upload = async |side| {
            let file = picture(side, side, ImageFormat::Png);
            seller.upload("image/png", file).await.ok().id()
        };
        let (hung, intact) = (upload(40).await, upload(50).await);
        app.settle().await;
        let path = |id| format!("/v1/media/{id}/full");
        let whole = client.query(&path(hung)).send().await.unwrap();
        let name = whole.headers()["etag"].to_str().unwrap().trim_matches('"');
        let folder = app.database.media_folder().join("media");
        let file = folder.join(hung.to_string()).join(name);
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let made = Command::new("mkfifo").arg(&file).status().unwrap();
        assert!(made.success());
        Self {
            app,
            queries,
            client,
            hung: path(hung),
            intact: path(intact),
            file,
            bytes,
        }
    }

    /// What is answered at once.
    async fn text(&self, path: &str) -> String {
        let answer = async {
            let response = self.client.query(path).send().await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            response.text().await.unwrap()
        };
        let answer = timeout(Duration::from_secs(5), answer).await;
        answer.unwrap_or_else(|_| panic!("{path} is not answered"))
    }

    /// Asks for the file that hangs more often than a process has threads.
    async fn ask(&self) {
        for _ in 0..REQUESTS / AT_ONCE {
            let asked = (0..AT_ONCE).map(|_| self.client.get(&self.hung));
            for answer in join_all(asked).await {
                answer.problem(503, "media_store_unavailable");
            }
        }
    }
}

#[tokio::test]
async fn a_folder_that_hangs_leaves_all_else_of_the_process_alone() {
    let hanging = Hanging::begin().await;
    hanging.ask().await;
    for path in ["/v1/auctions", "/readyz", "/metrics"] {
        let text = hanging.text(path).await;
        if path == "/metrics" {
            let failed = format!("tidemark_media_store_failures_total {REQUESTS}\n");
            assert!(text.contains(&failed), "{text}");
        }
    }
    // Those who wait for the pipe are let go, and find that it is not the file.
    let pipe = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&hanging.file)
        .unwrap();
    std::fs::remove_file(&hanging.file).unwrap();
    std::fs::write(&hanging.file, &hanging.bytes).unwrap();
    drop(pipe);
    for path in [&hanging.intact, &hanging.hung] {
        let bytes: Bytes = eventually("pictures to be seen", || async {
            let response = hanging.client.query(path).send().await.unwrap();
            response.error_for_status().ok()?.bytes().await.ok()
        })
        .await;
        assert!(!bytes.is_empty());
    }
}

#[tokio::test]
async fn a_process_ends_in_time_although_its_folder_hangs() {
    let hanging = Hanging::begin().await;
    let asked = (0..AT_ONCE).map(|_| hanging.client.get(&hanging.hung));
    join_all(asked).await;
    let begin = Instant::now();
    assert!(hanging.queries.terminate().await.success());
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    drop(hanging.app);
}
