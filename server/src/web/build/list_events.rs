//! The stream of a repository's list of builds.

use super::super::page::ROWS;
use super::super::views::live::{SwapRows, message};
use super::events::{CHECK_AFTER, LONGEST, PAUSE, PING, STALLED, answer};
use crate::app::App;
use crate::auth::address::client_address;
use crate::auth::extract::check_again;
use crate::auth::turns::Asker;
use crate::builds;
use crate::error::{Context, Result};
use crate::policy::{Allowed, ReadRepository};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// So much longer waits each follower for every other one.
const EACH: Duration = Duration::from_millis(20);

/// `…/-/builds/events`: the newest builds of a repository, at once and whenever one appears or changes.
pub async fn stream(allowed: Allowed<ReadRepository>, request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let address = client_address(&app, &request);
    let place = app.streams.take(Some(address), 1)?;
    let (out, messages) = mpsc::channel(2);
    let asker = Asker::of(allowed.principal(), address);
    actix_web::rt::spawn(follow(app, allowed, request, asker, out));
    Ok(answer(messages, place))
}

async fn follow(
    app: Data<App>,
    allowed: Allowed<ReadRepository>,
    request: HttpRequest,
    asker: Asker,
    out: mpsc::Sender<Bytes>,
) {
    let mut changed = app.wake.follow(allowed.on().id);
    // By the steady clock: one that is set back must not keep a right alive.
    let began = app.clock.steady();
    let mut checked_at = began;
    // What came between the page and this stream would be missing.
    let mut ping = false;
    while app.clock.steady().saturating_duration_since(began) < LONGEST {
        let turn = tokio::select! {
            turn = app.drawing.any_time(&asker) => turn,
            () = out.closed() => return,
        };
        if app.clock.steady().saturating_duration_since(checked_at) >= CHECK_AFTER {
            checked_at = app.clock.steady();
            let still = check_again::<ReadRepository>(&app, &request, &allowed).await;
            if !still.unwrap_or_default() {
                return;
            }
        }
        let text = if ping { Ok(": ping\n\n".to_owned()) } else { rows_message(&app, &allowed).await };
        let Ok(text) = text else { return };
        drop(turn);
        let sent = tokio::time::timeout(STALLED, out.send(Bytes::from(text))).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
        let pause = pause(app.wake.followers(allowed.on().id));
        tokio::select! {
            () = sleep(pause) => {}
            () = out.closed() => return,
            () = app.wake.stopped() => return,
        }
        // A reader who went away is noticed by what is sent.
        ping = tokio::select! {
            _ = changed.changed() => false,
            () = sleep(PING.saturating_sub(pause)) => true,
            () = out.closed() => return,
            () = app.wake.stopped() => return,
        };
    }
}

/// Between two lists of one page. Each is drawn for one viewer, for what is told of private code differs: 400 who look
/// at the same repository have theirs every eight seconds, and all together 50 lists in a second.
fn pause(followers: usize) -> Duration {
    PAUSE.max(EACH.saturating_mul(u32::try_from(followers).unwrap_or(u32::MAX)))
}

async fn rows_message(app: &App, allowed: &Allowed<ReadRepository>) -> Result<String> {
    let newest = builds::page(app, allowed.on().id, 0, ROWS).await?;
    let rows = super::build_rows(app, allowed, &newest).await?;
    let counts = super::view::counts(app, allowed.on()).await?;
    Ok(message("", &SwapRows { rows: &rows, counts }.render().context("rendering")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn followers_of_one_list_together_have_so_many_drawn_and_no_more() {
        assert_eq!((pause(1), pause(5)), (PAUSE, PAUSE));
        for followers in [50, 400, 1_024] {
            let in_a_second = Duration::from_secs(1).as_millis() * followers as u128 / pause(followers).as_millis();
            assert_eq!(in_a_second, 50, "by {followers}");
        }
    }
}
