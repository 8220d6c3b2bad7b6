//! git's smart HTTP for the source of an attempt: `info/refs?service=git-upload-pack` and `git-upload-pack`, nothing else.
//!
//! git prints plain text that comes with a refusal, so all that is wrong is said as such.

use super::callers::SourceCaller;
use crate::app::App;
use crate::builds::source;
use crate::error::{Error, ForgeError, Result};
use crate::forge::git::{Answer, Question, UPLOAD_PACK};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Bytes, Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{Stream, StreamExt as _, stream};
use std::collections::HashMap;
use std::io;
use tokio::sync::mpsc;

/// What pushes.
const RECEIVE_PACK: &str = "git-receive-pack";
/// What git wants and has, of a mirror with few commits.
const QUESTION_BYTES: usize = 16 << 20;
/// Pieces of a question that wait for a slow forge.
const PIECES: usize = 4;

/// The refs, and what the forge's git can do.
pub async fn refs(
    caller: Result<SourceCaller>,
    query: Query<HashMap<String, String>>,
    request: HttpRequest,
    app: Data<App>,
) -> HttpResponse {
    let answer = async {
        let caller = caller?;
        match query.get("service").map(String::as_str) {
            Some(UPLOAD_PACK) if query.len() == 1 => {}
            Some(RECEIVE_PACK) => return Err(read_only()),
            _ => return Err(smart_only()),
        }
        source::refs(&app.into_inner(), &caller.attempt, &question(request.headers())).await
    };
    draw(answer.await, "application/x-git-upload-pack-advertisement")
}

/// The objects that git asks for.
pub async fn pack(
    caller: Result<SourceCaller>,
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> HttpResponse {
    let answer = async {
        let attempt = caller?.attempt;
        let question = question(request.headers());
        source::pack(&app.into_inner(), &attempt, &question, passed_on(payload)).await
    };
    draw(answer.await, "application/x-git-upload-pack-result")
}

/// The files of the dumb protocol, pushing, and whatever else there is not.
pub async fn refuse(caller: Result<SourceCaller>, request: HttpRequest) -> HttpResponse {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let why = if reads && !request.path().ends_with(RECEIVE_PACK) { smart_only() } else { read_only() };
    draw(caller.and_then(|_| Err(why)), "")
}

fn read_only() -> Error {
    Error::Forbidden("sources are read only here, by git's smart protocol: nothing is pushed to them".into())
}

fn smart_only() -> Error {
    Error::Forbidden("sources are read by git's smart protocol only: `info/refs` and `git-upload-pack`".into())
}

fn question(headers: &HeaderMap) -> Question {
    let text = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        (value.len() <= 200).then(|| value.to_owned())
    };
    Question {
        protocol: text("git-protocol"),
        agent: text("user-agent"),
        encoding: text("content-encoding"),
        length: text("content-length").and_then(|length| length.parse().ok()),
    }
}

/// The body as it comes: a request belongs to its thread, and a few pieces of it travel to where the forge is asked.
fn passed_on(mut payload: Payload) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static {
    let (sender, receiver) = mpsc::channel(PIECES);
    actix_web::rt::spawn(async move {
        let mut left = QUESTION_BYTES;
        while let Some(piece) = payload.next().await {
            let piece = piece.map_err(io::Error::other).and_then(|piece| {
                left = left.checked_sub(piece.len()).ok_or_else(|| io::Error::other("the question is too long"))?;
                Ok(piece)
            });
            let is_last = piece.is_err();
            if sender.send(piece).await.is_err() || is_last {
                break;
            }
        }
    });
    stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|piece| (piece, receiver)) })
}

fn draw(answer: Result<Answer>, kind: &str) -> HttpResponse {
    match answer {
        Ok(Answer::Good { encoding, body }) => HttpResponse::Ok()
            .content_type(kind)
            .insert_header((header::CACHE_CONTROL, "no-store"))
            // Packs are compressed, and git's answers are not to be touched.
            .insert_header((header::CONTENT_ENCODING, encoding.unwrap_or_else(|| "identity".to_owned())))
            .streaming(body),
        Ok(Answer::Refusal { status, words }) => refusal(StatusCode::from_u16(status).unwrap_or_default(), words),
        Err(error) => {
            if error.status() >= 500 {
                tracing::warn!("passing a source on: {}", error.for_log());
            }
            let status = match &error {
                // Only what passes is tried again.
                Error::Forge(ForgeError::Unreachable(_)) => StatusCode::BAD_GATEWAY,
                Error::Forge(ForgeError::RateLimited(_)) => StatusCode::TOO_MANY_REQUESTS,
                Error::Forge(_) => StatusCode::FORBIDDEN,
                other => StatusCode::from_u16(other.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            };
            let mut response = refusal(status, error.to_string());
            if let Some(secs) = error.retry_after_secs() {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
            }
            response
        }
    }
}

fn refusal(status: StatusCode, words: String) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"slipway\", charset=\"UTF-8\""));
    }
    response.insert_header((header::CACHE_CONTROL, "no-store")).content_type("text/plain; charset=utf-8").body(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use actix_web::{FromRequest as _, dev};

    #[test]
    fn refusals_of_a_source_say_when_to_try_again() {
        let drawn = |error| draw(Err(error), "");
        for (error, status) in [
            (Error::TooManyRequests { retry_after_secs: 7 }, 429),
            (ForgeError::RateLimited(7).into(), 429),
            (Error::Busy { retry_after_secs: 7 }, 503),
        ] {
            let response = drawn(error);
            let after = response.headers().get(header::RETRY_AFTER).map(HeaderValue::as_bytes);
            assert_eq!((response.status().as_u16(), after), (status, Some(&b"7"[..])));
        }
        assert!(!drawn(read_only()).headers().contains_key(header::RETRY_AFTER));
    }

    /// How much of a body of so many mebibytes is passed on, and whether it looks whole.
    async fn passed(mebibytes: usize) -> (usize, bool) {
        let pieces = (0..mebibytes).map(|_| Ok(Bytes::from(vec![0; 1 << 20])));
        let mut body: dev::Payload = dev::Payload::Stream { payload: Box::pin(stream::iter(pieces)) };
        let payload = Payload::from_request(&TestRequest::default().to_http_request(), &mut body).await.unwrap();
        let pieces: Vec<_> = passed_on(payload).collect().await;
        (pieces.iter().flatten().map(Bytes::len).sum(), pieces.iter().all(io::Result::is_ok))
    }

    #[actix_web::test]
    async fn a_question_that_is_too_long_breaks_off() {
        assert_eq!(passed(16).await, (QUESTION_BYTES, true));
        assert_eq!(passed(40).await, (QUESTION_BYTES, false));
    }
}
