use std::fs;
use std::path::Path;

use config::{File, FileFormat, Source};
use secrecy::ExposeSecret;

use super::{Config, DEFAULTS, Error, FeedChoice, keys, required};

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
    assert!(config.services["projector"].acts_as_reactors);
    assert!(!config.services["operator"].acts_as_reactors);
}

/// Over HTTP/1.1 each live update takes a connection.
#[test]
fn the_defaults_leave_connections_beside_those_of_live_updates() {
    let config = load(&[]).unwrap();
    assert!(config.http.connections_max > config.query.sse_clients_max);
    let of_one = config.http.connections_per_address_max;
    assert!(of_one > config.query.sse_clients_per_address_max);
}

/// Else it would be noticed when the first text or mail is sent, if at all.
#[test]
fn what_urls_begin_with_is_a_url() {
    for name in [
        "TIDEMARK_MAIL__PUBLIC_URL",
        "TIDEMARK_SMS__PROVIDER_URL",
        "TIDEMARK_SMS__CALLBACK_URL",
    ] {
        for url in ["", "https://api.example", "http://127.0.0.1:8080/"] {
            assert!(load(&[(name, url)]).is_ok(), "{name}={url}");
        }
        for wrong in [
            "api.example",
            "ftp://api.example",
            "https://api.example?a=b",
            "/",
        ] {
            let error = load(&[(name, wrong)]).unwrap_err().to_string();
            assert!(error.contains("must be a URL"), "{name}={wrong}: {error}");
        }
    }
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
        ("TIDEMARK_SERVICES__MAILER__ACTS_AS_REACTORS", "true"),
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
    assert!(config.services["mailer"].acts_as_reactors);
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
    let error = load(&[("TIDEMARK_DATABASE__RESPONSE_TIMEOUT_MS", "5000")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`database.response_timeout_ms` must be longer than `database.statement_timeout_ms`"
    );
}

#[test]
fn every_setting_out_of_bounds_is_named() {
    let error = load(&[
        ("TIDEMARK_EXECUTOR__BATCH_MAX", "0"),
        ("TIDEMARK_QUERY__PAGE_DEFAULT", "101"),
        ("TIDEMARK_KAFKA__MESSAGE_TIMEOUT_MS", "3000"),
        ("TIDEMARK_MAIL__QUIT_TIMEOUT_MS", "10000"),
    ]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "`executor.batch_max` must be at least 1; \
         `query.page_default` must not exceed `query.page_max`, which is 100; \
         `relay.takeover_wait_ms` must be longer than `kafka.message_timeout_ms`; \
         `reactor.effect_timeout_ms` must be longer than \
         `mail.dialog_timeout_ms` + `mail.answer_timeout_ms` + `mail.quit_timeout_ms`"
    );
}

#[test]
fn an_object_store_is_reached_in_clear_only_if_that_is_allowed() {
    let endpoint = |url| ("TIDEMARK_OBJECT_STORE__ENDPOINT", url);
    let allowed = ("TIDEMARK_OBJECT_STORE__ALLOW_HTTP", "true");
    assert!(load(&[endpoint("https://s3.example")]).is_ok());
    assert!(load(&[endpoint("http://127.0.0.1:9000"), allowed]).is_ok());
    assert!(load(&[endpoint("127.0.0.1:9000"), allowed]).is_err());
    assert_eq!(
        load(&[endpoint("http://127.0.0.1:9000")])
            .unwrap_err()
            .to_string(),
        "`object_store.endpoint` must begin with https:// unless `object_store.allow_http` is true"
    );
    assert!(load(&[("TIDEMARK_OBJECT_STORE__PART_MIB", "4")]).is_err());
}

/// The compiler does not find unread settings, because the fields are public.
#[test]
fn every_setting_is_read() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut code = String::new();
    for entry in fs::read_dir(workspace).unwrap() {
        append_code(&entry.unwrap().path().join("src"), &mut code);
    }
    let defaults = File::from_str(DEFAULTS, FileFormat::Toml);
    for key in keys::keys_of(&defaults.collect().unwrap()) {
        let field = format!(".{}", key.rsplit('.').next().unwrap());
        let is_read = code.match_indices(&field).any(|(at, _)| {
            let next = code[at + field.len()..].chars().next();
            next.is_some_and(|next| !next.is_alphanumeric() && next != '_')
        });
        assert!(is_read, "nothing reads `{key}`");
    }
}

/// Appends the text of all Rust files below `directory`, except for the definitions of the settings.
fn append_code(directory: &Path, code: &mut String) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("platform/src/config") {
            append_code(&path, code);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("platform/src/config.rs")
        {
            code.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn a_value_of_the_wrong_type_names_its_key() {
    let error = load(&[("TIDEMARK_HTTP__BODY_BYTES_MAX", "much")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("http.body_bytes_max"), "{error}");
}

#[test]
fn pauses_are_numbers_with_commas_between_them() {
    let pauses = |text| load(&[("TIDEMARK_MAIL__RETRY_PAUSES_MS", text)]);
    assert_eq!(
        pauses("5, 10,20").unwrap().mail.retry_pauses_ms,
        [5, 10, 20]
    );
    assert_eq!(pauses("5").unwrap().mail.retry_pauses_ms, [5]);
    for wrong in ["", "soon", "5,-1", "5,4294967296", "1.5"] {
        let error = pauses(wrong).unwrap_err().to_string();
        assert!(error.contains("mail.retry_pauses_ms"), "{wrong}: {error}");
    }
}

#[test]
fn a_file_overrides_the_defaults_and_the_environment_the_file() {
    let path = std::env::temp_dir().join(format!("tidemark-config-{}.toml", std::process::id()));
    let file = path.to_str().unwrap();
    fs::write(&path, "[http]\nheaders_max = 7\ndrain_ms = 8\n").unwrap();
    let config = load(&[("TIDEMARK_CONFIG", file), ("TIDEMARK_HTTP__DRAIN_MS", "9")]).unwrap();
    assert_eq!((config.http.headers_max, config.http.drain_ms), (7, 9));

    fs::write(&path, "[http]\nheader_max = 7\n").unwrap();
    let error = load(&[("TIDEMARK_CONFIG", file)]).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("unknown configuration key `http.header_max`, set by {file}")
    );
    fs::remove_file(path).unwrap();
}

#[test]
fn debug_shows_no_secret() {
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

/// Services have places in the queue that users cannot take, which helps only if they come in.
#[test]
fn the_door_has_more_places_than_the_queue() {
    let error = load(&[("TIDEMARK_HTTP__IN_FLIGHT_MAX", "4608")]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "`http.in_flight_max` must exceed `executor.queue_max` and `executor.queue_services_max` together"
    );
    assert!(load(&[("TIDEMARK_HTTP__IN_FLIGHT_MAX", "4609")]).is_ok());
}

/// Else one who sends much would have all others refused.
#[test]
fn nobody_may_fill_the_queue() {
    let of_one = "TIDEMARK_EXECUTOR__QUEUE_PER_PRINCIPAL_MAX";
    let error = load(&[(of_one, "1025")]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "`executor.queue_per_principal_max` must not exceed 1024, a quarter of `executor.queue_max`, \
         or one could fill it"
    );
    assert!(load(&[(of_one, "1024")]).is_ok());
    let defaults = load(&[]).unwrap().executor;
    assert!(4 * defaults.queue_per_principal_max <= defaults.queue_max);
}
