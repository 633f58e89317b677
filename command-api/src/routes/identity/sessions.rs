//! Sessions: log in, refresh, log out.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use garde::Validate;
use rand::Rng;
use serde::{Deserialize, Serialize};
use tidemark_domain::identity::credential::Credential;
use tidemark_domain::identity::session::{End, Open, Refresh};
use tidemark_domain::identity::user::User;
use tidemark_domain::{Claim, ClaimScope};
use tidemark_events::identity::session::{EndReason, Event as SessionEvent};
use tidemark_events::identity::user::Role;
use tidemark_events::{Event, SessionId, UserId};
use tidemark_platform::auth;
use tidemark_platform::http::{Json, Path, Problem};
use tidemark_platform::ids::new_id;
use tidemark_platform::token::Token;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::users::normalised_email;
use crate::app::{AcceptedBody, App};
use crate::caller::Caller;
use crate::error::Error;
use crate::executor::Accepted;

const TOKEN_BYTES: usize = 32;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(log_in))
        .routes(routes!(refresh))
        .routes(routes!(log_out))
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct Login {
    /// The address registered with.
    email: String,
    /// The password registered with.
    #[schema(format = "password")]
    password: String,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct RefreshToken {
    /// The newest refresh token of the session.
    refresh_token: String,
}

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
struct Tokens {
    /// The session.
    session_id: Uuid,
    /// The user.
    user_id: Uuid,
    /// For `Authorization: Bearer`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds until the access token expires.
    expires_in: i64,
    /// For the next refresh; good once.
    refresh_token: String,
}

/// Log in
#[utoipa::path(
    post,
    path = "/v1/sessions",
    tag = "sessions",
    responses((status = 201, body = Tokens), Problem)
)]
async fn log_in(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Login>,
) -> Result<Response, Problem> {
    caller.refuse_key()?;
    let user_id = authenticate(&app, &body).await?;
    let session_id = SessionId(new_id());
    let refresh_token = new_token(session_id);
    let auth = &app.config.auth;
    let command = Open {
        session_id,
        user_id,
        token_hash: app.lookup_key.hash("refresh_token", &refresh_token),
        idle_ttl: TimeDelta::seconds(auth.refresh_token_idle_s),
        session_ttl: TimeDelta::seconds(auth.refresh_token_absolute_s),
    };
    let submission = app.submission(&caller, &(), StatusCode::CREATED, session_id.0, command)?;
    let accepted = app.executor.execute(submission).await?;
    tokens(&app, &accepted, user_id, refresh_token).await
}

/// Exchange a refresh token for new tokens
///
/// A refresh token is good once. If a spent one comes back, somebody has a copy: the session ends.
#[utoipa::path(
    post,
    path = "/v1/sessions/refresh",
    tag = "sessions",
    responses((status = 200, body = Tokens), Problem)
)]
async fn refresh(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<RefreshToken>,
) -> Result<Response, Problem> {
    caller.refuse_key()?;
    let invalid = || Error::Refused(tidemark_domain::identity::session::Error::InvalidGrant.into());
    let session_id = session_of(&body.refresh_token).ok_or_else(invalid)?;
    let next = new_token(session_id);
    let command = Refresh {
        session_id,
        presented: app.lookup_key.hash("refresh_token", &body.refresh_token),
        next: app.lookup_key.hash("refresh_token", &next),
        idle_ttl: TimeDelta::seconds(app.config.auth.refresh_token_idle_s),
    };
    let submission = app.submission(&caller, &(), StatusCode::OK, session_id.0, command)?;
    let accepted = app.executor.execute(submission).await?;
    fail::fail_point!("refresh_unanswered");
    match accepted.events.first() {
        Some(Event::Session(SessionEvent::Refreshed { user_id, .. })) => {
            tokens(&app, &accepted, *user_id, next).await
        }
        Some(Event::Session(SessionEvent::Ended {
            user_id,
            reason: EndReason::TokenReused,
            ..
        })) => {
            tracing::warn!(%session_id, %user_id, "a spent refresh token came back");
            Err(invalid().into())
        }
        _ => Err(invalid().into()),
    }
}

/// Log out
#[utoipa::path(
    delete,
    path = "/v1/sessions/{id}",
    tag = "sessions",
    params(("id" = Uuid, Path, description = "The session")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), Problem)
)]
async fn log_out(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = End {
        session_id: SessionId(id),
    };
    app.change(&caller, &(), id, command).await
}

/// Whose e-mail address and password these are. All failures look and take the same.
async fn authenticate(app: &App, login: &Login) -> Result<UserId, Error> {
    let email = app
        .lookup_key
        .hash("email", &normalised_email(&login.email));
    let owner = app
        .executor
        .owner(&Claim::new(ClaimScope::Email, &email.0))
        .await?;
    let hash = match owner {
        Some(user_id) => password_hash(app, user_id).await?,
        None => None,
    };
    let belongs = app.passwords.verify(&login.password, hash).await?;
    owner
        .filter(|_| belongs)
        .map(UserId)
        .ok_or(Error::InvalidCredentials)
}

async fn password_hash(app: &App, user_id: Uuid) -> Result<Option<String>, Error> {
    let user = app.executor.load(user_id).await?;
    let User::Registered { credential_id, .. } = user.state() else {
        return Ok(None);
    };
    let credential = app.executor.load(credential_id.0).await?;
    match credential.state() {
        Credential::Password { hash } => Ok(app.keys.unseal("password_hash", hash).await?),
        Credential::None => Ok(None),
    }
}

async fn tokens(
    app: &App,
    accepted: &Accepted,
    user_id: UserId,
    refresh_token: String,
) -> Result<Response, Problem> {
    let loaded = app.executor.load(user_id.0).await?;
    let roles = match loaded.state() {
        User::Registered { roles, .. } => roles.iter().map(Role::to_string).collect(),
        User::None => Vec::new(),
    };
    let user = auth::User {
        id: user_id.0,
        session_id: accepted.stream_id,
        roles,
    };
    let access_token = app
        .issuer
        .issue(app.clock.now(), new_id(), &user)
        .map_err(Problem::internal)?;
    let tokens = Tokens {
        session_id: accepted.stream_id,
        user_id: user_id.0,
        access_token,
        token_type: "Bearer",
        expires_in: app.config.auth.access_token_ttl_s,
        refresh_token,
    };
    let token = Token {
        timeline: accepted.timeline,
        position: accepted.position,
    };
    Ok((accepted.status, token, Json(tokens)).into_response())
}

/// The session's id and 256 random bits: the id finds the session, the bits prove it.
#[expect(
    clippy::disallowed_methods,
    reason = "refresh tokens are drawn here and nowhere else"
)]
fn new_token(session_id: SessionId) -> String {
    let mut secret = [0; TOKEN_BYTES];
    rand::rng().fill_bytes(&mut secret);
    format!(
        "{}.{}",
        session_id.0.simple(),
        URL_SAFE_NO_PAD.encode(secret)
    )
}

fn session_of(token: &str) -> Option<SessionId> {
    let (session_id, _) = token.split_once('.')?;
    Uuid::try_parse(session_id).ok().map(SessionId)
}
