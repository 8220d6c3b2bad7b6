//! Short ways to say why an attempt failed.

use slipway_protocol::{Failure, Reason};

/// A failure with a sentence, and nothing of a Dockerfile.
pub(crate) fn because(reason: Reason, message: impl Into<String>) -> Failure {
    Failure {
        reason,
        message: message.into(),
        ..Failure::default()
    }
}

/// Something went wrong in the builder itself: the log of the builder has it whole.
pub(crate) fn internal(what: &str, error: &anyhow::Error) -> Failure {
    tracing::error!("{what}: {error:#}");
    let full = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    let disk = full
        .into_iter()
        .any(|io| io.kind() == std::io::ErrorKind::StorageFull);
    let reason = if disk { Reason::DiskFull } else { Reason::Other };
    because(reason, format!("{what}: {error:#}"))
}
