//! Which task runs in which lane, and how many of a lane run at once.
//!
//! A forge that hangs holds the places of its own lanes for as long as its calls may take. Leases, logs and what else
//! needs nobody but the database have places of their own.

use super::Task;
use crate::db::Lane;

/// All lanes, and their places in one server.
pub(super) const LANES: &[(Lane, usize)] = &[
    (Lane::Leases, 1),
    (Lane::Upkeep, 2),
    (Lane::Deliveries, 4),
    (Lane::Forge, 4),
    (Lane::Listing, 2),
    (Lane::Polling, 2),
    (Lane::Long, 1),
];

impl Task {
    pub(super) fn lane(&self) -> Lane {
        match self {
            Self::SweepLeases => Lane::Leases,
            Self::Prune
            | Self::SealLog { .. }
            | Self::ReconcileSources
            | Self::SweepObjects
            | Self::TakeUp
            | Self::ForgetOld
            | Self::AskOrganizations => Lane::Upkeep,
            Self::ProcessDelivery { .. } => Lane::Deliveries,
            Self::SetCommitStatus { .. } | Self::EnsureHook { .. } | Self::RemoveHook { .. } => Lane::Forge,
            Self::ListRepositories { .. } | Self::ScanRepositories { .. } | Self::AskOrganization { .. } => {
                Lane::Listing
            }
            Self::PollSource { .. } | Self::PollDueSources => Lane::Polling,
            Self::RemoveRepository { .. } | Self::SignAgain { .. } => Lane::Long,
        }
    }
}
