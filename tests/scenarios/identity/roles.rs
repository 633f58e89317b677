//! There is one first administrator, administrators give all other roles, and a role counts from the
//! moment that it is in the log, whatever an access token says.

use futures::future::join_all;
use serde_json::json;
use tidemark_tests::market::product;
use tidemark_tests::{App, User};

fn roles_of(user: &User) -> String {
    format!("/v1/users/{}/roles", user.id)
}

#[tokio::test]
async fn of_ten_first_administrators_at_once_one_is_made() {
    let app = App::start().await;
    let people: Vec<_> = (0..10).map(|_| app.person()).collect();
    let attempts = people.iter().map(|person| app.create_first_admin(person));
    let answers = join_all(attempts).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for answer in answers.iter().filter(|answer| !answer.is_ok()) {
        answer.problem(409, "first_admin_exists");
    }
    assert_eq!(
        app.database.head().await,
        3,
        "a user, a credential and a role"
    );
}

#[tokio::test]
async fn the_first_administrator_needs_the_bootstrap_secret() {
    let app = App::start().await;
    let mut body = app.person().registration();
    for secret in ["", "wrong", &"0".repeat(64)] {
        body["secret"] = secret.into();
        let answer = app.service("operator").post("/v1/admins", &body).await;
        answer.problem(403, "wrong_bootstrap_secret");
    }
    assert_eq!(app.database.head().await, 0);
}

#[tokio::test]
async fn without_a_configured_secret_there_is_no_first_administrator() {
    let app = App::builder()
        .set("TIDEMARK_BOOTSTRAP_SECRET", "")
        .start()
        .await;
    let mut body = app.person().registration();
    body["secret"] = "".into();
    let answer = app.service("operator").post("/v1/admins", &body).await;
    answer.problem(403, "wrong_bootstrap_secret");
    assert_eq!(app.database.head().await, 0);
}

#[tokio::test]
async fn granted_and_revoked_roles_count_from_the_next_command_on() {
    let app = App::start().await;
    let category = app.category(None).await;
    let (admin, user) = (app.admin().await, app.user().await);
    let draft = async || user.post("/v1/products", &product(category)).await;
    draft().await.problem(403, "role_required");
    admin
        .post(&roles_of(&user), &json!({"role": "seller"}))
        .await
        .ok();
    draft().await.ok();
    admin
        .delete(&format!("{}/seller", roles_of(&user)))
        .await
        .ok();
    draft().await.problem(403, "role_required");
}

#[tokio::test]
async fn roles_are_granted_and_revoked_once() {
    let app = App::start().await;
    let (admin, user) = (app.admin().await, app.user().await);
    let grant = async |role: &str| admin.post(&roles_of(&user), &json!({"role": role})).await;
    let revoke = async |role: &str| admin.delete(&format!("{}/{role}", roles_of(&user))).await;
    grant("buyer").await.problem(409, "role_held");
    for role in ["seller", "admin", "auditor", "operator"] {
        revoke(role).await.problem(409, "role_not_held");
        grant(role).await.ok();
        grant(role).await.problem(409, "role_held");
        revoke(role).await.ok();
    }
    let unknown = revoke("king").await;
    unknown.problem(400, "invalid_path");
    let words = "`role` must be one of buyer, seller";
    assert!(unknown.detail().starts_with(words), "{unknown:?}");
}

#[tokio::test]
async fn nobody_promotes_themselves() {
    let app = App::start().await;
    app.admin().await;
    for role in ["buyer", "seller", "auditor", "operator"] {
        let user = match role {
            "buyer" => app.user().await,
            role => app.user_with(role).await,
        };
        let head = app.database.head().await;
        for wanted in ["admin", "operator", "auditor"] {
            let answer = user.post(&roles_of(&user), &json!({"role": wanted})).await;
            answer.problem(403, "role_required");
        }
        assert_eq!(app.database.head().await, head);
    }
}

#[tokio::test]
async fn the_last_administrator_cannot_be_removed() {
    let app = App::start().await;
    let first = app.admin().await;
    let admin_role = |user: &User| format!("{}/admin", roles_of(user));
    first
        .delete(&admin_role(first))
        .await
        .problem(409, "own_admin_role");
    let second = app.user_with("admin").await;
    second.delete(&admin_role(first)).await.ok();
    first
        .delete(&admin_role(&second))
        .await
        .problem(403, "role_required");
    second
        .delete(&admin_role(&second))
        .await
        .problem(409, "own_admin_role");
}
