//! Builds that reach for what is not theirs: the host, other namespaces, BuildKit's own switches.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::workshop::{START, Workshop};

#[tokio::test]
async fn a_step_reaches_neither_the_hosts_loopback_nor_its_sockets() {
    let shop = Workshop::shared().await;
    let port = shop.site.server.port();
    let look = format!(
        "RUN for host in 127.0.0.1 localhost ::1 0.0.0.0 10.180.0.1; do \
           echo | nc -w 2 $host {port} && echo REA''CHED $host || echo closed $host; done; \
         find / -xdev -type s | sed 's/^/SOCKET /'; ls /run/slipway /var/run/docker.sock 2>&1; \
         gateway=$(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p'); echo gateway $gateway; \
         echo | nc -w 2 $gateway {port} && echo REA''CHED gateway; \
         ls /proc | grep -c '^[0-9]' | sed 's/^/processes /'; id; ls /dev; true\n"
    );
    let built = shop.build("escape-host", &look).await;
    built.is("succeeded");
    assert!(built.raw.contains("closed 127.0.0.1"), "{}", built.raw);
    for word in ["REACHED ", "SOCKET /", "mem", "kvm", "sda", "vda", "docker.sock"] {
        let seen = built.raw.lines().any(|line| line.split_once(' ').is_some_and(|(_, text)| text.starts_with(word)));
        assert!(!seen, "{word}:\n{}", built.raw);
    }
}

#[tokio::test]
async fn switches_that_weaken_the_sandbox_are_refused() {
    let shop = Workshop::shared().await;
    for (branch, step, word) in [
        ("escape-insecure", "RUN --security=insecure id", "insecure"),
        ("escape-network", "RUN --network=host id", "network.host"),
    ] {
        let built = shop.build(branch, &format!("{step}\nRUN echo got-through\n")).await;
        built.is("failed").page.says(word);
        assert!(!built.raw.contains("got-through"), "{}", built.raw);
    }
}

#[tokio::test]
async fn no_frontend_is_fetched_from_elsewhere() {
    let shop = Workshop::shared().await;
    let host = shop.site.server.host();
    let change = shop.bench.repo.change("escape-syntax");
    let text = format!("# syntax={host}/evil/frontend:1\n{START}RUN echo plain-frontend\n");
    let busybox = std::fs::read(slipway_tests::images::busybox()).expect("busybox-static is installed");
    let built = shop.push(&shop.bench, change.executable("busybox", busybox).file("Dockerfile", text)).await;
    built.is("succeeded");
    // A notice says that it was asked for; no step fetches it.
    let fetches = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line.contains("evil/frontend");
    assert!(!built.raw.lines().any(fetches), "{}", built.raw);
}

#[tokio::test]
async fn nothing_is_fetched_from_the_hosts_loopback() {
    let shop = Workshop::shared().await;
    let port = shop.site.server.port();
    let urls = [
        format!("http://127.0.0.1:{port}/healthz"),
        format!("http://localhost:{port}/healthz"),
        format!("http://LOCALHOST:{port}/healthz"),
        format!("HTTP://127.0.0.1:{port}/healthz"),
        format!("http://user:word@127.0.0.1:{port}/healthz"),
        format!("http://127.1:{port}/healthz"),
        format!("http://0x7f000001:{port}/healthz"),
        format!("http://2130706433:{port}/healthz"),
        format!("http://0.0.0.0:{port}/healthz"),
        format!("http://[::ffff:127.0.0.1]:{port}/healthz"),
        format!("http://localhost.:{port}/healthz"),
        format!("http://a:b@LocalHost:{port}/healthz"),
        format!("http://[0:0:0:0:0:ffff:7f00:1]:{port}/healthz"),
        format!("http://any.localhost:{port}/healthz"),
    ];
    let tries = urls.iter().enumerate().map(async |(number, url)| {
        let add = format!("ADD {url} /fetched\nRUN cat /fetched\n");
        let built = shop.build(&format!("escape-add-{number}"), &add).await;
        (built.state != "failed").then_some(url)
    });
    let reached: Vec<_> = join_all(tries).await.into_iter().flatten().collect();
    assert!(reached.is_empty(), "these were fetched by the daemon: {reached:?}");
}

/// BuildKit follows redirects and looks names up by itself, so a list of forbidden URLs cannot be enough.
#[tokio::test]
async fn a_redirect_to_the_hosts_loopback_leads_nowhere() {
    let shop = Workshop::shared().await;
    let secret = site_of(Ipv4Addr::LOCALHOST, "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nloopbacks-own").await;
    let hop = format!("HTTP/1.1 302 Found\r\nlocation: http://{secret}/x\r\ncontent-length: 0\r\n\r\n");
    let hop = site_of(Ipv4Addr::UNSPECIFIED, &hop).await;
    let open = site_of(Ipv4Addr::UNSPECIFIED, "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nthe-lans").await;
    let lan = own_address();
    let fetched = shop.build("escape-lan", &format!("ADD http://{lan}:{}/x /x\nRUN cat /x\n", open.port())).await;
    assert!(fetched.is("succeeded").raw.contains("the-lans"), "the address is a way in: {}", fetched.raw);
    let built = shop.build("escape-redirect", &format!("ADD http://{lan}:{}/x /x\nRUN cat /x\n", hop.port())).await;
    built.is("failed");
    assert!(built.raw.contains("connection refused") && !built.raw.contains("loopbacks-own"), "{}", built.raw);
}

#[tokio::test]
async fn a_registry_on_the_hosts_loopback_is_no_base() {
    let shop = Workshop::shared().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let registry = counting(Ipv4Addr::LOCALHOST, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", &asked).await;
    for (branch, dockerfile) in [
        ("escape-from", format!("FROM {registry}/base\n")),
        ("escape-from-name", format!("FROM localhost:{}/base\n", registry.port())),
        ("escape-copy", format!("{START}COPY --from={registry}/base / /\n")),
    ] {
        let change = shop.bench.repo.change(branch).file("Dockerfile", dockerfile);
        shop.push(&shop.bench, change).await.is("failed");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0, "requests that arrived");
}

/// This machine's address as others see it.
pub(super) fn own_address() -> IpAddr {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
    // Nothing is sent.
    socket.connect("203.0.113.1:9").expect("a route to the world");
    socket.local_addr().expect("an address").ip()
}

async fn site_of(ip: Ipv4Addr, answer: &str) -> SocketAddr {
    counting(ip, answer, &Arc::default()).await
}

/// A server that gives each caller the same answer.
pub(super) async fn counting(ip: Ipv4Addr, answer: &str, asked: &Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind((ip, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (answer, asked) = (answer.to_owned(), asked.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            asked.fetch_add(1, Ordering::Relaxed);
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_cache_mount_is_not_shared_with_another_namespace() {
    let shop = Workshop::shared().await;
    let write = "RUN --mount=type=cache,id=common,target=/c echo monas-secret > /c/x && ls /c\n";
    let read = "RUN --mount=type=cache,id=common,target=/c cat /c/x 2>/dev/null || echo nothing-here\n";
    shop.build("escape-cache", write).await.is("succeeded");
    let eves = shop.build_for_eve("escape-cache", read).await;
    eves.is("succeeded");
    assert!(eves.raw.contains("nothing-here") && !eves.raw.contains("monas-secret\n"), "{}", eves.raw);
    // It is the same one for mona herself, so the test looks at the right thing.
    let monas = shop.build("escape-cache-own", &format!("RUN echo again\n{read}")).await;
    assert!(monas.raw.contains("monas-secret"), "{}", monas.raw);
}

#[tokio::test]
async fn a_private_base_of_another_namespace_is_refused() {
    let shop = Workshop::shared().await;
    let mona = shop.mona();
    let to = shop.site.connected(&mona, "mona", "hidden", true).await;
    let change = super::workshop::with_busybox(to.repo.change("main"), "RUN echo monas-layer > /layer\n");
    shop.push(&to, change).await.is("succeeded");
    let image = format!("{}/mona/hidden:main", shop.site.server.host());
    let mut pages = Vec::new();
    for image in [image.clone(), image.replace("hidden", "absent")] {
        let branch = if image.contains("hidden") { "escape-base" } else { "escape-none" };
        let change = shop.eves_bench.repo.change(branch).file("Dockerfile", format!("FROM {image}\nRUN cat /layer\n"));
        let built = shop.push(&shop.eves_bench, change).await;
        built.is("failed");
        assert!(!built.raw.contains("monas-layer\n"), "{}", built.raw);
        let failure =
            shop.site.sql(&format!("SELECT detail, reason FROM build WHERE ref_name = 'refs/heads/{branch}'")).await;
        pages.push(failure.replace("hidden", "absent"));
    }
    assert_eq!(pages[0], pages[1], "private and absent look alike");
    for copy in
        [format!("COPY --from={image} /layer /"), format!("RUN --mount=type=bind,from={image},target=/m cat /m/layer")]
    {
        let branch = format!("escape-copy-{}", copy.len());
        shop.build_for_eve(&branch, &format!("{copy}\n")).await.is("failed");
    }
    // Its owner may, where it is listed.
    let allow = format!("/{}/-/settings/bases", shop.bench.name);
    mona.post(&allow, &[("base", "mona/hidden")]).await.is(303);
    let change = shop.bench.repo.change("own-base").file("Dockerfile", format!("FROM {image}\nRUN cat /layer\n"));
    shop.push(&shop.bench, change).await.is("succeeded");
}
