//! Finds the Dockerfiles of what a connection may import, a few at once: of the most recently pushed ones after a
//! listing, of others when somebody looks at them.

use super::JobError;
use crate::app::App;
use crate::db::{self, ScanState, rows};
use crate::error::{Error, ForgeError, Result};
use crate::forge::Forge;
use crate::sources::listing;
use futures_util::TryStreamExt as _;
use std::sync::Mutex;
use uuid::Uuid;

/// One call each.
const MOST: u64 = 100;
const AT_ONCE: usize = 4;
/// Of one run, while others are answered.
const MOST_UNANSWERED: usize = 5;

pub(super) async fn run(app: &App, connection_id: Uuid, only: &[Uuid]) -> Result<(), JobError> {
    let Some(connection) = db::users::find_connection(&app.db, connection_id).await? else { return Ok(()) };
    let Some(identity) = db::users::find_identity_by_id(&app.db, connection.identity_id).await? else { return Ok(()) };
    let forge = Forge::of_connection(app, &identity.forge_url, &connection)?;
    let ids: Vec<Uuid> = match only {
        [] => db::sources::listing::unscanned(&app.db, connection_id, MOST).await?.iter().map(|r| r.id).collect(),
        some => some.to_vec(),
    };
    let tally = Mutex::new(Tally::default());
    // A refusal ends it: the others would meet the same one, and a later try goes on from here.
    futures_util::stream::iter(ids.into_iter().map(Ok::<_, Error>))
        .try_for_each_concurrent(AT_ONCE, async |id| Box::pin(scan(app, &forge, connection_id, id, &tally)).await)
        .await?;
    let Tally { answered, unanswered, error } = tally.into_inner().expect("no holder panics");
    match error {
        Some(error) if answered == 0 => Err(error.into()),
        // The forge is there: these are given up, and keep the others no longer from being looked at.
        _ => {
            for listed in unanswered {
                listing::give_up_scan(app, &listed).await?;
            }
            Ok(())
        }
    }
}

/// How the questions of one run were answered.
#[derive(Default)]
struct Tally {
    answered: usize,
    unanswered: Vec<rows::ForgeRepository>,
    error: Option<Error>,
}

impl Tally {
    /// An error when so many fail that the forge seems to be away.
    fn fails(&mut self, listed: rows::ForgeRepository, error: Error) -> Result<()> {
        if self.unanswered.len() >= MOST_UNANSWERED {
            return Err(error);
        }
        self.unanswered.push(listed);
        self.error = Some(error);
        Ok(())
    }
}

async fn scan(app: &App, forge: &Forge, connection_id: Uuid, id: Uuid, tally: &Mutex<Tally>) -> Result<()> {
    // Another run may have been here.
    let found = db::sources::listing::find(&app.db, id).await?;
    let pending = found.filter(|r| r.scan_state == ScanState::Pending && r.connection_id == connection_id);
    let Some(listed) = pending else { return Ok(()) };
    let scanned = listing::scan(app, forge, &listed).await;
    let mut tally = tally.lock().expect("no holder panics");
    match scanned {
        Ok(_) => {
            tally.answered += 1;
            Ok(())
        }
        // One that is too large for the forge to list, say.
        Err(error @ Error::Forge(ForgeError::Unreachable(_))) => tally.fails(listed, error),
        Err(error) => Err(error),
    }
}
