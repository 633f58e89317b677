//! Requests written byte by byte, as no proper client sends them.

use std::time::Duration;

use serde_json::Value;
use tidemark_tests::{App, Client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

/// Much less than any time limit of the server, which must answer without waiting for the rest.
pub(super) const AT_ONCE: Duration = Duration::from_secs(5);

/// A route of one of the two APIs, as a request line names it.
pub(super) struct RequestLine {
    pub(super) url: String,
    pub(super) method: String,
    pub(super) path: String,
    /// What it answers if it succeeds. OPTIONS answers nothing, and some routes say all in headers.
    pub(super) media_type: String,
}

impl RequestLine {
    /// Sends a request to the route with these headers, each with its line break, and reads the answer.
    pub(super) async fn send(&self, headers: &str) -> String {
        let Self {
            url, method, path, ..
        } = self;
        send(url, &format!("{method} {path} HTTP/1.1\r\n{headers}")).await
    }
}

/// Every route of both APIs, those for others than their clients included, and OPTIONS of every path.
pub(super) async fn every_route(app: &App) -> Vec<RequestLine> {
    let mut routes = Vec::new();
    for url in [app.command_url(), app.query_url()] {
        let document = Client::anonymous(url, url).get("/openapi.json").await.ok();
        routes.extend(routes_of(url, &document.body));
    }
    let for_others = serde_json::to_value(tidemark_command_api::api_for_others()).unwrap();
    let for_others = routes_of(app.command_url(), &for_others);
    assert_eq!(
        for_others.len(),
        5,
        "the page and what is posted there, and the status of texts"
    );
    routes.extend(for_others);
    routes
}

/// The routes that a description has, at this URL.
fn routes_of(url: &str, document: &Value) -> Vec<RequestLine> {
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{id}", &Uuid::nil().to_string())
            .replace("{id_or_slug}", "clocks")
            .replace("{role}", "buyer")
            .replace("{code}", "internal")
            .replace("{variant}", "full")
            .replace("{token}", "AAAA");
        let options = ("options".to_owned(), Value::Null);
        for (method, operation) in item
            .as_object()
            .unwrap()
            .clone()
            .into_iter()
            .chain([options])
        {
            routes.push(RequestLine {
                url: url.to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                media_type: media_type(&operation),
            });
        }
    }
    routes
}

/// The media type of an operation's answer that succeeds; empty if none has a body.
fn media_type(operation: &Value) -> String {
    let answers = operation["responses"].as_object().into_iter().flatten();
    let succeeding = answers.filter(|(status, _)| status.starts_with('2'));
    let mut contents = succeeding.filter_map(|(_, answer)| answer["content"].as_object());
    let first = contents.find_map(|content| content.keys().next());
    first.cloned().unwrap_or_default()
}

/// Sends a head without the lines that end it and the connection, and reads the answer.
pub(super) async fn send(url: &str, head: &str) -> String {
    let mut stream = connect(url).await;
    let head = format!("{head}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    read_to_close(&mut stream).await
}

pub(super) async fn connect(url: &str) -> TcpStream {
    let address = url.strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// Reads until the server closes the connection. A reset after the answer is no error: it is the reply to
/// what was still being sent.
pub(super) async fn read_to_close(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut answer = Vec::new();
    let mut chunk = [0; 4_096];
    let closed = timeout(AT_ONCE, async {
        while let Ok(1..) = stream
            .read(&mut chunk)
            .await
            .inspect(|n| answer.extend(&chunk[..*n]))
        {}
    });
    closed.await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[track_caller]
pub(super) fn is_problem(answer: &str, status: u16, code: &str) {
    has_status(answer, status);
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
    assert!(
        status == 503 || !answer.contains("retry-after: "),
        "{answer}"
    );
}

#[track_caller]
pub(super) fn has_status(answer: &str, status: u16) {
    assert_eq!(self::status(answer), status, "{answer}");
}

#[track_caller]
pub(super) fn status(answer: &str) -> u16 {
    let (_, rest) = answer.split_once(' ').unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}
