//! Routes of users: registration, the first admin, and roles.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use secrecy::ExposeSecret;
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tidemark_domain::Command;
use tidemark_domain::identity::user::{CreateFirstAdmin, GrantRole, Register, RevokeRole};
use tidemark_event_store::SubjectKeyUse;
use tidemark_events::identity::user::{DisplayName, Role};
use tidemark_events::{CredentialId, EmailAddress, UserId};
use tidemark_platform::http::{Faults, Json, Path, Problem, Stated};
use tidemark_platform::ids::new_id;
use tidemark_platform::openapi::responses;
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App, Location};
use crate::caller::{Caller, UnknownCaller};
use crate::error::Error;
use crate::identity::passwords::has_allowed_length;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(create_first_admin))
        .routes(routes!(grant_role))
        .routes(routes!(revoke_role))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewUser {
    /// The e-mail address. No two users may have addresses that differ only in the case of letters. It is
    /// stored encrypted.
    #[schema(value_type = String, format = "email", max_length = 254)]
    email: EmailAddress,
    /// The password: 15 to 128 characters of any kind, not easily guessed.
    #[schema(format = "password", min_length = 15, max_length = 128)]
    #[garde(custom(has_allowed_length))]
    password: String,
    /// The name that other people read: one line of 1 to 100 characters. It is stored encrypted.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "Ada Lovelace")]
    display_name: DisplayName,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct FirstAdmin {
    /// The e-mail address, as in any registration.
    #[schema(value_type = String, format = "email", max_length = 254)]
    email: EmailAddress,
    /// The password, as in any registration.
    #[schema(format = "password", min_length = 15, max_length = 128)]
    #[garde(custom(has_allowed_length))]
    password: String,
    /// The display name, as in any registration.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "Ada Lovelace")]
    display_name: DisplayName,
    /// The bootstrap secret of the configuration.
    #[schema(example = "9f2c7e41d06b8a35")]
    secret: String,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct RoleToGrant {
    /// The role to grant.
    role: Role,
}

/// Where users see themselves. There is no path at which others could see them.
const PROFILE: Location = Location("/v1/me");

/// Register a user
#[utoipa::path(
    post,
    path = "/v1/users",
    operation_id = "register",
    tag = "users",
    request_body = NewUser,
    responses((status = 201, body = AcceptedBody), RefusalsOf<Register>, Erased)
)]
async fn register(
    State(app): State<App>,
    UnknownCaller(caller): UnknownCaller,
    Stated { body, faults }: Stated<NewUser>,
) -> Result<Response, Problem> {
    if !faults.is_none() {
        return Err(with_password(&app, &caller, &body, faults).await);
    }
    let (command, subject_key) = registration(&app, &caller, &body).await?;
    let id = command.user_id.0;
    let mut submission = app.submission(&caller, StatusCode::CREATED, id, command)?;
    submission.subject_keys.push(subject_key);
    app.answer_created(submission, PROFILE).await
}

/// Register the first admin
///
/// This is possible once. Only services may do this, and only with the bootstrap secret.
#[utoipa::path(
    post,
    path = "/v1/admins",
    operation_id = "create_first_admin",
    tag = "services",
    security(("service" = [])),
    request_body = FirstAdmin,
    responses((status = 201, body = AcceptedBody), FirstAdminProblems)
)]
async fn create_first_admin(
    State(app): State<App>,
    caller: Caller,
    Stated { body, faults }: Stated<FirstAdmin>,
) -> Result<Response, Problem> {
    let user = NewUser {
        email: body.email,
        password: body.password,
        display_name: body.display_name,
    };
    if !faults.is_none() {
        return Err(with_password(&app, &caller, &user, faults).await);
    }
    let secret = app.config.bootstrap_secret.expose_secret();
    let is_right = bool::from(secret.as_bytes().ct_eq(body.secret.as_bytes()));
    if secret.is_empty() || !is_right {
        return Err(wrong_secret());
    }
    let (register, subject_key) = registration(&app, &caller, &user).await?;
    let id = register.user_id.0;
    let command = CreateFirstAdmin(register);
    let mut submission = app.submission(&caller, StatusCode::CREATED, id, command)?;
    submission.subject_keys.push(subject_key);
    app.answer_created(submission, PROFILE).await
}

fn wrong_secret() -> Problem {
    Problem::forbidden(
        "wrong_bootstrap_secret",
        "The secret is not the bootstrap secret of the configuration.",
    )
    .explained(
        "The secret is not the bootstrap secret of the configuration, or none is configured.",
        "Send the secret of the setting `bootstrap_secret`.",
    )
}

/// The problem of a command that holds personal data.
struct Erased;

impl IntoResponses for Erased {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        responses([Error::SubjectErased])
    }
}

struct FirstAdminProblems;

impl IntoResponses for FirstAdminProblems {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let refusals = CreateFirstAdmin::refusals().into_iter().map(Error::from);
        let others = [wrong_secret(), Error::SubjectErased.into()];
        responses(refusals.map(Problem::from).chain(others))
    }
}

/// What others know of a user, with the normalised address.
fn context<'a>(email: &'a str, user: &'a NewUser) -> [&'a str; 4] {
    let local_part = email.split('@').next().unwrap_or_default();
    [email, local_part, user.display_name.as_str(), "tidemark"]
}

/// The problem of a registration with these faults, and with that of its password, if there is time to find it.
async fn with_password(app: &App, caller: &Caller, user: &NewUser, faults: Faults) -> Problem {
    let Ok(admitted) = app.passwords.admit(caller.address) else {
        return faults.into();
    };
    let email = EmailAddress::normalise(user.email.as_str());
    let context = context(&email, user);
    let judging = app
        .passwords
        .fault_of_new(admitted, &user.password, &context);
    faults.and(judging.await.ok().flatten()).into()
}

/// The command that registers a user, with all personal data sealed under a new key, and that key.
async fn registration(
    app: &App,
    caller: &Caller,
    user: &NewUser,
) -> Result<(Register, SubjectKeyUse), Problem> {
    let admitted = app.passwords.admit(caller.address)?;
    let email = EmailAddress::normalise(user.email.as_str());
    let context = context(&email, user);
    let hashing = app.passwords.hash_new(admitted, &user.password, &context);
    let password_hash = hashing.await?;
    let user_id = UserId(new_id());
    let new_key = app
        .subject_keys
        .create(user_id)
        .map_err(Problem::internal)?;
    let seal = |field, value: &str| new_key.key.seal(field, value).map_err(Problem::internal);
    let register = Register {
        user_id,
        credential_id: CredentialId(new_id()),
        email_hash: app.lookup_key.hash_of_email(&email),
        email: seal("email", user.email.as_str())?,
        display_name: seal("display_name", user.display_name.as_str())?,
        password_hash: seal("password_hash", &password_hash)?,
    };
    let subject_key = SubjectKeyUse {
        subject: user_id.0,
        version: new_key.version,
        wrapped: Some(new_key.wrapped),
    };
    Ok((register, subject_key))
}

/// Grant a role to a user
///
/// Only admins may do this.
#[utoipa::path(
    post,
    path = "/v1/users/{id}/roles",
    operation_id = "grant_role",
    tag = "users",
    params(("id" = Uuid, Path, description = "The user")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<GrantRole>)
)]
async fn grant_role(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<RoleToGrant>,
) -> Result<Response, Problem> {
    let command = GrantRole {
        user_id: UserId(id),
        role: body.role,
    };
    app.change(&caller, id, command).await
}

/// Revoke a role of a user
///
/// Only admins may do this.
#[utoipa::path(
    delete,
    path = "/v1/users/{id}/roles/{role}",
    operation_id = "revoke_role",
    tag = "users",
    params(
        ("id" = Uuid, Path, description = "The user"),
        ("role" = Role, Path, description = "The role")
    ),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<RevokeRole>)
)]
async fn revoke_role(
    State(app): State<App>,
    caller: Caller,
    Path((id, role)): Path<(Uuid, Role)>,
) -> Result<Response, Problem> {
    let command = RevokeRole {
        user_id: UserId(id),
        role,
    };
    app.change(&caller, id, command).await
}
