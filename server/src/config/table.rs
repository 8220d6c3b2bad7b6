//! Every setting there is: `docs/OPERATIONS.md` shows this table, and a test compares the two.

/// One setting. Its variable is `SLIPWAY_` and the key in capitals, dots as underscores.
#[derive(Debug)]
pub struct Setting {
    pub key: &'static str,
    pub default: &'static str,
    pub meaning: &'static str,
}

impl Setting {
    pub fn variable(&self) -> String {
        format!("SLIPWAY_{}", self.key.replace('.', "_").to_uppercase())
    }
}

const fn setting(key: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { key, default, meaning }
}

/// In the order of the documentation.
pub const SETTINGS: &[Setting] = &[
    setting("data_dir", "data", "folder of database, keys, blobs and build state"),
    setting("listen", "127.0.0.1:8080", "address and port to listen on"),
    setting("public_url", "http://localhost:8080", "what people type; links, OAuth and image names are made from it"),
    setting(
        "internal_url",
        "",
        "what builders reach the server by; empty: loopback, or `public_url` where `builder.embedded` is `false`",
    ),
    setting(
        "tls.certificate",
        "",
        "PEM file of the certificate chain; empty: plain http, for loopback or behind a proxy",
    ),
    setting("tls.key", "", "PEM file of the certificate's private key"),
    setting("trusted_proxies", "", "networks, comma between, whose `X-Forwarded-For` is believed"),
    setting("database.url", "", "`postgres://user:password@host/database`; empty: SQLite in `data_dir`"),
    setting("database.connections", "8", "connections to the database, at most"),
    setting("log.format", "text", "`text` or `json`"),
    setting("log.level", "info", "`error`, `warn`, `info`, `debug`, or a filter such as `slipway=debug,info`"),
    setting("github.url", "https://github.com", "base URL of GitHub, or of a GitHub Enterprise server"),
    setting(
        "github.client_id",
        "",
        "client id of the OAuth App at GitHub; its callback is `<public_url>/login/github/callback`",
    ),
    setting("github.client_secret", "", "client secret of that OAuth App"),
    setting("sign_in.users", "", "logins at the forge, comma between, that may sign in"),
    setting(
        "sign_in.organizations",
        "",
        "organisations at the forge whose members may sign in; `id:9919` outlives a rename",
    ),
    setting("sign_in.site_admins", "", "logins at the forge that are site admins (and may sign in)"),
    setting("sign_in.everybody", "false", "`true`: everybody with an account at the forge may sign in"),
    setting(
        "builder.embedded",
        "true",
        "`false`: builds run only on `slipway-builder` elsewhere; without `builder.tokens` nothing is built",
    ),
    setting("builder.tokens", "", "tokens of builders elsewhere, comma between; each has at least 32 characters"),
    setting("builder.slots", "2", "builds at once in the embedded builder"),
    setting(
        "builder.memory_bytes",
        "0",
        "memory of all `RUN` steps together in the embedded builder; `0`: three quarters of the machine's",
    ),
    setting("builder.processes", "4096", "processes and threads in the `RUN` steps of one daemon"),
    setting("buildkit.bin_dir", "", "folder of `buildkitd` and `runc`; empty: `PATH`"),
    setting(
        "buildkit.cni_bin_dir",
        "/usr/lib/cni",
        "folder of the CNI plugins `bridge`, `firewall`, `host-local`, `loopback`, `ptp`, `static`",
    ),
    setting("buildkit.idle_secs", "600", "an idle BuildKit daemon is stopped after so many seconds"),
    setting(
        "buildkit.cache_bytes",
        "20000000000",
        "build cache to keep for each daemon: one for the protected refs of a repository, one for the others",
    ),
    setting("builds.deadline_secs", "3600", "a build that takes longer is stopped"),
    setting("builds.per_namespace", "2", "builds at once in one namespace"),
    setting(
        "builds.git_hosts",
        "",
        "hosts, comma between, that `ADD https://host/repository.git` may fetch from with git, as root in BuildKit; with the port where the address has one; empty: none",
    ),
    setting(
        "registry.mirrors",
        "",
        "mirrors of base image registries, `docker.io=localhost:8080,…`; with `http://` or `https://` before the mirror that is spoken, else plain http on loopback only",
    ),
    setting(
        "registry.logins",
        "",
        "logins at base image registries, `registry.example.com=user:password,…`; a password with a comma needs the file, and a list there",
    ),
    setting(
        "registry.cors_origins",
        "",
        "sites, comma between, whose scripts may use this registry from a browser, `https://ui.example.com`; empty: none",
    ),
    setting("registry.ca_files", "", "PEM files of authorities that base image registries are signed by"),
    setting(
        "storage.min_free_bytes",
        "1000000000",
        "below this much free space pushes, builds, logs and imports are refused; reads and deletions go on",
    ),
    setting(
        "storage.keep_removed_secs",
        "86400",
        "how long bytes of what was deleted stay in storage: longer than a backup takes",
    ),
    setting(
        "uploads.open",
        "256",
        "uploads that one account, or one build, may have begun and not ended; as many repositories may wait for their first manifest",
    ),
    setting(
        "uploads.bytes",
        "100000000000",
        "bytes that one account, or one build, may hold in uploads and first pushes that have not ended",
    ),
    setting(
        "repositories.per_namespace",
        "10000",
        "repositories that one namespace may hold; pushes and imports beyond are refused",
    ),
    setting("keep.log_days", "365", "days that the log of a build is kept after its end; `0`: for ever"),
    setting(
        "keep.event_days",
        "365",
        "days that events are kept; `0`: for ever, but the newest 100,000 of a repository at most",
    ),
    setting(
        "keep.tag_move_days",
        "365",
        "days that the history of tags is kept, but for the last move of each tag; `0`: for ever, but the newest 100,000 of a repository at most",
    ),
    setting("sources.poll_secs", "30", "how often a source without a working webhook is asked for new commits"),
];

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/OPERATIONS.md");
    const BEGIN: &str = "<!-- settings: begin -->\n";
    const END: &str = "<!-- settings: end -->";

    fn table() -> String {
        let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
        let rows = SETTINGS.iter().map(|s| {
            format!("| `{}` | `{}` | {} | {} |\n", s.key, s.variable(), code(s.default), s.meaning.replace('|', "\\|"))
        });
        let head = "| key | variable | default | meaning |\n|---|---|---|---|\n";
        std::iter::once(head.to_owned()).chain(rows).collect()
    }

    /// `UPDATE_DOCS=1 cargo test -p slipway documented` writes the table anew.
    #[test]
    fn every_setting_is_documented_as_it_is() {
        let document = std::fs::read_to_string(DOCUMENT).unwrap();
        let (before, rest) = document.split_once(BEGIN).expect("the table has its marks");
        let (written, after) = rest.split_once(END).expect("the table has its marks");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(DOCUMENT, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        } else {
            assert_eq!(written, table(), "run: UPDATE_DOCS=1 cargo test -p slipway documented");
        }
    }
}
