//! The route at which the provider of texts says what became of each, as Twilio documents it: a form, signed with the token of the
//! account. It is made for the provider and not for clients of the API, so that the description that they get does not have it.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha1::Sha1;
use subtle::ConstantTimeEq;
use tidemark_domain::messaging::message::{Bounce, Deliver};
use tidemark_domain::{Command, RefusalKind};
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message::{Status, Via};
use tidemark_events::{ContactPointId, MessageId};
use tidemark_platform::config;
use tidemark_platform::http::{Path, Problem};
use tidemark_platform::ids::new_id;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::forms::{URLENCODED, expect_form};
use crate::app::App;
use crate::caller::{Caller, UnknownCaller};
use crate::error::Error;
use crate::routes::messaging::policy_bounces;

/// The header with the signature.
const SIGNATURE: &str = "x-twilio-signature";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(record))
}

/// Puts on record what became of a text. The URL that is signed has no parameters, and so neither has the route.
#[utoipa::path(
    post,
    path = "/texts/{id}/status",
    operation_id = "record_status_of_text",
    params(
        ("id" = Uuid, Path, description = "The message"),
        ("X-Twilio-Signature" = Option<String>, Header, description = "The signature of the URL and the form")
    ),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 204, description = "It is on record, or need not be"))
)]
async fn record(
    State(app): State<App>,
    UnknownCaller(caller): UnknownCaller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    expect_form(&headers, &[URLENCODED])?;
    let form: BTreeSet<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let signature = headers.get(SIGNATURE).map(|it| it.as_bytes().to_vec());
    if !is_signed(&app.config.sms, id, &form, &signature.unwrap_or_default()) {
        return Ok(StatusCode::FORBIDDEN);
    }
    let form: BTreeMap<String, String> = form.into_iter().collect();
    let said = |name: &str| form.get(name).map_or("", String::as_str);
    let message_id = MessageId(id);
    match said("MessageStatus") {
        "delivered" => {
            put_on_record(&app, &caller, id, Deliver { message_id }).await?;
        }
        "undelivered" | "failed" => {
            let Some(status) = status(said("ErrorCode")) else {
                return Ok(StatusCode::BAD_REQUEST);
            };
            let command = Bounce {
                message_id,
                status: status.clone(),
                via: Via::Callback,
                contact_point_id: ContactPointId(new_id()),
            };
            if put_on_record(&app, &caller, id, command).await? {
                policy_bounces::count(Channel::Sms, &status);
            }
        }
        // It is on its way.
        _ => {}
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Whether this is on record only now. The provider sends each of its calls again until it is answered with success, and gains
/// nothing by being told that this one is on record, or that the log has no such text any more.
async fn put_on_record(
    app: &App,
    caller: &Caller,
    id: Uuid,
    command: impl Command,
) -> Result<bool, Problem> {
    let submission = app.submission(caller, StatusCode::OK, id, command)?;
    match app.executor.execute(submission).await {
        Ok(_) => Ok(true),
        Err(Error::Refused(refusal))
            if matches!(refusal.kind, RefusalKind::Conflict | RefusalKind::NotFound) =>
        {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// The code of the provider, if it is one. Without any nothing says why.
fn status(code: &str) -> Option<Status> {
    let code = if code.is_empty() { "unknown" } else { code };
    Status::try_from(code.to_owned()).ok()
}

/// Whether whoever made the signature knows the token, and made it for this text and this form.
fn is_signed(
    settings: &config::Sms,
    id: Uuid,
    form: &BTreeSet<(String, String)>,
    signature: &[u8],
) -> bool {
    let token = settings.token.expose_secret();
    if token.is_empty() || settings.callback_url.is_empty() {
        return false;
    }
    let base = settings.callback_url.trim_end_matches('/');
    let expected = signature_of(token, &format!("{base}/texts/{id}/status"), form);
    bool::from(expected.as_bytes().ct_eq(signature))
}

/// The signature of a call of this URL with this form: an HMAC of the URL and of all names and values, in their order.
fn signature_of(token: &str, url: &str, form: &BTreeSet<(String, String)>) -> String {
    // HMAC takes a key of any length, so this cannot fail.
    let mac = Hmac::<Sha1>::new_from_slice(token.as_bytes());
    let signature = mac.map(|mut mac| {
        mac.update(url.as_bytes());
        for (name, value) in form {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
        }
        STANDARD.encode(mac.finalize().into_bytes())
    });
    signature.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(form: &[(&str, &str)]) -> String {
        let owned = form
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        signature_of("12345", url, &owned.collect())
    }

    /// The examples by which the official libraries are tested.
    #[test]
    fn calls_are_signed_as_the_provider_does_it() {
        let signed = signature(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
            ("Caller", "+14158675309"),
        ]);
        assert_eq!(signed, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        let with_two_of_a_name = signature(&[
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
        ]);
        assert_eq!(with_two_of_a_name, "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
    }
}
