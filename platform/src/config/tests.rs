use secrecy::ExposeSecret;

use super::{Config, Error, FeedChoice, required};

fn load(vars: &[(&str, &str)]) -> Result<Config, Error> {
    Config::from_vars(
        vars.iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned())),
    )
}

#[test]
fn the_defaults_are_complete() {
    let config = load(&[]).unwrap();
    assert_eq!(config.http.body_bytes_max, 65_536);
    assert_eq!(config.projection.feed, FeedChoice::Kafka);
    assert_eq!(
        config.services["auction-timer"].commands,
        ["open_auction", "close_auction"]
    );
}

#[test]
fn the_environment_overrides_every_kind_of_value() {
    let config = load(&[
        ("TIDEMARK_HTTP__BODY_BYTES_MAX", "1024"),
        (
            "TIDEMARK_HTTP__CORS_ORIGINS",
            "https://a.example, https://b.example",
        ),
        ("TIDEMARK_PROJECTION__FEED", "log"),
        ("TIDEMARK_PROJECTION__SHARDS__AUCTION", "3"),
        ("TIDEMARK_SERVICE_TOKENS", "operator=1e5"),
        ("TIDEMARK_DATABASE__READ_URL", "postgres://reader"),
        ("TIDEMARK_COMMAND_API__LISTEN", "[::1]:9000"),
        ("TIDEMARK_SERVICES__MAILER__COMMANDS", "send"),
    ])
    .unwrap();
    assert_eq!(config.http.body_bytes_max, 1024);
    assert_eq!(
        config.http.cors_origins,
        ["https://a.example", "https://b.example"]
    );
    assert_eq!(config.projection.feed, FeedChoice::Log);
    assert_eq!(config.projection.shards["auction"].get(), 3);
    assert_eq!(config.service_tokens.expose_secret(), "operator=1e5");
    assert_eq!(
        config.database.read_url.expose_secret(),
        "postgres://reader"
    );
    assert_eq!(config.command_api.listen.port(), 9000);
    assert_eq!(config.services["mailer"].commands, ["send"]);
}

#[test]
fn an_unknown_variable_is_refused_by_name() {
    let error = load(&[("TIDEMARK_HTTP__BODY_MAX", "1")])
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "unknown configuration key `http.body_max`, set by TIDEMARK_HTTP__BODY_MAX"
    );
    assert!(load(&[("TIDEMARK_HTTP", "1")]).is_err());
    assert!(load(&[("TIDEMARK_SERVICES__MAILER__COMMAND", "send")]).is_err());
}

#[test]
fn variables_of_others_and_of_tests_are_ignored() {
    load(&[
        ("PATH", "/bin"),
        ("TIDEMARKED", "1"),
        ("TIDEMARK_TEST_DATABASE", "x"),
    ])
    .unwrap();
}

#[test]
fn an_answer_of_postgres_is_awaited_for_longer_than_a_statement_may_run() {
    let error = load(&[("TIDEMARK_DATABASE__STATEMENT_TIMEOUT_MS", "10000")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`database.response_timeout_ms` must be longer than `database.statement_timeout_ms`"
    );
}

#[test]
fn a_value_of_the_wrong_type_names_its_key() {
    let error = load(&[("TIDEMARK_HTTP__BODY_BYTES_MAX", "much")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("http.body_bytes_max"), "{error}");
}

#[test]
fn a_file_overrides_the_defaults_and_the_environment_the_file() {
    let path = std::env::temp_dir().join(format!("tidemark-config-{}.toml", std::process::id()));
    let file = path.to_str().unwrap();
    std::fs::write(&path, "[http]\nheaders_max = 7\ndrain_ms = 8\n").unwrap();
    let config = load(&[("TIDEMARK_CONFIG", file), ("TIDEMARK_HTTP__DRAIN_MS", "9")]).unwrap();
    assert_eq!((config.http.headers_max, config.http.drain_ms), (7, 9));

    std::fs::write(&path, "[http]\nheader_max = 7\n").unwrap();
    let error = load(&[("TIDEMARK_CONFIG", file)]).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("unknown configuration key `http.header_max`, set by {file}")
    );
    std::fs::remove_file(path).unwrap();
}

#[test]
fn secrets_do_not_show() {
    let config = load(&[("TIDEMARK_BOOTSTRAP_SECRET", "hunter2")]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_missing_secret_names_its_variable() {
    let config = load(&[]).unwrap();
    let error = required(&config.database.append_url, "database.append_url").unwrap_err();
    assert_eq!(
        error.to_string(),
        "TIDEMARK_DATABASE__APPEND_URL is not set (configuration key `database.append_url`)"
    );
}
