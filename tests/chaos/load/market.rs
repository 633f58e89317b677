//! What the clients act on: their users, a category for each client, and auctions that all clients
//! bid on.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use tidemark_tests::{Answer, Settings, client};
use tokio::time::sleep;
use uuid::Uuid;

use super::CLIENTS;

/// How many auctions are shared at any time.
pub(super) const SHARED_AUCTIONS: usize = 5;
/// The starting price of every auction, in cents.
pub(super) const STARTING_PRICE: i64 = 1_000;
/// The time between two new shared auctions: each is replaced by another about when it ends.
const NEW_AUCTION_INTERVAL: Duration = Duration::from_secs(2);
/// The pause before a busy API is asked again.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// What all clients know.
#[derive(Debug, Default)]
pub(super) struct Market {
    shared_auctions: Mutex<Vec<Arc<SharedAuction>>>,
    /// When a new shared auction was last asked for.
    last_asked: Mutex<Option<Instant>>,
    /// The newest access token of each client's buyer.
    buyer_tokens: Mutex<BTreeMap<usize, String>>,
    next_number: AtomicU64,
}

/// An auction that all clients bid on.
#[derive(Debug)]
pub(super) struct SharedAuction {
    pub(super) id: Uuid,
    price: AtomicI64,
}

/// A user's e-mail address and password.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    email: String,
    password: String,
}

/// The users that one client acts as.
#[derive(Clone, Debug)]
pub(super) struct People {
    /// A seller and administrator, who owns [`Self::category`].
    pub(super) owner: Credentials,
    /// A user who bids and buys.
    pub(super) buyer: Credentials,
    /// A category that nobody else changes.
    pub(super) category: Uuid,
}

impl Market {
    /// A number that nobody else gets, which makes titles and keys unique.
    pub(super) fn next_number(&self) -> u64 {
        self.next_number.fetch_add(1, Relaxed)
    }

    /// Lets the crowd bid as this client's buyer.
    pub(super) fn share_buyer_token(&self, client: usize, access_token: &str) {
        let mut buyers = self.buyer_tokens.lock().unwrap();
        buyers.insert(client, access_token.to_owned());
    }

    /// The access token of one of the clients' buyers.
    pub(super) fn buyer_token(&self, number: usize) -> String {
        let buyers = self.buyer_tokens.lock().unwrap();
        buyers.get(&(number % CLIENTS)).cloned().unwrap_or_default()
    }

    /// One of the shared auctions, if there are any yet.
    pub(super) fn shared_auction(&self, number: usize) -> Option<Arc<SharedAuction>> {
        let auctions = self.shared_auctions.lock().unwrap();
        (!auctions.is_empty()).then(|| auctions[number % auctions.len()].clone())
    }

    /// The shared auction that ends last, if there is one yet.
    pub(super) fn newest_shared_auction(&self) -> Option<Arc<SharedAuction>> {
        self.shared_auctions.lock().unwrap().last().cloned()
    }

    /// Whether a new shared auction is due. It is due only once: whoever asked makes it.
    pub(super) fn is_new_auction_due(&self) -> bool {
        let mut last_asked = self.last_asked.lock().unwrap();
        let is_due = last_asked.is_none_or(|asked| asked.elapsed() > NEW_AUCTION_INTERVAL);
        if is_due {
            *last_asked = Some(Instant::now());
        }
        is_due
    }

    /// Shares an auction, in place of the oldest one.
    pub(super) fn share_auction(&self, id: Uuid) {
        let price = AtomicI64::new(STARTING_PRICE);
        let mut auctions = self.shared_auctions.lock().unwrap();
        if auctions.len() >= SHARED_AUCTIONS {
            auctions.remove(0);
        }
        auctions.push(Arc::new(SharedAuction { id, price }));
    }
}

impl SharedAuction {
    /// A price in cents above all that were bid before.
    pub(super) fn next_price(&self) -> i64 {
        self.price.fetch_add(1, Relaxed)
    }
}

/// Registers the users of all clients. The journal has none of this: it happens before any fault.
pub(super) async fn register(command_url: &str, settings: &Settings) -> Vec<People> {
    let anonymous = client::Client::anonymous(command_url, "");
    let admin = credentials("admin");
    let mut first = registration(&admin);
    first["secret"] = settings.get("TIDEMARK_BOOTSTRAP_SECRET").into();
    let operator = format!("Service operator:{}", settings.service_secret("operator"));
    let operator = anonymous.with("authorization", operator);
    execute(&operator, "/v1/admins", &first).await;
    let session = execute(&anonymous, "/v1/sessions", &admin.body()).await;
    let admin = anonymous.with_token(session.body["access_token"].as_str().unwrap());
    let people = (0..CLIENTS).map(|number| register_client(&anonymous, &admin, number));
    join_all(people).await
}

async fn register_client(
    anonymous: &client::Client,
    admin: &client::Client,
    number: usize,
) -> People {
    let [owner, buyer] = ["owner", "buyer"].map(|role| credentials(&format!("{role}-{number}")));
    execute(anonymous, "/v1/users", &registration(&buyer)).await;
    let registered = execute(anonymous, "/v1/users", &registration(&owner)).await;
    let roles = format!("/v1/users/{}/roles", registered.id());
    for role in ["seller", "admin"] {
        execute(admin, &roles, &json!({"role": role})).await;
    }
    let body = json!({"name": "Clocks", "slug": format!("of-client-{number}")});
    let category = execute(admin, "/v1/categories", &body).await.id();
    People {
        owner,
        buyer,
        category,
    }
}

/// Sends a command, and again for as long as it is answered 503.
pub(super) async fn execute(client: &client::Client, path: &str, body: &Value) -> Answer {
    loop {
        let answer = client.post(path, body).await;
        if answer.status != 503 {
            return answer.ok();
        }
        sleep(RETRY_PAUSE).await;
    }
}

pub(super) fn credentials(name: &str) -> Credentials {
    Credentials {
        password: format!("slow tides carry {name} home again"),
        email: format!("{name}@tidemark.example"),
    }
}

pub(super) fn registration(credentials: &Credentials) -> Value {
    let mut body = credentials.body();
    body["display_name"] = "Ottilie Sommerfeld".into();
    body
}

impl Credentials {
    /// The body of a log-in.
    pub(super) fn body(&self) -> Value {
        json!({"email": self.email, "password": self.password})
    }
}
