//! All integration tests, in one program, so that daemons are shared and linking is paid once.

#[path = "suite/fixtures.rs"]
mod fixtures;
#[path = "suite/flow.rs"]
mod flow;
