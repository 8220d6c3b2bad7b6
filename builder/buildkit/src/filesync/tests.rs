//! Transfers of real directories to a receiver of our own.

mod races;
mod receiver;

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use tonic::Code;

use super::effort::Effort;
use super::failure::Failure;
use super::glob::Room;
use super::metadata::Asked;
use super::pattern::Patterns;
use super::walk::{Found, Walk};
use super::{Limits, LocalDir};
use receiver::{Receiver, paths};

fn tree(files: &[&str]) -> TempDir {
    let tree = TempDir::new().unwrap();
    for file in files {
        let path = tree.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("this is {file}")).unwrap();
    }
    tree
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[tokio::test]
async fn a_tree_arrives_as_it_is() {
    let tree = tree(&["a/b/file", "a-b", "a.c", "Grüße/日本", "empty/x", "tool"]);
    let path = |name: &str| tree.path().join(name);
    fs::write(path("large"), vec![7; 100_000]).unwrap();
    fs::write(path("nothing"), "").unwrap();
    fs::remove_file(path("empty/x")).unwrap();
    fs::set_permissions(path("tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::hard_link(path("a-b"), path("zz")).unwrap();
    symlink("/etc/passwd", path("out")).unwrap();
    symlink("nowhere", path("a/dangling")).unwrap();
    fifo(&path("pipe"));
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();

    let mut receiver = Receiver::of(tree.path());
    let order = receiver.list().await.unwrap();
    let expected = [
        "Grüße",
        "Grüße/日本",
        "a",
        "a/b",
        "a/b/file",
        "a/dangling",
        "a-b",
        "a.c",
        "empty",
        "large",
        "nothing",
        "out",
        "pipe",
        "tool",
        "zz",
    ];
    let mut sorted = expected;
    sorted.sort_by_key(|path| path.replace('/', "\0"));
    assert_eq!(paths(&order), sorted);

    let all = Receiver::of(tree.path()).all().await;
    assert_eq!(all["a/b/file"].1, b"this is a/b/file");
    assert_eq!(all["Grüße/日本"].1, "this is Grüße/日本".as_bytes());
    assert_eq!(all["large"].1, vec![7; 100_000]);
    assert_eq!(all["tool"].0.mode, 0o755 | 1 << 23);
    assert_eq!((all["out"].0.mode >> 24, all["out"].0.linkname.as_str()), (8, "/etc/passwd"));
    assert_eq!((all["zz"].0.linkname.as_str(), all["zz"].0.size), ("a-b", 0));
    assert_eq!(all["pipe"].0.mode >> 24, 2);
    assert!(all.values().all(|(stat, _)| (stat.uid, stat.gid) == (0, 0)));
}

#[tokio::test]
async fn excluded_files_are_not_listed() {
    let tree = tree(&["a.key", "src/b.key", "src/main", "out/x", "out/keep/y", "only/deep/z"]);
    let list = Receiver::excluding(tree.path(), &["**/*.key", "out", "!out/keep"]).list().await.unwrap();
    assert_eq!(paths(&list), ["only", "only/deep", "only/deep/z", "out", "out/keep", "out/keep/y", "src", "src/main"]);
    let include = vec!["only/deep/z".to_owned(), "src".to_owned()];
    let asked = Asked { include, exclude: vec!["src/*.key".to_owned()], ..Asked::default() };
    let list = Receiver::asking(tree.path(), asked, Limits::default()).list().await.unwrap();
    assert_eq!(paths(&list), ["only", "only/deep", "only/deep/z", "src", "src/main"]);
}

#[tokio::test]
async fn what_is_not_really_here_fails_only_those_who_want_it() {
    let tree = tree(&["app/main", "app/model.bin", "docs/film.bin"]);
    fs::create_dir_all(tree.path().join("lib/dep")).unwrap();
    symlink("app/model.bin", tree.path().join("model")).unwrap();
    let said = async |follow: &[&str], exclude: &[&str]| {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        let why = |path: &&str| ((*path).to_owned(), format!("no {path}"));
        let absent = ["app/model.bin", "lib/dep"].iter().map(why).collect();
        let asked = Asked { follow: words(follow), exclude: words(exclude), ..Asked::default() };
        let dir = LocalDir::open(tree.path()).unwrap().without(absent);
        let list = Receiver::of_dir(dir, asked, Limits::default()).list().await;
        list.err().map(|error| error.message().to_owned())
    };
    let cases: [(&[&str], &[&str], Option<&str>); 15] = [
        (&["app/main"], &[], None),
        (&["docs", "app/ma*"], &[], None),
        (&["."], &["**/*.bin", "lib"], None),
        (&["lib/dep/src", "lib/other"], &[], None),
        (&["."], &["lib"], Some("no app/model.bin")),
        (&["."], &["app"], Some("no lib/dep")),
        (&["lib"], &[], Some("no lib/dep")),
        // What comes from elsewhere is left out file by file as well.
        (&["."], &["app", "lib/dep/*"], None),
        (&["."], &["app", "lib/dep/**"], None),
        (&["."], &["app", "lib/dep/*", "!lib/dep/file"], Some("no lib/dep")),
        (&["."], &["app", "lib/dep/*.md"], Some("no lib/dep")),
        (&["."], &["app", "lib/dep/*", "!lib/dep/keep.c"], Some("no lib/dep")),
        (&["."], &["app", "lib/dep/*", "!README.md"], None),
        (&["app"], &[], Some("no app/model.bin")),
        (&["model"], &[], Some("no app/model.bin")),
    ];
    for (follow, exclude, expected) in cases {
        assert_eq!(said(follow, exclude).await.as_deref(), expected, "{follow:?} {exclude:?}");
    }
}

#[tokio::test]
async fn the_first_name_of_a_file_with_several_is_one_that_is_sent() {
    let tree = tree(&["a"]);
    for name in ["b", "c"] {
        fs::hard_link(tree.path().join("a"), tree.path().join(name)).unwrap();
    }
    let all = Receiver::excluding(tree.path(), &["a"]).all().await;
    assert_eq!((all["b"].0.linkname.as_str(), all["b"].1.as_slice()), ("", &b"this is a"[..]));
    assert_eq!(all["c"].0.linkname, "b");
}

#[tokio::test]
async fn only_listed_files_can_be_asked_for_and_only_once() {
    let tree = tree(&["dir/file"]);
    for id in [0, 2, u32::MAX] {
        let mut receiver = Receiver::of(tree.path());
        receiver.list().await.unwrap();
        assert_eq!(receiver.fetch(id).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let mut receiver = Receiver::of(tree.path());
    receiver.list().await.unwrap();
    receiver.fetch(1).await.unwrap();
    assert_eq!(receiver.fetch(1).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(receiver.progress.failure.get(), None, "it is not our failure");
}

#[tokio::test]
async fn what_cannot_be_sent_is_named() {
    let odd = tree(&["file"]);
    fs::write(odd.path().join(OsStr::from_bytes(b"bad\xff")), "x").unwrap();
    let error = Receiver::of(odd.path()).list().await.unwrap_err();
    assert_eq!(error.message(), "the name of `bad\u{fffd}` is not UTF-8, which BuildKit cannot take");
    assert_eq!(paths(&Receiver::excluding(odd.path(), &["bad*"]).list().await.unwrap()), ["file"]);

    let target = tree(&[]);
    symlink(OsStr::from_bytes(b"bad\xff"), target.path().join("link")).unwrap();
    let error = Receiver::of(target.path()).list().await.unwrap_err();
    assert_eq!(error.message(), "the name of `link (target)` is not UTF-8, which BuildKit cannot take");

    let deep = tree(&[&("d/".repeat(300) + "file")]);
    assert!(Receiver::of(deep.path()).list().await.unwrap_err().message().contains("deep"));

    let error = Receiver::excluding(odd.path(), &["[z-a"]).list().await.unwrap_err();
    assert!(error.message().starts_with("`[z-a` is not a pattern"), "{error}");
}

#[tokio::test]
async fn limits_hold() {
    let tree = tree(&["a", "b", "c"]);
    let list = async |entries, bytes| {
        let limits = Limits { entries, bytes };
        Receiver::asking(tree.path(), Asked::default(), limits).list().await
    };
    assert_eq!(list(3, 27).await.unwrap().len(), 3);
    assert!(list(2, 27).await.unwrap_err().message().contains("more than 2"));
    assert!(list(3, 26).await.unwrap_err().message().contains("larger than 26 bytes"));
}

#[tokio::test]
async fn a_receiver_that_leaves_ends_the_transfer() {
    let files: Vec<_> = (0..500).map(|file| format!("f{file}")).collect();
    let tree = tree(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let mut receiver = Receiver::of(tree.path());
    receiver.next().await.unwrap().unwrap();
    receiver.ask(PacketType::PacketErr, 0).await;
    let progress = Arc::clone(&receiver.progress);
    drop(receiver);
    // The transfer's own copies of it are gone when its threads are.
    for _ in 0..200 {
        if Arc::strong_count(&progress) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the transfer goes on");
}

#[test]
fn a_directory_below_is_opened_without_leaving() {
    let tree = tree(&["app/file"]);
    let outside = TempDir::new().unwrap();
    symlink("app", tree.path().join("inside")).unwrap();
    symlink(outside.path(), tree.path().join("outside")).unwrap();
    symlink("../..", tree.path().join("app/up")).unwrap();
    let root = LocalDir::open(tree.path()).unwrap();
    for path in ["app", "inside", ".", "app/../app", "./app/"] {
        assert!(root.open_below(path).is_ok(), "{path}");
    }
    for path in ["..", "../x", "/", "/etc", "app/../..", "outside", "app/up", "app/file", "missing"] {
        assert!(root.open_below(path).is_err(), "{path}");
    }
}

#[test]
fn a_walk_that_sends_nothing_ends_when_nobody_waits() {
    let files: Vec<_> = (0..50).map(|dir| format!("d{dir}/file")).collect();
    let tree = tree(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let looks = Cell::new(0);
    let is_wanted = || {
        looks.set(looks.get() + 1);
        looks.get() < 3
    };
    let exclude =
        Patterns::new(&["**".to_owned(), "!kept".to_owned()], &mut Room::new(), &mut Effort::new(&|| true)).unwrap();
    let mut tell = |found: Found| panic!("{} was sent", found.stat.path);
    let root = LocalDir::open(tree.path()).unwrap();
    let none = std::collections::BTreeMap::new();
    let mut walk = Walk::new((None, exclude), &none, 1_000, Effort::new(&is_wanted), &mut tell);
    let ended = walk.dir(&root.dir, "");
    assert!(matches!(ended, Err(Failure::Gone)), "{ended:?}");
    assert_eq!(looks.get(), 3);
}

#[tokio::test]
async fn hostile_lists_of_patterns_are_refused_or_matched() {
    let tree = tree(&["aaaa/b", "c"]);
    let excluding = async |exclude: Vec<String>| {
        let asked = Asked { exclude, ..Asked::default() };
        Receiver::asking(tree.path(), asked, Limits::default()).list().await
    };
    let many = excluding(vec!["x".to_owned(); 1_000_000]).await.unwrap_err();
    assert!(many.message().contains("more than 10000 patterns"), "{many}");
    let long = excluding(vec!["*".repeat(1 << 20)]).await.unwrap_err();
    assert!(long.message().contains("longer than"), "{long}");
    let hard = vec!["*a".repeat(2_000) + "b", "**/".repeat(1_300) + "b", "c".to_owned()];
    assert_eq!(paths(&excluding(hard).await.unwrap()), ["aaaa"]);
}

#[tokio::test]
async fn links_that_lead_to_ever_more_links_end() {
    let tree = tree(&["file"]);
    for link in 0..11_000 {
        symlink("file", tree.path().join(format!("l{link}"))).unwrap();
    }
    let asked = Asked { follow: vec!["l*".to_owned()], ..Asked::default() };
    let error = Receiver::asking(tree.path(), asked, Limits::default()).list().await.unwrap_err();
    assert!(error.message().contains("too many others"), "{error}");
}
