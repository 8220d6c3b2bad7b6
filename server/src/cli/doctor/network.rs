//! The ways in and out: listening, TLS, the forge, webhooks, and the clock.

use super::{Finding, WEBHOOKS};
use crate::accounts::oauth;
use crate::cli::lock;
use crate::clock::{Clock, Millis, SECOND};
use crate::config::{Config, GitHub};
use std::net::IpAddr;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use url::{Host, Url};

/// Clocks further apart than this break TLS and the registry's short tokens.
const MOST_SKEW_SECS: i64 = 60;

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![listen(config), tls(config)];
    match &config.github {
        Some(github) => findings.extend(forge(github).await),
        None => findings.push(Finding::warn(
            "forge",
            "no OAuth App is set up: nobody can sign in",
            "make one at GitHub, then set `github.client_id` and `github.client_secret` (docs/OPERATIONS.md)",
        )),
    }
    findings.push(hooks(&config.public_url));
    findings
}

fn listen(config: &Config) -> Finding {
    let (what, address) = ("listen", config.listen);
    match std::net::TcpListener::bind(address) {
        Ok(_) => Finding::ok(what, format!("{address} is free")),
        Err(_) if lock::is_held(config) => Finding::ok(what, format!("{address} is taken, and a server runs here")),
        Err(e) => {
            Finding::fail(what, format!("{address}: {e}"), "stop what listens there, or set `listen` to another port")
        }
    }
}

fn tls(config: &Config) -> Finding {
    let what = "TLS";
    let local = config.public_url.host_str().is_some_and(|h| h == "localhost") || is_private(&config.public_url);
    match (config.is_https(), &config.tls) {
        (true, None) if config.trusted_proxies.is_empty() => Finding::warn(
            what,
            "`public_url` is https, but neither a certificate nor a proxy is set",
            "set `tls.certificate` and `tls.key`, or put a proxy in front and list it in `trusted_proxies`",
        ),
        (true, _) => Finding::ok(what, "people come by https"),
        (false, _) if local => Finding::ok(what, "plain http, for this machine or a private network"),
        (false, _) => Finding::warn(
            what,
            format!("people come to {} by plain http: sessions and tokens can be read on the way", config.public_url),
            "use https (docs/OPERATIONS.md, TLS)",
        ),
    }
}

async fn forge(github: &GitHub) -> Vec<Finding> {
    const WHAT: &str = "forge";
    let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).user_agent("slipway-doctor").build();
    let address = format!("{}/meta", oauth::api(&github.url));
    let answer = match http {
        Ok(http) => http.get(&address).send().await,
        Err(e) => return vec![Finding::fail(WHAT, e.to_string(), "this is a defect of slipway: report it")],
    };
    match answer {
        Ok(answer) => {
            let date = answer.headers().get("date").and_then(|d| d.to_str().ok()).map(str::to_owned);
            let status = answer.status().as_u16();
            let mut findings = vec![if status < 500 {
                Finding::ok(WHAT, format!("{address} answers"))
            } else {
                Finding::warn(WHAT, format!("{address} answers {status}"), "try again later")
            }];
            findings.extend(date.and_then(|date| clock(&date, Clock::default().now())));
            findings
        }
        Err(e) => vec![Finding::fail(
            WHAT,
            format!("{address} cannot be reached: {e}"),
            "check `github.url`, name resolution and the firewall: sign-in and builds need the forge",
        )],
    }
}

/// This machine's clock beside the forge's.
fn clock(date: &str, now: Millis) -> Option<Finding> {
    let theirs = OffsetDateTime::parse(&date.replace("GMT", "+0000"), &Rfc2822).ok()?;
    let skew = now / SECOND - theirs.unix_timestamp();
    Some(if skew.abs() <= MOST_SKEW_SECS {
        Finding::ok("clock", format!("{} s from the forge's", skew.abs()))
    } else {
        let side = if skew > 0 { "ahead of" } else { "behind" };
        Finding::fail("clock", format!("{} s {side} the forge's", skew.abs()), "set the clock, and keep it by NTP")
    })
}

/// Whether a forge on the internet can reach us.
fn hooks(public_url: &Url) -> Finding {
    if is_private(public_url) {
        return Finding::warn(
            WEBHOOKS,
            format!("{public_url} is not reachable from the internet: no webhook arrives"),
            "nothing to do: sources are polled (`sources.poll_secs`); a public address makes builds start sooner",
        );
    }
    Finding::ok(WEBHOOKS, format!("the forge can send them to {public_url} if it is reachable from there"))
}

fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => is_private_address(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_private_address(IpAddr::V6(ip)),
        Some(Host::Domain(name)) => {
            // One word is a name of the local network; these endings never leave it.
            let local = ["localhost", "local", "internal", "lan", "home.arpa", "test"];
            !name.contains('.') || local.iter().any(|end| name == *end || name.ends_with(&format!(".{end}")))
        }
        None => true,
    }
}

fn is_private_address(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn addresses_that_no_webhook_reaches() {
        for (url, private) in [
            ("http://localhost:8080", true),
            ("http://127.0.0.1", true),
            ("http://10.1.2.3", true),
            ("http://[::1]:1", true),
            ("http://build-box:8080", true),
            ("https://slipway.lan", true),
            ("https://images.example.com", false),
            ("https://8.8.8.8", false),
        ] {
            assert_eq!(is_private(&Url::parse(url).unwrap()), private, "{url}");
        }
    }

    #[tokio::test]
    async fn each_trouble_has_its_remedy() {
        let app = crate::testing::TestApp::start().await;
        let mut config = app.config.clone();
        let is = |found: Finding, level, remedy: &str| {
            assert_eq!(found.level, level, "{found:?}");
            assert!(found.remedy.as_deref().unwrap_or_default().contains(remedy), "{found:?}");
        };
        is(tls(&config), Level::Ok, "");
        is(hooks(&config.public_url), Level::Warn, "`sources.poll_secs`");
        config.public_url = "http://images.example.com".parse().unwrap();
        is(tls(&config), Level::Warn, "use https");
        config.public_url = "https://images.example.com".parse().unwrap();
        is(tls(&config), Level::Warn, "list it in `trusted_proxies`");
        is(hooks(&config.public_url), Level::Ok, "");
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        is(tls(&config), Level::Ok, "");

        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        config.listen = taken.local_addr().unwrap();
        is(listen(&config), Level::Fail, "set `listen` to another port");
        is(look(&config).await.into_iter().find(|f| f.subject == "forge").unwrap(), Level::Warn, "`github.client_id`");
        let away = GitHub {
            url: "http://127.0.0.1:1".parse().unwrap(),
            client_id: "x".into(),
            client_secret: slipway_protocol::HeadersSecret("x".into()),
        };
        is(forge(&away).await.remove(0), Level::Fail, "check `github.url`");
    }

    #[test]
    fn a_wrong_clock_is_told() {
        let now = 1_000_000_000 * SECOND;
        let level = |date| clock(date, now).map(|f| f.level);
        assert_eq!(level("Sun, 09 Sep 2001 01:46:40 GMT"), Some(Level::Ok));
        assert_eq!(level("Sun, 09 Sep 2001 01:50:40 GMT"), Some(Level::Fail));
        assert_eq!(level("yesterday"), None);
    }
}
