//! Services and their secrets.

use super::app;
use crate::auth::{ServiceCredential, Services};
use crate::testing::{SECRET, config, config_with, get, token};

#[tokio::test]
async fn a_service_is_authenticated_by_its_secret() {
    let credential = ServiceCredential::from_config(&config()).unwrap();
    assert_eq!(credential.name(), "query-api");
    let authorization = credential.authorization().unwrap();
    assert!(authorization.is_sensitive());
    let header = [("authorization", authorization.to_str().unwrap())];
    for path in ["/v1/anyone", "/v1/known"] {
        assert_eq!(get(&app(), path, &header).await.body, b"service:query-api");
    }
    assert_eq!(
        get(&app(), "/v1/service", &header).await.body,
        b"record_reading"
    );
    let answer = get(&app(), "/v1/user", &header).await;
    assert_eq!(answer.problem(), (403, "insufficient_scope".to_owned()));

    // A service without grants is authenticated as well.
    let mailer = format!("service mailer:{SECRET}x");
    let answer = get(&app(), "/v1/service", &[("authorization", &mailer)]).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_slice()),
        (200, &b""[..])
    );
}

#[tokio::test]
async fn any_other_credential_is_refused() {
    for credential in [
        String::new(),
        ":".to_owned(),
        SECRET.to_owned(),
        "query-api".to_owned(),
        "query-api:".to_owned(),
        format!("query-api:{SECRET}x"),
        format!("query-api:{}", &SECRET[1..]),
        format!("query-api={SECRET}"),
        format!("QUERY-API:{SECRET}"),
        format!("mailer:{SECRET}"),
        format!("nobody:{SECRET}"),
        format!(":{SECRET}"),
        token(&config()),
    ] {
        let header = format!("Service {credential}");
        let answer = get(&app(), "/v1/anyone", &[("authorization", &header)]).await;
        assert_eq!(
            answer.problem(),
            (401, "invalid_token".to_owned()),
            "{header}"
        );
    }
}

#[tokio::test]
async fn two_credentials_are_refused() {
    let service = format!("Service query-api:{SECRET}");
    let bearer = format!("Bearer {}", token(&config()));
    for second in [&service, &bearer] {
        let headers = [
            ("authorization", service.as_str()),
            ("authorization", second),
        ];
        let answer = get(&app(), "/v1/anyone", &headers).await;
        assert_eq!(answer.problem(), (400, "repeated_header".to_owned()));
    }
}

#[test]
fn two_secrets_of_a_service_are_valid_at_a_time() {
    let tokens = format!(" query-api={SECRET} , query-api={SECRET}2,");
    let services = Services::from_config(&config_with(&[("TIDEMARK_SERVICE_TOKENS", &tokens)]));
    let services = services.unwrap();
    for secret in [SECRET.to_owned(), format!("{SECRET}2")] {
        let service = services
            .authenticate(&format!("query-api:{secret}"))
            .unwrap();
        assert_eq!(service.name, "query-api");
        assert!(service.may("record_reading") && !service.may("open_auction"));
    }
    let none = Services::from_config(&config_with(&[("TIDEMARK_SERVICE_TOKENS", "")])).unwrap();
    assert_eq!(none.authenticate(&format!("query-api:{SECRET}")), None);
}

#[test]
fn a_malformed_or_short_secret_is_refused_and_not_shown() {
    let short = &SECRET[1..];
    let malformed = [
        format!("query-api={short}"),
        format!("={SECRET}"),
        SECRET.to_owned(),
        "query-api=".to_owned(),
    ];
    for value in &malformed {
        let config = config_with(&[("TIDEMARK_SERVICE_TOKEN", value)]);
        let error = ServiceCredential::from_config(&config)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("TIDEMARK_SERVICE_TOKEN ") && !error.contains(short),
            "{error}"
        );

        let list = format!("mailer={SECRET},{value}");
        let config = config_with(&[("TIDEMARK_SERVICE_TOKENS", &list)]);
        let error = Services::from_config(&config).unwrap_err().to_string();
        assert!(
            error.contains("TIDEMARK_SERVICE_TOKENS ") && !error.contains(short),
            "{error}"
        );
    }
    let missing = ServiceCredential::from_config(&config_with(&[("TIDEMARK_SERVICE_TOKEN", "")]));
    let error = missing.unwrap_err().to_string();
    assert!(
        error.starts_with("TIDEMARK_SERVICE_TOKEN is not set"),
        "{error}"
    );
}

#[test]
fn debug_shows_no_secret() {
    let credential = ServiceCredential::from_config(&config()).unwrap();
    let services = Services::from_config(&config()).unwrap();
    assert!(!format!("{credential:?} {services:?} {:?}", config()).contains(SECRET));
}
