//! Which platforms a builder can build, as OCI names them: `linux/amd64`, `linux/arm/v7`.

/// The first of `wanted` that is not among those a builder has.
pub fn foreign<'a>(wanted: &'a [String], able: &[String]) -> Option<&'a str> {
    let known = |platform: &&str| able.iter().any(|known| plain(known) == plain(platform));
    wanted.iter().map(String::as_str).find(|platform| !known(platform))
}

/// Without a variant that says nothing here: `linux/amd64/v2` runs where `linux/amd64` does.
fn plain(platform: &str) -> &str {
    ["linux/amd64", "linux/arm64"]
        .into_iter()
        .find(|base| platform.strip_prefix(base).is_some_and(|rest| rest.starts_with("/v")))
        .unwrap_or(platform)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_compared_without_idle_variants() {
        let words = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let able = words("linux/amd64 linux/386 linux/arm/v7");
        assert_eq!(foreign(&words("linux/amd64/v2 linux/386 linux/arm/v7"), &able), None);
        assert_eq!(foreign(&words("linux/amd64 linux/arm64/v8"), &able), Some("linux/arm64/v8"));
        assert_eq!(foreign(&words("linux/arm/v6"), &able), Some("linux/arm/v6"));
        assert_eq!(foreign(&[], &able), None);
    }
}
