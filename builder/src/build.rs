//! One build: source and daemon, solve, digest.

mod base;
mod dockerfile;
mod explain;
mod materials;
mod missing;
mod notes;
mod request;

use crate::attempt::Journal;
use crate::checkout::Source;
use crate::claim::Builder;
use crate::daemon::{Lease, Registries};
use crate::failure::{Failed, because, internal};
use materials::Materials;
use slipway_buildkit::{Build, BuildError, ErrorClass, Outcome, solve};
use slipway_protocol::{Assignment, Material, Reason};
use std::time::Duration;

/// Gives the digest of what was pushed, and what it was made of. Dropping the future cancels the build.
pub(crate) async fn run(
    builder: &Builder,
    assignment: &Assignment,
    journal: &mut Journal,
) -> Result<(String, Vec<Material>), Failed> {
    let target = &assignment.target;
    if let Some(platform) = slipway_protocol::foreign(&target.platforms, &builder.platforms) {
        let text = format!("{platform} cannot be built on this machine, which builds {}", builder.platforms.join(", "));
        return Err(because(Reason::PlatformUnsupported, text));
    }
    request::check(target)?;
    let commit = assignment.source.commit.get(..12).unwrap_or_default();
    journal.source_started(&format!("[source] {} at {commit}", assignment.source.clone_url));
    let registries = Registries::of(assignment);
    let source = Source { spec: &assignment.source, token: &assignment.attempt_token };
    let checkout = builder.checkouts.make(assignment.attempt_id, &source, target);
    let daemon = builder.daemons.lease(&assignment.trust_domain, &registries);
    let (checkout, daemon) = tokio::join!(checkout, daemon);
    let error = checkout.as_ref().err().map(|failure| failure.message.as_str());
    journal.source_done(error);
    let checkout = checkout.map_err(|mut failure| {
        failure.message = journal.clean(&failure.message);
        failure
    })?;
    let daemon = daemon.map_err(|error| {
        let failure = internal("the build cannot start", &error);
        because(Reason::BuilderUnavailable, failure.message.as_str())
    })?;
    for note in notes::of(&checkout.places, &target.dockerfile) {
        journal.notice(&note);
    }
    let request =
        request::make(assignment, &checkout.places).map_err(|error| internal("read the checkout", &error.into()))?;

    let mut materials = Materials::new(assignment);
    let build = solve(daemon.client(), request);
    let about = explain::About { places: &checkout.places, dockerfile: &target.dockerfile };
    let outcome = match follow(build, &daemon, journal, &mut materials).await? {
        Ok(outcome) => outcome,
        Err(error) => return Err(explain::explain(error, journal, about).await),
    };
    let digest =
        outcome.digest.ok_or_else(|| because(Reason::Other, "BuildKit pushed the image and did not say its digest"))?;
    Ok((digest, materials.all()))
}

/// Reads events until the build is over. The inner error is BuildKit's.
async fn follow(
    build: Build,
    daemon: &Lease,
    journal: &mut Journal,
    materials: &mut Materials,
) -> Result<Result<Outcome, BuildError>, Failed> {
    let Build { mut events, solving, .. } = build;
    daemon.listens();
    let failed = daemon.failed();
    tokio::pin!(solving, failed);
    let result = loop {
        tokio::select! {
            Some(event) = events.next() => {
                materials.note(&event);
                daemon.note(&event);
                journal.apply(event).await;
                daemon.listens();
            }
            failure = &mut failed => return Err(failure),
            result = &mut solving => {
                // The channel is closed and holds few: none is lost, however far the server lags.
                while let Some(event) = events.next().await {
                    materials.note(&event);
                    journal.apply_at_once(event);
                }
                break result;
            }
        }
    };
    match result {
        Ok(outcome) => Ok(Ok(outcome)),
        Err(error) if error.class == ErrorClass::DaemonUnavailable => {
            // The daemon's own last words say more, if it is dead.
            let failure = tokio::time::timeout(Duration::from_secs(1), failed).await;
            Err(failure.unwrap_or_else(|_alive| because(Reason::BuilderUnavailable, journal.clean(&error.message))))
        }
        Err(error) => Ok(Err(error)),
    }
}
