//! One operation, as it is described beyond what its own route says.

mod answer_headers;

use std::collections::BTreeMap;

use axum::http::Method;
use utoipa::Number;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Components, Content, Object, Ref, RefOr, ResponseBuilder, Schema};

use super::problems::{Described as DescribedProblem, Kind};
use super::{Header, problems, security_schemes};
use crate::http::{PROBLEM_MEDIA_TYPE, Problem};

/// Whether the answers with a status carry a header.
type HasHeader = Box<dyn Fn(&str) -> bool>;

/// An operation whose description is being completed.
pub struct Described<'a> {
    method: &'a Method,
    path: &'a str,
    operation: &'a mut Operation,
    components: &'a mut Components,
    /// The codes that it may answer, by their status.
    codes: BTreeMap<u16, Vec<String>>,
    /// The headers that its answers carry, each with the statuses that have it. They are put there once all answers are known.
    headers: Vec<(Header, HasHeader)>,
}

impl<'a> Described<'a> {
    pub(super) fn new(
        method: &'a Method,
        path: &'a str,
        operation: &'a mut Operation,
        components: &'a mut Components,
    ) -> Self {
        Self {
            method,
            path,
            operation,
            components,
            codes: BTreeMap::new(),
            headers: Vec::new(),
        }
    }

    /// The method of the operation.
    #[must_use]
    pub const fn method(&self) -> &Method {
        self.method
    }

    /// Whether the operation changes something.
    #[must_use]
    pub fn is_command(&self) -> bool {
        self.method != Method::GET
    }

    /// Whether the path names an object.
    #[must_use]
    pub fn has_path_parameter(&self) -> bool {
        self.path.contains('{')
    }

    /// Whether the operation is among those with this tag.
    #[must_use]
    pub fn is_tagged(&self, tag: &str) -> bool {
        let mut tags = self.operation.tags.iter().flatten();
        tags.any(|found| found == tag)
    }

    /// Whether the operation succeeds with a body of this schema.
    #[must_use]
    pub fn answers_schema(&self, is_it: impl Fn(&str) -> bool) -> bool {
        self.contents()
            .filter_map(|(_, content)| schema_of(content))
            .any(is_it)
    }

    /// Whether the operation succeeds with a body of this media type.
    #[must_use]
    pub fn answers_media_type(&self, media_type: &str) -> bool {
        self.contents().any(|(found, _)| found == media_type)
    }

    /// The operation is refused if what it is about is at another version than the client says.
    pub fn takes_condition(&mut self) {
        self.takes(Header::IF_MATCH);
        self.refuses_kinds(&problems::OF_CONDITIONS);
    }

    /// The operation reads this header of a request.
    pub fn takes(&mut self, header: Header) {
        let key = header.name.to_owned();
        let parameter = RefOr::T(header.parameter());
        self.components.parameters.entry(key).or_insert(parameter);
        let reference = Ref::new(format!("#/components/parameters/{}", header.name));
        let parameters = self.operation.parameters.get_or_insert_default();
        parameters.push(RefOr::Ref(reference));
    }

    /// The parameter of this name is an integer of at most `max`, and is `default` if it is left out.
    pub fn bound_parameter(&mut self, name: &str, max: i64, default: i64) {
        if let Some(schema) = self.schema_of_parameter(name) {
            schema.maximum = Some(Number::from(max));
            schema.default = Some(default.into());
        }
    }

    /// The parameter of this name is one of these texts.
    pub fn list_parameter(&mut self, name: &str, values: impl IntoIterator<Item = &'static str>) {
        if let Some(schema) = self.schema_of_parameter(name) {
            schema.enum_values = Some(values.into_iter().map(Into::into).collect());
        }
    }

    fn schema_of_parameter(&mut self, name: &str) -> Option<&mut Object> {
        let mut parameters = self.operation.parameters.iter_mut().flatten();
        parameters.find_map(|parameter| match parameter {
            RefOr::T(Parameter {
                name: found,
                schema: Some(RefOr::T(Schema::Object(schema))),
                ..
            }) if found == name => Some(schema),
            RefOr::T(_) | RefOr::Ref(_) => None,
        })
    }

    /// The operation has an answer without a body besides the one that its route describes.
    fn answers_also(&mut self, status: &str, description: &str) {
        let response = ResponseBuilder::new().description(description).build();
        let responses = &mut self.operation.responses.responses;
        responses.insert(status.to_owned(), response.into());
    }

    /// The operation answers a document with a tag, which is not sent again to a client that has it.
    pub fn answers_document(&mut self) {
        self.takes(Header::IF_NONE_MATCH);
        self.answers_also("304", "The document is the one that the client has.");
        self.answers(Header::ETAG);
    }

    /// The operation answers these problems.
    pub fn refuses(&mut self, problems: impl IntoIterator<Item = impl Into<Problem>>) {
        for problem in problems {
            self.list(DescribedProblem::new(&problem.into()));
        }
    }

    /// The operation reads the credential of a request, if it has one.
    pub fn reads_credentials(&mut self) {
        self.refuses_kinds(&problems::OF_CREDENTIALS);
    }

    /// What the operation's own parameters, body and security say about its problems.
    pub(super) fn describe_request(&mut self) {
        self.refuses_kinds(&problems::OF_EVERY_REQUEST);
        let parameters = self.operation.parameters.iter().flatten();
        let parameters: Vec<_> = parameters.filter_map(inline).cloned().collect();
        let has = |place| parameters.iter().any(|it| it.parameter_in == place);
        if has(ParameterIn::Path) {
            self.refuses_kinds(&problems::OF_PATHS);
        }
        if has(ParameterIn::Query) {
            self.refuses_kinds(&problems::OF_QUERIES);
        }
        if parameters.iter().any(|it| it.name == "cursor") {
            self.refuses_kinds(&problems::OF_CURSORS);
        }
        if self.operation.request_body.is_some() {
            self.refuses_kinds(&problems::OF_BODIES);
        } else {
            self.refuses_kinds(&problems::OF_UNEXPECTED_BODIES);
        }
        if self.is_command() {
            self.refuses_kinds(&problems::OF_COMMANDS);
        } else {
            self.takes_condition();
        }
        self.describe_security();
        self.takes(Header::CORRELATION_ID);
        self.takes(Header::TRACEPARENT);
    }

    /// An operation that names no credential needs none.
    fn describe_security(&mut self) {
        let security = self.operation.security.get_or_insert_with(Vec::new);
        if security.is_empty() {
            security.push(SecurityRequirement::default());
            return;
        }
        for (name, scheme) in security_schemes() {
            if security.contains(&SecurityRequirement::new::<_, [&str; 0], _>(name, [])) {
                self.components.add_security_scheme(name, scheme);
            }
        }
        self.refuses_kinds(&problems::OF_CREDENTIALS);
    }

    /// Puts the problems among the answers, and gives each answer a description and its headers.
    pub(super) fn finish(mut self) {
        self.list_problems_of_route();
        for (status, mut codes) in std::mem::take(&mut self.codes) {
            codes.sort_unstable();
            codes.dedup();
            let listed: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
            let description = format!("A problem with the code {}.", listed.join(" or "));
            let example = |code: String| {
                let reference = Ref::new(format!("#/components/examples/{code}"));
                (code, RefOr::Ref(reference))
            };
            let examples = codes.into_iter().map(example).collect();
            let response = problems::response(description, examples).build();
            let responses = &mut self.operation.responses.responses;
            responses.insert(status.to_string(), response.into());
        }
        self.describe_answers();
        self.answers_always(Header::CORRELATION_ID);
        self.answers_if("401", Header::WWW_AUTHENTICATE);
        self.answers_if("403", Header::WWW_AUTHENTICATE);
        self.answers_if("503", Header::RETRY_AFTER);
        self.list_headers();
    }

    fn refuses_kinds(&mut self, kinds: &[Kind]) {
        for kind in kinds {
            self.list(DescribedProblem::of_kind(kind));
        }
    }

    fn list(&mut self, problem: DescribedProblem) {
        let codes = self.codes.entry(problem.status).or_default();
        codes.push(problem.code.clone());
        let example = RefOr::T(problem.example);
        self.components
            .examples
            .entry(problem.code)
            .or_insert(example);
    }

    /// Takes over the problems that the route describes by inline examples.
    fn list_problems_of_route(&mut self) {
        let responses = self.operation.responses.responses.iter();
        let mut found = Vec::new();
        for (status, response) in responses {
            let RefOr::T(response) = response else {
                continue;
            };
            let Some(RefOr::T(content)) = response.content.get(PROBLEM_MEDIA_TYPE) else {
                continue;
            };
            for (code, example) in &content.examples {
                if let RefOr::T(example) = example {
                    found.push((status.parse(), code.clone(), example.clone()));
                }
            }
        }
        for (status, code, example) in found {
            self.list(DescribedProblem {
                code,
                status: status.unwrap_or_default(),
                example,
            });
        }
    }

    /// An answer without a description of its own is described as its schema is.
    fn describe_answers(&mut self) {
        for response in self.operation.responses.responses.values_mut() {
            let RefOr::T(response) = response else {
                continue;
            };
            if !response.description.is_empty() {
                continue;
            }
            let schema = response.content.values().find_map(|content| match content {
                RefOr::T(content) => schema_of(content),
                RefOr::Ref(_) => None,
            });
            let schema = schema.and_then(|name| self.components.schemas.get(name));
            let schema = serde_json::to_value(schema).unwrap_or_default();
            let description = schema["description"].as_str().unwrap_or_default();
            description.clone_into(&mut response.description);
        }
    }

    /// The bodies of the answers that succeed, with their media types.
    fn contents(&self) -> impl Iterator<Item = (&String, &Content)> {
        let responses = self.operation.responses.responses.iter();
        let succeeding = responses.filter(|(status, _)| status.starts_with('2'));
        succeeding
            .filter_map(|(_, response)| match response {
                RefOr::T(response) => Some(&response.content),
                RefOr::Ref(_) => None,
            })
            .flatten()
            .filter_map(|(media_type, content)| match content {
                RefOr::T(content) => Some((media_type, content)),
                RefOr::Ref(_) => None,
            })
    }
}

fn inline(parameter: &RefOr<Parameter>) -> Option<&Parameter> {
    match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    }
}

/// The name of the schema of a body.
fn schema_of(content: &Content) -> Option<&str> {
    match &content.schema {
        Some(RefOr::Ref(reference)) => reference.ref_location.rsplit('/').next(),
        Some(RefOr::T(_)) | None => None,
    }
}
