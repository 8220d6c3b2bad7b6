//! How a reader wants logs: times, wrapping, colours. Links say it (`?ts=1&wrap=0&plain=1`), and a cookie keeps it.

use super::super::views::log::LogOptions;
use crate::app::App;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

/// Scripts of ours write it too, so it is no secret and has one name on all ports.
const COOKIE: &str = "slipway-log";
const KEPT: Duration = Duration::days(365);

#[derive(Default, Deserialize)]
pub struct LogQuery {
    ts: Option<u8>,
    wrap: Option<u8>,
    plain: Option<u8>,
    /// What is looked for in the log.
    #[serde(default)]
    pub q: String,
    /// What the reader looked for before: scripts mark it in the lines.
    #[serde(default)]
    pub find: String,
    /// A line to be on the page, `s9-L41001`, though it is in the middle of a long step.
    #[serde(default)]
    pub from: String,
}

impl LogQuery {
    fn chooses(&self) -> bool {
        self.ts.is_some() || self.wrap.is_some() || self.plain.is_some()
    }
}

/// What the link says; for what it leaves open, what was chosen before.
pub(super) fn of(query: &LogQuery, request: &HttpRequest) -> LogOptions {
    let kept = request.cookie(COOKIE);
    let kept = kept.as_ref().map_or("", |cookie| cookie.value());
    LogOptions {
        times: query.ts.map_or(kept.contains('t'), |ts| ts == 1),
        nowrap: query.wrap.map_or(kept.contains('n'), |wrap| wrap == 0),
        plain: query.plain.map_or(kept.contains('p'), |plain| plain == 1),
    }
}

/// Keeps what was chosen by this link.
pub(super) fn keep(app: &App, query: &LogQuery, options: LogOptions, response: &mut HttpResponse) {
    if !query.chooses() {
        return;
    }
    let letters = [(options.times, 't'), (options.nowrap, 'n'), (options.plain, 'p')];
    let value: String = letters.into_iter().filter_map(|(on, letter)| on.then_some(letter)).collect();
    let cookie = Cookie::build(COOKIE, value).path("/").max_age(KEPT).same_site(SameSite::Lax);
    response.add_cookie(&cookie.secure(app.config.is_https()).finish()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn a_link_wins_over_what_was_kept() {
        let request = TestRequest::default().cookie(Cookie::new(COOKIE, "tn")).to_http_request();
        let of = |query: LogQuery| {
            let options = of(&query, &request);
            (options.times, options.nowrap, options.plain)
        };
        assert_eq!(of(LogQuery::default()), (true, true, false));
        assert_eq!(of(LogQuery { ts: Some(0), plain: Some(1), ..LogQuery::default() }), (false, true, true));
        assert_eq!(of(LogQuery { wrap: Some(1), ..LogQuery::default() }), (true, false, false));
    }
}
