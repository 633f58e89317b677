//! An operator bounds how fast a generation is built.

use std::time::{Duration, Instant};

use tidemark_tests::{App, eventually};

use super::rebuilds::{generations, order, states};

/// How many events may be applied in a second.
const THROTTLE: u32 = 10;
/// How many categories there are, and so events at least.
const CATEGORIES: u32 = 30;

#[tokio::test]
async fn a_build_is_no_faster_than_it_may_be_and_serves_in_the_end() {
    let app = App::builder().set("TIDEMARK_REBUILD__LEVEL_EVENTS", 0);
    let app = app.start().await;
    for _ in 0..CATEGORIES {
        app.category(None).await;
    }
    let throttle = THROTTLE.to_string();
    let build = ["rebuild", "category", "--throttle", &throttle, "--detach"];
    let begun = order(&app, &build).await;
    assert!(begun.status.success(), "{begun:?}");
    let started = Instant::now();
    let _projector = app.another_projector().await;
    eventually("the generation to serve", || async {
        let serves = generations(&app, "category").await == states(&["kept", "serving"]);
        serves.then_some(())
    })
    .await;
    // The last page may be applied at once.
    let at_least = Duration::from_secs(1) * (CATEGORIES - THROTTLE) / THROTTLE;
    assert!(started.elapsed() >= at_least, "{:?}", started.elapsed());
}
