//! What BuildKit is asked for.

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
        absent: BTreeMap::new(),
    };
    assert_eq!(attrs(&assignment, &places)["vcs:source"], forge);
}
