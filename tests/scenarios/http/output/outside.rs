//! Those outside whom processes have to do with: a mail server, an object store, a provider of texts, and a server that tasks call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;
use tidemark_tests::object_store::BUCKET;
use tidemark_tests::{MailServer, ObjectStore, Settings, eventually};
use tokio::net::TcpListener;

/// Where people reach the command API, as mails say, and the provider of texts.
pub(super) const PUBLIC_URL: &str = "https://tidemark.example";
/// Numbers that end like this cannot be sent to.
const UNREACHABLE: &str = "610";
/// By what the provider of texts knows the deployment.
const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const TOKEN: &str = "a-token-that-only-tests-know";

/// The fields of a text.
pub(super) type Text = BTreeMap<String, String>;

pub(super) struct Outside {
    pub(super) mails: MailServer,
    store: ObjectStore,
    /// The URL of the provider of texts, which takes calls of tasks too.
    pub(super) url: String,
    texts: Arc<Mutex<Vec<Text>>>,
}

impl Outside {
    pub(super) async fn start() -> Self {
        let texts = Arc::<Mutex<Vec<Text>>>::default();
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&texts));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            mails: MailServer::start().await,
            store: ObjectStore::start().await,
            url,
            texts,
        }
    }

    /// Has processes with these settings use them.
    pub(super) fn configure(&self, settings: &mut Settings) {
        let port = self.mails.port.to_string();
        self.store.configure(settings);
        settings.set("TIDEMARK_MEDIA__PLACE", format!("s3://{BUCKET}/media"));
        for (name, value) in [
            ("MAIL__SMTP_HOST", "127.0.0.1"),
            ("MAIL__SMTP_PORT", &*port),
            ("MAIL__TLS", "none"),
            ("MAIL__FROM", "Tidemark <no-reply@tidemark.example>"),
            ("MAIL__PUBLIC_URL", PUBLIC_URL),
            ("SMS__PROVIDER_URL", &self.url),
            ("SMS__ACCOUNT", ACCOUNT),
            ("SMS__TOKEN", TOKEN),
            ("SMS__SENDER", "+15005550006"),
            ("SMS__CALLBACK_URL", PUBLIC_URL),
            ("TASKS__ALLOWED_PRIVATE_HOSTS", "127.0.0.1"),
        ] {
            settings.set(&format!("TIDEMARK_{name}"), value);
        }
    }

    /// What nobody may read of what the deployment is known by.
    pub(super) fn secrets(&self) -> Vec<String> {
        let of_store = self.store.settings().into_iter();
        let of_store = of_store.filter(|(name, _)| name.ends_with("__SECRET_ACCESS_KEY"));
        let secrets = of_store.map(|(_, secret)| secret);
        secrets.chain([ACCOUNT, TOKEN]).map(str::to_owned).collect()
    }

    /// Waits for so many texts.
    pub(super) async fn texts(&self, count: usize) -> Vec<Text> {
        eventually("texts", || async {
            let texts = self.texts.lock().unwrap().clone();
            (texts.len() >= count).then_some(texts)
        })
        .await
    }
}

/// Takes everything, but for texts to numbers that cannot be sent to. The refusal names the recipient, as those of providers do.
async fn answer(State(texts): State<Arc<Mutex<Vec<Text>>>>, body: String) -> Response {
    let form: Text = form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    let Some(to) = form.get("To").cloned() else {
        return (StatusCode::OK, "all is well").into_response();
    };
    texts.lock().unwrap().push(form);
    if to.ends_with(UNREACHABLE) {
        let message = format!("The 'To' number {to} has answered STOP.");
        let refusal = json!({"code": 21_610, "message": message, "status": 400});
        return (StatusCode::BAD_REQUEST, Json(refusal)).into_response();
    }
    let taken = json!({"sid": "SM1", "status": "queued", "to": to});
    (StatusCode::CREATED, Json(taken)).into_response()
}
