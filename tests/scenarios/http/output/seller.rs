//! A seller who uses all that has to do with others outside: telephones, mails, tasks and media, with what is refused and what fails.

use image::ImageFormat;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tidemark_tests::market::won;
use tidemark_tests::pictures::picture;
use tidemark_tests::{Answer, App, Client, KeptPort, User, eventually};

use super::Processes;
use super::outside::{Outside, PUBLIC_URL};

/// A number that texts do not reach, and one that they do.
const NUMBERS: [&str; 2] = ["+4915100000610", "+4915100000001"];
/// What only a task and the server that it calls know.
const TASK_SECRETS: [&str; 5] = [
    "key-in-a-query-4711",
    "password-in-a-url-4712",
    "key-in-a-header-4713",
    "words-of-a-body-4714",
    "key-in-a-query-4715",
];
/// What a template says, and one that is refused.
const WORDING: &str = "words-of-a-template-4716";
/// What nobody has signed.
const SIGNATURE: &str = "c2lnbmF0dXJlLW9mLW5vYm9keQ==";

/// What nobody may read, and what was refused.
#[derive(Default)]
pub(super) struct Used {
    pub(super) secrets: Vec<String>,
    /// The codes that texts brought. They are short, so that another number may hold one.
    pub(super) codes: Vec<String>,
    pub(super) problems: String,
}

pub(super) struct Seller<'a> {
    app: &'a App,
    processes: &'a Processes,
    user: User,
    /// Sends to the processes that print.
    client: Client,
    outside: &'a mut Outside,
    used: Used,
}

impl<'a> Seller<'a> {
    pub(super) async fn new(
        app: &'a App,
        processes: &'a Processes,
        outside: &'a mut Outside,
    ) -> Self {
        let seller = app.seller().await;
        let mut used = Used::default();
        let own = [
            &seller.email,
            &seller.password,
            &seller.access_token,
            &seller.refresh_token,
        ];
        used.secrets.extend(own.map(Clone::clone));
        used.secrets.extend(TASK_SECRETS.map(str::to_owned));
        used.secrets.extend([WORDING, SIGNATURE].map(str::to_owned));
        for number in NUMBERS {
            let digits = number.trim_start_matches('+');
            used.secrets.push(digits.to_owned());
        }
        Self {
            app,
            processes,
            client: processes.reached_by(&seller),
            user: seller,
            outside,
            used,
        }
    }

    /// Does all of it.
    pub(super) async fn use_all(mut self) -> Used {
        self.use_telephones().await;
        self.be_sent_mails().await;
        self.stop_mails().await;
        self.use_tasks().await;
        self.use_media().await;
        self.use_templates().await;
        self.used
    }

    /// Sends a request that is refused, whose answer is kept.
    async fn is_refused(&mut self, request: RequestBuilder, code: &str) {
        let answer = Answer::to(request).await;
        assert_eq!(answer.code(), code, "{answer:?}");
        self.used.problems += &answer.text;
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.command(Method::POST, path).json(body)
    }

    /// Waits until a query of the database finds something.
    async fn found(&self, what: &str, sql: &'static str) {
        eventually(what, || async {
            let found = sqlx::query_scalar(sql).fetch_one(&self.app.database.pool);
            let found: bool = found.await.unwrap();
            found.then_some(())
        })
        .await;
    }

    async fn use_telephones(&mut self) {
        let phone = format!("/v1/users/{}/phone", self.user.id);
        let verify = format!("{phone}/verify");
        let [unreachable, number] = NUMBERS;
        self.client
            .post(&phone, &json!({"number": unreachable}))
            .await
            .ok();
        let refused = "select exists (select from events where type = 'contact_point.suppressed')";
        self.found("the provider's refusal", refused).await;
        self.client
            .post(&phone, &json!({"number": number}))
            .await
            .ok();
        let text = self.outside.texts(2).await.remove(1);
        let (code, words) = text["Body"].split_at(6);
        self.used.codes.push(code.to_owned());
        self.used.secrets.push(words.trim().to_owned());
        let wrong = self.post(&verify, &json!({"code": "000000"}));
        self.is_refused(wrong, "wrong_phone_code").await;
        self.client.post(&verify, &json!({"code": code})).await.ok();

        let path = text["StatusCallback"].strip_prefix(PUBLIC_URL).unwrap();
        let form = [("To", number), ("MessageStatus", "delivered")];
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let call = self.client.command(Method::POST, path);
        let call = call
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", SIGNATURE);
        self.is_refused(call.body(body), "refused").await;
    }

    /// Registers people whose mails a server refuses, and whose addresses its answers repeat.
    async fn be_sent_mails(&mut self) {
        for begins in ["gone", "busy"] {
            let mut person = self.app.person();
            person.email = format!("{begins}-{}", person.email);
            let registration = person.registration();
            self.client.post("/v1/users", &registration).await.ok();
            self.used.secrets.push(person.email);
        }
        let busy = "select exists (select from reactor_actions where effect = 'mail' and outcome like '450%')";
        self.found("a mail that waits", busy).await;
        let gone = "select exists (select from events where type = 'message.ended' and data ->> 'status' like '550%')";
        self.found("a mail that came back", gone).await;
    }

    /// Is told by a mail that nothing was sold, and stops mails like it.
    async fn stop_mails(&mut self) {
        let market = self.app.market().await;
        let mut told = won(self.user.id, market.draft().await);
        told["category"] = json!("unsold");
        told.as_object_mut().unwrap().remove("amount");
        let notifier = self.app.reactor("auction-notifier");
        let notifier = notifier.via_command_api(&self.processes.command_api.url);
        notifier.post("/v1/notifications", &told).await.ok();
        let begin = format!("<{PUBLIC_URL}/unsubscribe/");
        let token = loop {
            let mail = self.outside.mails.received().await.content;
            let mail = mail.replace("\r\n", "\n").replace("\n ", "");
            if let Some((_, rest)) = mail.split_once(&begin) {
                let (token, _) = rest.split_once('>').unwrap();
                break token.to_owned();
            }
        };
        let page = format!("/unsubscribe/{token}");
        for (method, path, status) in [
            (Method::GET, &*page, 200),
            (Method::GET, &page[..page.len() - 1], 404),
            (Method::POST, &page, 200),
        ] {
            let request = self
                .client
                .command(method, path)
                .header("accept", "text/html");
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), status, "{path}");
        }
        self.used.secrets.push(token);
    }

    /// Has a server called, and one that is not there, and asks for what no task may call.
    async fn use_tasks(&mut self) {
        let [query, password, header, body, other_query] = TASK_SECRETS;
        let (_, address) = self.outside.url.split_once("//").unwrap();
        let address = address.to_owned();
        let with_password = format!("http://ottilie:{password}@{address}/");
        let forbidden = json!({"name": "Sync", "url": with_password});
        let forbidden = self.post("/v1/tasks", &forbidden);
        self.is_refused(forbidden, "invalid").await;
        let gone = KeptPort::any();
        let nowhere = gone.address();
        for (place, key) in [(address, query), (nowhere.to_string(), other_query)] {
            let task = json!({
                "name": "Sync",
                "url": format!("http://{place}/sync?key={key}"),
                "headers": {"x-api-key": header},
                "body": body,
            });
            let defined = self.client.post("/v1/tasks", &task).await.ok();
            let secret = defined.body["secret"].as_str().unwrap();
            self.used.secrets.push(secret.to_owned());
            let run = format!("/v1/tasks/{}/run", defined.id());
            self.client.post_empty(&run).await.ok();
        }
        let called = "select count(distinct data ->> 'outcome') = 2 from events where type = 'task_run.attempted'";
        self.found("a call that was answered and one that was not", called)
            .await;
    }

    /// Looks at an avatar by a link that nobody else has, and by one that was altered.
    async fn use_media(&mut self) {
        let file = picture(40, 30, ImageFormat::Png);
        let uploaded = self
            .client
            .upload_as("avatar", "image/png", file)
            .await
            .ok();
        let path = format!("/v1/media/{}/links", uploaded.id());
        let link = self
            .client
            .post(&path, &json!({"variant": "full"}))
            .await
            .ok();
        let link = link.body["url"].as_str().unwrap().to_owned();
        let reader = self.client.with_tidemark(uploaded.tidemark());
        let seen = reader.query(&link).send().await.unwrap();
        assert_eq!(seen.status(), 200);
        let (_, signature) = link.split_once("signature=").unwrap();
        self.used.secrets.push(signature.to_owned());
        let altered = link.replacen("expires=", "expires=1", 1);
        self.is_refused(reader.query(&altered), "link_not_good")
            .await;
    }

    /// An operator publishes what mails say, and something that no mail can.
    async fn use_templates(&mut self) {
        let operator = self.app.user_with("operator").await;
        let operator = self.processes.reached_by(&operator);
        let template = |body: &str| {
            json!({
                "channel": "mail",
                "locale": "en",
                "category": "welcome",
                "subject": WORDING,
                "body": body,
            })
        };
        let hello = template("Hello {{ name }}.");
        operator.post("/v1/templates", &hello).await.ok();
        let body = format!("{WORDING} {{{{ nobody }}}}");
        let wrong = operator.command(Method::POST, "/v1/templates");
        self.is_refused(wrong.json(&template(&body)), "template_faulty")
            .await;
    }
}
