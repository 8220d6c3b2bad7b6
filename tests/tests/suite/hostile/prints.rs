//! What builds print: secrets that must not be there, and bytes that must harm neither page nor server.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use reqwest::Method;

use super::workshop::Workshop;

/// How every credential of ours and of the forge begins.
const CREDENTIALS: &[&str] = &["gho_", "sla_", "slb_", "slp_", "x-access-token", "Authorization", "Bearer "];

#[tokio::test]
async fn no_credential_is_within_reach_of_a_step_or_in_what_it_leaves() {
    let shop = Workshop::shared().await;
    let browser = shop.mona();
    let to = shop.site.connected(&browser, "mona", "secretive", true).await;
    let look = "RUN env; cat /proc/self/environ /proc/1/environ /proc/1/cmdline | tr '\\0' '\\n'; \
                find / -xdev -name '*config.json' -o -xdev -name '.git*' -o -xdev -name '.netrc' | head; \
                ls -la /run /run/secrets /var/run / 2>&1; cat /proc/mounts\n";
    let change = super::workshop::with_busybox(to.repo.change("main"), &format!("ENV A=b\nCOPY . /all\n{look}"));
    let watch = Watch::start();
    let built = shop.push(&to, change).await;
    let lines = watch.end();
    built.is("succeeded");
    assert!(built.raw.contains("A=b"), "{}", built.raw);
    assert!(lines.contains("fetch -q --depth=1"), "git was seen at work: {lines}");
    for word in CREDENTIALS {
        assert!(!lines.contains(word), "{word} is in the arguments of a program:\n{lines}");
    }
    let image = image_of(shop, &browser, "mona/secretive", "main").await;
    let log = shop.site.server.log();
    for word in CREDENTIALS {
        assert!(!built.raw.contains(word), "{word} is in the log:\n{}", built.raw);
        assert!(!built.page.text.contains(word), "{word} is on the page");
        assert!(!image.contains(word), "{word} is in the image's history or provenance:\n{image}");
        assert!(!log.contains(word), "{word} is in the server's log:\n{log}");
    }
    assert!(image.contains("buildType") && image.contains("in-toto"), "the provenance was looked at: {image}");
    assert!(!built.raw.contains("docker.sock"), "{}", built.raw);
}

/// Looks at the command lines of all programs, as every user of the machine can.
struct Watch(Arc<AtomicBool>, std::thread::JoinHandle<BTreeSet<String>>);

impl Watch {
    fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = over.clone();
        let thread = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !is_over.load(Ordering::Relaxed) {
                let all = fs::read_dir("/proc").expect("/proc is there").flatten();
                let lines = all.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
                seen.extend(lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")));
            }
            seen
        });
        Self(over, thread)
    }

    /// One line for each git that ran meanwhile, its helpers too. Some end between two looks; a fetch takes longer.
    fn end(self) -> String {
        self.0.store(true, Ordering::Relaxed);
        let seen = self.1.join().expect("it only looked");
        seen.into_iter().filter(|line| line.contains("git")).collect::<Vec<_>>().join("\n")
    }
}

/// What the builder knows to be secret is nowhere to be read, however a step prints it.
#[tokio::test]
async fn a_secret_that_a_step_prints_is_masked_wherever_it_would_be_read() {
    const SECRET: &str = "opensesame-4711";
    let login = format!("registry.invalid=mona:{SECRET}");
    let shop = Workshop::new(&[("SLIPWAY_REGISTRY_LOGINS", &login)]).await;
    let steps = format!(
        "RUN echo plain {SECRET} && echo to-stderr {SECRET} >&2\n\
         RUN printf 'opense' && sleep 0.4 && printf 'same-4711 halves\\n'\n\
         RUN printf '{SECRET}' | base64\n\
         RUN echo fails {SECRET} && exit 3\n"
    );
    let built = shop.build("print-secret", &steps).await;
    built.is("failed").page.says("exit code: 3");
    let path = format!("/mona/bench/-/builds/{}", built.number);
    let coloured = shop.mona().get(&format!("{path}/raw")).await.text;
    let list = shop.mona().get("/mona/bench/-/builds").await.text;
    // With what has not been moved from beside it yet.
    let stored = ["slipway.db", "slipway.db-wal"].map(|file| fs::read(shop.site.server.data_dir().join(file)));
    let rows = stored.into_iter().flatten().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    let log = shop.site.server.log();
    for word in [SECRET, "b3BlbnNlc2FtZS00NzEx"] {
        for (place, text) in [
            ("page", &built.page.text),
            ("plain log", &built.raw),
            ("raw log", &coloured),
            ("list", &list),
            ("database", &rows),
            ("server's log", &log),
        ] {
            assert!(!text.contains(word), "{word} is in the {place}:\n{text}");
        }
    }
    for shown in ["plain ***", "to-stderr ***", "*** halves", "fails ***"] {
        assert!(built.raw.contains(shown), "{shown}:\n{}", built.raw);
    }
}

/// All small blobs and manifests of an image, one after the other: config, provenance, indexes.
async fn image_of(shop: &Workshop, browser: &super::browser::Browser, name: &str, tag: &str) -> String {
    let token = shop.site.server.admin(&["token", "add", "--user", "mona", "--scopes", "read"]).await;
    let ask =
        browser.request(Method::GET, &format!("/token?scope=repository:{name}:pull")).basic_auth("mona", Some(token));
    let answer: serde_json::Value = serde_json::from_str(&browser.send(ask).await.is(200).text).expect("JSON");
    let bearer = answer["token"].as_str().expect("a token").to_owned();
    let (mut open, mut all) = (vec![format!("manifests/{tag}")], String::new());
    while let Some(path) = open.pop() {
        let request = browser.request(Method::GET, &format!("/v2/{name}/{path}")).bearer_auth(&bearer);
        let request = request
            .header("accept", "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json");
        let text = browser.send(request).await.is(200).text;
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        for (list, kind) in [("manifests", "manifests"), ("layers", "blobs")] {
            for item in json[list].as_array().into_iter().flatten() {
                let is_text = kind == "manifests" || item["mediaType"].as_str().is_some_and(|m| m.contains("in-toto"));
                let digest = item["digest"].as_str().expect("a digest");
                open.extend(is_text.then(|| format!("{kind}/{digest}")));
            }
        }
        open.extend(json["config"]["digest"].as_str().map(|digest| format!("blobs/{digest}")));
        all.push_str(&text);
    }
    all
}

#[tokio::test]
async fn markup_and_escapes_are_shown_as_text() {
    let shop = Workshop::shared().await;
    let dockerfile = "RUN echo '<script>alert(1)</script><img src=x onerror=alert(1)>' \\\n\
        && printf '\\033]8;;http://evil.example\\033\\\\link\\033]8;;\\033\\\\\\n' \\\n\
        && printf '\\033]0;title\\007\\033[2J\\033[1;1Hmoved\\n' \\\n\
        && printf 'first\\rsecond\\n' \\\n\
        && printf 'bad \\377\\376 bytes \\000 nul\\n' \\\n\
        && printf 'turned \\342\\200\\256 around\\n' \\\n\
        && printf '\\033[31mred\\033[0m\\n' && echo the-end\n";
    let built = shop.build("print-markup", dockerfile).await;
    let page = &built.is("succeeded").page;
    page.says("the-end")
        .says("&#60;script&#62;")
        .lacks("<script>alert")
        .lacks("<img src=x")
        .lacks("href=\"http://evil");
    for bad in ['\u{1b}', '\u{7}', '\u{0}', '\u{202e}'] {
        assert!(!page.text.contains(bad), "{} is on the page raw", bad.escape_unicode());
    }
    page.says("bad \u{fffd}");
    let raw = shop.mona().get(&format!("/mona/bench/-/builds/{}/raw", built.number)).await.is(200);
    assert_eq!(raw.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'; sandbox");
    assert_eq!(raw.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(raw.header("x-content-type-options"), "nosniff");
    raw.says("the-end");
    assert!(!built.raw.contains(['\u{1b}', '\u{7}']), "without colours it has no escapes: {}", built.raw);
}

#[tokio::test]
async fn a_line_of_a_megabyte_is_cut_and_the_rest_goes_on() {
    let shop = Workshop::shared().await;
    let before = shop.site.server.rss_bytes();
    let built = shop.build("print-long", "RUN head -c 1000000 /dev/zero | tr '\\000' a; echo; echo after-it\n").await;
    built.is("succeeded").page.says("after-it");
    assert!(built.page.text.len() < 200_000, "a page of {} bytes", built.page.text.len());
    assert!(built.raw.contains("after-it"));
    let longest = built.raw.lines().map(str::len).max().unwrap_or_default();
    assert!((60_000..=70_000).contains(&longest), "the longest line has {longest} bytes");
    let grown = shop.site.server.rss_bytes().saturating_sub(before);
    assert!(grown < 60 << 20, "it grew by {} MiB", grown >> 20);
}

#[tokio::test]
async fn a_hundred_thousand_lines_come_whole() {
    let shop = Workshop::shared().await;
    let before = shop.site.server.rss_bytes();
    let built = shop.build("print-many", "RUN seq -f 'line %06.0f.' 1 100000\n").await;
    let built = if built.state == "succeeded" {
        built
    } else {
        shop.build("print-many-2", "RUN i=0; seq 1 100000 | sed 's/$/./;s/^/line /'\n").await
    };
    built.is("succeeded").page.says("100000.");
    let lines = built.raw.lines().filter(|line| line.ends_with('.') && line.contains("line ")).count();
    assert_eq!(lines, 100_000, "lines of the raw log");
    // From its beginning, as a page that was opened early gets it.
    let browser = shop.mona();
    let path = format!("/mona/bench/-/builds/{}/events?after=1-0", built.number);
    let mut answer = browser.request(Method::GET, &path).send().await.expect("a stream");
    let (mut text, mut seen) = (String::new(), std::collections::BTreeSet::new());
    let stream = async {
        while let Ok(Some(chunk)) = answer.chunk().await {
            text.push_str(&String::from_utf8_lossy(&chunk));
            let whole = text.rfind("\n\n").map_or(0, |at| at + 2);
            for part in text[..whole].split("<span>line ").skip(1) {
                seen.extend(part.split('.').next().and_then(|number| number.parse::<u32>().ok()));
            }
            text.drain(..whole);
            if seen.len() == 100_000 {
                break;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(150), stream).await.ok();
    assert_eq!(seen.len(), 100_000, "lines of the stream; it ends with {}", text.get(..400).unwrap_or_default());
    let grown = shop.site.server.rss_bytes().saturating_sub(before);
    assert!(grown < 150 << 20, "it grew by {} MiB", grown >> 20);
}
