//! What BuildKit is asked: all of it is written here, and nothing of the user's goes beyond the values.

use crate::checkout::Places;
use crate::failure::{Failed, because};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use slipway_buildkit::{BuildRequest, CacheOption, Credential, Export, LocalDir, Secret, SourceRule};
use slipway_protocol::{Assignment, Reason, Target};
use std::collections::BTreeMap;

type Attrs = BTreeMap<String, String>;

/// `ADD` from these would be fetched by the daemon itself, from the machine that builds: loopback and link-local hosts
/// and metadata services, as the start of what follows `user@`.
const DENIED_NAMES: &[&str] = &[r"([^/:@]*\.)?localhost", r"ip6-(localhost|loopback)"];
/// The same by number: what they begin with, in each way to write it. What follows are numbers, for a name may begin
/// like one: `0.gravatar.com`.
const DENIED_NUMBERS: &[&str] = &[
    r"127",
    r"0(x[0-9a-f]*|[0-9]*)",
    r"169\.254",
    // Metadata services of clouds elsewhere: Azure, Alibaba, Oracle.
    r"168\.63\.129\.16",
    r"100\.100\.100\.200",
    r"192\.0\.0\.192",
];
const MORE_NUMBERS: &str = r"(\.(0x[0-9a-f]*|[0-9]+)){0,3}";
const END: &str = r"\.?([:/?#]|$)";
/// With their bracket, so that they are no names.
const DENIED_IPV6: &str = r"\[(::|0|fe[89ab]|f[cd])";

/// Refuses arguments that are not for users to set.
pub(super) fn check(target: &Target) -> Result<(), Failed> {
    for name in target.build_args.keys() {
        let mut letters = name.bytes();
        let starts = letters.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !starts || !letters.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            let text = format!("`{}` is no name for a build argument", name.escape_debug());
            return Err(because(Reason::NotAllowed, text));
        }
        if name.to_ascii_uppercase().starts_with("BUILDKIT_") {
            let text = format!("the build argument `{name}` is BuildKit's own and cannot be set");
            return Err(because(Reason::NotAllowed, text));
        }
    }
    let bad = |name: &&String| name.is_empty() || name.chars().any(char::is_control);
    if let Some(name) = target.labels.keys().find(bad) {
        let text = format!("`{}` is no name for a label", name.escape_debug());
        return Err(because(Reason::NotAllowed, text));
    }
    Ok(())
}

pub(super) fn make(assignment: &Assignment, places: &Places) -> std::io::Result<BuildRequest> {
    let source = LocalDir::open(&places.files)?;
    let below = |path: &std::path::Path| {
        if path.as_os_str().is_empty() { Ok(source.clone()) } else { source.open_below(path) }
    };
    let local_dirs = BTreeMap::from([
        ("context".to_owned(), below(&places.context)?),
        ("dockerfile".to_owned(), below(&places.dockerfile_dir)?),
    ]);
    let own = &assignment.cache.reference;
    let readable = std::iter::once(own).chain(&assignment.cache.also_read);
    let imports = readable.filter(|_| !assignment.target.no_cache).map(|reference| cache(assignment, reference, &[]));
    let export = cache(
        assignment,
        own,
        &[("mode", "max"), ("image-manifest", "true"), ("oci-mediatypes", "true"), ("ignore-error", "true")],
    );
    let secrets = assignment.secrets.iter().filter_map(|(id, value)| {
        let value = STANDARD.decode(value).ok()?;
        Some((id.clone(), Secret(value)))
    });
    Ok(BuildRequest {
        reference: assignment.attempt_id.to_string(),
        frontend_attrs: attrs(assignment, places),
        local_dirs,
        shared_key: format!("{}/{}", assignment.trust_domain, assignment.source.id),
        exports: vec![image(assignment)],
        cache_imports: imports.collect(),
        cache_exports: vec![export],
        secrets: secrets.collect(),
        credentials: logins(assignment).collect(),
        source_rules: source_rules(&assignment.git_hosts),
        ..BuildRequest::default()
    })
}

fn attrs(assignment: &Assignment, places: &Places) -> Attrs {
    let target = &assignment.target;
    let mut attrs = Attrs::new();
    let mut set = |key: &str, value: &str| attrs.insert(key.to_owned(), value.to_owned());
    for (name, value) in &target.build_args {
        set(&format!("build-arg:{name}"), value);
    }
    for (name, value) in &target.labels {
        set(&format!("label:{name}"), value);
    }
    set("filename", &places.dockerfile_name);
    if let Some(stage) = &target.stage {
        set("target", stage);
    }
    if !target.platforms.is_empty() {
        set("platform", &target.platforms.join(","));
    }
    if target.no_cache {
        set("no-cache", "");
    }
    // With the gateway off, a `# syntax=` line would fail the build; with this it is not followed.
    set("cmdline", "docker/dockerfile:1");
    set("build-arg:BUILDKIT_CACHE_MOUNT_NS", &assignment.trust_domain);
    set("vcs:source", &assignment.source.clone_url);
    set("vcs:revision", &assignment.source.commit);
    set("attest:provenance", "mode=max");
    attrs
}

fn image(assignment: &Assignment) -> Export {
    let push = &assignment.push;
    let mut attrs = Attrs::new();
    let mut set = |key: &str, value: &str| attrs.insert(key.to_owned(), value.to_owned());
    set("name", &format!("{}/{}", push.host, push.repository));
    set("push", "true");
    set("push-by-digest", "true");
    set("oci-mediatypes", "true");
    if push.insecure {
        set("registry.insecure", "true");
    }
    Export { kind: "image".to_owned(), attrs }
}

fn cache(assignment: &Assignment, reference: &str, more: &[(&str, &str)]) -> CacheOption {
    let push = &assignment.push;
    let mut attrs = Attrs::new();
    let mut set = |key: &str, value: &str| attrs.insert(key.to_owned(), value.to_owned());
    set("ref", &format!("{}/{reference}", push.host));
    for (key, value) in more {
        set(key, value);
    }
    if push.insecure {
        set("registry.insecure", "true");
    }
    CacheOption { kind: "registry".to_owned(), attrs }
}

/// The push host and the operator's upstreams; nobody else is told anything.
fn logins(assignment: &Assignment) -> impl Iterator<Item = (String, Credential)> {
    let push = &assignment.push;
    let own = Credential { username: push.username.clone(), password: assignment.attempt_token.clone() };
    let upstream = assignment.logins.iter().map(|login| {
        let credential = Credential { username: login.username.clone(), password: login.password.0.clone() };
        (login.host.clone(), credential)
    });
    let hosts = [push.public_host.clone(), push.host.clone()];
    upstream.chain(hosts.map(|host| (host, own.clone())))
}

/// The last rule that fits counts. git runs in the daemon, as root, on whatever a repository sends: it fetches nothing
/// but from hosts that the operator named.
fn source_rules(git_hosts: &[String]) -> Vec<SourceRule> {
    let allowed = |host: &String| SourceRule::Allow(format!("(?i)^git://([^/@]*@)?{}(/|$)", literal(host)));
    let denied = |host: String| SourceRule::Deny(format!("(?i)^(https?|git|ssh)://([^/]*@)?{host}"));
    let any_git = SourceRule::Deny("(?i)^(git|ssh)://".to_owned());
    std::iter::once(any_git).chain(git_hosts.iter().map(allowed)).chain(denied_hosts().map(denied)).collect()
}

fn denied_hosts() -> impl Iterator<Item = String> {
    let names = DENIED_NAMES.iter().map(|name| format!("{name}{END}"));
    let numbers = DENIED_NUMBERS.iter().map(|number| format!("{number}{MORE_NUMBERS}{END}"));
    names.chain(numbers).chain([DENIED_IPV6.to_owned()])
}

/// A pattern that fits this text alone.
fn literal(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || !c.is_ascii();
    text.chars().flat_map(|c| (!plain(c)).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(args: &[&str]) -> Target {
        Target {
            dockerfile: "Dockerfile".to_owned(),
            context: String::new(),
            stage: None,
            platforms: Vec::new(),
            build_args: args.iter().map(|a| ((*a).to_owned(), "a,b=\"c\"\n".to_owned())).collect(),
            labels: BTreeMap::new(),
            no_cache: false,
        }
    }

    #[test]
    fn git_is_denied_but_for_the_hosts_that_were_named() {
        let rules = source_rules(&["git.example.com:8443".to_owned()]);
        assert_eq!(rules[0], SourceRule::Deny("(?i)^(git|ssh)://".to_owned()));
        assert_eq!(rules[1], SourceRule::Allow(r"(?i)^git://([^/@]*@)?git\.example\.com\:8443(/|$)".to_owned()));
        let rest = rules[2..].iter().all(|rule| matches!(rule, SourceRule::Deny(_)));
        assert!(rest && rules.len() == 2 + denied_hosts().count(), "this machine is closed whatever was named");
    }

    #[test]
    fn this_machine_is_closed_however_it_is_written_and_names_like_numbers_are_open() {
        let rules = source_rules(&[]);
        let patterns = rules.iter().filter_map(|rule| match rule {
            SourceRule::Deny(pattern) => Some(regex::Regex::new(pattern).unwrap()),
            SourceRule::Allow(_) => None,
        });
        let patterns: Vec<_> = patterns.collect();
        let is_closed = |host: &str| patterns.iter().any(|p| p.is_match(&format!("http://{host}")));
        for host in [
            "localhost",
            "LOCALHOST:80/x",
            "a.localhost./x",
            "ip6-loopback",
            "127.0.0.1",
            "127.1",
            "127.0.0.1.:8/x",
            "127.0x0.0.01/x",
            "0",
            "0/x",
            "0.0.0.0:80",
            "0x7f000001",
            "0X7F.1/",
            "0177.0.0.1",
            "00000177.1",
            "0x7f.0.0.0x1",
            "169.254.169.254/latest",
            "169.254.43518",
            "169.254.0xa9fe?x",
            "168.63.129.16",
            "100.100.100.200#x",
            "192.0.0.192:80",
            "[::1]/x",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "user:word@127.0.0.1",
            "a@b@0/x",
        ] {
            assert!(is_closed(host), "{host}");
        }
        for host in [
            "0.gravatar.com/x",
            "0x.example",
            "0xdead.example/x",
            "127.example.com",
            "169.254.example.com",
            "0.0.0.0.example",
            "localhost.example.com",
            "ip6-localhost.example",
            "168.63.129.17",
            "192.0.0.19",
            "10.0.0.1",
            "[2001:db8::1]",
            "example.com/127.0.0.1",
            "example.com/?@x",
        ] {
            assert!(!is_closed(host), "{host}");
        }
    }

    #[test]
    fn build_arguments_have_names_and_are_not_buildkits_own() {
        assert!(check(&target(&["VERSION", "_x1", "HTTP_PROXY"])).is_ok());
        for name in ["", "1a", "a-b", "a=b", "a,b", "a b", "é", "BUILDKIT_SYNTAX", "buildkit_x"] {
            let failure = check(&target(&[name])).unwrap_err();
            assert_eq!(failure.reason, Reason::NotAllowed, "{name}");
        }
    }
    #[test]
    fn the_source_is_called_by_its_address_at_the_forge() {
        let forge = "https://forge.example/acme/web.git";
        let assignment: Assignment = serde_json::from_value(serde_json::json!({
            "version": 2, "attempt_id": uuid::Uuid::nil(), "build_id": uuid::Uuid::nil(), "title": "acme/web build 1",
            "attempt_token": "t", "lease_secs": 60, "deadline_secs": 60, "trust_domain": "d",
            "source": {
                "id": uuid::Uuid::nil(), "clone_url": forge, "fetch_url": "http://127.0.0.1:1/source.git",
                "commit": "1".repeat(40),
            },
            "target": {
                "dockerfile": "Dockerfile", "context": "", "stage": null, "platforms": ["linux/amd64"],
                "build_args": {}, "labels": {}, "no_cache": false,
            },
            "push": {
                "host": "127.0.0.1:1", "public_host": "127.0.0.1:1", "repository": "acme/web", "insecure": true,
                "username": "build",
            },
            "cache": { "reference": "buildcache/x/protected:cache", "also_read": [] },
            "logins": [], "mirrors": [], "git_hosts": [], "secrets": {},
        }))
        .unwrap();
        let made_of = super::super::materials::Materials::new(&assignment).all();
        assert_eq!(made_of[0].uri, format!("git+{forge}"));
        let nowhere = std::path::PathBuf::new();
        let places = Places {
            files: nowhere.clone(),
            context: nowhere.clone(),
            dockerfile_dir: nowhere,
            dockerfile_name: "Dockerfile".to_owned(),
        };
        assert_eq!(attrs(&assignment, &places)["vcs:source"], forge);
    }
}
