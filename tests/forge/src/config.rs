//! What a forge is started with.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Everything that can be chosen at the start; tests mostly write `ForgeConfig::default()`.
#[derive(Debug, Clone)]
pub struct ForgeConfig {
    pub listen: SocketAddr,
    /// Where repositories and state live; a temporary folder when absent.
    pub data: Option<PathBuf>,
    /// How people and programs reach the forge; the listening address when absent.
    pub public_url: Option<String>,
    pub client: Client,
    /// The name that the consent page shows.
    pub app_name: String,
    /// Prefixes a `redirect_uri` must have. The port is free for loopback, as at GitHub.
    pub callback_urls: Vec<String>,
    /// Answers 422 to hooks for `localhost` and private addresses, as GitHub does.
    pub refuse_local_hooks: bool,
    /// Offers `/_control`, by which another process steers the forge.
    pub control: bool,
    /// Trees with more entries are answered with `truncated: true`. GitHub's limit is 100,000.
    pub tree_limit: usize,
}

impl Default for ForgeConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data: None,
            public_url: None,
            client: Client::new("slipway-test"),
            app_name: "Slipway".to_owned(),
            callback_urls: vec!["http://127.0.0.1/".to_owned(), "http://localhost/".to_owned()],
            refuse_local_hooks: false,
            control: true,
            tree_limit: 100_000,
        }
    }
}

/// The credentials of an OAuth app.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    pub client_id: String,
    pub client_secret: String,
}

impl Client {
    /// A client with a fresh secret.
    pub fn new(client_id: &str) -> Self {
        Self { client_id: client_id.to_owned(), client_secret: random_hex(20) }
    }
}

/// `bytes` random bytes as lower-case hexadecimal.
pub(crate) fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut buffer).expect("the system has a random source");
    hex::encode(buffer)
}
