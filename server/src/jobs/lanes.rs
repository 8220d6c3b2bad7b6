//! Which task runs in which lane, and how many of a lane run at once.
//!
//! A forge that hangs holds the places of its own lanes for as long as its calls may take. Leases, logs and what else
//! needs nobody but the database have places of their own.

use super::Task;
use crate::db::Lane;

/// All lanes, and their places in one server.
pub(super) const LANES: &[(Lane, usize)] = &[
    (Lane::Leases, 1),
    (Lane::Logs, 2),
    (Lane::Upkeep, 2),
    (Lane::Deliveries, 4),
    (Lane::Forge, 4),
    (Lane::Listing, 2),
    (Lane::Polling, 2),
    (Lane::Long, 1),
    (Lane::Signing, 1),
];

impl Task {
    pub(super) fn lane(&self) -> Lane {
        match self {
            Self::SweepLeases => Lane::Leases,
            // A log may be large: those who seal it hold up neither the sweeps nor those who forget.
            Self::SealLog { .. } => Lane::Logs,
            Self::Prune
            | Self::ReconcileSources
            | Self::SweepObjects
            | Self::TakeUp
            | Self::ForgetOld
            | Self::AddBundle { .. }
            | Self::AskOrganizations => Lane::Upkeep,
            Self::ProcessDelivery { .. } => Lane::Deliveries,
            Self::SetCommitStatus { .. } | Self::EnsureHook { .. } | Self::RemoveHook { .. } => Lane::Forge,
            Self::ListRepositories { .. } | Self::ScanRepositories { .. } | Self::AskOrganization { .. } => {
                Lane::Listing
            }
            Self::PollSource { .. } | Self::PollDueSources => Lane::Polling,
            Self::RemoveRepository { .. } | Self::ReadNotices { .. } => Lane::Long,
            // A stranger's deletion does not delay what follows a revoked key.
            Self::SignAgain { .. } => Lane::Signing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn signing_and_logs_wait_for_nobody_elses_work() {
        let id = Uuid::nil();
        let sign = Task::SignAgain { namespace_id: id }.lane();
        let seal = Task::SealLog { attempt_id: id }.lane();
        for other in [Task::RemoveRepository { repository_id: id }, Task::Prune, Task::SweepObjects, Task::ForgetOld] {
            assert!(other.lane() != sign && other.lane() != seal, "{other:?}");
        }
        assert!(LANES.iter().any(|(lane, _)| *lane == sign) && LANES.iter().any(|(lane, _)| *lane == seal));
    }
}
