//! A small GitHub-shaped forge: OAuth, REST, webhooks and git over HTTP on bare repositories.
//!
//! Tests start one with [`Forge::start`] and steer it by its methods; the demo runs the
//! `slipway-forge` program. It speaks as GitHub Enterprise does: pages and git at `/`,
//! the API below `/api/v3`. It trusts whoever reaches it, so it listens on loopback.

#![expect(clippy::disallowed_methods, reason = "another program, whose times no test sets")]

mod access;
mod api;
mod app;
mod config;
mod control;
mod demo;
mod faults;
mod forge;
mod git;
mod git_http;
mod handle;
mod model;
mod oauth;
mod pages;
mod pushes;
mod routes;
mod store;
mod webhooks;

pub use config::{Client, ForgeConfig};
pub use demo::Demo;
pub use forge::Forge;
pub use handle::{Change, Person, Repo};
pub use model::{Delivery, Hook, LastResponse, Permission, Status};
