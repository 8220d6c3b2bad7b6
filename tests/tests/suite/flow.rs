//! The main job with everything real: sign in, import, push, build, sign, pull.

mod browser;
mod clients;
