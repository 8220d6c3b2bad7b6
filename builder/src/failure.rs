//! Short ways to say why an attempt failed.

use slipway_protocol::{Failure, Reason};

/// A failure in a box, for it is large and rare.
#[derive(Debug)]
pub(crate) struct Failed(Box<Failure>);

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self(Box::new(failure))
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        *failed.0
    }
}

impl std::ops::Deref for Failed {
    type Target = Failure;

    fn deref(&self) -> &Failure {
        &self.0
    }
}

impl std::ops::DerefMut for Failed {
    fn deref_mut(&mut self) -> &mut Failure {
        &mut self.0
    }
}

/// Bytes of a sentence that names hostile paths.
const LONGEST: usize = 4_000;

/// A failure with a sentence, and nothing of a Dockerfile.
pub(crate) fn because(reason: Reason, message: impl Into<String>) -> Failed {
    let mut message = message.into();
    if message.len() > LONGEST {
        message.truncate(message.floor_char_boundary(LONGEST));
        message.push('…');
    }
    Failed::from(Failure { reason, message, ..Failure::default() })
}

/// Something went wrong in the builder itself: the log of the builder has it whole.
pub(crate) fn internal(what: &str, error: &anyhow::Error) -> Failed {
    tracing::error!("{what}: {error:#}");
    let full = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    let disk = full.into_iter().any(|io| io.kind() == std::io::ErrorKind::StorageFull);
    let reason = if disk { Reason::DiskFull } else { Reason::Other };
    because(reason, format!("{what}: {error:#}"))
}
