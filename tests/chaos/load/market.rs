//! What the clients act on: who they are, a category for each, and the auctions that all bid on.

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

/// Auctions that all bid on at any time.
pub(super) const HOT: usize = 5;
/// Of every auction.
pub(super) const STARTING_PRICE: i64 = 1_000;
/// Between two new ones, so that each is followed by another about when it ends.
const EACH: Duration = Duration::from_secs(2);
/// Before the API is asked again that was busy.
const AGAIN: Duration = Duration::from_millis(200);

/// What all clients know.
#[derive(Debug, Default)]
pub(super) struct Market {
    hot: Mutex<Vec<Arc<Hot>>>,
    /// When another one was last asked for.
    asked: Mutex<Option<Instant>>,
    /// The newest access token of each client's buyer.
    buyers: Mutex<BTreeMap<usize, String>>,
    /// So that no two titles and slugs are alike.
    names: AtomicU64,
}

/// An auction that all bid on.
#[derive(Debug)]
pub(super) struct Hot {
    pub(super) id: Uuid,
    price: AtomicI64,
}

/// A user, and how they log in.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) email: String,
    pub(super) password: String,
}

/// Who one client is.
#[derive(Clone, Debug)]
pub(super) struct People {
    /// Sells, and keeps a category: a seller and an administrator.
    pub(super) owner: Person,
    /// Bids and buys.
    pub(super) buyer: Person,
    /// The owner's.
    pub(super) category: Uuid,
}

impl Market {
    /// A name that nothing else has.
    pub(super) fn name(&self) -> u64 {
        self.names.fetch_add(1, Relaxed)
    }

    /// Lets the crowd bid as this client's buyer.
    pub(super) fn know(&self, client: usize, access_token: &str) {
        let mut buyers = self.buyers.lock().unwrap();
        buyers.insert(client, access_token.to_owned());
    }

    /// An access token of somebody who bids.
    pub(super) fn bidder(&self, number: usize) -> String {
        let buyers = self.buyers.lock().unwrap();
        buyers.get(&(number % CLIENTS)).cloned().unwrap_or_default()
    }

    /// One of the auctions that all bid on.
    pub(super) fn hot(&self, number: usize) -> Option<Arc<Hot>> {
        let hot = self.hot.lock().unwrap();
        (!hot.is_empty()).then(|| hot[number % hot.len()].clone())
    }

    /// Whether it is time for another one; then whoever asked makes it.
    pub(super) fn wants_another(&self) -> bool {
        let mut asked = self.asked.lock().unwrap();
        let due = asked.is_none_or(|asked| asked.elapsed() > EACH);
        if due {
            *asked = Some(Instant::now());
        }
        due
    }

    /// Puts an auction in place of the oldest.
    pub(super) fn put(&self, id: Uuid) {
        let price = AtomicI64::new(STARTING_PRICE);
        let mut hot = self.hot.lock().unwrap();
        if hot.len() >= HOT {
            hot.remove(0);
        }
        hot.push(Arc::new(Hot { id, price }));
    }
}

impl Hot {
    /// What nobody has bid yet.
    pub(super) fn bid(&self) -> i64 {
        self.price.fetch_add(1, Relaxed)
    }
}

/// Registers everybody. Nothing of this is in the journal: it happens before the first fault.
pub(super) async fn open(command_url: &str, settings: &Settings) -> (Market, Vec<People>) {
    let anonymous = client::Client::anonymous(command_url, "");
    let admin = person("admin");
    let mut first = registration(&admin);
    first["secret"] = settings.get("TIDEMARK_BOOTSTRAP_SECRET").into();
    let operator = format!("Service operator:{}", settings.service_secret("operator"));
    let operator = anonymous.with("authorization", operator);
    ask(&operator, "/v1/admins", &first).await;
    let session = ask(&anonymous, "/v1/sessions", &credentials(&admin)).await;
    let admin = anonymous.with_token(session.body["access_token"].as_str().unwrap());
    let people = join_all((0..CLIENTS).map(|number| join(&anonymous, &admin, number)));
    (Market::default(), people.await)
}

async fn join(anonymous: &client::Client, admin: &client::Client, number: usize) -> People {
    let [owner, buyer] = ["owner", "buyer"].map(|role| person(&format!("{role}-{number}")));
    ask(anonymous, "/v1/users", &registration(&buyer)).await;
    let registered = ask(anonymous, "/v1/users", &registration(&owner)).await;
    let roles = format!("/v1/users/{}/roles", registered.id());
    for role in ["seller", "admin"] {
        ask(admin, &roles, &json!({"role": role})).await;
    }
    let body = json!({"name": "Clocks", "slug": format!("of-client-{number}")});
    let category = ask(admin, "/v1/categories", &body).await.id();
    People {
        owner,
        buyer,
        category,
    }
}

/// Sends a command, again as long as the API says to come back later.
async fn ask(client: &client::Client, path: &str, body: &Value) -> Answer {
    loop {
        let answer = client.post(path, body).await;
        if answer.status != 503 {
            return answer.ok();
        }
        sleep(AGAIN).await;
    }
}

fn person(name: &str) -> Person {
    Person {
        password: format!("slow tides carry {name} home again"),
        email: format!("{name}@tidemark.example"),
    }
}

fn registration(person: &Person) -> Value {
    json!({
        "email": person.email,
        "password": person.password,
        "display_name": "Ottilie Sommerfeld",
    })
}

/// What somebody logs in with.
pub(super) fn credentials(person: &Person) -> Value {
    json!({"email": person.email, "password": person.password})
}
