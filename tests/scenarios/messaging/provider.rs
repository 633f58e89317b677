//! A provider of texts, which speaks the protocol that Twilio documents and answers by the last digits of the number.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tidemark_tests::app::AppBuilder;
use tidemark_tests::{App, Settings, eventually};
use tokio::net::TcpListener;

pub(crate) const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
pub(crate) const TOKEN: &str = "a-token-that-only-tests-know";
pub(crate) const SENDER: &str = "+15005550006";
/// Where the provider reaches the command API, as it believes.
pub(crate) const CALLBACK_URL: &str = "https://tidemark.example";

/// The form of a request that the provider received.
pub(crate) type Form = BTreeMap<String, String>;

pub(crate) struct Provider {
    url: String,
    received: Arc<Mutex<Vec<Form>>>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let received = Arc::<Mutex<Vec<Form>>>::default();
        let router = Router::new()
            .route("/2010-04-01/Accounts/{account}/Messages.json", post(take))
            .with_state(Arc::clone(&received));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, received }
    }

    /// The parts of an application that sends its texts there.
    pub(crate) fn application(&self) -> AppBuilder {
        self.commands().projector().queries()
    }

    /// The command API of an application whose texts are sent there.
    pub(crate) fn commands(&self) -> AppBuilder {
        let settings = self.settings().into_iter();
        settings.fold(App::builder(), |builder, (name, value)| {
            builder.set(name, value)
        })
    }

    /// Has whoever is started with these settings send texts there.
    pub(crate) fn set(&self, settings: &mut Settings) {
        for (name, value) in self.settings() {
            settings.set(name, value);
        }
    }

    fn settings(&self) -> [(&'static str, String); 6] {
        [
            ("TIDEMARK_SMS__PROVIDER_URL", &*self.url),
            ("TIDEMARK_SMS__ACCOUNT", ACCOUNT),
            ("TIDEMARK_SMS__TOKEN", TOKEN),
            ("TIDEMARK_SMS__SENDER", SENDER),
            ("TIDEMARK_SMS__CALLBACK_URL", CALLBACK_URL),
            ("TIDEMARK_SMS__REQUEST_TIMEOUT_MS", "500"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
    }

    pub(crate) fn received(&self) -> Vec<Form> {
        self.received.lock().unwrap().clone()
    }

    /// Waits for so many requests.
    pub(crate) async fn requests(&self, count: usize) -> Vec<Form> {
        eventually("texts", || async {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
        .await
    }
}

/// What the provider answers to a text to a number that ends like this.
async fn take(
    State(received): State<Arc<Mutex<Vec<Form>>>>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let credential = STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"));
    let header = |name: &str| headers.get(name).map_or("", |it| it.to_str().unwrap());
    assert_eq!(header("authorization"), format!("Basic {credential}"));
    assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(account, ACCOUNT);
    let form: Form = form_urlencoded::parse(&body).into_owned().collect();
    let to = form["To"].clone();
    received.lock().unwrap().push(form);
    match &to[to.len() - 3..] {
        "610" => error(StatusCode::BAD_REQUEST, 21_610, &to),
        "211" => error(StatusCode::BAD_REQUEST, 21_211, &to),
        "408" => error(StatusCode::BAD_REQUEST, 21_408, &to),
        "401" => error(StatusCode::UNAUTHORIZED, 20_003, &to),
        "429" => error(StatusCode::TOO_MANY_REQUESTS, 20_429, &to),
        "500" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "999" => std::future::pending().await,
        _ => (
            StatusCode::CREATED,
            Json(json!({"sid": "SM1", "status": "queued"})),
        )
            .into_response(),
    }
}

/// An error as Twilio's API answers it, which names the recipient.
fn error(status: StatusCode, code: u32, to: &str) -> Response {
    let body = json!({
        "code": code,
        "message": format!("The 'To' number {to} cannot be sent to."),
        "more_info": format!("https://www.twilio.com/docs/errors/{code}"),
        "status": status.as_u16(),
    });
    (status, Json(body)).into_response()
}
