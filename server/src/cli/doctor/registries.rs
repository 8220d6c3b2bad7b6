//! Registries of base images: authorities, mirrors and logins.

use super::Finding;
use crate::config::Config;
use reqwest::{Client, Response, StatusCode, header};
use slipway_protocol::RegistryLogin;
use std::time::Duration;

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let builds = &config.builds;
    let mut findings = Vec::new();
    if !builds.ca_files.is_empty() {
        let files: Vec<_> = builds.ca_files.iter().map(|file| file.display().to_string()).collect();
        findings.push(Finding::ok("authorities", format!("{} can be read", files.join(", "))));
    }
    if builds.mirrors.is_empty() && builds.logins.is_empty() {
        return findings;
    }
    let http = match client(config) {
        Ok(http) => http,
        Err(text) => {
            findings.push(Finding::fail("authorities", text, "name PEM files of authorities in `registry.ca_files`"));
            return findings;
        }
    };
    for mirror in builds.mirrors.iter().flat_map(|m| &m.mirrors) {
        findings.push(reach(&http, mirror).await);
    }
    for login in &builds.logins {
        findings.push(log_in(&http, login).await);
    }
    findings
}

fn client(config: &Config) -> Result<Client, String> {
    let mut builder = Client::builder().timeout(Duration::from_secs(10)).user_agent("slipway-doctor");
    for file in &config.builds.ca_files {
        let pem = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
        for certificate in reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| e.to_string())? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|e| e.to_string())
}

/// As BuildKit asks: Docker's registry has another name, and loopback may be plain http.
fn address(host: &str) -> String {
    if host.contains("://") {
        return format!("{}/v2/", host.trim_end_matches('/'));
    }
    let is_loopback = host.split(':').next().is_some_and(|name| name == "localhost" || name.starts_with("127."));
    let scheme = if is_loopback { "http" } else { "https" };
    format!("{scheme}://{}/v2/", if host == "docker.io" { "registry-1.docker.io" } else { host })
}

fn away(what: &'static str, host: &str, error: &reqwest::Error) -> Finding {
    let mut text = format!("{host} cannot be reached: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    Finding::warn(
        what,
        text,
        "check its name and the way there; `registry.ca_files` names authorities that the system does not know",
    )
}

async fn reach(http: &Client, mirror: &str) -> Finding {
    const WHAT: &str = "mirror";
    match http.get(address(mirror)).send().await {
        Ok(answer) if answer.status().is_server_error() => {
            let text = format!("{mirror} answers {}", answer.status());
            Finding::warn(WHAT, text, "look at the mirror's log; builds ask the registry itself meanwhile")
        }
        Ok(_) => Finding::ok(WHAT, format!("{mirror} answers")),
        Err(error) => away(WHAT, mirror, &error),
    }
}

async fn log_in(http: &Client, login: &RegistryLogin) -> Finding {
    const WHAT: &str = "login";
    let RegistryLogin { host, username, .. } = login;
    match ask(http, login).await {
        Ok(status) if status.is_success() => Finding::ok(WHAT, format!("{host} takes that of `{username}`")),
        Ok(status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => Finding::fail(
            WHAT,
            format!("{host} refuses that of `{username}` ({status})"),
            format!(
                "put a good user and password for {host} into `registry.logins`: builds on its private images fail"
            ),
        ),
        Ok(status) => Finding::warn(WHAT, format!("{host} answers {status}"), "try again later"),
        Err(error) => away(WHAT, host, &error),
    }
}

/// The answer to this login, at the registry or where it sends for tokens.
async fn ask(http: &Client, login: &RegistryLogin) -> reqwest::Result<StatusCode> {
    let with = |url: &str| http.get(url).basic_auth(&login.username, Some(&login.password.0));
    let answer = with(&address(&login.host)).send().await?;
    match bearer(&answer) {
        Some((realm, service)) => Ok(with(&realm).query(&[("service", service)]).send().await?.status()),
        None => Ok(answer.status()),
    }
}

/// `Bearer realm="…",service="…"`, after distribution's token specification.
fn bearer(answer: &Response) -> Option<(String, String)> {
    let text = answer.headers().get(header::WWW_AUTHENTICATE)?.to_str().ok()?;
    text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer "))?;
    let value = |name: &str| {
        let (_, rest) = text.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    Some((value("realm")?, value("service").unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_asked_where_builds_ask_them() {
        for (host, url) in [
            ("docker.io", "https://registry-1.docker.io/v2/"),
            ("registry.example.com:5000", "https://registry.example.com:5000/v2/"),
            ("localhost:5000", "http://localhost:5000/v2/"),
            ("http://mirror.example/", "http://mirror.example/v2/"),
        ] {
            assert_eq!(address(host), url);
        }
    }
}
