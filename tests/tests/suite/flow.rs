//! The main job with everything real: sign in, import, push, build, sign, pull.

mod base_image;
mod browser;
mod cancel;
mod clients;
mod compared;
mod crashes;
mod deletion;
mod demo;
mod keys;
mod live;
mod long_logs;
mod order;
mod pages;
mod polling;
mod private;
mod pushes;
mod refs;
mod repository;
mod tls;
mod together;
mod upstream;
