//! Slipway.
fn main() {}
