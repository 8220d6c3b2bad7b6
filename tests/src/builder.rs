//! `slipway-builder` as a process of its own.

use crate::{
    Server,
    daemon::{Daemon, DaemonSpec, End},
    paths,
};

/// A running builder; it and its BuildKit die with it.
#[derive(Debug)]
pub struct BuilderProgram {
    daemon: Daemon,
}

impl BuilderProgram {
    /// `token` is one of the server's `SLIPWAY_BUILDER_TOKENS`.
    pub fn start(server: &Server, token: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("slipway-builder-").tempdir().expect("a temporary folder").keep();
        let env = vec![
            ("SLIPWAY_BUILDER_SERVER".into(), format!("http://127.0.0.1:{}", server.port()).into()),
            ("SLIPWAY_BUILDER_TOKEN".into(), token.into()),
            ("SLIPWAY_BUILDER_WORK_DIR".into(), folder.join("work").into()),
            ("SLIPWAY_BUILDER_BIN_DIR".into(), paths::tools().into()),
            ("SLIPWAY_BUILDER_MIN_FREE_GIB".into(), "1".into()),
        ];
        let program = paths::own_program("slipway-builder");
        let daemon = Daemon::spawn(DaemonSpec { program, args: Vec::new(), env, folder, end: End::Terminate });
        Self { daemon }
    }

    pub fn log(&self) -> String {
        self.daemon.log()
    }
}
