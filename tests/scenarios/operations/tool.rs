//! What the operators' tool says, to people and to programs.

use std::process::Output;

use serde_json::Value;
use tidemark_tests::{App, Process, Settings};
use uuid::Uuid;

async fn tool(settings: &Settings, arguments: &str) -> Output {
    let arguments: Vec<_> = arguments.split(' ').collect();
    Process::operators_tool(settings, &arguments).await
}

/// Nothing listens on port 1.
#[tokio::test]
async fn a_database_that_cannot_be_reached_is_named_with_its_variable_and_the_cause() {
    let app = App::start().await;
    for (variable, arguments) in [
        ("TIDEMARK_DATABASE__PROJECT_URL", "status"),
        ("TIDEMARK_DATABASE__PROJECT_URL", "parked list"),
        ("TIDEMARK_DATABASE__OWNER_URL", "check"),
        ("TIDEMARK_DATABASE__OWNER_URL", "migrate"),
    ] {
        let mut settings = app.settings.clone();
        settings.set(variable, "postgres://somebody@127.0.0.1:1/tidemark");
        let failed = tool(&settings, arguments).await;
        assert_eq!(failed.status.code(), Some(1), "{failed:?}");
        let error = String::from_utf8_lossy(&failed.stderr);
        let expected =
            format!("cannot connect to PostgreSQL at 127.0.0.1:1, which {variable} names: ");
        assert!(error.contains(&expected), "{error}");
        assert!(error.contains("Connection refused"), "{error}");
    }
}

#[tokio::test]
async fn an_empty_list_says_so_where_no_program_reads_it() {
    let app = App::start().await;
    for (list, text) in [
        ("parked list", "No row is parked.\n"),
        ("actions list", "No action was given up.\n"),
    ] {
        let listed = tool(&app.settings, list).await;
        assert!(listed.status.success(), "{listed:?}");
        assert_eq!(String::from_utf8_lossy(&listed.stdout), "");
        assert_eq!(String::from_utf8_lossy(&listed.stderr), text);
    }
}

#[tokio::test]
async fn a_read_model_that_does_not_exist_is_refused_with_those_that_do() {
    let app = App::start().await;
    let shown = tool(&app.settings, &format!("parked show nope {}", Uuid::nil())).await;
    assert_eq!(shown.status.code(), Some(1), "{shown:?}");
    let error = String::from_utf8_lossy(&shown.stderr);
    assert!(error.contains("there is no read model `nope`"), "{error}");
    assert!(error.contains("auction"), "{error}");
}

#[tokio::test]
async fn a_dry_run_prints_lines_of_json_and_in_the_last_what_was_found() {
    let app = App::builder().projector().start().await;
    app.category(None).await;
    app.settle().await;
    let settings = app.settings.as_service("operator");
    let run = tool(&settings, "rebuild category --dry-run --reason exercise").await;
    assert!(run.status.success(), "{run:?}");
    let printed = String::from_utf8(run.stdout).unwrap();
    let lines = printed.lines().map(serde_json::from_str::<Value>);
    let lines: Vec<_> = lines.collect::<Result<_, _>>().unwrap();
    let (last, others) = lines.split_last().unwrap();
    assert!(others.iter().all(|it| it["outcome"].is_null()), "{printed}");
    assert_eq!(
        last["outcome"],
        "Generation 2 of `category` is dropped. Rows that were compared: 1, all the same."
    );
    assert_eq!(last["comparison"]["different_rows"], 0, "{printed}");
}
