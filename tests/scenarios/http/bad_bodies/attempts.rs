//! One bad body after the other, to every route that takes one. Whoever sends them is allowed to.

use serde_json::Value;
use tidemark_tests::{Answer, App};

use super::super::routes;
use super::super::routes::Route;

/// A test's App and its routes, and where the log was before the test.
pub(crate) struct Sweep {
    app: App,
    routes: Vec<Route>,
    head: i64,
}

impl Sweep {
    pub(crate) async fn start() -> Self {
        let app = App::start().await;
        let routes = routes::with_bodies(&app).await;
        let head = app.database.head().await;
        Self { app, routes, head }
    }

    /// Every route with its good body.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = (&Route, &Value)> {
        self.routes
            .iter()
            .map(|route| (route, route.body.as_ref().unwrap()))
    }

    /// Fails if any of it has left a trace.
    pub(crate) async fn end(self) {
        assert_eq!(self.app.database.head().await, self.head);
    }
}

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, route: &Route, case: &str) {
    assert_eq!(answer.status, status, "{} {case}: {answer:?}", route.path);
    answer.any_problem();
}

/// A problem that points at the place, or at what it is in where that cannot be told from its parts.
#[track_caller]
pub(crate) fn points_at(answer: &Answer, route: &Route, pointer: &str) {
    refused(answer, 422, route, pointer);
    let pointers = answer.pointers();
    let found = pointers.iter().any(|found| {
        !found.is_empty() && (pointer.starts_with(found) || found.starts_with(pointer))
    });
    assert!(found, "{} {pointer}: {pointers:?}", route.path);
}
