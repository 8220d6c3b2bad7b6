//! All integration tests, in one program, so that daemons are shared and linking is paid once.

mod suite {
    mod architecture;
    mod fixtures;
    mod flow;
    mod hostile;
    mod operations;
    mod policy;
    mod registry;
}
