//! What every build gets, from settings.

use super::values::Values;
use super::{Builds, files};
use slipway_protocol::{HeadersSecret, Mirror, RegistryLogin};
use std::path::PathBuf;

pub(super) fn read(v: &mut Values) -> Result<Builds, String> {
    let mut mirrors: Vec<Mirror> = Vec::new();
    for item in v.words("registry.mirrors") {
        let (host, mirror) = item
            .split_once('=')
            .ok_or_else(|| format!("registry.mirrors: `{item}` has no `=`; write `host=mirror`"))?;
        match mirrors.iter_mut().find(|m| m.host == host) {
            Some(known) => known.mirrors.push(mirror.to_owned()),
            None => mirrors.push(Mirror { host: host.to_owned(), mirrors: vec![mirror.to_owned()] }),
        }
    }
    let logins = v.words("registry.logins").iter().map(|item| login(item)).collect::<Result<_, _>>()?;
    let ca_files: Vec<_> = v.words("registry.ca_files").into_iter().map(PathBuf::from).collect();
    files::authorities("registry.ca_files", &ca_files)?;
    Ok(Builds {
        deadline_secs: v.at_least("builds.deadline_secs", 1, "a number of seconds from 1 on")?,
        per_namespace: v.at_least("builds.per_namespace", 1, "a number of builds at once from 1 on")?,
        git_hosts: git_hosts(v)?,
        mirrors,
        logins,
        ca_files,
    })
}

/// `git.example.com`, `git.example.com:8443`.
fn git_hosts(v: &mut Values) -> Result<Vec<String>, String> {
    let hosts = v.words("builds.git_hosts");
    let is_host = |text: &String| {
        let name = text.split_once(':').map_or(text.as_str(), |(name, _)| name);
        let port = text.split_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok());
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        port && plain && !name.is_empty()
    };
    match hosts.iter().find(|host| !is_host(host)) {
        Some(host) => {
            Err(format!("builds.git_hosts: `{host}` is no host; write `git.example.com` or `git.example.com:8443`"))
        }
        None => Ok(hosts),
    }
}

// The item is not quoted: it holds a password.
fn login(item: &str) -> Result<RegistryLogin, String> {
    let lacks = |sign: char| {
        format!(
            "registry.logins: write `host=user:password`; one login lacks the `{sign}`. A password with a comma needs the \
             file, and a list there"
        )
    };
    let (host, login) = item.split_once('=').ok_or_else(|| lacks('='))?;
    let (username, password) = login.split_once(':').ok_or_else(|| lacks(':'))?;
    Ok(RegistryLogin { host: host.into(), username: username.into(), password: HeadersSecret(password.into()) })
}
