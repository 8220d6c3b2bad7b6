//! The bare mirror of one source.

use super::Source;
use super::git::{Call, Git, GitError};
use super::tree::{Entry, Listing};
use crate::failure::{Failed, because, internal};
use slipway_protocol::{Reason, SourceSpec};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// A mirror with more packs is made anew: cheaper than repacking, and it heals what a crash left.
const MOST_PACKS: usize = 50;
const TRIES: u32 = 3;
/// One fetch; the server passes no longer one on.
const FETCH_PATIENCE: Duration = Duration::from_mins(15);

pub(super) struct Mirror<'a> {
    git: &'a Git,
    dir: PathBuf,
    source: &'a SourceSpec,
    token: &'a str,
    /// Where it is fetched: not where it is, so no message names it.
    url: Url,
}

impl<'a> Mirror<'a> {
    pub(super) fn new(git: &'a Git, mirrors: &Path, source: &Source<'a>) -> Result<Self, Failed> {
        let Source { spec, token } = *source;
        let refused = || because(Reason::SourceUnsupported, "the clone address is no http or https URL");
        web_address(&spec.clone_url).ok_or_else(refused)?;
        let url = web_address(&spec.fetch_url).ok_or_else(refused)?;
        Ok(Self { git, dir: mirrors.join(spec.id.to_string()), source: spec, token, url })
    }

    pub(super) fn commit(&self) -> &str {
        &self.source.commit
    }

    /// A git call about this mirror, run in `dir`.
    pub(super) fn call<'c>(&'c self, dir: &'c Path) -> Call<'c> {
        self.git.in_dir(dir).env("GIT_DIR", &self.dir)
    }

    /// Fetches the commit unless it is here.
    pub(super) async fn bring(&self) -> Result<(), Failed> {
        if !self.is_ours() || self.packs() > MOST_PACKS {
            self.forget();
        }
        for tried in 1.. {
            self.init().await.map_err(|error| internal("prepare the mirror", &error))?;
            if self.has_commit() {
                break;
            }
            let Err(error) = self.fetch().await else {
                break;
            };
            let (last, failure) = self.explain(&error);
            if last || tried >= TRIES {
                return Err(failure);
            }
            tracing::info!("fetch {}: {error:#}; trying again", self.source.id);
            // A git that was killed leaves locks behind.
            self.forget();
            tokio::time::sleep(Duration::from_secs(u64::from(tried) * 2)).await;
        }
        Ok(())
    }

    /// Removes it; the next `bring` makes it anew.
    pub(super) fn forget(&self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }

    /// All files of the commit; a `TooLarge` when they are more than this builder takes.
    pub(super) async fn list(&self, max_bytes: u64) -> anyhow::Result<Vec<Entry>> {
        let args = ["ls-tree", "-r", "-t", "-l", "-z", "--full-tree", "--end-of-options"];
        let args = args.into_iter().chain([self.commit()]);
        let mut listing = Listing::new(max_bytes);
        self.call(&self.dir).read(args, |bytes| listing.push(bytes)).await?;
        Ok(listing.entries)
    }

    async fn init(&self) -> anyhow::Result<()> {
        if self.dir.join("HEAD").exists() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.dir)?;
        self.git.own(&self.dir)?;
        let format = if self.commit().len() == 64 { "sha256" } else { "sha1" };
        let format = format!("--object-format={format}");
        let args = ["init", "-q", "--bare", "--template=", &format];
        self.call(&self.dir).run(args).await?;
        Ok(())
    }

    /// Each commit that was fetched has a ref of its name, written when all of it is here. Nothing packs them.
    fn has_commit(&self) -> bool {
        self.dir.join(self.ref_name()).is_file()
    }

    fn ref_name(&self) -> String {
        format!("refs/slipway/{}", self.commit())
    }

    async fn fetch(&self) -> anyhow::Result<()> {
        let refspec = format!("+{}:{}", self.commit(), self.ref_name());
        let _leftovers = Leftovers::remove(&self.dir);
        let mut call = self.call(&self.dir).patience(FETCH_PATIENCE);
        // By environment: arguments can be read by others, and the mirror's own configuration stays.
        let header = format!("Authorization: Bearer {}", self.token);
        call = call.setting(format!("http.{}.extraHeader", self.url), header);
        if crate::api::is_loopback(&self.url) {
            // No proxy knows the way to this machine's loopback.
            call = call.setting("http.proxy", "");
        }
        let args = ["fetch", "-q", "--depth=1", "--no-tags", "--no-recurse-submodules"];
        let args = args.into_iter().chain(["--no-write-fetch-head", "--no-auto-maintenance"]);
        let fetched = call.run(args.chain(["--", self.url.as_str(), &refspec])).await;
        fetched.map_err(|error| match error.downcast::<GitError>() {
            Ok(error) => error.renamed(self.url.as_str(), &self.source.clone_url).into(),
            Err(error) => error,
        })
    }

    /// What a failed fetch means, and whether another try is of no use.
    fn explain(&self, error: &anyhow::Error) -> (bool, Failed) {
        let Some(error): Option<&GitError> = error.downcast_ref() else {
            return (true, internal("fetch the source", error));
        };
        let text = &error.text;
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let short = &self.commit()[..12];
        if has(&["not our ref", "remote ref", "unadvertised object"]) {
            let text = format!("commit {short} is no longer at {}", self.source.clone_url);
            return (true, because(Reason::SourceUnavailable, text));
        }
        // Not the forge's: the server's own words about the attempt and its bounds.
        if has(&["error: 409"]) {
            return (true, because(Reason::SourceUnavailable, "the attempt was given up while its source was fetched"));
        }
        if has(&["error: 413"]) {
            let text = "the source is larger than the server passes on";
            return (true, because(Reason::SourceUnsupported, text));
        }
        if has(&["could not read Username", "Authentication failed", "ot found", "error: 40"]) {
            let text = format!(
                "{} cannot be read: it is gone, or the connection to the forge lost the right to it",
                self.source.clone_url
            );
            return (true, because(Reason::SourceUnavailable, text));
        }
        if error.is_disk_full(self.git) {
            return (true, because(Reason::DiskFull, "the builder's disk is full"));
        }
        if error.is_over_a_limit() {
            let text = "the source is larger than this builder takes";
            return (true, because(Reason::SourceUnsupported, text));
        }
        let text = format!("{} could not be fetched: {text}", self.source.clone_url);
        (false, because(Reason::SourceUnavailable, text))
    }

    /// A mirror that another user's git made is of no use to ours.
    fn is_ours(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let Ok(meta) = std::fs::metadata(&self.dir) else {
            return true;
        };
        !rustix::process::geteuid().is_root() || (meta.uid() != 0) == self.git.unprivileged
    }

    fn packs(&self) -> usize {
        let packs = std::fs::read_dir(self.dir.join("objects/pack"));
        packs.map_or(0, |files| {
            files.flatten().filter(|file| file.path().extension().is_some_and(|ext| ext == "pack")).count()
        })
    }
}

/// An http or https URL without credentials in it.
fn web_address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| {
        let http = matches!(url.scheme(), "http" | "https") && url.host().is_some();
        http && url.username().is_empty() && url.password().is_none()
    })
}

/// What a git that was stopped leaves of a pack, and never removes: gone before a fetch, and after it however it ends.
struct Leftovers(PathBuf);

impl Leftovers {
    fn remove(mirror: &Path) -> Self {
        let leftovers = Self(mirror.join("objects/pack"));
        leftovers.clear();
        leftovers
    }

    fn clear(&self) {
        for file in std::fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if file.file_name().as_bytes().starts_with(b"tmp_") {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests;
