//! The JSON of a delivery. A webhook that somebody made by hand at GitHub sends it as a field of a form, unless another
//! content type was chosen there.

use super::in_flight::Place;
use crate::error::{Error, Result};
use actix_web::web::Bytes;
use serde::de::IgnoredAny;

/// docs.github.com, "Creating webhooks": the form has one field with the JSON in it.
const FIELD: &str = "payload";
/// Some programs begin every text with it.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// The body itself, or what its field holds where `content_type` is a form's; 400 when that is no JSON, 429 when there is
/// no room for it now.
pub(super) fn json_of(content_type: &str, body: Bytes, place: &mut Place) -> Result<Bytes> {
    let json = if is_form(content_type) {
        // What is read of it is not longer than the form.
        place.grow(body.len())?;
        let field = url::form_urlencoded::parse(&body).find(|(name, _)| name == FIELD);
        let value = field.map(|(_, value)| Bytes::from(value.into_owned().into_bytes()));
        value.unwrap_or(body)
    } else {
        body
    };
    let json = if json.starts_with(BOM) { json.slice(BOM.len()..) } else { json };
    if serde_json::from_slice::<IgnoredAny>(&json).is_ok() {
        return Ok(json);
    }
    let where_it_is = if is_form(content_type) { "the field `payload` of the form" } else { "the body" };
    Err(Error::invalid(format!("{where_it_is} is not JSON: set the webhook's content type to `application/json`")))
}

fn is_form(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::super::InFlight;
    use super::*;
    use std::sync::Arc;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn read(content_type: &str, body: &str) -> Option<String> {
        let mut place = Arc::new(InFlight::default()).enter([192, 0, 2, 1].into()).unwrap();
        let json = json_of(content_type, Bytes::copy_from_slice(body.as_bytes()), &mut place).ok()?;
        Some(String::from_utf8(json.to_vec()).unwrap())
    }

    #[test]
    fn json_is_read_from_a_body_and_from_a_form() {
        let json = r#"{"ref":"refs/heads/a+b","x":"ü &=%"}"#;
        let form: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", json).finish();
        let form_later = format!("a=1&b&{form}");
        for (content_type, body) in [
            ("application/json", json),
            ("application/json; charset=utf-8", json),
            ("", json),
            (FORM, &form),
            ("Application/X-WWW-Form-Urlencoded; charset=utf-8", &form),
            (FORM, &form_later),
            // Relays keep the body and lose its type, or the other way round.
            (FORM, json),
            ("application/json", &format!("\u{feff}{json}")),
        ] {
            assert_eq!(read(content_type, body).as_deref(), Some(json), "{content_type} {body}");
        }
        for (content_type, body) in [
            ("application/json", form.as_str()),
            ("application/json", ""),
            (FORM, ""),
            (FORM, "payload="),
            (FORM, "payload=nonsense"),
            (FORM, "other=%7B%7D"),
            (FORM, "payload=%7B%7D%"),
        ] {
            assert_eq!(read(content_type, body), None, "{content_type} {body}");
        }
    }
}
