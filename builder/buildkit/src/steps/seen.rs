//! What was last said of a vertex.

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1::Vertex;

/// How BuildKit says that it needs a vertex no more: the build was cancelled, or another one does the same work.
const GIVEN_UP: &str = "context canceled";

#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) inputs: Vec<String>,
    pub(super) started: Option<Timestamp>,
    pub(super) completed: Option<Timestamp>,
    pub(super) is_open: bool,
    pub(super) cached: bool,
    pub(super) error: Option<String>,
}

impl Seen {
    /// Takes a message in; when it began and ended, if that is new. Lazy work starts a vertex again (exporting, then
    /// pushing): a new time of start opens it again.
    pub(super) fn take(&mut self, vertex: &Vertex) -> (Option<Timestamp>, Option<Timestamp>) {
        self.name.clone_from(&vertex.name);
        self.inputs.clone_from(&vertex.inputs);
        let started = vertex.started.filter(|at| self.started.as_ref() != Some(at));
        let ended = vertex.completed.filter(|at| self.completed.as_ref() != Some(at));
        if started.is_some() {
            self.started = started;
            self.is_open = ended.is_none();
        }
        if ended.is_some() {
            self.completed = ended;
            self.is_open = false;
            self.cached = vertex.cached;
            self.error = Some(vertex.error.clone()).filter(|error| !error.is_empty());
        }
        (started, ended)
    }

    pub(super) fn went_well(&self) -> bool {
        self.completed.is_some() && !self.is_open && self.error.is_none()
    }

    pub(super) fn is_given_up(&self) -> bool {
        !self.is_open && self.error.as_ref().is_some_and(|error| error.contains(GIVEN_UP))
    }

    /// A step that fails may have failed before anything ran: BuildKit starts it only to say so.
    pub(super) fn proves_that_it_ran(&self) -> bool {
        self.error.as_ref().is_none_or(|error| error.contains("exit code: "))
    }
}
