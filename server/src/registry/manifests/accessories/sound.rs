//! What cosign and other clients make of a manifest beside an image. They read all of it: one descriptor that is wrong,
//! or too many of them, keeps them from the good signature beside it. So whoever adds a signature adds a sound one.

use serde_json::Value;
use std::collections::HashMap;

/// Layers that are read; cosign stops at 1,000.
pub const MOST_LAYERS: usize = 200;
/// Of the manifest; 200 signatures with certificates have half of it.
pub const MOST_BYTES: usize = 1 << 20;

const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// What is signed has some hundred bytes.
const MOST_PAYLOAD: i64 = 64 << 10;

/// What is wrong with a manifest of signatures and the like, if anything is; `sizes` are those of the blobs it names.
pub fn flaw(body: &[u8], sizes: &HashMap<String, i64>) -> Option<String> {
    if body.len() > MOST_BYTES {
        return Some("it has more than 1 MiB".into());
    }
    let manifest: Value = serde_json::from_slice(body).ok()?;
    if !is_annotated(&manifest) {
        return Some("its annotations are not texts".into());
    }
    let layers = manifest["layers"].as_array().map_or(&[][..], Vec::as_slice);
    if layers.len() > MOST_LAYERS {
        return Some(format!("it has more than {MOST_LAYERS} layers"));
    }
    [&manifest["config"], &manifest["subject"]].into_iter().chain(layers).filter(|d| !d.is_null()).find_map(
        |descriptor| {
            let size = descriptor["digest"].as_str().and_then(|digest| sizes.get(digest));
            flaw_of(descriptor, size.copied())
        },
    )
}

/// What is wrong with one descriptor; `size` is the one of its bytes, if they are here.
pub fn flaw_of(descriptor: &Value, size: Option<i64>) -> Option<String> {
    let digest = descriptor["digest"].as_str().unwrap_or_default();
    if let Some(size) = size
        && descriptor["size"].as_i64() != Some(size)
    {
        return Some(format!("{digest} has {size} bytes, not the `size` that it says"));
    }
    for key in ["data", "urls"] {
        let is_missing = descriptor[key].is_null() || descriptor[key].as_array().is_some_and(Vec::is_empty);
        if !is_missing {
            return Some(format!("{digest} comes with `{key}`: its bytes are here, and nowhere else"));
        }
    }
    if !is_annotated(descriptor) {
        return Some(format!("the annotations of {digest} are not texts"));
    }
    let is_payload = descriptor["mediaType"] == SIMPLE_SIGNING;
    if is_payload && descriptor["size"].as_i64().is_none_or(|size| size > MOST_PAYLOAD) {
        return Some(format!("{digest} is signed and has more than 64 KiB"));
    }
    None
}

/// A client that expects texts reads none of the manifest when one annotation is something else.
fn is_annotated(object: &Value) -> bool {
    match &object["annotations"] {
        Value::Null => true,
        Value::Object(annotations) => annotations.values().all(|value| value.is_string() || value.is_null()),
        _ => false,
    }
}
