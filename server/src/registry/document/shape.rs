//! What is pushed has the shape that the image specification gives it, also where nothing of it is read here: programs
//! in Go read all of a manifest, and one that they cannot read stops a copy of its whole repository.

use super::invalid;
use crate::error::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// OCI image-spec, "Image Manifest", "Image Index" and "Content Descriptors". `null` is as missing.
pub(super) fn check(manifest: &Value) -> Result<()> {
    texts_by_name(manifest, "annotations")?;
    for key in ["config", "subject"] {
        if let Some(one) = given(manifest, key) {
            descriptor(one, key)?;
        }
    }
    for key in ["layers", "manifests", "blobs"] {
        for one in given(manifest, key).and_then(Value::as_array).into_iter().flatten() {
            descriptor(one, key)?;
        }
    }
    Ok(())
}

fn descriptor(descriptor: &Value, of: &str) -> Result<()> {
    if !descriptor.is_object() {
        return Err(invalid(format!("a descriptor of `{of}` is not a JSON object")));
    }
    text(descriptor, "artifactType")?;
    texts_by_name(descriptor, "annotations")?;
    if let Some(data) = given(descriptor, "data")
        && data.as_str().is_none_or(|data| STANDARD.decode(data).is_err())
    {
        return Err(invalid(format!("`data` of a descriptor of `{of}` is not base64")));
    }
    if let Some(platform) = given(descriptor, "platform") {
        if !platform.is_object() {
            return Err(invalid("`platform` is not a JSON object"));
        }
        text(platform, "os.version")?;
        for key in ["os.features", "features"] {
            let is_list = |list: &Value| list.as_array().is_some_and(|list| list.iter().all(is_text));
            if given(platform, key).is_some_and(|list| !is_list(list)) {
                return Err(invalid(format!("`{key}` of a platform is not a list of texts")));
            }
        }
    }
    Ok(())
}

fn given<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

fn is_text(value: &Value) -> bool {
    value.is_string() || value.is_null()
}

fn text(object: &Value, key: &str) -> Result<()> {
    match given(object, key) {
        Some(value) if !value.is_string() => Err(invalid(format!("`{key}` is not a text"))),
        _ => Ok(()),
    }
}

fn texts_by_name(object: &Value, key: &str) -> Result<()> {
    let is_map = |value: &Value| value.as_object().is_some_and(|texts| texts.values().all(is_text));
    match given(object, key) {
        Some(value) if !is_map(value) => Err(invalid(format!("`{key}` is not an object of texts"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// An image whose layer and whose self have more than they need.
    fn image(layer: &Value, more: &Value) -> Value {
        let mut one = json!({"mediaType": "a/b", "digest": DIGEST, "size": 0});
        let mut manifest = json!({"schemaVersion": 2, "config": one.clone()});
        one.as_object_mut().unwrap().extend(layer.as_object().unwrap().clone());
        manifest["layers"] = json!([one]);
        manifest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        manifest
    }

    #[test]
    fn what_programs_in_go_cannot_read_is_refused() {
        for (layer, more) in [
            (json!({}), json!({"config": ["a/b", DIGEST, 0, null, null]})),
            (json!({}), json!({"layers": [["a/b", DIGEST, 0, null, null]]})),
            (json!({}), json!({"layers": [null]})),
            (json!({}), json!({"subject": ["a/b", DIGEST, 0, null, null]})),
            (json!({}), json!({"annotations": []})),
            (json!({}), json!({"annotations": {"a": 1}})),
            (json!({"annotations": "x"}), json!({})),
            (json!({"artifactType": 5}), json!({})),
            (json!({"data": 5}), json!({})),
            (json!({"data": "!!"}), json!({})),
            (json!({"platform": ["linux", "amd64", null]}), json!({})),
            (json!({"platform": {"os.version": 1}}), json!({})),
            (json!({"platform": {"os.features": "x"}}), json!({})),
            (json!({"platform": {"features": [1]}}), json!({})),
        ] {
            let manifest = image(&layer, &more);
            assert!(check(&manifest).is_err(), "{manifest}");
        }
    }

    #[test]
    fn null_is_as_missing() {
        let layer = json!({
            "annotations": {"a": null, "b": "c"}, "artifactType": null, "data": null,
            "platform": {"os.version": null, "os.features": [null, "x"], "features": null},
        });
        let more = json!({"annotations": null, "subject": null, "manifests": null, "blobs": null});
        check(&image(&layer, &more)).unwrap();
        check(&image(&json!({"data": "aGk=", "platform": null}), &json!({"annotations": {}}))).unwrap();
    }
}
