//! No command is accepted or refused because of a stale state of another stream, although two processes
//! each keep states in memory.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI64};

use futures::future::{join, join_all};
use serde_json::json;
use sqlx::AssertSqlSafe;
use tidemark_tests::market::product;
use tidemark_tests::{Answer, App, Client};
use uuid::Uuid;

const TOGGLES: usize = 60;
const DRAFTERS: usize = 4;

/// The position from which on the category is active or inactive.
type Period = (i64, bool);

/// When a category was active, according to the log.
async fn periods(app: &App, category: Uuid) -> Vec<Period> {
    sqlx::query_as("select position, type <> 'category.deactivated' from events where stream_id = $1 order by position")
        .bind(category)
        .fetch_all(&app.database.pool)
        .await
        .unwrap()
}

fn is_active_at(periods: &[Period], position: i64) -> bool {
    let begun = periods.iter().rev().find(|(from, _)| *from <= position);
    begun.is_some_and(|(_, active)| *active)
}

async fn toggle(admin: &Client, category: Uuid, active: bool) -> Answer {
    let action = if active { "activate" } else { "deactivate" };
    let path = format!("/v1/categories/{category}/{action}");
    admin.post_empty(&path).await
}

#[tokio::test]
async fn a_change_through_one_process_counts_in_the_other_at_once() {
    let app = App::start().await;
    let market = app.market().await;
    let (first, second) = (app.spawn_command_api().await, app.spawn_command_api().await);
    let admin = app.admin().await.via_command_api(&first.url);
    let seller = market.seller.via_command_api(&second.url);
    let draft = async || {
        seller
            .post("/v1/products", &product(market.category_id))
            .await
    };
    for _ in 0..20 {
        draft().await.ok();
        toggle(&admin, market.category_id, false).await.ok();
        draft().await.problem(409, "category_inactive");
        toggle(&admin, market.category_id, true).await.ok();
    }
    // The same holds for a role, which every decision of a seller rests on.
    let roles = format!("/v1/users/{}/roles", market.seller.id);
    for _ in 0..20 {
        draft().await.ok();
        admin.delete(&format!("{roles}/seller")).await.ok();
        draft().await.problem(403, "role_required");
        admin.post(&roles, &json!({"role": "seller"})).await.ok();
    }
}

/// A refusal, with positions that the log had before and after it.
#[derive(Clone)]
struct Refusal {
    /// A position that had been answered before the command was sent.
    from: i64,
    /// The head of the log after the answer had come.
    until: i64,
}

/// The outcome of drafting products while their category is activated and deactivated.
struct Race {
    accepted: usize,
    refused: usize,
    /// Answers that no order of the commands explains.
    unexplained: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_rests_on_a_stale_state() {
    let app = App::start().await;
    let race = race(&app).await;
    assert_eq!(race.unexplained, Vec::<String>::new());
    let met = race.accepted > 0 && race.refused > 0;
    assert!(
        met,
        "there must be both acceptances and refusals, or nothing was tested"
    );
}

/// The positive control: with an append that does not compare versions, the same race gives answers that
/// nothing explains, and the test sees them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_compares_no_versions_is_detected() {
    let app = App::start().await;
    break_append(&app, "coalesce(tail.version, 0) <> s.version", "false").await;
    assert!(!race(&app).await.unexplained.is_empty());
}

/// The same with an append that believes an executor what it knew, although another one has appended since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_believes_what_is_out_of_date_is_detected() {
    let app = App::start().await;
    break_append(&app, "if head = known_head and", "if").await;
    assert!(!race(&app).await.unexplained.is_empty());
}

async fn break_append(app: &App, condition: &str, replacement: &str) {
    let pool = &app.database.pool;
    let append: String = sqlx::query_scalar("select pg_get_functiondef('append'::regproc)")
        .fetch_one(pool)
        .await
        .unwrap();
    let broken = append.replace(condition, replacement);
    assert_ne!(broken, append);
    sqlx::raw_sql(AssertSqlSafe(broken))
        .execute(pool)
        .await
        .unwrap();
}

async fn race(app: &App) -> Race {
    let market = app.market().await;
    let category = market.category_id;
    let (first, second) = (app.spawn_command_api().await, app.spawn_command_api().await);
    let admin = app.admin().await.via_command_api(&first.url);
    let seller = market.seller.via_command_api(&second.url);
    // The second process must know the category as active before it changes. With a careless append it never
    // learns of a change: had it met an inactive category first, it would accept nothing, and a refusal is
    // hard to prove wrong while the category changes fast.
    let known = seller.post("/v1/products", &product(category)).await;
    let begun = known.ok().position();
    let toggled = AtomicI64::new(begun);
    let over = AtomicBool::new(false);

    let toggling = async {
        for round in 0..TOGGLES {
            let answer = toggle(&admin, category, round % 2 == 1).await.ok();
            toggled.store(answer.position(), SeqCst);
        }
        over.store(true, SeqCst);
    };
    let drafting = async || {
        let mut refusals = Vec::new();
        while !over.load(SeqCst) {
            let from = toggled.load(SeqCst);
            let answer = seller.post("/v1/products", &product(category)).await;
            if !answer.is_ok() {
                answer.problem(409, "category_inactive");
                let until = app.database.head().await;
                refusals.push(Refusal { from, until });
            }
        }
        refusals
    };
    let drafters = join_all((0..DRAFTERS).map(|_| drafting()));
    let ((), refusals) = join(toggling, drafters).await;
    compare_with_the_log(app, (category, begun), &refusals.concat()).await
}

async fn compare_with_the_log(
    app: &App,
    (category, begun): (Uuid, i64),
    refusals: &[Refusal],
) -> Race {
    let periods = periods(app, category).await;
    assert_eq!(periods.len(), TOGGLES + 1);
    let drafted = "select position from events where type = 'product.drafted' and position > $1";
    let drafted: Vec<i64> = sqlx::query_scalar(drafted)
        .bind(begun)
        .fetch_all(&app.database.pool)
        .await
        .unwrap();
    let accepted_wrongly = drafted
        .iter()
        .filter(|position| !is_active_at(&periods, **position))
        .map(|position| format!("accepted at {position}"));
    let refused_wrongly = refusals
        .iter()
        .filter(|refusal| (refusal.from..=refusal.until).all(|at| is_active_at(&periods, at)))
        .map(|Refusal { from, until }| format!("refused between {from} and {until}"));
    Race {
        accepted: drafted.len(),
        refused: refusals.len(),
        unexplained: accepted_wrongly.chain(refused_wrongly).collect(),
    }
}

/// The command that comes second rests on what the first one wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_is_withdrawn_or_auctioned_but_not_both() {
    let app = App::start().await;
    let market = app.market().await;
    let (first, second) = (app.spawn_command_api().await, app.spawn_command_api().await);
    let (one, other) = (
        market.seller.via_command_api(&first.url),
        market.seller.via_command_api(&second.url),
    );
    for _ in 0..15 {
        let id = market.listed().await;
        let terms = market.terms(id, json!({})).await;
        let withdraw = format!("/v1/products/{id}/withdraw");
        let (auctioned, withdrawn) = join(
            one.post("/v1/auctions", &terms),
            other.post_empty(&withdraw),
        )
        .await;
        if auctioned.is_ok() {
            withdrawn.problem(409, "product_already_auctioned");
        } else {
            auctioned.problem(409, "product_withdrawn");
            withdrawn.ok();
        }
    }
}

/// Claims are rows of their own, and no state in memory holds them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contested_claim_has_one_owner() {
    let app = App::start().await;
    let market = app.market().await;
    let (first, second) = (app.spawn_command_api().await, app.spawn_command_api().await);
    let urls = [&first.url, &second.url];
    for round in 0..10 {
        let terms = market.terms(market.listed().await, json!({})).await;
        let slug = json!({"name": "Lamps", "slug": format!("lamps-{round}")});
        let person = app.person().registration();
        let clients = urls.map(|url| {
            let (seller, admin) = (
                market.seller.via_command_api(url),
                app.client.via_command_api(url),
            );
            (seller, admin)
        });
        let auctions = clients
            .iter()
            .map(|(seller, _)| seller.post("/v1/auctions", &terms));
        let users = clients
            .iter()
            .map(|(_, anybody)| anybody.post("/v1/users", &person));
        let admin = app.admin().await;
        let admins = urls.map(|url| admin.via_command_api(url));
        let categories = admins
            .iter()
            .map(|admin| admin.post("/v1/categories", &slug));
        for (answers, code) in [
            (join_all(auctions).await, "product_already_auctioned"),
            (join_all(users).await, "email_taken"),
            (join_all(categories).await, "slug_taken"),
        ] {
            assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
            for answer in answers.iter().filter(|answer| !answer.is_ok()) {
                answer.problem(409, code);
            }
        }
    }
}
