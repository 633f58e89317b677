//! The catalogue of an API's problems. The `type` of each problem is a path of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn;
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::example::Example;
use utoipa::openapi::{OpenApi, RefOr};
use utoipa::{OpenApi as Describe, ToSchema};

use super::kept::kept;
use super::problems;
use super::problems::Described;
use crate::http::{Json, Path, Problem, tag_content};

#[derive(Describe)]
#[openapi(
    paths(list, find),
    components(schemas(ProblemKind)),
    tags((name = "problems", description = "What the codes of problems mean."))
)]
pub(super) struct Document;

/// A kind of problem.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ProblemKind {
    /// The `type` of such a problem, which is the path of this entry.
    #[schema(example = "/problems/bid_too_low")]
    r#type: String,
    /// The kind in words.
    #[schema(example = "Bid too low")]
    title: String,
    /// The HTTP status.
    #[schema(example = 409, minimum = 400, maximum = 599)]
    status: u64,
    /// The name that programs compare.
    #[schema(example = "bid_too_low")]
    code: String,
    /// What it means, whatever the occurrence.
    #[schema(example = "The bid is lower than the lowest amount that the auction accepts next.")]
    meaning: String,
    /// What a client can do.
    #[schema(example = "Bid at least `minimum`, or give up.")]
    what_to_do: String,
    /// An example of such a problem. Each occurrence has a `detail` of its own.
    #[schema(value_type = super::super::http::ProblemDocument)]
    example: Value,
}

type Catalogue = Arc<BTreeMap<String, ProblemKind>>;

/// The routes of the catalogue of the problems that `api` describes.
pub(super) fn router(api: &OpenApi) -> Router {
    let described = api.components.iter().flat_map(|all| &all.examples);
    let described = described.filter_map(|(_, example)| match example {
        RefOr::T(example) => Some(example.clone()),
        RefOr::Ref(_) => None,
    });
    let others = problems::OF_NO_OPERATION.iter().map(Described::of_kind);
    let kinds = described.chain(others.map(|it| it.example));
    let catalogue: Catalogue = Arc::new(kinds.filter_map(|it| entry(&it)).collect());
    let routes = Router::new()
        .route("/problems", get(list))
        .route("/problems/{code}", get(find))
        .layer(from_fn(tag_content))
        .with_state(catalogue);
    kept(routes)
}

fn entry(described: &Example) -> Option<(String, ProblemKind)> {
    let (meaning, what_to_do) = problems::explanation(described);
    let example = described.value.clone()?;
    let text = |member: &str| example[member].as_str().unwrap_or_default().to_owned();
    let kind = ProblemKind {
        r#type: text("type"),
        title: text("title"),
        status: example["status"].as_u64().unwrap_or_default(),
        code: text("code"),
        meaning: meaning.to_owned(),
        what_to_do: what_to_do.to_owned(),
        example,
    };
    Some((kind.code.clone(), kind))
}

/// List all kinds of problems
#[utoipa::path(
    get,
    path = "/problems",
    operation_id = "list_problems",
    tag = "problems",
    responses((status = 200, body = Vec<ProblemKind>, description = "All kinds, by their codes."))
)]
async fn list(State(catalogue): State<Catalogue>) -> Json<Vec<ProblemKind>> {
    Json(catalogue.values().cloned().collect())
}

/// Get a kind of problem by its code
#[utoipa::path(
    get,
    path = "/problems/{code}",
    operation_id = "get_problem",
    tag = "problems",
    params(("code" = String, Path, description = "The code", example = "bid_too_low")),
    responses((status = 200, body = ProblemKind), NoSuchProblem)
)]
async fn find(
    State(catalogue): State<Catalogue>,
    Path(code): Path<String>,
) -> Result<Json<ProblemKind>, Problem> {
    let kind = catalogue.get(&code).cloned();
    kind.map(Json).ok_or_else(no_such_problem)
}

fn no_such_problem() -> Problem {
    Problem::not_found("No problem of this API has this code.")
}

struct NoSuchProblem;

impl utoipa::IntoResponses for NoSuchProblem {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        problems::responses([no_such_problem()])
    }
}
