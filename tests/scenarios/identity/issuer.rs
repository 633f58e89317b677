//! The issuer of access tokens describes itself, so that others verify the tokens without being told how.

use reqwest::Method;
use tidemark_tests::{Answer, App};

#[tokio::test]
async fn the_issuer_leads_to_keys_that_may_be_kept() {
    let app = App::start().await;
    let get = |path: &str| Answer::to(app.client.command(Method::GET, path));
    let metadata = get("/.well-known/oauth-authorization-server").await.ok();
    // RFC 8414, sections 2 and 3.2.
    for required in ["issuer", "response_types_supported"] {
        assert!(metadata.body.get(required).is_some(), "{required}");
    }
    for (claim, value) in metadata.body.as_object().unwrap() {
        let elements = value.as_array();
        assert!(elements.is_none_or(|it| !it.is_empty()), "{claim}");
    }
    let issuer = metadata.body["issuer"].as_str().unwrap();
    let keys = metadata.body["jwks_uri"].as_str().unwrap();
    let keys = get(keys.strip_prefix(issuer).unwrap()).await.ok();
    assert_eq!(keys.body["keys"].as_array().unwrap().len(), 1);
    for answer in [metadata.clone(), keys] {
        assert_eq!(answer.header("cache-control"), "public, max-age=300");
    }
}
