//! Hostile and unlucky sources. The commits are put into the mirror by hand, so nothing is fetched.

mod limits;
mod needs;
mod same;

use super::*;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use url::Url;

const TOKEN: &str = "attempt-token-4711";

struct Bench {
    dir: TempDir,
    checkouts: Checkouts,
    source: SourceSpec,
}

/// `mode`, content and path of a file; the content of a submodule is its commit.
type File<'a> = (&'a str, &'a str, &'a str);

impl Bench {
    async fn with(files: &[File<'_>]) -> Self {
        Self::with_config(files, |_| {}).await
    }

    async fn with_config(files: &[File<'_>], change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = Url::parse("http://127.0.0.1:1").unwrap();
        let mut config = Config::new(url, "t", dir.path());
        change(&mut config);
        let checkouts = Checkouts::new(&config).await.unwrap();
        let id = Uuid::new_v4();
        let mirror = dir.path().join("mirrors").join(id.to_string());
        let commit = commit(&mirror, files);
        checkouts.give(&mirror);
        let clone_url = "https://forge.example/a/b.git".to_owned();
        let source = SourceSpec { id, clone_url, fetch_url: "http://127.0.0.1:1/source.git".to_owned(), commit };
        Self { dir, checkouts, source }
    }

    async fn make(&self, context: &str, dockerfile: &str) -> Result<Checkout, Failed> {
        let target = target(context, dockerfile);
        let source = Source { spec: &self.source, token: TOKEN };
        self.checkouts.make(Uuid::new_v4(), &source, &target).await
    }

    fn mirror(&self) -> PathBuf {
        self.dir.path().join("mirrors").join(self.source.id.to_string())
    }

    async fn refused(&self, context: &str, dockerfile: &str) -> Failed {
        self.make(context, dockerfile).await.unwrap_err()
    }
}

impl Checkouts {
    /// Gives a mirror made by the tests to the user that git runs as.
    fn give(&self, mirror: &Path) {
        if rustix::process::geteuid().is_root() {
            let owner = if self.git.unprivileged { "65534:65534" } else { "0:0" };
            let mut chown = Command::new("chown");
            assert!(chown.args(["-R", owner]).arg(mirror).status().unwrap().success());
        }
    }
}

fn target(context: &str, dockerfile: &str) -> Target {
    Target {
        dockerfile: dockerfile.to_owned(),
        context: context.to_owned(),
        stage: None,
        platforms: Vec::new(),
        build_args: BTreeMap::new(),
        labels: BTreeMap::new(),
        no_cache: false,
    }
}

fn git(mirror: &Path, args: &[&str], input: &[u8]) -> String {
    let mut command = Command::new("git");
    command.args(args).env("GIT_DIR", mirror).stdin(Stdio::piped()).stdout(Stdio::piped());
    for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"] {
        command.env(name, "t");
    }
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {args:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn commit(mirror: &Path, files: &[File<'_>]) -> String {
    std::fs::create_dir_all(mirror).unwrap();
    git(mirror, &["init", "-q", "--bare"], b"");
    let mut list = Vec::new();
    for (mode, content, path) in files {
        let object = if *mode == "160000" {
            (*content).to_owned()
        } else {
            git(mirror, &["hash-object", "-w", "--stdin"], content.as_bytes())
        };
        list.extend(format!("{mode} {object}\t{path}\0").bytes());
    }
    git(mirror, &["update-index", "-z", "--add", "--index-info"], &list);
    let tree = git(mirror, &["write-tree"], b"");
    let commit = git(mirror, &["commit-tree", "-m", "t", &tree], b"");
    git(mirror, &["update-ref", &format!("refs/slipway/{commit}"), &commit], b"");
    commit
}

const DOCKERFILE: File<'_> = ("100644", "FROM scratch\n", "Dockerfile");

#[tokio::test]
async fn a_commit_is_laid_out_and_removed() {
    let files = [DOCKERFILE, ("100755", "#!/bin/sh\n", "bin/run"), ("120000", "bin/run", "run")];
    let bench = Bench::with(&files).await;
    let checkout = bench.make("", "Dockerfile").await.unwrap();
    let files = checkout.places.files.clone();
    assert_eq!(std::fs::read_to_string(files.join("Dockerfile")).unwrap(), "FROM scratch\n");
    assert_eq!(std::fs::read_link(files.join("run")).unwrap(), Path::new("bin/run"));
    let first = std::fs::metadata(files.join("bin/run")).unwrap().modified().unwrap();
    let again = bench.make("./bin", "Dockerfile").await.unwrap();
    assert_eq!(again.places.context, Path::new("bin"));
    let second = again.places.files.join("bin/run").metadata().unwrap().modified().unwrap();
    assert_eq!(first, second, "the same content has the same time in each checkout");
    drop((checkout, again));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!files.exists());
}

#[tokio::test]
async fn a_missing_dockerfile_is_told_with_those_that_exist() {
    let files = [("100644", "FROM scratch\n", "docker/api.Dockerfile"), ("100644", "x", "README")];
    let failure = Bench::with(&files).await.refused("", "Dockerfile").await;
    assert_eq!(failure.reason, Reason::DockerfileMissing);
    assert!(failure.message.contains("`docker/api.Dockerfile`"), "{}", failure.message);
}

#[tokio::test]
async fn a_missing_context_is_told() {
    let failure = Bench::with(&[DOCKERFILE]).await.refused("web", "Dockerfile").await;
    assert_eq!(failure.reason, Reason::FileMissing);
}

#[tokio::test]
async fn links_out_of_the_source_are_refused_where_they_are_followed() {
    let files = [
        DOCKERFILE,
        ("120000", "/etc", "etc"),
        ("120000", "../../../../../../../../../etc/passwd", "Passwd"),
        ("120000", "../Dockerfile", "docker/Dockerfile"),
    ];
    let bench = Bench::with(&files).await;
    assert_eq!(bench.refused("etc", "Dockerfile").await.reason, Reason::NotAllowed);
    assert_eq!(bench.refused("", "Passwd").await.reason, Reason::NotAllowed);
    assert_eq!(bench.refused("", "etc/passwd").await.reason, Reason::NotAllowed);
    assert_eq!(bench.refused("../x", "Dockerfile").await.reason, Reason::NotAllowed);
    let inside = bench.make("docker", "docker/Dockerfile").await.unwrap();
    assert_eq!(inside.places.dockerfile_dir, Path::new(""));
    assert_eq!(inside.places.dockerfile_name, "docker/Dockerfile");
}

#[tokio::test]
async fn a_link_that_is_in_the_source_too_tells_nothing_of_the_machine() {
    let machine = tempfile::tempdir().unwrap();
    let there = machine.path().canonicalize().unwrap();
    std::fs::write(there.join("file"), "").unwrap();
    let [file, absent] = ["file", "absent"].map(|name| there.join(name).to_str().unwrap().to_owned());
    let files = [
        DOCKERFILE,
        ("120000", file.as_str(), "present"),
        ("120000", absent.as_str(), "gone"),
        ("100644", "x", file.trim_start_matches('/')),
        ("100644", "x", absent.trim_start_matches('/')),
    ];
    let bench = Bench::with(&files).await;
    let [present, gone] = [bench.refused("present", "Dockerfile").await, bench.refused("gone", "Dockerfile").await];
    assert_eq!(present.message.replace("present", "gone"), gone.message, "they differ by what the machine has");
}

#[tokio::test]
async fn filters_and_hooks_of_a_source_do_not_run() {
    let attributes = "* filter=evil export-ignore\n*.txt ident\n";
    let files = [DOCKERFILE, ("100644", attributes, ".gitattributes"), ("100644", "hi", "a.dat")];
    let bench = Bench::with(&files).await;
    let mark = bench.dir.path().join("ran");
    let mirror = bench.mirror();
    let hook = mirror.join("hooks/post-checkout");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
    Command::new("chmod").arg("+x").arg(&hook).status().unwrap();
    let checkout = bench.make("", "Dockerfile").await.unwrap();
    let content = std::fs::read_to_string(checkout.places.files.join("a.dat"));
    assert_eq!(content.unwrap(), "hi");
    assert!(!mark.exists());
}

#[tokio::test]
async fn what_is_no_hash_or_no_web_address_never_reaches_git() {
    let mut bench = Bench::with(&[DOCKERFILE]).await;
    let commit = bench.source.commit.clone();
    for bad in ["--upload-pack=touch x", "-h", "main", "HEAD", "", "0123456789abcdef", "ABCDEF"] {
        bad.clone_into(&mut bench.source.commit);
        assert_eq!(bench.refused("", "Dockerfile").await.reason, Reason::SourceUnavailable, "{bad}");
    }
    bench.source.commit = commit;
    for bad in ["file:///etc", "ext::sh -c id", "ssh://x/y", "--upload-pack=x", "/tmp/x", "http://user:pw@h/x"] {
        let good = std::mem::replace(&mut bench.source.fetch_url, bad.to_owned());
        assert_eq!(bench.refused("", "Dockerfile").await.reason, Reason::SourceUnsupported, "{bad}");
        bench.source.fetch_url = good;
        let good = std::mem::replace(&mut bench.source.clone_url, bad.to_owned());
        assert_eq!(bench.refused("", "Dockerfile").await.reason, Reason::SourceUnsupported, "{bad}");
        bench.source.clone_url = good;
    }
}

#[tokio::test]
async fn a_damaged_mirror_is_fetched_anew() {
    let bench = Bench::with(&[DOCKERFILE]).await;
    let mirror = bench.mirror();
    std::fs::remove_dir_all(mirror.join("objects")).unwrap();
    std::fs::create_dir(mirror.join("objects")).unwrap();
    bench.checkouts.give(&mirror);
    // Nobody listens there: that it was asked is what tells.
    let failure = bench.refused("", "Dockerfile").await;
    assert_eq!(failure.reason, Reason::SourceUnavailable, "{}", failure.message);
    let named = failure.message.starts_with("https://forge.example/a/b.git could not be fetched");
    assert!(named && !failure.message.contains("127.0.0.1:1/"), "{}", failure.message);
}
