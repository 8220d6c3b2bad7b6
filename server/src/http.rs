//! The HTTP server: listener, middleware, and the faces that errors have.

pub mod faces;
mod head;
mod patience;
pub mod request_id;
pub mod routes;
pub mod server;
