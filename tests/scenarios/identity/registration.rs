//! Whoever gives a valid e-mail address and a strong password registers; the rules for passwords are those
//! of NIST SP 800-63B.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tidemark_tests::people::Person;
use tidemark_tests::{Answer, App, User};
use uuid::Uuid;

/// The longest that the answers to another client may take. Two answers take milliseconds, and one estimate of a
/// costly password takes seconds in a debug build.
const DELAY_MAX: Duration = Duration::from_millis(500);
/// Several times the time for which an operating system lets one thread have a core that others wait for.
const SOME_SLICES: Duration = Duration::from_millis(50);
/// About that time once.
const ONE_SLICE: Duration = Duration::from_millis(5);

async fn register(app: &App, password: &str) -> (Person, Answer) {
    let person = Person {
        password: password.to_owned(),
        ..app.person()
    };
    let answer = app.client.post("/v1/users", &person.registration()).await;
    (person, answer)
}

/// Registers a person with this password, and logs them in with it.
async fn is_accepted(app: &App, password: &str) -> Person {
    let (person, answer) = register(app, password).await;
    assert_eq!(answer.status, 201, "{password}: {answer:?}");
    app.log_in(&person).await;
    person
}

async fn is_refused(app: &App, password: &str) -> String {
    let (person, answer) = register(app, password).await;
    assert_eq!(answer.status, 422, "{password}: {answer:?}");
    answer.problem(422, "invalid");
    assert_eq!(answer.pointers(), ["/password"]);
    let login = app.client.post("/v1/sessions", &person.login()).await;
    login.problem(401, "invalid_credentials");
    answer.body["errors"][0]["detail"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A password of this length that no dictionary holds.
fn random(length: usize) -> String {
    "gvqzjxkwbhytmfprldncsaeuio9537"
        .chars()
        .cycle()
        .step_by(7)
        .take(length)
        .collect()
}

#[tokio::test]
async fn passwords_have_15_to_128_characters() {
    let app = App::start().await;
    for length in [0, 1, 7, 8, 14, 129, 200] {
        let reason = is_refused(&app, &random(length)).await;
        assert!(reason.contains("15 to 128"), "{reason}");
    }
    for length in [15, 64, 128] {
        is_accepted(&app, &random(length)).await;
    }
    assert_eq!(
        app.database.head().await,
        9,
        "three users, credentials and sessions"
    );
}

#[tokio::test]
async fn long_passwords_are_not_truncated() {
    let app = App::start().await;
    let person = is_accepted(&app, &random(128)).await;
    for length in [64, 72, 127] {
        let shorter = json!({"email": person.email, "password": random(length)});
        let answer = app.client.post("/v1/sessions", &shorter).await;
        answer.problem(401, "invalid_credentials");
    }
}

#[tokio::test]
async fn the_length_of_a_password_is_counted_in_characters() {
    let app = App::start().await;
    is_refused(&app, "żółwikęśćńąłż").await;
    is_accepted(&app, &"żurawie lecą nad zieloną łąką ".repeat(4)).await;
}

#[tokio::test]
async fn easily_guessed_passwords_are_refused_with_the_reason() {
    let app = App::start().await;
    for password in [
        "Password1!Password1!",
        "passwordpassword",
        "aaaaaaaaaaaaaaaaaaaa",
        "123456789012345678",
        "qwertyuiopasdfgh",
        "tidemarktidemark",
        "iloveyouiloveyou",
        "1q2w3e4r5t6y7u8i",
    ] {
        let reason = is_refused(&app, password).await;
        assert!(reason.contains("easily guessed"), "{password}: {reason}");
    }
}

#[tokio::test]
async fn passwords_made_of_the_users_name_or_email_are_refused() {
    let app = App::start().await;
    let about = |password: &str| {
        json!({
            "email": "wilhelmina.ostrander-featherstone@tidemark.example",
            "password": password,
            "display_name": "Wilhelmina Ostrander-Featherstone",
        })
    };
    for password in [
        "wilhelmina.ostrander-featherstone",
        "Wilhelmina Ostrander-Featherstone",
        "wilhelmina.ostrander-featherstone@tidemark.example",
        "!wilhelmina.ostrander-featherstone",
        "enotsrehtaef-rednartso.animlehliw",
        "wilhelminaostranderfeatherstone1",
    ] {
        let answer = app.client.post("/v1/users", &about(password)).await;
        answer.problem(422, "invalid");
        assert_eq!(answer.pointers(), ["/password"]);
    }
}

#[tokio::test]
async fn spaces_emoji_and_both_unicode_forms_of_a_password_are_accepted() {
    let app = App::start().await;
    is_accepted(&app, "  nine lamps  on a quay  ").await;
    is_accepted(&app, "🦀 walks sideways 🌊 by night").await;
    let composed = "caf\u{e9} cr\u{e8}me sur la jet\u{e9}e";
    let decomposed = "cafe\u{301} cre\u{300}me sur la jete\u{301}e";
    for (registered, typed) in [(composed, decomposed), (decomposed, composed)] {
        let person = is_accepted(&app, registered).await;
        let login = json!({"email": person.email, "password": typed});
        app.client.post("/v1/sessions", &login).await.ok();
    }
    // Spaces belong to the password.
    let person = is_accepted(&app, " eleven gulls over the bay").await;
    let login = json!({"email": person.email, "password": person.password.trim()});
    let answer = app.client.post("/v1/sessions", &login).await;
    answer.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn a_password_on_which_the_estimate_overflows_is_answered() {
    let app = App::start().await;
    for pattern in ["20201010", "20101010", "19991010", "11112222"] {
        let (_, answer) = register(&app, &pattern.repeat(8)).await;
        assert!([201, 422].contains(&answer.status), "{pattern}: {answer:?}");
    }
}

/// How long another client waits for two answers, again and again until there are `enough`.
async fn latencies(app: &App, buyer: &User, enough: impl Fn(usize) -> bool) -> Vec<Duration> {
    let mut all = Vec::new();
    while !enough(all.len()) {
        let sent = Instant::now();
        let alive = app.client.command(Method::GET, "/livez").send().await;
        assert!(alive.unwrap().status().is_success());
        let unknown = buyer.bid(Uuid::nil(), 1_000).await;
        unknown.problem(404, "auction_not_found");
        all.push(sent.elapsed());
    }
    all
}

/// The latency that so many percent of all do not exceed.
fn percentile(latencies: &mut [Duration], percent: usize) -> Duration {
    latencies.sort_unstable();
    latencies[latencies.len() * percent / 100]
}

/// Others wait no longer than twice as long as usual and a slice, in the median. Single answers may: if as many passwords
/// are worked on as there are cores, whoever is to go on waits until the operating system takes a core from one of them.
#[tokio::test]
async fn costly_passwords_delay_nobody_else() {
    let app = App::start().await;
    let buyer = app.user().await;
    // Each of these characters may stand for a letter or two, and the estimate tries all combinations.
    let costly = "4@8({[<369&#!1/|0$5+7%2".repeat(3);
    let (mut usual, mut delayed) = (Vec::new(), Vec::new());
    // In turns, since what else the machine has to do changes.
    for _ in 0..8 {
        usual.extend(latencies(&app, &buyer, |count| count == 50).await);
        let answered = Cell::new(false);
        let registrations = async {
            let answers = join_all((0..2).map(|_| register(&app, &costly))).await;
            answered.set(true);
            answers
        };
        let others = latencies(&app, &buyer, |_| answered.get());
        let (answers, others) = tokio::join!(registrations, others);
        for (_, answer) in answers {
            answer.ok();
        }
        delayed.extend(others);
    }
    for (percent, more) in [(50, ONE_SLICE), (95, SOME_SLICES)] {
        let latency_max = 2 * percentile(&mut usual, percent) + more;
        let latency = percentile(&mut delayed, percent);
        assert!(
            latency < latency_max,
            "{percent} %: {latency:?} and not {latency_max:?}"
        );
    }
    let slowest = delayed.last().unwrap();
    assert!(*slowest < DELAY_MAX, "an answer took {slowest:?}");
}

#[tokio::test]
async fn a_password_needs_no_mix_of_character_classes() {
    let app = App::start().await;
    is_accepted(&app, "vqzjxkwbhytmfprldncs").await;
    is_accepted(&app, "VQZJXKWBHYTMFPRLDNCS").await;
    is_accepted(&app, "84710236598417350926").await;
}

#[tokio::test]
async fn of_fifty_registrations_of_one_email_address_at_once_one_succeeds() {
    let app = App::start().await;
    let body = app.person().registration();
    let attempts = (0..50).map(|_| app.client.post("/v1/users", &body));
    let answers = join_all(attempts).await;
    let registered = answers.iter().filter(|a| a.is_ok()).count();
    assert_eq!(registered, 1);
    for answer in answers.iter().filter(|answer| !answer.is_ok()) {
        // The server refuses to hash so many passwords at once before it looks at the address.
        assert!(
            ["email_taken", "overloaded"].contains(&answer.code()),
            "{answer:?}"
        );
    }
    assert_eq!(app.database.head().await, 2);
}

#[tokio::test]
async fn spellings_of_one_email_address_are_one_account() {
    let app = App::start().await;
    let with = |email: &str| -> Value {
        let mut body = app.person().registration();
        body["email"] = email.into();
        body
    };
    let register = async |email: &str| app.client.post("/v1/users", &with(email)).await;
    register("Ottilie@Tidemark.example").await.ok();
    for same in ["ottilie@tidemark.example", "OTTILIE@TIDEMARK.EXAMPLE"] {
        register(same).await.problem(409, "email_taken");
    }
    register("ottilie+tag@tidemark.example").await.ok();
    for wrong in [
        "",
        "ottilie",
        "ottilie@@tidemark.example",
        "ottilie@tidemark@example",
        "ottilie@tidemark.example\r\nbcc: all@tidemark.example",
        &format!("{}@tidemark.example", "o".repeat(240)),
    ] {
        register(wrong).await.problem(422, "invalid");
    }
}
