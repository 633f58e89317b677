//! Nothing personal and no secret is in what processes print, be it as much as in production or as much as
//! somebody wants who looks for a fault; nor in their metrics and in problems.

mod outside;
mod seller;

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use tidemark_domain::PROCESS_MANAGERS;
use tidemark_tests::people::Person;
use tidemark_tests::proxy::Fault;
use tidemark_tests::{Answer, App, Client, Process, Proxy, Settings, eventually};

use self::outside::Outside;
use self::seller::{Seller, Used};

/// Names the requests, so that it is found where they are.
const KNOWN: &str = "0190c3f2-6d1e-7a0b-8c55-1f0a4a4c9d10";

/// The three processes, which log at one level.
struct Processes {
    command_api: Process,
    query_api: Process,
    projector: Process,
    /// Stands between the command API and Postgres.
    postgres: Proxy,
}

impl Processes {
    async fn start(app: &App, outside: &Outside, level: &str) -> Self {
        let mut settings = app.settings.clone();
        outside.configure(&mut settings);
        settings.set("TIDEMARK_TELEMETRY__LOG", level);
        settings.set("TIDEMARK_TELEMETRY__LOG_FORMAT", "json");
        let postgres = Proxy::before_postgres(&mut settings, "APPEND").await;
        let roles = ["--roles", "api"];
        let command_api = Process::printing("tidemark-command-api", &roles, &settings).await;
        settings.set("TIDEMARK_COMMAND_API__URL", &*command_api.url);
        let as_projector = settings.as_service("projector");
        let as_query_api = settings.as_service("query-api");
        Self {
            command_api,
            query_api: Process::printing("tidemark-query-api", &[], &as_query_api).await,
            projector: Process::printing("tidemark-projector", &["run"], &as_projector).await,
            postgres,
        }
    }

    fn all(&self) -> [&Process; 3] {
        [&self.command_api, &self.query_api, &self.projector]
    }

    /// A client that sends to these processes, by a name that is looked for in what they print.
    fn reached_by(&self, client: &Client) -> Client {
        client
            .via_command_api(&self.command_api.url)
            .via_query_api(&self.query_api.url)
            .with("x-correlation-id", KNOWN)
    }
}

/// Waits until the reactors have begun to answer what happens.
async fn await_reactors(app: &App) {
    eventually("the reactors to begin", || async {
        let sql = "select name from reactors";
        let begun: Vec<String> = sqlx::query_scalar(sql)
            .fetch_all(&app.database.pool)
            .await
            .unwrap();
        let mut awaited = PROCESS_MANAGERS.iter();
        awaited
            .all(|it| begun.iter().any(|name| name == it.name))
            .then_some(())
    })
    .await;
}

/// Registers, logs in, is refused, and meets failures. Returns the problems and the tokens.
async fn use_all(client: &Client, person: &Person, processes: &Processes) -> (String, Vec<String>) {
    let registration = person.registration();
    let mut answers = Vec::new();
    client.post("/v1/users", &registration).await.ok();
    answers.push(client.post("/v1/users", &registration).await);
    let session = client.post("/v1/sessions", &person.login()).await.ok();
    let token = |name: &str| session.body[name].as_str().unwrap().to_owned();
    let tokens = vec![token("access_token"), token("refresh_token")];

    let wrong = json!({"email": person.email, "password": format!("wrong {}", person.password)});
    answers.push(client.post("/v1/sessions", &wrong).await);
    let refresh = json!({"refresh_token": tokens[1]});
    client.post("/v1/sessions/refresh", &refresh).await.ok();
    let reuse = json!({"refresh_token": format!("{}x", tokens[1])});
    answers.push(client.post("/v1/sessions/refresh", &reuse).await);
    for body in [
        registration.to_string().replace('}', ""),
        json!({"email": [person.email], "password": {"a": person.password}}).to_string(),
        json!({"email": format!("{} x", person.email), "password": "lanterns", "display_name": "Ottilie\n"})
            .to_string(),
    ] {
        let request = client.command(Method::POST, "/v1/users");
        let request = request.header("content-type", "application/json").body(body);
        answers.push(Answer::to(request).await);
    }
    for credential in [&tokens[1], &tokens[0][..tokens[0].len() - 2]] {
        answers.push(client.with_token(credential).get("/v1/me").await);
    }
    for path in [
        format!("/v1/me?access_token={}", tokens[0]),
        format!(
            "/v1/auctions?q={}&unknown={}",
            person.password, person.email
        ),
        format!("/v1/users/{}", person.email),
        format!("/v1/sellers/{}", person.email),
        format!("/v1/media/{}/{}", tokens[0], person.password),
    ] {
        answers.push(client.get(&path).await);
    }
    let reader = client
        .with_token(&tokens[0])
        .with_tidemark(session.tidemark());
    let profile = || async {
        let answer = reader.get("/v1/me").await;
        (answer.body["email"] == person.email).then_some(())
    };
    eventually("the profile to be shown", profile).await;

    processes.postgres.set_both(Fault::Reset);
    answers.push(client.post("/v1/sessions", &person.login()).await);
    let other = json!({"email": format!("x{}", person.email), "password": person.password, "display_name": "Ottilie"});
    answers.push(client.post("/v1/users", &other).await);
    processes.postgres.heal();

    for answer in &answers {
        assert!(answer.status >= 400, "{answer:?}");
    }
    let problems = answers.into_iter().map(|answer| answer.text);
    (problems.collect(), tokens)
}

/// Whether a text holds a code that is not part of a longer word or number, or of a fraction of a second.
fn holds_code(text: &str, code: &str) -> bool {
    text.match_indices(code).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + code.len()..].chars().next();
        let is_of_longer =
            |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric() || it == '.');
        !is_of_longer(before) && !is_of_longer(after)
    })
}

/// What nobody may read: everything of the person and every secret of the deployment.
fn secrets(settings: &Settings, person: &Person, tokens: &[String]) -> Vec<String> {
    let mut secrets = vec![
        person.email.clone(),
        person.email.replace('@', "%40"),
        "Ottilie".to_owned(),
        "lanterns".to_owned(),
        "$argon2".to_owned(),
    ];
    secrets.extend(tokens.iter().cloned());
    secrets.extend(
        tokens
            .iter()
            .map(|token| token.rsplit('.').next().unwrap().to_owned()),
    );
    secrets.extend(["query-api", "projector"].map(|name| settings.service_secret(name).to_owned()));
    for name in [
        "TIDEMARK_BOOTSTRAP_SECRET",
        "TIDEMARK_AUTH__SIGNING_KEY",
        "TIDEMARK_SEALING__MASTER_KEY",
        "TIDEMARK_SEALING__LOOKUP_KEY",
    ] {
        secrets.push(settings.get(name).to_owned());
    }
    let urls = [
        "DATABASE__APPEND",
        "DATABASE__PROJECT",
        "DATABASE__READ",
        "REDIS_",
    ];
    for url in urls.map(|name| settings.get(&format!("TIDEMARK_{name}_URL"))) {
        let (_, rest) = url.split_once("://").unwrap();
        let (credential, _) = rest.split_once('@').unwrap();
        secrets.push(credential.rsplit(':').next().unwrap().to_owned());
    }
    assert!(
        secrets.iter().all(|secret| secret.len() >= 7),
        "{secrets:?}"
    );
    secrets
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_and_no_secret_is_printed() {
    for level in ["info", "debug"] {
        let app = App::start().await;
        let mut outside = Outside::start().await;
        let processes = Processes::start(&app, &outside, level).await;
        await_reactors(&app).await;
        let seller = Seller::new(&app, &processes, &mut outside).await;
        let used = seller.use_all().await;
        let person = app.person();
        let client = processes.reached_by(&app.client);
        let (problems, tokens) = use_all(&client, &person, &processes).await;

        let mut texts = vec![("problems", problems + &used.problems)];
        for process in processes.all() {
            let metrics = Client::anonymous(&process.url, &process.url)
                .get("/metrics")
                .await;
            texts.push(("metrics", metrics.ok().text));
            texts.push(("output", process.printed()));
        }
        let mut secrets = secrets(&app.settings, &person, &tokens);
        secrets.extend(outside.secrets());
        assert_nowhere(&texts, level, &secrets, &used);
        // The control: what is no secret is found where it belongs.
        let is_found = |text: &str| texts.iter().any(|(_, found)| found.contains(text));
        for word in [
            KNOWN,
            "invalid_grant",
            "wrong_phone_code",
            "link_not_good",
            "tidemark_http_problems_total",
            "/v1/sessions",
            "/unsubscribe/{token}",
            "action done",
        ] {
            assert!(is_found(word), "{word} at {level}");
        }
        for process in processes.all() {
            let says_debug = process.printed().contains(r#""level":"DEBUG""#);
            assert_eq!(says_debug, level == "debug");
        }
    }
}

/// Fails if one of the texts has a secret, or a code that a text brought.
fn assert_nowhere(texts: &[(&str, String)], level: &str, secrets: &[String], used: &Used) {
    let all: BTreeSet<_> = secrets.iter().chain(&used.secrets).collect();
    for (what, text) in texts {
        for secret in &all {
            let is_there = text.contains(secret.as_str());
            assert!(!is_there, "{secret} in {what} at {level}: {text}");
        }
        for code in &used.codes {
            assert!(
                !holds_code(text, code),
                "{code} in {what} at {level}: {text}"
            );
        }
    }
}
