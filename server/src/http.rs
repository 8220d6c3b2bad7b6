//! The HTTP server: listener, middleware, and the faces that errors have.

mod connections;
pub mod faces;
mod head;
mod held;
mod listener;
mod patience;
pub mod request_id;
pub mod routes;
pub mod server;
mod surface;
pub mod under_way;
mod unread;
