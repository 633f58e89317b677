//! Routes of sessions: log in, refresh the tokens, log out.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use garde::Validate;
use serde::{Deserialize, Serialize};
use tidemark_domain::identity::credential::Credential;
use tidemark_domain::identity::session;
use tidemark_domain::identity::session::{End, Open, Refresh, Session};
use tidemark_domain::identity::user::User;
use tidemark_domain::{Claim, ClaimScope};
use tidemark_events::identity::session::Event as SessionEvent;
use tidemark_events::identity::user::Role;
use tidemark_events::{CredentialId, Event, KeyedHash, Sealed, SessionId, UserId};
use tidemark_platform::auth;
use tidemark_platform::http::{Json, Path, Problem};
use tidemark_platform::ids::new_id;
use tidemark_platform::tidemark::Token;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App, Location};
use crate::caller::{Caller, NoIdempotencyKey, UnknownCaller};
use crate::error::Error;
use crate::executor::Accepted;
use crate::identity::refresh_token::{new_refresh_token, next_refresh_token, session_of};
use crate::routes::description::RefusalsOf;

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
    /// The e-mail address that the user registered with.
    #[schema(example = "ada@example.com")]
    email: String,
    /// The password of the user.
    #[schema(format = "password")]
    password: String,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct RefreshToken {
    /// The newest refresh token of the session.
    #[schema(
        example = "0199b3a45c7e7d118f0e2b6c9d1e4a77.q7x0nW3vJk1Zc8yTt5oPb2sLr9dGf4hA6mUeXiYwVQE"
    )]
    refresh_token: String,
}

/// The ways to send an access token (RFC 6749, section 7.1).
#[derive(Serialize, ToSchema)]
enum TokenType {
    /// In the header `Authorization: Bearer`.
    Bearer,
}

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
struct Tokens {
    /// The session that the tokens belong to.
    session_id: Uuid,
    /// The user who is logged in.
    user_id: Uuid,
    /// The token to send in the header `Authorization: Bearer`.
    #[schema(
        example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.eyJpc3MiOiJodHRwczovLyJ9.c2lnbmF0dXJl"
    )]
    access_token: String,
    /// How to send the access token.
    token_type: TokenType,
    /// Seconds until the access token expires.
    #[schema(minimum = 1, example = 900)]
    expires_in: i64,
    /// The token to send with the next refresh. It can be used once.
    #[schema(
        example = "0199b3a45c7e7d118f0e2b6c9d1e4a77.q7x0nW3vJk1Zc8yTt5oPb2sLr9dGf4hA6mUeXiYwVQE"
    )]
    refresh_token: String,
}

/// Log in
#[utoipa::path(
    post,
    path = "/v1/sessions",
    operation_id = "log_in",
    tag = "sessions",
    responses((status = 201, body = Tokens), RefusalsOf<Open>)
)]
async fn log_in(
    State(app): State<App>,
    _: NoIdempotencyKey,
    UnknownCaller(caller): UnknownCaller,
    Json(body): Json<Login>,
) -> Result<Response, Problem> {
    let Authenticated {
        user_id,
        email_hash,
        credential_id,
        password_hash,
    } = authenticate(&app, &caller, &body).await?;
    let session_id = SessionId(new_id());
    let refresh_token = new_refresh_token(session_id);
    let auth = &app.config.auth;
    let command = Open {
        session_id,
        user_id,
        email_hash,
        credential_id,
        password_hash,
        token_hash: app.lookup_key.hash("refresh_token", &refresh_token),
        idle_ttl: TimeDelta::seconds(auth.refresh_token_idle_s),
        session_ttl: TimeDelta::seconds(auth.refresh_token_absolute_s),
    };
    let submission = app.submission(&caller, StatusCode::CREATED, session_id.0, command)?;
    let accepted = app.executor.execute(submission).await?;
    let user = user_of(&accepted).ok_or_else(|| Problem::internal("a log-in without an event"))?;
    let tokens = answer_tokens(&app, &accepted, &user, refresh_token)?;
    let location = Location("/v1/sessions/{id}").header(accepted.stream_id);
    Ok((location, tokens).into_response())
}

/// Exchange a refresh token for new tokens
///
/// A refresh token can be used once. For a few seconds the last one that was used gets the same refresh token
/// again, so that a lost answer or a second tab ends no session. If a used one is sent otherwise, somebody else may
/// have a copy, so the session ends.
#[utoipa::path(
    post,
    path = "/v1/sessions/refresh",
    operation_id = "refresh_session",
    tag = "sessions",
    responses((status = 200, body = Tokens), RefusalsOf<Refresh>)
)]
async fn refresh(
    State(app): State<App>,
    _: NoIdempotencyKey,
    UnknownCaller(caller): UnknownCaller,
    Json(body): Json<RefreshToken>,
) -> Result<Response, Problem> {
    let invalid_grant = || Error::Refused(session::Error::InvalidGrant.into());
    let session_id = session_of(&body.refresh_token).ok_or_else(invalid_grant)?;
    let next = next_refresh_token(session_id, &body.refresh_token, &app.lookup_key);
    let command = Refresh {
        session_id,
        presented: app.lookup_key.hash("refresh_token", &body.refresh_token),
        next: app.lookup_key.hash("refresh_token", &next),
        idle_ttl: TimeDelta::seconds(app.config.auth.refresh_token_idle_s),
        grace: TimeDelta::seconds(app.config.auth.refresh_token_grace_s),
    };
    let submission = app.submission(&caller, StatusCode::OK, session_id.0, command)?;
    let accepted = app.executor.execute(submission).await?;
    fail::fail_point!("refreshed");
    if let Some(Event::Session(SessionEvent::Ended { user_id, .. })) = accepted.events.first() {
        tracing::warn!(%session_id, %user_id, "a refresh token was used twice, so its session is ended");
        return Err(invalid_grant().into());
    }
    let user = match user_of(&accepted) {
        Some(user) => user,
        // The same answer was given again before, which is on record.
        None => load_user(&app, session_id)
            .await?
            .ok_or_else(invalid_grant)?,
    };
    answer_tokens(&app, &accepted, &user, next)
}

/// Log out
#[utoipa::path(
    delete,
    path = "/v1/sessions/{id}",
    operation_id = "log_out",
    tag = "sessions",
    params(("id" = Uuid, Path, description = "The session")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<End>)
)]
async fn log_out(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = End {
        session_id: SessionId(id),
    };
    app.change(&caller, id, command).await
}

/// A user whose password was verified, and what that rests on.
struct Authenticated {
    user_id: UserId,
    email_hash: KeyedHash,
    credential_id: CredentialId,
    password_hash: Sealed,
}

/// The user who has this e-mail address and password. All failures look alike and take the same time, so
/// that nobody learns which addresses are registered.
async fn authenticate(app: &App, caller: &Caller, login: &Login) -> Result<Authenticated, Error> {
    let admitted = app.passwords.admit(caller.address)?;
    let found = find(app, app.lookup_key.hash_of_email(&login.email)).await?;
    let hash = match &found {
        Some(user) => {
            let sealed = &user.password_hash;
            app.subject_keys.unseal("password_hash", sealed).await?
        }
        None => None,
    };
    let is_right = app
        .passwords
        .verify(admitted, &login.password, hash)
        .await?;
    found
        .filter(|_| is_right)
        .ok_or_else(|| Error::Refused(session::Error::InvalidCredentials.into()))
}

/// The user with this address. The decision of the command that follows checks that all of it still holds.
async fn find(app: &App, email_hash: KeyedHash) -> Result<Option<Authenticated>, Error> {
    let email = Claim::new(ClaimScope::Email, &email_hash.0);
    let Some(user_id) = app.executor.claim_owner(&email).await? else {
        return Ok(None);
    };
    let user = app.executor.load_stream(user_id).await?;
    let User::Registered { credential_id, .. } = *user.state() else {
        return Ok(None);
    };
    let credential = app.executor.load_stream(credential_id.0).await?;
    Ok(match credential.state() {
        Credential::Password { hash } => Some(Authenticated {
            user_id: UserId(user_id),
            email_hash,
            credential_id,
            password_hash: hash.clone(),
        }),
        Credential::None => None,
    })
}

/// The user whom the access token names, as the decision recorded it; `None` if it recorded nothing.
fn user_of(accepted: &Accepted) -> Option<auth::User> {
    let Event::Session(
        SessionEvent::Opened { user_id, roles, .. }
        | SessionEvent::Refreshed { user_id, roles, .. }
        | SessionEvent::RefreshRepeated { user_id, roles, .. },
    ) = accepted.events.first()?
    else {
        return None;
    };
    Some(named(*user_id, SessionId(accepted.stream_id), roles))
}

/// The user of a session with the present roles; `None` if the session is over.
async fn load_user(app: &App, session_id: SessionId) -> Result<Option<auth::User>, Error> {
    let session = app.executor.load_stream(session_id.0).await?;
    let Session::Open { user_id, .. } = *session.state() else {
        return Ok(None);
    };
    let user = app.executor.load_stream(user_id.0).await?;
    Ok(match user.state() {
        User::Registered { roles, .. } => Some(named(user_id, session_id, roles)),
        User::None => None,
    })
}

fn named(user_id: UserId, session_id: SessionId, roles: &BTreeSet<Role>) -> auth::User {
    auth::User {
        id: user_id.0,
        session_id: session_id.0,
        roles: roles.iter().map(Role::to_string).collect(),
    }
}

/// The tokens that were decided on.
fn answer_tokens(
    app: &App,
    accepted: &Accepted,
    user: &auth::User,
    refresh_token: String,
) -> Result<Response, Problem> {
    let access_token = app
        .issuer
        .issue(app.clock.now(), new_id(), user)
        .map_err(Problem::internal)?;
    let tokens = Tokens {
        session_id: accepted.stream_id,
        user_id: user.id,
        access_token,
        token_type: TokenType::Bearer,
        expires_in: app.config.auth.access_token_ttl_s,
        refresh_token,
    };
    let token = Token {
        timeline: accepted.timeline,
        position: accepted.position,
    };
    Ok((accepted.status, token, Json(tokens)).into_response())
}
