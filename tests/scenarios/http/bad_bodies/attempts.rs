//! Bad bodies are sent to every route that takes a body, by callers who may use it.

use serde_json::Value;
use tidemark_tests::{Answer, App};

use crate::http::routes;
use crate::http::routes::Route;

/// The routes that a test sends bad bodies to, and the head of the log before it did so.
pub(super) struct Attempts {
    app: App,
    routes: Vec<Route>,
    head: i64,
}

impl Attempts {
    pub(super) async fn start() -> Self {
        let app = App::start().await;
        let routes = routes::with_bodies(&app).await;
        let head = app.database.head().await;
        Self { app, routes, head }
    }

    /// Every route with the body that it accepts.
    pub(super) fn bodies(&self) -> impl Iterator<Item = (&Route, &Value)> {
        self.routes
            .iter()
            .map(|route| (route, route.body.as_ref().unwrap()))
    }

    /// Fails if anything was appended.
    pub(super) async fn assert_nothing_appended(self) {
        assert_eq!(self.app.database.head().await, self.head);
    }
}

#[track_caller]
pub(super) fn assert_refused(answer: &Answer, status: u16, route: &Route, case: &str) {
    assert_eq!(answer.status, status, "{} {case}: {answer:?}", route.path);
    answer.any_problem();
}

/// Fails unless the answer is a problem that points at the node, or at a node around it: not every
/// parser can tell which part is wrong.
#[track_caller]
pub(super) fn assert_points_at(answer: &Answer, route: &Route, pointer: &str) {
    assert_refused(answer, 422, route, pointer);
    let pointers = answer.pointers();
    let found = pointers.iter().any(|found| {
        !found.is_empty() && (pointer.starts_with(found) || found.starts_with(pointer))
    });
    assert!(found, "{} {pointer}: {pointers:?}", route.path);
}
