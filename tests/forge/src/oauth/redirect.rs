//! Which addresses a code may be sent to.

use url::{Host, Url};

use crate::model::OAuthApp;

/// The address to return to, if one of the app's callback URLs covers it.
///
/// GitHub's rule: host and port are the same and the path lies below; for loopback
/// addresses the port is free.
pub(crate) fn check(app: &OAuthApp, wanted: Option<&str>) -> Option<Url> {
    let Some(wanted) = wanted else {
        return app.callback_urls.first().and_then(|url| Url::parse(url).ok());
    };
    let wanted = Url::parse(wanted).ok()?;
    let plain = wanted.username().is_empty() && wanted.password().is_none() && wanted.fragment().is_none();
    let mut callbacks = app.callback_urls.iter().filter_map(|url| Url::parse(url).ok());
    (plain && callbacks.any(|callback| covers(&callback, &wanted))).then_some(wanted)
}

fn covers(callback: &Url, wanted: &Url) -> bool {
    let loopback = match callback.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    let folder = callback.path().trim_end_matches('/');
    let below = wanted.path().strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    callback.scheme() == wanted.scheme()
        && callback.host() == wanted.host()
        && (loopback || callback.port_or_known_default() == wanted.port_or_known_default())
        && below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_below_a_callback_are_taken() {
        let app = OAuthApp {
            client_id: String::new(),
            client_secret: String::new(),
            name: String::new(),
            callback_urls: vec!["http://localhost/login".to_owned(), "https://slipway.example".to_owned()],
        };
        let cases = [
            ("http://localhost:8080/login/callback", true),
            ("http://localhost:8080/login", true),
            ("http://localhost:8080/loginx", false),
            ("http://localhost:8080/login/../other", false),
            ("http://127.0.0.1:8080/login", false),
            ("https://slipway.example/any", true),
            ("https://slipway.example:8443/any", false),
            ("https://slipway.example.evil/any", false),
            ("https://slipway.example@evil/any", false),
            ("http://slipway.example/any", false),
            ("not an address", false),
        ];
        for (address, taken) in cases {
            assert_eq!(check(&app, Some(address)).is_some(), taken, "{address}");
        }
    }
}
