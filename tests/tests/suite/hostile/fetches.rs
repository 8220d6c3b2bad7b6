//! What BuildKit fetches by itself, and what it sees of the machine while it does.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use slipway_tests::{BuilderProgram, Run, tool};

use super::{
    escapes::{counting, own_address},
    site::until,
    workshop::{Workshop, processes, with_busybox},
};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const METADATA: [&str; 4] = ["169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192"];

#[tokio::test]
async fn no_metadata_address_is_reached_by_steps() {
    let shop = Workshop::shared().await;
    let look = format!(
        "RUN for host in {} fd00:ec2::254; do nc -w 3 $host 80 </dev/null && echo REA''CHED $host || echo closed $host; \
         done; ip -6 route; true\n",
        METADATA.join(" ")
    );
    let built = shop.build("metadata", &look).await;
    built.is("succeeded");
    assert!(!built.raw.contains("REACHED"), "{}", built.raw);
    let refused = built.raw.lines().filter(|line| line.contains("Connection refused")).count();
    assert_eq!(refused, METADATA.len(), "the machine itself says no: {}", built.raw);
}

#[tokio::test]
async fn rules_of_the_firewall_that_are_taken_away_come_back_while_the_daemon_lives() {
    const NETWORK: &str = "10.231.0.0";
    let shop = Workshop::new(&[("SLIPWAY_BUILDER_EMBEDDED", "false"), ("SLIPWAY_BUILDER_TOKENS", TOKEN)]).await;
    let _builder = BuilderProgram::start_with(&shop.site.server, TOKEN, &[("SLIPWAY_BUILDER_NETWORK", NETWORK)]);
    shop.build("before", "RUN true\n").await.is("succeeded");
    let rules = async |verb: &str| {
        let network = format!("{NETWORK}/16");
        let closed = |chain| vec![chain, "-s", &network, "-d", "169.254.0.0/16", "-j", "REJECT"];
        let mut done = 0;
        for rule in [closed("INPUT"), closed("SLIPWAY-BUILDS")] {
            let words = ["-w", verb].into_iter().chain(rule);
            done += u32::from(Run::new(tool("iptables")).args(words).output().await.status == 0);
        }
        done
    };
    assert_eq!(rules("-D").await, 2, "they were there");
    shop.build("after", "RUN echo after\n").await.is("succeeded");
    assert_eq!(rules("-C").await, 2, "with the next build");
    assert_eq!(rules("-D").await, 2);
    until("they are back without a build too", async || (rules("-C").await == 2).then_some(())).await;
}

#[tokio::test]
async fn no_metadata_address_is_reached_by_the_daemon() {
    let shop = Workshop::shared().await;
    for (number, host) in METADATA.into_iter().chain(["[fd00:ec2::254]"]).enumerate() {
        let built = shop.build(&format!("metadata-{number}"), &format!("ADD http://{host}/latest /x\n")).await;
        built.is("failed").page.says("is not fetched: its host is this machine itself or a cloud");
        // A name, another spelling or a redirect lead there too: the firewall is what counts.
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: http://{host}/x\r\ncontent-length: 0\r\n\r\n");
        let hop = counting(Ipv4Addr::UNSPECIFIED, &answer, &Arc::default()).await;
        let add = format!("ADD http://{}:{}/x /x\n", own_address(), hop.port());
        let built = shop.build(&format!("metadata-hop-{number}"), &add).await;
        built.is("failed");
        let said = ["connection refused", "network is unreachable", "cannot assign requested address"];
        assert!(said.iter().any(|said| built.raw.contains(said)), "{host}:\n{}", built.raw);
    }
}

#[tokio::test]
async fn nothing_is_fetched_with_git_however_its_address_is_written() {
    let shop = Workshop::shared().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let forge = counting(Ipv4Addr::UNSPECIFIED, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", &asked).await;
    let host = format!("{}:{}", own_address(), forge.port());
    let sources = [
        format!("http://{host}/a/b.git"),
        format!("http://{host}/a/b.git#main:docs"),
        format!("http://{host}/a/b.git?ref=main"),
        format!("http://user:word@{host}/a/b.git"),
        format!("HTTP://{host}/a/b.git"),
        format!("git://{host}/a/b"),
        format!("ssh://git@{host}/a/b"),
        "git@example.com:a/b.git".to_owned(),
    ];
    for (number, source) in sources.iter().enumerate() {
        for add in [format!("ADD {source} /x\n"), format!("ADD --keep-git-dir=true {source} /x\n")] {
            let built = shop.build(&format!("git-{number}-{}", add.len()), &add).await;
            assert_eq!(built.state, "failed", "{add}{}", built.raw);
            // With its scheme in capitals it is no address of git for BuildKit, but one of a file.
            if !source.starts_with("HTTP:") {
                built.page.says("would be fetched with git").says("builds.git_hosts");
            }
        }
    }
    let paths = asked.load(Ordering::Relaxed);
    assert!(paths <= 2, "{paths} requests arrived");
}

#[tokio::test]
async fn a_host_that_the_operator_names_is_fetched_from_with_git() {
    let asked = Arc::new(AtomicUsize::new(0));
    let forge = counting(Ipv4Addr::UNSPECIFIED, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", &asked).await;
    let host = format!("{}:{}", own_address(), forge.port());
    let shop = Workshop::new(&[("SLIPWAY_BUILDS_GIT_HOSTS", &format!("git.example.com,{host}"))]).await;
    let built = shop.build("allowed", &format!("ADD http://{host}/a/b.git /x\n")).await;
    built.is("failed").page.lacks("would be fetched with git");
    assert!(asked.load(Ordering::Relaxed) > 0, "{}", built.raw);
    let other = shop.build("denied", "ADD https://git.example.com.evil.example/a/b.git /x\n").await;
    other.is("failed").page.says("would be fetched with git");
}

/// All files below a folder, as the process sees it.
fn seen_by(pid: i32, folder: &Path) -> Vec<PathBuf> {
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    let mut open = vec![root.join(folder.strip_prefix("/").expect("a whole path"))];
    let mut seen = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let shown = Path::new("/").join(path.strip_prefix(&root).expect("below it"));
            let is_own_state = shown.components().any(|part| part.as_os_str() == "root" || part.as_os_str() == "cni");
            if path.is_dir() && !path.is_symlink() && !is_own_state {
                open.push(path);
            }
            seen.push(shown);
        }
    }
    seen.sort();
    seen
}

/// The daemons whose command line names this folder.
fn daemons_in(folder: &Path) -> Vec<i32> {
    let folder = folder.to_string_lossy().into_owned();
    let is_daemon = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let program = String::from_utf8_lossy(&line).split('\0').next().unwrap_or_default().to_owned();
        program.ends_with("/buildkitd")
    };
    processes(&folder).into_iter().filter(is_daemon).collect()
}

#[track_caller]
fn sees_its_own_part_only(pid: i32, data: &Path, daemons: &Path) {
    let seen = seen_by(pid, data);
    let own: Vec<_> = seen.iter().filter(|path| path.parent() == Some(daemons)).collect();
    assert_eq!(own.len(), 1, "the state of one daemon: {own:?}");
    for path in &seen {
        let is_way = own[0].starts_with(path);
        assert!(is_way || path.starts_with(own[0]), "it sees {}", path.display());
    }
}

#[tokio::test]
async fn the_daemon_sees_nothing_of_the_data_folder_but_its_own_part() {
    let shop = Workshop::new(&[]).await;
    shop.build("seen", "RUN true\n").await.is("succeeded");
    shop.build_for_eve("seen", "RUN true\n").await.is("succeeded");
    let data = shop.site.server.data_dir().canonicalize().expect("it is there");
    assert!(data.join("keys/master.key").exists());
    let daemons = daemons_in(&data);
    assert_eq!(daemons.len(), 4, "one for each repository, and for its default branch and the others");
    for pid in daemons {
        sees_its_own_part_only(pid, &data, &data.join("builder/daemons"));
        assert!(!Path::new(&format!("/proc/{pid}/root/run/slipway/networks.json")).exists());
    }
}

#[tokio::test]
async fn the_daemon_of_a_builder_elsewhere_sees_its_own_part_of_the_work_folder() {
    let shop = Workshop::new(&[("SLIPWAY_BUILDER_EMBEDDED", "false"), ("SLIPWAY_BUILDER_TOKENS", TOKEN)]).await;
    let builder = BuilderProgram::start(&shop.site.server, TOKEN);
    shop.build("seen", "RUN true\n").await.is("succeeded");
    let commit = with_busybox(shop.eves_bench.repo.change("seen"), "RUN true\n").commit("See");
    shop.finished(&shop.eves_bench, &commit).await.is("succeeded");
    let work = builder.folder().join("work").canonicalize().expect("it is there");
    let daemons = until("both daemons run", async || Some(daemons_in(&work)).filter(|found| found.len() >= 2)).await;
    for pid in daemons {
        sees_its_own_part_only(pid, &work, &work.join("daemons"));
    }
}
