//! What pages of other origins may send to both APIs, and read of their answers.

use std::collections::BTreeSet;

use reqwest::{Method, Response};
use serde_json::Value;
use tidemark_tests::{App, Client};

use super::description::{apis, names, operations, resolve};

const ORIGIN: &str = "https://gallery.example";

/// Headers that `OpenAPI` does not describe as parameters. The last one makes a request another one, before it comes to an operation.
const OF_HTTP: [&str; 3] = ["authorization", "content-type", "x-http-method-override"];

/// What OPTIONS of an API that speaks tus says of it. The description has no operation for that.
const OF_TUS: [&str; 4] = [
    "tus-version",
    "tus-extension",
    "tus-max-size",
    "tus-checksum-algorithm",
];

/// The names in a header of an answer that is a list.
fn listed(answer: &Response, header: &str) -> BTreeSet<String> {
    let line = answer.headers().get(header).unwrap().to_str().unwrap();
    line.split(',').map(|it| it.trim().to_owned()).collect()
}

/// The headers that an operation takes, or that its answers have, in lower case.
struct Described {
    taken: BTreeSet<String>,
    answered: BTreeSet<String>,
}

/// Those of all operations of both APIs that others than services may use: no page has the secret of a service.
fn described() -> Described {
    let mut described = Described {
        taken: OF_HTTP.map(str::to_owned).into(),
        answered: OF_TUS.map(str::to_owned).into(),
    };
    for (_, api) in apis() {
        for (_, operation) in operations(&api) {
            if names(&operation["tags"]) != ["services"] {
                described.add(&api, operation);
            }
        }
    }
    described
}

impl Described {
    fn add(&mut self, api: &Value, operation: &Value) {
        let in_header = |parameter: &&Value| resolve(api, parameter)["in"] == "header";
        let taken = operation["parameters"].as_array().into_iter().flatten();
        let taken = taken.filter(in_header);
        self.taken.extend(taken.map(|parameter| {
            let name = resolve(api, parameter)["name"].as_str().unwrap();
            name.to_lowercase()
        }));
        for answer in operation["responses"].as_object().unwrap().values() {
            let headers = answer["headers"].as_object().into_iter().flatten();
            let headers = headers.map(|(name, _)| name.to_lowercase());
            self.answered.extend(headers);
        }
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_send_and_read_every_header_that_is_described() {
    let app = App::builder()
        .queries()
        .set("TIDEMARK_HTTP__CORS_ORIGINS", ORIGIN);
    let app = app.start().await;
    let described = described();
    assert!(described.taken.contains("if-range"), "a control");
    assert!(described.answered.contains("content-range"), "a control");
    for (url, path) in [
        (app.command_url(), "/v1/products"),
        (app.query_url(), "/v1/auctions"),
    ] {
        let client = Client::anonymous(url, url).with("origin", ORIGIN);
        let preflight = client
            .with("access-control-request-method", "GET")
            .command(Method::OPTIONS, path);
        let preflight = preflight.send().await.unwrap();
        let allowed = listed(&preflight, "access-control-allow-headers");
        assert_eq!(allowed, described.taken, "{path}");
        let answer = client.query("/openapi.json").send().await.unwrap();
        let exposed = listed(&answer, "access-control-expose-headers");
        assert_eq!(exposed, described.answered, "{path}");
    }
}
