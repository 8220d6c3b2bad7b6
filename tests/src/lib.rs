//! What the integration tests stand on: real servers, databases, engines, clients and a browser.
//!
//! Every program here runs on loopback, in a temporary folder, with a home of its own, and dies with
//! the test process however that ends. Nothing here knows what a test wants to prove.

#![expect(clippy::disallowed_methods, reason = "tests wait and measure")]

mod browser;
mod builder;
mod buildkit;
mod certificate;
mod clients;
mod daemon;
mod docker;
pub mod images;
mod log_stream;
mod paths;
mod postgres;
mod project;
mod run;
mod server;
mod setup;
mod stage;
mod visitor;

pub use browser::browser;
pub use builder::BuilderProgram;
pub use buildkit::Buildkit;
pub use certificate::Certificate;
pub use clients::Client;
pub use daemon::{Daemon, DaemonSpec, End};
pub use docker::Docker;
pub use log_stream::{LogStream, Message, OpenPage};
pub use paths::{cache, free_port, own_program, tool};
pub use postgres::Postgres;
pub use project::{Build, Project};
pub use run::{Output, Run};
pub use server::{Server, ServerBuilder, unpack};
pub use stage::{BUSYBOX, Stage};
pub use visitor::{Page, Visitor};
