//! What handlers, services and jobs are given: the open parts of this process.

use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::error::{Context, Error, Result};
use crate::secrets::MasterKey;
use crate::storage::Storage;
use crate::wake::Wake;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything open in this process. Shared as `Data<App>` by handlers and `Arc<App>` by jobs.
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub db: Db,
    /// Names this data folder, and so the one process that works in it, beside other servers on the same PostgreSQL.
    pub server_id: uuid::Uuid,
    pub storage: Storage,
    pub master_key: MasterKey,
    /// Signs registry bearers; no image-signing key.
    pub bearer_key: [u8; 32],
    /// For calls to forges.
    pub http: reqwest::Client,
    pub forges: crate::forge::Forges,
    /// For git at forges.
    pub git: crate::forge::git::Git,
    /// Sources that are passed on to builders.
    pub passages: crate::builds::source::Passages,
    pub wake: Arc<Wake>,
    pub uploads: crate::registry::uploads::OpenUploads,
    pub limits: crate::auth::limits::Limits,
    /// Webhook bodies that are being read.
    pub hooks: Arc<crate::hooks::InFlight>,
    /// Room for bodies that are read whole.
    pub bodies: Arc<crate::auth::places::Places>,
    /// Answers that are being sent.
    pub under_way: crate::http::under_way::UnderWay,
    /// Turns at drawing pages, and what streams add to them.
    pub drawing: Arc<crate::auth::turns::Turns>,
    /// Turns at the lists of the registry.
    pub listing: Arc<crate::auth::turns::Turns>,
    /// Places for streams of events.
    pub streams: Arc<crate::auth::places::Places>,
    /// Held while the sources that are due are looked at.
    pub polls: tokio::sync::Mutex<()>,
    /// Places for searches in logs.
    pub searches: tokio::sync::Semaphore,
    pub verdicts: crate::trust::Verdicts,
    /// Pushes to tags beside images.
    pub beside: crate::trust::Turns,
    /// Platforms of images that were read before.
    pub platforms: crate::registry::images::Names,
    /// What builders said last.
    pub builders: crate::builds::fleet::Fleet,
    pub last_sweep: crate::builds::lease::LastSweep,
    /// The embedded builder's token, made anew at each start.
    pub builder_token: crate::secrets::Secret,
}

impl App {
    /// Opens database, storage and keys. The caller holds the lock on the data folder.
    pub async fn open(config: Config) -> Result<Arc<Self>> {
        let keys = config.data_dir.join("keys");
        make_data_dir(&config.data_dir)?;
        make_private_dir(&keys)?;
        make_private_dir(&config.data_dir.join("storage"))?;
        make_private_database(&config)?;
        let master_key = MasterKey::load_or_create(&master_key_file(&config))?;
        let db = crate::db::connect::open(&config.database_url, config.database_connections).await?;
        let storage = Storage::file_system(&config.data_dir.join("storage"))?;
        let (drawing, listing) = crate::http::drawing::turns(config.database_connections);
        let http = reqwest::Client::builder()
            .user_agent(concat!("slipway/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(std::time::Duration::from_secs(10))
            .timeout(std::time::Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("making an HTTP client")?;
        Ok(Arc::new(Self {
            bearer_key: master_key.derive("registry bearer"),
            clock: Clock::default(),
            db,
            server_id: load_or_make_id(&config.data_dir.join("server-id"))?,
            storage,
            master_key,
            http,
            forges: crate::forge::Forges::default(),
            git: crate::forge::git::Git::new(&config),
            passages: crate::builds::source::Passages::default(),
            wake: Arc::default(),
            uploads: crate::registry::uploads::OpenUploads::default(),
            limits: crate::auth::limits::Limits::default(),
            hooks: Arc::default(),
            bodies: crate::http::bodies::places(),
            under_way: crate::http::under_way::UnderWay::default(),
            drawing,
            listing,
            streams: crate::web::build::events::places(),
            polls: tokio::sync::Mutex::default(),
            searches: tokio::sync::Semaphore::new(crate::web::build::SEARCHES),
            verdicts: crate::trust::Verdicts::default(),
            beside: crate::trust::Turns::default(),
            platforms: crate::registry::images::Names::default(),
            builders: crate::builds::fleet::Fleet::default(),
            last_sweep: crate::builds::lease::LastSweep::default(),
            builder_token: crate::secrets::new_token("slb_"),
            config,
        }))
    }
}

impl App {
    /// `Full` when less is free than has to stay free. Whatever brings new data asks: uploads, manifests, mounts, logs,
    /// webhooks, imports. What people need to make room, and what ends work that was done, goes on: deleting,
    /// cancelling, sign-ins, settings, the signature and the tags of an image that was built.
    pub fn room(&self) -> Result<()> {
        match self.storage.free_bytes()? {
            Some(free) if free < self.config.min_free_bytes => Err(Error::Full),
            _ => Ok(()),
        }
    }
}

/// The id in a file; made when the file is not there yet.
fn load_or_make_id(file: &Path) -> Result<uuid::Uuid> {
    let known = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
    if let Some(id) = known {
        return Ok(id);
    }
    let id = uuid::Uuid::new_v4();
    crate::secrets::write_private(file, id.to_string().as_bytes())?;
    Ok(id)
}

pub fn master_key_file(config: &Config) -> PathBuf {
    config.data_dir.join("keys/master.key")
}

/// A folder that only we can enter.
pub fn make_private_dir(dir: &Path) -> Result<()> {
    make_dir(dir, 0o700)
}

/// The data folder: others may pass through, so that the builder's git can work without rights, and see nothing.
pub fn make_data_dir(dir: &Path) -> Result<()> {
    make_dir(dir, 0o711)
}

fn make_dir(dir: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(dir)
        .context(&format!("making the folder {}", dir.display()))
}

// SQLite gives its other files the mode of the first one.
fn make_private_database(config: &Config) -> Result<()> {
    match config.sqlite_file() {
        Some(file) if !file.exists() => crate::secrets::write_private(&file, b""),
        _ => Ok(()),
    }
}
