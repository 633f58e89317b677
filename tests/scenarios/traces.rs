//! One trace leads from a request through the log and Kafka to each read model, to what a reactor does about it, and to the
//! effect in which that ends, and a collector that is away delays nothing.

use std::collections::BTreeSet;

use serde_json::json;
use tidemark_tests::collector::ReceivedSpan;
use tidemark_tests::{App, Client, Collector, Deployment, MailServer, Process, eventually};
use tokio::net::TcpListener;

use crate::messaging::mail::reactors_begin;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

#[tokio::test]
async fn one_trace_leads_from_a_request_to_everything_that_follows() {
    let collector = Collector::start().await;
    let deployment = Deployment::start_with(&[
        ("TIDEMARK_TELEMETRY__OTLP_ENDPOINT", &collector.url),
        // Only what the client wants traced.
        ("TIDEMARK_TELEMETRY__TRACED_RATIO", "0"),
    ])
    .await;
    let market = deployment.app.market().await;
    let product = market.listed().await;
    let terms = market.terms(product, json!({})).await;
    let traced = market
        .seller
        .with("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    traced.post("/v1/auctions", &terms).await.ok();

    wait_for_spans(
        &collector,
        &[
            ("tidemark-command-api", "POST /v1/auctions"),
            ("tidemark-command-api", "schedule_auction"),
            ("tidemark-command-api", "append"),
            ("tidemark-command-api", "publish"),
            ("tidemark-projector", "read_model auction"),
            ("tidemark-projector", "read_model history"),
            ("tidemark-projector", "reactor auction-timer"),
            ("tidemark-projector", "send auction-timer open"),
            ("tidemark-command-api", "POST /v1/auctions/{id}/open"),
            ("tidemark-command-api", "open_auction"),
        ],
    )
    .await;
}

/// The mail follows from a message, which a command requests that follows from a registration.
#[tokio::test]
async fn one_trace_leads_to_the_mail_in_which_a_request_ends() {
    let (collector, mut server) = (Collector::start().await, MailServer::start().await);
    let deployment = Deployment::start_with(&[
        ("TIDEMARK_TELEMETRY__OTLP_ENDPOINT", &collector.url),
        ("TIDEMARK_TELEMETRY__TRACED_RATIO", "0"),
        ("TIDEMARK_MAIL__SMTP_HOST", "127.0.0.1"),
        ("TIDEMARK_MAIL__SMTP_PORT", &server.port.to_string()),
        ("TIDEMARK_MAIL__TLS", "none"),
    ])
    .await;
    reactors_begin(&deployment.app).await;
    let traced = deployment
        .app
        .client
        .with("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    let person = deployment.app.person().registration();
    traced.post("/v1/users", &person).await.ok();
    server.received().await;

    wait_for_spans(
        &collector,
        &[
            ("tidemark-command-api", "POST /v1/users"),
            ("tidemark-projector", "reactor notifier"),
            ("tidemark-projector", "send notifier welcome"),
            ("tidemark-projector", "reactor mailer"),
            ("tidemark-projector", "perform mailer mail"),
            ("tidemark-projector", "send mailer mail"),
        ],
    )
    .await;
}

/// Waits until these spans of the trace are there, each of a program, and every span has its parent, which another program may
/// export later.
async fn wait_for_spans(collector: &Collector, expected: &[(&str, &str)]) {
    eventually("all spans of the trace, each with its parent", || async {
        let spans = collector.of_trace(TRACE);
        let is_there = |(program, name): &(&str, &str)| {
            let mut spans = spans.iter();
            spans.any(|span| span.name == *name && span.program.contains(program))
        };
        let is_whole = expected.iter().all(is_there) && each_has_a_parent(&spans);
        is_whole.then_some(())
    })
    .await;
}

fn each_has_a_parent(spans: &[ReceivedSpan]) -> bool {
    let known: BTreeSet<&str> = spans.iter().map(|span| &*span.ids.1).collect();
    let mut parents = spans.iter().map(|span| &*span.ids.2);
    parents.all(|parent| parent == PARENT || known.contains(parent))
}

#[tokio::test]
async fn a_collector_that_does_not_answer_costs_only_spans() {
    let app = App::start().await;
    // Connections are accepted by the kernel, and nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = app.settings.clone();
    let address = silent.local_addr().unwrap();
    for (name, value) in [
        ("OTLP_ENDPOINT", format!("http://{address}")),
        ("TRACED_RATIO", "1".to_owned()),
        ("OTLP_TIMEOUT_MS", "600000".to_owned()),
        ("SPANS_QUEUE_MAX", "2".to_owned()),
    ] {
        settings.set(&format!("TIDEMARK_TELEMETRY__{name}"), value);
    }
    let process = Process::command_api(&settings).await;
    let client = Client::anonymous(&process.url, &process.url);
    eventually("spans to be dropped", || async {
        client.get("/openapi.json").await.ok();
        let metrics = client.get("/metrics").await.ok().text;
        let dropped = "tidemark_spans_total{outcome=\"dropped\"}";
        metrics.contains(dropped).then_some(())
    })
    .await;
    assert!(process.terminate().await.success());
}
