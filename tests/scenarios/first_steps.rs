//! What somebody does who has just started Tidemark: paste the commands of the documents, and look at the demo.

use std::fs;
use std::process::Stdio;

use tidemark_tests::{App, KeptPort, Process, repository};
use tokio::process::Command;

/// The commands of the README's first steps, and then of the guide for clients, in the order in which they are pasted.
fn pasted() -> String {
    let text = |file| fs::read_to_string(repository().join(file)).unwrap();
    let readme = text("README.md");
    let (_, steps) = readme.split_once("## Five minutes with curl").unwrap();
    let (steps, _) = steps.split_once("\n## ").unwrap();
    let steps = steps.to_owned() + &text("docs/clients.md");
    let blocks = steps.split("```sh\n").skip(1);
    blocks.map(|it| it.split("```").next().unwrap()).collect()
}

#[tokio::test]
async fn the_commands_of_the_documents_succeed() {
    let app = App::builder()
        .relay()
        .projector()
        .queries()
        // As `./dev` does.
        .set("TIDEMARK_TASKS__ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
        .start()
        .await;
    let admin = app.admin().await;
    let receiver = KeptPort::any();
    let home = tempfile::tempdir().unwrap();
    let secrets = home.path().join(".dev/secrets");
    fs::create_dir_all(&secrets).unwrap();
    fs::write(secrets.join("admin"), &admin.password).unwrap();
    let changed = [
        ("http://127.0.0.1:7001", app.command_url()),
        (
            "http://127.0.0.1:7002",
            app.settings.get("TIDEMARK_QUERY_API__URL"),
        ),
        (
            "127.0.0.1:9192",
            app.settings.get("TIDEMARK_KAFKA__BROKERS"),
        ),
        (
            "tidemark.auction",
            &format!("{}.auction", app.database.name()),
        ),
        ("admin@tidemark.example", &admin.email),
        // The server that a task calls.
        ("7010", &receiver.number.to_string()),
        // The auction of the documents lasts two minutes.
        ("120 seconds", "10 seconds"),
        ("sleep 120", "sleep 12"),
    ];
    let strict = "set -euo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n";
    let mut script = strict.to_owned() + &pasted();
    for (text, here) in changed {
        assert!(script.contains(text), "no command has {text}");
        script = script.replace(text, here);
    }

    let bash = Command::new("bash")
        .args(["-c", &script])
        .current_dir(home.path())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let printed = String::from_utf8_lossy(&bash.stdout);
    let errors = String::from_utf8_lossy(&bash.stderr);
    assert!(bash.status.success(), "{printed}\n{errors}");
    for seen in [
        r#""bid_count": 3"#,
        r#"["outbid","Field camera",12000]"#,
        r#""succeeded",200]"#,
        "idempotency-replayed: true",
        r#"[5,"auction.bid_placed""#,
        "ce_type=tidemark.auction.bid_placed",
        r#""status": "closed""#,
        r#""code": "invalid""#,
        "304",
        r#""code": "precondition_failed""#,
        "event: state",
        "outbid: Lens, 11000",
        r#"{"category":"won","inbox":true,"mail":true,"sms":false,"digest":false,"required":true}"#,
    ] {
        assert!(printed.contains(seen), "no {seen} in {printed}\n{errors}");
    }
}

#[tokio::test]
async fn the_demo_data_is_loaded_once() {
    let app = App::start_all().await;
    let admin = app.admin().await;
    let urls =
        ["COMMAND_API", "QUERY_API"].map(|it| app.settings.get(&format!("TIDEMARK_{it}__URL")));
    let arguments = [
        "--seed",
        "--command-url",
        urls[0],
        "--query-url",
        urls[1],
        "--admin-email",
        &admin.email,
        "--admin-password",
        &admin.password,
    ];
    let load = async || {
        let demo = Process::run("demo", &app.settings, &arguments).await;
        assert!(demo.status.success(), "{demo:?}");
        app.settle().await;
        let listed = app.client.get("/v1/auctions?status=open").await.ok();
        listed.body["items"].as_array().unwrap().len()
    };
    let first = load().await;
    assert_eq!(first, 6);
    assert_eq!(load().await, first);
}
