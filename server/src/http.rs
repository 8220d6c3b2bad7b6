//! The HTTP server: listener, middleware, and the faces that errors have.

mod application;
pub mod bodies;
mod connections;
mod cross_origin;
pub mod drawing;
mod encodings;
mod expect;
pub mod faces;
mod head;
mod held;
mod listener;
pub mod request_id;
pub mod routes;
pub mod server;
mod socket;
mod surface;
mod traffic;
pub mod under_way;
mod unread;
