//! What BuildKit is asked: all of it is written here, and nothing of the user's goes beyond the values.

use crate::checkout::Places;
use crate::failure::{Failed, because};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use slipway_buildkit::{BuildRequest, CacheOption, Credential, Export, LocalDir, Secret, SourceRule};
use slipway_protocol::{Assignment, Reason, Target};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    let below = |path: &Path| {
        let dir = if path.as_os_str().is_empty() { source.clone() } else { source.open_below(path)? };
        std::io::Result::Ok(dir.without(absent(places, path)).called(path))
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

/// What is not really in a folder of the source, by its path in there.
fn absent(places: &Places, folder: &Path) -> BTreeMap<String, String> {
    let below =
        |(path, why): (&PathBuf, &String)| Some((path.strip_prefix(folder).ok()?.to_str()?.to_owned(), why.clone()));
    places.absent.iter().filter_map(below).collect()
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
mod tests;
