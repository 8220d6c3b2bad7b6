//! All integration tests, in one program, so that daemons are shared and linking is paid once.

#![expect(clippy::disallowed_methods, reason = "tests wait and measure")]

mod suite {
    mod architecture;
    mod fixtures;
    mod flow;
    mod hostile;
    mod operations;
    mod policy;
    mod registry;
}
