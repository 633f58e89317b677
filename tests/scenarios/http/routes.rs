//! Every route that takes commands, with a request that it accepts. Each context lists its own routes;
//! [`all`] compares them with the `OpenAPI` document.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use tidemark_tests::{Answer, App, Client};
use uuid::Uuid;

use crate::{audit, identity, market, media, messaging, operations, tasks};

/// The largest body that a route takes unless it says otherwise.
const BODY_BYTES_MAX: usize = 65_536;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Anybody,
    /// Users with this role.
    Role(&'static str),
    /// The user that the object belongs to. All others are told that it does not exist.
    Owner,
    /// Everybody who is logged in.
    User,
    /// The service of this name.
    Service(&'static str),
}

/// A route, with a request that it accepts and what is special about its body.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// The path as the `OpenAPI` document has it, such as `/v1/users/{id}/roles`.
    pub(crate) template: &'static str,
    /// The path of the request, with ids of objects that exist.
    pub(crate) path: String,
    /// The body of the request; none for a route that takes none, or a file.
    pub(crate) body: Option<Value>,
    /// What the request says in headers beside what every request does.
    headers: Vec<(&'static str, String)>,
    /// The media type and the bytes of the file that the request sends.
    pub(crate) file: Option<(&'static str, Vec<u8>)>,
    pub(crate) audience: Audience,
    /// A caller who may send the request.
    pub(crate) client: Client,
    pub(crate) body_bytes_max: usize,
    /// JSON pointers to what may be left out of the body.
    pub(crate) optional: &'static [&'static str],
    /// JSON pointers to objects whose keys the client chooses.
    pub(crate) maps: &'static [&'static str],
    /// JSON pointers with values that have the right type and are refused nevertheless.
    pub(crate) out_of_range: Vec<(&'static str, Value)>,
}

impl Route {
    pub(crate) fn post(template: &'static str, audience: Audience, client: &Client) -> Self {
        Self::new(Method::POST, template, audience, client)
    }

    pub(crate) fn delete(template: &'static str, audience: Audience, client: &Client) -> Self {
        Self::new(Method::DELETE, template, audience, client)
    }

    pub(crate) fn new(
        method: Method,
        template: &'static str,
        audience: Audience,
        client: &Client,
    ) -> Self {
        Self {
            method,
            template,
            path: template.to_owned(),
            body: None,
            headers: Vec::new(),
            file: None,
            audience,
            client: client.clone(),
            body_bytes_max: BODY_BYTES_MAX,
            optional: &[],
            maps: &[],
            out_of_range: Vec::new(),
        }
    }

    /// The request is about the object with this id.
    pub(crate) fn about(self, id: Uuid) -> Self {
        let path = self.path.replace("{id}", &id.to_string());
        Self { path, ..self }
    }

    /// The request is about this role of the object.
    pub(crate) fn about_role(self, role: &str) -> Self {
        let path = self.path.replace("{role}", role);
        Self { path, ..self }
    }

    /// The request has this body.
    pub(crate) fn with(self, body: Value) -> Self {
        let body = Some(body);
        Self { body, ..self }
    }

    /// The request has this query string.
    pub(crate) fn query(self, query: &str) -> Self {
        let path = format!("{}?{query}", self.path);
        Self { path, ..self }
    }

    /// The request says this in a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The request sends a file.
    pub(crate) fn sending(self, media_type: &'static str, file: Vec<u8>) -> Self {
        let file = Some((media_type, file));
        Self { file, ..self }
    }

    pub(crate) fn body_bytes_max(self, body_bytes_max: usize) -> Self {
        Self {
            body_bytes_max,
            ..self
        }
    }

    pub(crate) fn optional(self, optional: &'static [&'static str]) -> Self {
        Self { optional, ..self }
    }

    pub(crate) fn maps(self, maps: &'static [&'static str]) -> Self {
        Self { maps, ..self }
    }

    /// Each of these values is refused where the pointer says, with a problem that points there.
    pub(crate) fn out_of_range<const N: usize>(
        mut self,
        pointer: &'static str,
        values: [Value; N],
    ) -> Self {
        self.out_of_range
            .extend(values.map(|value| (pointer, value)));
        self
    }

    /// At the pointer stands a line that people read, of at most so many characters.
    pub(crate) fn line(self, pointer: &'static str, chars_max: usize) -> Self {
        let no_lines = ["", "a\nb", "a\r\nb", "a\tb", "a\u{200b}b", "a\u{ad}b"];
        self.out_of_range(pointer, no_lines.map(Value::from))
            .text(pointer, chars_max)
    }

    /// At the pointer stands a text that people read, of at most so many characters.
    pub(crate) fn text(self, pointer: &'static str, chars_max: usize) -> Self {
        let too_long = "a".repeat(chars_max + 1);
        let unreadable = [
            " ",
            "\u{200b}\u{2060}",
            "\u{301}",
            "\u{301}Vase",
            "\u{200e}\u{fe0f}Vase",
            "\u{200d}Vase",
            "\u{378}",
            "\u{e000}",
            "a\u{7}b",
            "a\u{85}b",
            "a\u{2028}b",
            "a\u{202e}b",
            "a\u{206a}b",
            "a\u{fff9}b",
            "\u{ffff}",
            &too_long,
        ];
        self.out_of_range(pointer, unreadable.map(Value::from))
    }

    /// Sends the request that is accepted.
    pub(crate) async fn send(&self) -> Answer {
        self.send_as(&self.client).await
    }

    /// Sends the same request as another caller.
    pub(crate) async fn send_as(&self, client: &Client) -> Answer {
        let mut request = client.command(self.method.clone(), &self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        match (&self.body, &self.file) {
            (Some(body), _) => Answer::to(request.json(body)).await,
            (None, Some((media_type, file))) => {
                let request = request.header("content-type", *media_type);
                Answer::to(request.body(file.clone())).await
            }
            (None, None) => Answer::to(request).await,
        }
    }

    /// Sends the request with another body, which need not be JSON.
    pub(crate) async fn send_text(&self, text: impl Into<Vec<u8>>) -> Answer {
        let request = self.client.command(self.method.clone(), &self.path);
        let request = request.header("content-type", "application/json");
        Answer::to(request.body(text.into())).await
    }

    /// Whether the answer has a body.
    pub(crate) fn answers_body(&self) -> bool {
        self.template != "/v1/uploads/{id}"
    }

    /// Whether the path names an object.
    pub(crate) fn has_id(&self) -> bool {
        self.template.contains("{id}")
    }

    /// The same request about another object.
    pub(crate) fn about_another(&self, id: &str) -> Self {
        let path = self.template.replace("{id}", id).replace("{role}", "buyer");
        Self {
            path,
            ..self.clone()
        }
    }
}

/// Every route. Fails if the `OpenAPI` document has one that no context lists, or lacks one.
pub(crate) async fn all(app: &App) -> Vec<Route> {
    let mut routes = identity::routes(app).await;
    routes.extend(market::routes(app).await);
    routes.extend(audit::routes(app).await);
    routes.extend(media::routes(app).await);
    routes.extend(messaging::routes(app).await);
    routes.extend(tasks::routes(app).await);
    routes.push(operations::repair(app));
    routes.push(operations::retry(app));
    routes.push(operations::drop_action(app));
    routes.push(operations::rebuild(app));
    routes.push(operations::fork(app));
    routes.extend(operations::publications(app));
    let documented = documented(app).await;
    let listed: BTreeSet<_> = routes
        .iter()
        .map(|route| {
            let method = route.method.as_str().to_lowercase();
            (route.template.to_owned(), method)
        })
        .collect();
    assert_eq!(
        listed, documented,
        "the routes of each context, in `scenarios/<context>/routes.rs`, are those of the API"
    );
    routes
}

/// Every route that takes a body.
pub(crate) async fn with_bodies(app: &App) -> Vec<Route> {
    let mut routes = all(app).await;
    routes.retain(|route| route.body.is_some());
    routes
}

/// The path and the method of every command in the `OpenAPI` document.
pub(crate) async fn documented(app: &App) -> BTreeSet<(String, String)> {
    let mut operations = operations(app).await;
    operations.retain(|(_, method)| method != "get");
    operations
}

/// The path and the method of every operation in the `OpenAPI` document.
pub(crate) async fn operations(app: &App) -> BTreeSet<(String, String)> {
    let request = app.client.command(Method::GET, "/openapi.json");
    let document = Answer::to(request).await.ok().body;
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    let methods = |path: &String, item: &Value| {
        let of_path = item.as_object().unwrap().keys().cloned();
        of_path
            .map(|method| (path.clone(), method))
            .collect::<Vec<_>>()
    };
    paths
        .iter()
        .flat_map(|(path, item)| methods(path, item))
        .collect()
}
