//! `Accept-Encoding` that forbids the plain answer. A server may leave that aside (RFC 9110, section 12.5.3), and what can
//! be compressed no further is better had than a 406.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT_ENCODING, HeaderValue};
use actix_web::middleware::Next;

/// Takes `identity;q=0` and `*;q=0` out of what is asked for.
pub(super) async fn middleware<B: MessageBody>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let asked = req.headers().get_all(ACCEPT_ENCODING).map(|line| line.to_str().unwrap_or_default());
    let asked = asked.collect::<Vec<_>>().join(",");
    if let Some(rest) = without_refusals(&asked) {
        req.headers_mut().remove(ACCEPT_ENCODING);
        if let Ok(rest) = HeaderValue::from_str(&rest)
            && !rest.is_empty()
        {
            req.headers_mut().insert(ACCEPT_ENCODING, rest);
        }
    }
    next.call(req).await
}

/// `None` when nothing is refused.
fn without_refusals(asked: &str) -> Option<String> {
    let refuses = |one: &&str| {
        let mut parts = one.split(';').map(str::trim);
        let is_plain = parts.next().is_some_and(|name| name == "*" || name.eq_ignore_ascii_case("identity"));
        let is_zero = |weight: &str| {
            weight.strip_prefix(['q', 'Q']).is_some_and(|weight| {
                weight.trim_start().strip_prefix('=').is_some_and(|q| q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0))
            })
        };
        is_plain && parts.any(is_zero)
    };
    asked.split(',').any(|one| refuses(&one)).then(|| {
        let rest: Vec<&str> = asked.split(',').map(str::trim).filter(|one| !one.is_empty() && !refuses(one)).collect();
        rest.join(", ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_refuses_the_plain_answer_is_left_out() {
        for (asked, rest) in [
            ("", None),
            ("gzip, deflate", None),
            ("gzip;q=0", None),
            ("identity", None),
            ("identity;q=0.5, *;q=0.1", None),
            ("identity;q=0", Some("")),
            ("*;q=0", Some("")),
            ("gzip, Identity ; Q=0.000", Some("gzip")),
            ("gzip;q=0.5,,identity;q=0,*;q=0", Some("gzip;q=0.5")),
        ] {
            assert_eq!(without_refusals(asked).as_deref(), rest, "{asked}");
        }
    }
}
