//! Steps that want all memory, all processes, or all of the disk.

use std::path::{Path, PathBuf};

use slipway_tests::Run;

use super::workshop::{Workshop, with_busybox};

#[tokio::test]
async fn a_step_that_wants_all_memory_or_all_processes_ends_alone() {
    let bounds = [("SLIPWAY_BUILDER_MEMORY_BYTES", "100000000"), ("SLIPWAY_BUILDER_PROCESSES", "64")];
    let mut shop = Workshop::new(&bounds).await;
    let built = shop.build("memory", "RUN tail /dev/zero\n").await;
    built.is("failed").page.says("needed more memory than builds have here");

    let many = "RUN for n in $(seq 200); do sleep 100 & done; echo got $(echo all)\n";
    let built = shop.build("processes", many).await;
    built.is("failed");
    assert!(built.raw.contains("can't fork") && !built.raw.contains("got all"), "{}", built.raw);

    let few = "RUN for n in $(seq 20); do sleep 0 & done; wait; echo score $(cat /proc/self/oom_score_adj)\n";
    let built = shop.build("modest", few).await;
    built.is("succeeded");
    assert!(built.raw.contains("score 500"), "the kernel takes steps first: {}", built.raw);

    let pid = shop.site.server.pid();
    shop.site.server.terminate().await;
    assert_eq!(groups(pid), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_dockerignore_that_stands_for_gigabytes_is_refused_in_words() {
    let shop = Workshop::new(&[]).await;
    let lines = format!("?{}\n", "a{1000}".repeat(14)).repeat(9_800);
    let change = with_busybox(shop.bench.repo.change("patterns"), "COPY . /x\n").file(".dockerignore", lines);
    let before = shop.site.server.rss_bytes();
    let built = shop.push(&shop.bench, change).await;
    built.is("failed").page.says("with the others it stands for more than 2097152 characters");
    let grown = shop.site.server.rss_bytes().saturating_sub(before);
    assert!(grown < 100 << 20, "it grew by {} MiB", grown >> 20);
}

#[tokio::test]
async fn a_dockerfile_that_grows_in_buildkit_ends_buildkit_alone() {
    // Of the daemons it is a third, and a gibibyte at least.
    let shop = Workshop::new(&[("SLIPWAY_BUILDER_MEMORY_BYTES", "100000000")]).await;
    let doubled = format!("ENV A=0123456789\n{}", "ENV A=$A$A\n".repeat(30));
    let built = shop.build("doubled", &doubled).await;
    built.is("failed").page.says("BuildKit itself needed more memory than it has here").lacks("no fault of the code");
    shop.build("modest", "ENV A=0123456789\nRUN echo $A\n").await.is("succeeded");
}

/// What a builder has of cgroups; of v1 there are several trees.
fn groups(pid: i32) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let trees = std::fs::read_dir(root).expect("cgroups are mounted").flatten().map(|tree| tree.path());
    let groups = trees.chain([root.to_owned()]).flat_map(|tree| std::fs::read_dir(tree.join("slipway-builds")));
    let groups = groups.flatten().flatten().map(|group| group.path());
    let name = format!("/{pid}-");
    groups.filter(|group| group.to_string_lossy().contains(&name)).collect()
}

/// A small disk for the builder; unmounted in the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    async fn at(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("a folder for the disk");
        let mount = Run::new("mount").args(["-t", "tmpfs", "-o", "size=700m,mode=711", "tmpfs"]);
        mount.args([folder]).output().await.ok();
        Self(folder.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        std::process::Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

#[tokio::test]
async fn a_step_that_fills_the_disk_and_waits_is_ended() {
    let mut shop = Workshop::new(&[("SLIPWAY_STORAGE_MIN_FREE_BYTES", "300000000")]).await;
    let server = &mut shop.site.server;
    server.terminate().await;
    let _disk = SmallDisk::at(&server.data_dir().join("builder")).await;
    server.start_again().await;

    let fill = "RUN dd if=/dev/zero of=/x bs=1M count=550; echo written; sleep 1000\n";
    let built = shop.build("disk", fill).await;
    built.is("failed").page.says("disk filled up, and this build was stopped");
    assert!(built.raw.contains("written"), "{}", built.raw);
    shop.build("small", "RUN echo room again\n").await.is("succeeded");
    shop.site.server.terminate().await;
}
