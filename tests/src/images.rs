//! Base images made on this machine, because tests reach no registry on the internet.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    paths::{cache, tool},
    run::Run,
};

/// What `/bin` of the busybox image holds beside busybox itself.
const APPLETS: &[&str] = &[
    "sh", "cat", "cp", "echo", "env", "false", "grep", "head", "id", "ln", "ls", "mkdir", "mv", "nc", "ps", "rm",
    "sed", "seq", "sleep", "test", "touch", "true", "uname", "wc", "yes",
];

/// Where Debian's `busybox-static` is.
pub fn busybox() -> PathBuf {
    tool("busybox")
}

/// A tar of a root file system with busybox, about 2 MB, as `folder/busybox.tar`.
pub async fn busybox_tar(folder: &Path) -> PathBuf {
    let root = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| root.path().join(name);
    for name in ["bin", "etc", "tmp", "root"] {
        fs::create_dir(path(name)).expect("the folder is new");
    }
    fs::copy(busybox(), path("bin/busybox")).expect("busybox-static is installed");
    for applet in APPLETS {
        symlink("busybox", path("bin").join(applet)).expect("the folder is new");
    }
    fs::write(path("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").expect("the folder is new");
    let tar = folder.join("busybox.tar");
    Run::new("tar")
        .args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "-cf"])
        .args([tar.as_os_str(), "-C".as_ref(), root.path().as_os_str(), ".".as_ref()])
        .output()
        .await
        .ok();
    tar
}

/// A build context that needs no network: busybox and this Dockerfile, to which `FROM scratch`, busybox and
/// its applets are put in front.
pub fn busybox_context(folder: &Path, dockerfile: &str) {
    fs::copy(busybox(), folder.join("busybox")).expect("busybox-static is installed");
    let start = "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";
    fs::write(folder.join("Dockerfile"), format!("{start}{dockerfile}")).expect("the folder is ours");
}

/// A tar of a real minimal Debian 12, about 200 MB; made once by debootstrap and kept in the cache.
pub async fn debian_tar() -> PathBuf {
    let folder = cache().join("images");
    fs::create_dir_all(&folder).expect("the cache is ours");
    let tar = folder.join("debian-bookworm.tar");
    if !tar.exists() {
        // The lock is for other test processes; the rename, for a killed one.
        let script = r#"
            exec 9>"$1.lock"; flock 9; [ ! -e "$1" ] || exit 0
            work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
            debootstrap --variant=minbase bookworm "$work/root"
            rm -rf "$work"/root/var/cache/apt/archives/*.deb "$work"/root/var/lib/apt/lists/*
            tar --numeric-owner -cf "$1.part" -C "$work/root" . && mv "$1.part" "$1"
        "#;
        Run::new("bash")
            .args(["-ec".as_ref(), script.as_ref(), "debian".as_ref(), tar.as_os_str()])
            .limit(Duration::from_mins(10))
            .output()
            .await
            .ok();
    }
    tar
}
