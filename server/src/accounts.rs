//! People: how they sign in, who may, and the tokens they make.

pub mod admission;
pub mod invites;
pub mod oauth;
mod people;
pub mod sign_in;
pub mod tokens;
