//! The stream of a build page, which a page opens with what it shows already.
//!
//! The id of a message is a `Position`, `1-57-7-running`: a page that comes back goes on after the last one it showed.

use super::super::origin::Origin;
use super::follower::Follower;
use super::{BuildPath, find};
use crate::app::App;
use crate::auth::address::client_address;
use crate::auth::extract::Then;
use crate::auth::places::{Place, Places};
use crate::db::{BuildState, rows};
use crate::error::Result;
use crate::policy::{Allowed, ReadRepository};
use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Messages are gathered for so long, so that a page is not redrawn for each line.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// Rights are looked at again after so long.
pub(super) const CHECK_AFTER: Duration = Duration::from_secs(15);
pub(super) const STALLED: Duration = Duration::from_secs(30);
pub(super) const PING: Duration = Duration::from_secs(15);
/// After this a page connects anew; nobody holds a stream for ever.
pub(super) const LONGEST: Duration = Duration::from_hours(1);

/// Streams at once; each follows its build or list with a task of its own. A tab has one.
const STREAMS: usize = 1_024;
const STREAMS_EACH: usize = STREAMS / 2;

pub fn places() -> Arc<Places> {
    Places::new(STREAMS, STREAMS_EACH)
}

#[derive(Deserialize)]
pub struct After {
    after: Option<String>,
}

/// What of the log a page shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) attempt: i64,
    pub(super) record: u64,
    /// The last step that began: steps count up as they begin.
    pub(super) step: u32,
    /// How the head of the page says that the build is, if it is known.
    pub(super) head: Option<Head>,
}

/// What the head of a page is drawn for; it is drawn anew for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    State(BuildState),
    /// Cancel was pressed, and it runs on still.
    Cancelling,
}

impl Head {
    pub(super) fn of(build: &rows::Build) -> Self {
        match build.cancel_requested_at {
            Some(_) if build.state == BuildState::Running => Self::Cancelling,
            _ => Self::State(build.state),
        }
    }

    fn parse(word: &str) -> Option<Self> {
        match word {
            CANCELLING => Some(Self::Cancelling),
            state => serde_json::from_value(state.into()).ok().map(Self::State),
        }
    }

    /// Queued or running.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Cancelling | Self::State(BuildState::Queued | BuildState::Running))
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => write!(f, "{state}"),
            Self::Cancelling => f.write_str(CANCELLING),
        }
    }
}

const CANCELLING: &str = "cancelling";

impl Position {
    /// `1-57-7-running` → attempt 1, record 57, step 7. Without a step all that is known counts as shown.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(4, '-');
        Some(Self {
            attempt: words.next()?.parse().ok()?,
            record: words.next()?.parse().ok()?,
            step: words.next().map_or(Some(u32::MAX), |step| step.parse().ok())?,
            head: words.next().map_or(Some(None), |word| Head::parse(word).map(Some))?,
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.attempt, self.record, self.step)?;
        self.head.map_or(Ok(()), |head| write!(f, "-{head}"))
    }
}

/// `…/builds/{n}/events?after=1-57-7-running`, or after `Last-Event-ID`.
pub async fn stream(
    Then(allowed, query): Then<Allowed<ReadRepository>, Query<After>>,
    path: Path<BuildPath>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let place = app.streams.take(Some(client_address(&app, &request)), 1)?;
    let build = find(&app, &allowed, path.number).await?;
    let last = request.headers().get("last-event-id").and_then(|v| v.to_str().ok());
    let shown = last.and_then(Position::parse).or_else(|| Position::parse(query.after.as_deref()?)).unwrap_or_default();
    let origin = Origin::of(&app, allowed.principal(), allowed.on(), &build).await?;
    let (out, messages) = mpsc::channel(8);
    let follower = Follower::new(app.clone(), allowed, build, origin, shown, out, request);
    actix_web::rt::spawn(follower.run());
    Ok(answer(messages, place))
}

/// The place is given back with the answer.
pub(super) fn answer(messages: mpsc::Receiver<Bytes>, place: Place) -> HttpResponse {
    let stream = tokio_stream::wrappers::ReceiverStream::new(messages);
    let sent = move |message| {
        let _held = &place;
        Ok::<_, std::convert::Infallible>(message)
    };
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(futures_util::StreamExt::map(stream, sent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written() {
        let shown = Position { attempt: 1, record: 57, step: 7, head: None };
        for head in [None, Some(Head::Cancelling), Some(Head::State(BuildState::PartlyFailed))] {
            let shown = Position { head, ..shown };
            assert_eq!(Position::parse(&shown.to_string()), Some(shown), "{shown}");
        }
        assert_eq!(Position::parse("1-57"), Some(Position { step: u32::MAX, ..shown }));
        for wrong in ["", "1", "1-", "1-57-", "1-x-7", "1-57-7-7", "1-57-7-", "1-57-7-running-1"] {
            assert_eq!(Position::parse(wrong), None, "{wrong}");
        }
    }
}
