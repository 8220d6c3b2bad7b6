//! `/login/oauth/access_token`: a code becomes a token. Also how an app gives tokens back.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, Data, Json, Path},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::{CODE_LIFETIME, Code};
use crate::{
    access,
    api::error::{ApiError, not_found},
    app::{App, lock},
    config::random_hex,
    model::Token,
};

const HELP: &str =
    "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Exchange {
    client_id: String,
    client_secret: String,
    code: String,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
}

/// Errors come with status 200, as GitHub sends them.
pub(crate) async fn exchange(app: Data<App>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut input: Exchange = if header("content-type").contains("json") {
        serde_json::from_slice(&body).unwrap_or_default()
    } else if body.is_empty() {
        serde_urlencoded::from_str(request.query_string()).unwrap_or_default()
    } else {
        serde_urlencoded::from_bytes(&body).unwrap_or_default()
    };
    if let Some((id, secret)) = header("authorization").strip_prefix("Basic ").and_then(access::basic) {
        input.client_id = id;
        input.client_secret = secret;
    }
    let answer = redeem(&app, &input).unwrap_or_else(
        |(error, description)| json!({ "error": error, "error_description": description, "error_uri": HELP }),
    );
    if header("accept").contains("json") {
        return HttpResponse::Ok().json(answer);
    }
    let form = serde_urlencoded::to_string(answer.as_object()).unwrap_or_default();
    HttpResponse::Ok().content_type("application/x-www-form-urlencoded; charset=utf-8").body(form)
}

fn redeem(app: &App, input: &Exchange) -> Result<Value, (&'static str, &'static str)> {
    let known =
        app.read(|state| state.app(&input.client_id).is_some_and(|app| app.client_secret == input.client_secret));
    if !known {
        let text = "The client_id and/or client_secret passed are incorrect.";
        return Err(("incorrect_client_credentials", text));
    }
    // The code is taken out first: it works once, and a failed try spends it too.
    let code = take(app, &input.code, &input.client_id);
    let bad_code = ("bad_verification_code", "The code passed is incorrect or expired.");
    let code = code.filter(|code| code.issued.elapsed() < CODE_LIFETIME).ok_or(bad_code)?;
    let same = |uri: &String| Url::parse(uri).is_ok_and(|uri| uri.as_str() == code.redirect_uri);
    if input.redirect_uri.as_ref().is_some_and(|uri| !same(uri)) {
        let text = "The redirect_uri MUST match the registered callback URL for this application.";
        return Err(("redirect_uri_mismatch", text));
    }
    if let Some(challenge) = &code.challenge {
        let proof = input.code_verifier.as_deref().unwrap_or_default();
        if BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(proof.as_bytes())) != *challenge {
            return Err(bad_code);
        }
    }
    let token = issue(app, code.person, &code.client_id, code.scopes);
    Ok(json!({ "access_token": token.value, "token_type": "bearer", "scope": token.scopes.join(",") }))
}

fn take(app: &App, value: &str, client_id: &str) -> Option<Code> {
    let mut codes = lock(&app.codes);
    let at = codes.iter().position(|code| code.value == value && code.client_id == client_id)?;
    Some(codes.remove(at))
}

pub(crate) fn issue(app: &App, person: u64, client_id: &str, scopes: Vec<String>) -> Token {
    let value = format!("gho_{}", random_hex(18));
    let token = Token { value, person, client_id: client_id.to_owned(), scopes };
    app.change(|state| state.tokens.push(token.clone()));
    token
}

#[derive(Debug, Deserialize)]
pub(crate) struct Returned {
    access_token: String,
}

/// `DELETE /applications/{client_id}/{token|grant}`: the app gives up a token, or all of a person.
pub(crate) async fn give_back(
    app: Data<App>,
    path: Path<(String, String)>,
    request: HttpRequest,
    body: Json<Returned>,
) -> Result<HttpResponse, ApiError> {
    let (client_id, what) = path.into_inner();
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let credentials = header.and_then(|header| header.strip_prefix("Basic ")).and_then(access::basic);
    let gone = app.change(|state| {
        let known = state.app(&client_id).map(|app| (app.client_id.clone(), app.client_secret.clone()));
        if known.is_none() || known != credentials {
            return None;
        }
        let is_it = |token: &Token| token.value == body.access_token && token.client_id == client_id;
        let person = state.tokens.iter().find(|token| is_it(token))?.person;
        if what == "grant" {
            state.revoke(person, Some(&client_id));
        }
        state.tokens.retain(|token| !is_it(token));
        Some(())
    });
    gone.map(|()| HttpResponse::NoContent().finish()).ok_or_else(not_found)
}
