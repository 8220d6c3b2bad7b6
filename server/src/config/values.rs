//! Raw settings from file and environment, before they are checked.

use super::table::SETTINGS;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::str::FromStr;
use url::Url;

// Variables of our scripts and tests that are no settings.
const NOT_SETTINGS: &[&str] = &["SLIPWAY_CONFIG", "SLIPWAY_CACHE", "SLIPWAY_BIN"];

// Variables of `slipway-builder`, which may run on the same machine in the same environment.
const OF_THE_BUILDER: &[&str] = &[
    "SLIPWAY_BUILDER_SERVER",
    "SLIPWAY_BUILDER_TOKEN",
    "SLIPWAY_BUILDER_TOKEN_FILE",
    "SLIPWAY_BUILDER_WORK_DIR",
    "SLIPWAY_BUILDER_BIN_DIR",
    "SLIPWAY_BUILDER_CNI_DIR",
    "SLIPWAY_BUILDER_NAME",
    "SLIPWAY_BUILDER_NETWORK",
    "SLIPWAY_BUILDER_IDLE_SECS",
    "SLIPWAY_BUILDER_CACHE_GIB",
    "SLIPWAY_BUILDER_MIN_FREE_GIB",
    "SLIPWAY_BUILDER_CA_FILES",
    "SLIPWAY_BUILDER_LOG",
];

pub(super) struct Values(BTreeMap<&'static str, Raw>);

/// As it is written.
enum Raw {
    Text(String),
    /// A list of TOML: its items may hold commas.
    List(Vec<String>),
}

impl Values {
    pub(super) fn load(file: Option<&Path>, env: impl Iterator<Item = (OsString, OsString)>) -> Result<Self, String> {
        let mut values: BTreeMap<_, _> = SETTINGS.iter().map(|s| (s.key, Raw::Text(s.default.to_owned()))).collect();
        if let Some(file) = file {
            read_file(file, &mut values)?;
        }
        for (name, value) in env {
            // What others put there may be no text.
            let Some(name) = name.to_str().filter(|name| name.starts_with("SLIPWAY_")) else { continue };
            if NOT_SETTINGS.contains(&name) || OF_THE_BUILDER.contains(&name) {
                continue;
            }
            let setting = SETTINGS.iter().find(|s| s.variable() == name).ok_or_else(|| {
                format!("{name}: there is no such setting; `slipway settings` lists them{}", nearest(name))
            })?;
            let value =
                value.into_string().map_err(|_bytes| format!("{name}: its value is no UTF-8 text; write one"))?;
            values.insert(setting.key, Raw::Text(value));
        }
        Ok(Self(values))
    }

    pub(super) fn text(&mut self, key: &str) -> String {
        match self.0.get(key) {
            Some(Raw::Text(text)) => text.trim().to_owned(),
            Some(Raw::List(items)) => items.join(","),
            None => String::new(),
        }
    }

    pub(super) fn words(&mut self, key: &str) -> Vec<String> {
        let kept = |words: &mut dyn Iterator<Item = &str>| {
            words.map(str::trim).filter(|w| !w.is_empty()).map(str::to_owned).collect()
        };
        match self.0.get(key) {
            Some(Raw::Text(text)) => kept(&mut text.split(',')),
            Some(Raw::List(items)) => kept(&mut items.iter().map(String::as_str)),
            None => Vec::new(),
        }
    }

    pub(super) fn parse<T: FromStr>(&mut self, key: &str, remedy: &str) -> Result<T, String> {
        let text = self.text(key);
        text.parse().map_err(|_ignored: T::Err| format!("{key}: `{text}` is not right; write {remedy}"))
    }

    /// A number that is not below `least`.
    pub(super) fn at_least<T: FromStr + PartialOrd + Copy>(
        &mut self,
        key: &str,
        least: T,
        remedy: &str,
    ) -> Result<T, String> {
        let number = self.parse(key, remedy)?;
        if number < least {
            return Err(format!("{key}: `{}` is too small; write {remedy}", self.text(key)));
        }
        Ok(number)
    }

    pub(super) fn list<T: FromStr>(&mut self, key: &str, remedy: &str) -> Result<Vec<T>, String> {
        self.words(key)
            .into_iter()
            .map(|w| w.parse().map_err(|_ignored: T::Err| format!("{key}: `{w}` is not right; write {remedy}")))
            .collect()
    }

    pub(super) fn one_of(&mut self, key: &str, words: &[&str]) -> Result<String, String> {
        let text = self.text(key);
        if words.contains(&text.as_str()) {
            return Ok(text);
        }
        Err(format!("{key}: `{text}` is not right; write one of {}", words.join(", ")))
    }

    pub(super) fn url(&mut self, key: &str) -> Result<Option<Url>, String> {
        let text = self.text(key);
        if text.is_empty() {
            return Ok(None);
        }
        let remedy = "an address such as `https://images.example.com`, without a path";
        let url = Url::parse(&text).map_err(|e| format!("{key}: `{text}` is not right ({e}); write {remedy}"))?;
        let plain = matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none();
        if plain && url.has_host() && url.username().is_empty() {
            return Ok(Some(url));
        }
        Err(format!("{key}: `{text}` is not right; write {remedy}"))
    }
}

fn read_file(file: &Path, values: &mut BTreeMap<&'static str, Raw>) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        // The line itself is not quoted: it may hold a secret.
        let line = e.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        format!("{}: line {line}: {}", file.display(), e.message())
    })?;
    let mut flat = Vec::new();
    flatten("", &table, &mut flat);
    for (key, value) in flat {
        let setting = SETTINGS
            .iter()
            .find(|s| s.key == key)
            .ok_or_else(|| format!("{}: there is no setting `{key}`{}", file.display(), nearest(&key)))?;
        values.insert(setting.key, value);
    }
    Ok(())
}

fn flatten(prefix: &str, table: &toml::Table, out: &mut Vec<(String, Raw)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, out),
            toml::Value::Array(items) => out.push((key, Raw::List(items.iter().map(plain).collect()))),
            other => out.push((key, Raw::Text(plain(other)))),
        }
    }
}

fn plain(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// "; did you mean …?" when a setting shares the most letters at the start.
fn nearest(wrong: &str) -> String {
    let wrong = wrong.trim_start_matches("SLIPWAY_").to_lowercase().replace('_', ".");
    let shared = |key: &str| key.replace('_', ".").bytes().zip(wrong.bytes()).take_while(|(a, b)| a == b).count();
    SETTINGS
        .iter()
        .max_by_key(|s| shared(s.key))
        .filter(|s| shared(s.key) >= 4)
        .map_or_else(String::new, |s| format!("; did you mean `{}` ({})?", s.key, s.variable()))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn config(env: &[(&str, &str)]) -> Result<Config, String> {
        let env = env.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        Values::load(None, env).and_then(Config::from_values)
    }

    #[test]
    fn the_defaults_are_good() {
        let config = config(&[]).unwrap();
        assert_eq!(config.public_host(), "localhost:8080");
        assert_eq!(config.internal_url.as_str(), "http://localhost:8080/");
    }

    #[test]
    fn builders_use_loopback_when_the_public_address_is_elsewhere() {
        for public in ["https://images.example.com", "http://localhost:9000", "http://10.0.0.1:8080"] {
            let config = config(&[("SLIPWAY_PUBLIC_URL", public)]).unwrap();
            assert_eq!(config.internal_url.as_str(), "http://127.0.0.1:8080/", "{public}");
        }
    }

    #[test]
    fn builders_elsewhere_use_the_public_address() {
        let (token, public) = ("0123456789abcdef0123456789abcdef", "https://images.example.com");
        let settings =
            [("SLIPWAY_PUBLIC_URL", public), ("SLIPWAY_BUILDER_EMBEDDED", "false"), ("SLIPWAY_BUILDER_TOKENS", token)];
        assert_eq!(config(&settings).unwrap().internal_url.as_str(), format!("{public}/"));
        let own = [&settings[..], &[("SLIPWAY_INTERNAL_URL", "http://10.0.0.1:8080")]].concat();
        assert_eq!(config(&own).unwrap().internal_url.as_str(), "http://10.0.0.1:8080/");
    }

    #[test]
    fn an_error_names_key_value_and_remedy() {
        for (env, parts) in [
            (vec![("SLIPWAY_LISTEN", "8080")], ["listen", "`8080`", "127.0.0.1:8080"]),
            (vec![("SLIPWAY_PUBLIK_URL", "x")], ["SLIPWAY_PUBLIK_URL", "no such setting", "did you mean `public_url`"]),
            (vec![("SLIPWAY_PUBLIC_URL", "ftp://x")], ["public_url", "`ftp://x`", "https://"]),
            (vec![("SLIPWAY_PUBLIC_URL", "http://x/y")], ["public_url", "`http://x/y`", "without a path"]),
            (vec![("SLIPWAY_DATABASE_CONNECTIONS", "0")], ["database.connections", "`0`", "1 to 1000"]),
            (vec![("SLIPWAY_LOG_LEVEL", "a=b=c")], ["log.level", "`a=b=c`", "`debug`"]),
            (vec![("SLIPWAY_TLS_KEY", "k.pem")], ["tls.certificate", "tls.key", "set both"]),
            (vec![("SLIPWAY_GITHUB_CLIENT_ID", "x")], ["github.client_id", "github.client_secret", "set both"]),
            (vec![("SLIPWAY_DATABASE_URL", "mysql://x")], ["database.url", "sqlite:", "postgres://"]),
            (vec![("SLIPWAY_TRUSTED_PROXIES", "10.0.0.0/8,nonsense")], ["trusted_proxies", "`nonsense`", "10.0.0.0/8"]),
        ] {
            let error = config(&env).unwrap_err();
            for part in parts {
                assert!(error.contains(part), "{error:?} lacks {part:?}");
            }
        }
    }

    #[test]
    fn a_refused_login_keeps_its_password() {
        for wrong in ["registry.example.com:me:hunter2", "r.example.com=me:pa,hunter2", "r.example.com=hunter2"] {
            let error = config(&[("SLIPWAY_REGISTRY_LOGINS", wrong)]).unwrap_err();
            assert!(error.contains("host=user:password") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_line_that_is_no_toml_is_told_by_its_number() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[github]\nclient_secret = \"hunter2\nclient_id = \"x\"\n").unwrap();
        let error = Values::load(Some(file.path()), std::iter::empty()).map(|_| ()).unwrap_err();
        assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_item_of_a_list_may_hold_a_comma() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[registry]\nlogins = [\"r.example.com=me:a,b=c:d\", \"x=y:z\"]\n").unwrap();
        let config = Values::load(Some(file.path()), std::iter::empty()).and_then(Config::from_values).unwrap();
        let passwords: Vec<&str> = config.builds.logins.iter().map(|login| login.password.0.as_str()).collect();
        assert_eq!(passwords, ["a,b=c:d", "z"]);
    }

    #[test]
    fn variables_that_are_no_text_are_refused_only_if_they_are_ours() {
        use std::os::unix::ffi::OsStringExt as _;
        let bytes = || OsString::from_vec(vec![b'a', 0xff]);
        let load = |name: OsString| Values::load(None, std::iter::once((name, bytes()))).map(|_| ());
        assert_eq!(load("LANG_OF_OTHERS".into()), Ok(()));
        assert_eq!(load(bytes()), Ok(()));
        let refused = load("SLIPWAY_DATA_DIR".into()).unwrap_err();
        assert!(refused.contains("SLIPWAY_DATA_DIR") && refused.contains("UTF-8"), "{refused}");
    }

    #[test]
    fn the_builder_s_variables_are_let_be() {
        let sources = [include_str!("../../../builder/src/args.rs"), include_str!("../../../builder/src/main.rs")];
        let quoted = sources.iter().flat_map(|text| text.split('"')).filter(|text| {
            text.starts_with("SLIPWAY_BUILDER_") && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        });
        let names: Vec<_> = quoted.collect();
        assert!(names.len() > OF_THE_BUILDER.len(), "{names:?}");
        let ours = |name: &str| SETTINGS.iter().any(|s| s.variable() == name);
        for name in names.into_iter().filter(|name| !ours(name)) {
            assert!(OF_THE_BUILDER.contains(&name), "{name} would stop `slipway`");
            config(&[(name, "x")]).unwrap();
        }
    }

    #[test]
    fn mirrors_of_one_host_come_together() {
        let config = config(&[("SLIPWAY_REGISTRY_MIRRORS", "docker.io=a:1, docker.io=b:2")]).unwrap();
        assert_eq!(config.builds.mirrors.len(), 1);
        assert_eq!(config.builds.mirrors[0].mirrors, ["a:1", "b:2"]);
    }
}
