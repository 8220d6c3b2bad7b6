//! JSON that every client reads alike: no key comes twice, and none looks like one of ours in other letters.
//!
//! Programs in Go read keys in any case, and put together what comes twice; others take the first or the last one. What
//! two programs read differently can be signed as one thing and run as another: CVE-2021-41190 by another way.

use super::invalid;
use crate::error::Result;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// The keys of a manifest that clients read.
const OF_MANIFEST: &[&str] = &[
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "blobs",
    "subject",
    "annotations",
    "digest",
    "size",
    "platform",
    "urls",
];

/// Those of a descriptor.
const OF_DESCRIPTOR: &[&str] = &[
    "mediaType",
    "artifactType",
    "digest",
    "size",
    "urls",
    "data",
    "annotations",
    "platform",
    "config",
    "layers",
    "manifests",
    "blobs",
    "subject",
];

const OF_PLATFORM: &[&str] = &["os", "architecture", "variant", "os.version", "os.features", "features"];

/// Reads a manifest that means one thing.
pub(super) fn read(body: &[u8]) -> Result<Value> {
    let Once(value) = serde_json::from_slice(body)
        .map_err(|e| invalid(format!("the manifest is no JSON that is read alike: {e}")))?;
    if !value.is_object() {
        return Err(invalid("the manifest is not a JSON object"));
    }
    spelled(&value)?;
    Ok(value)
}

fn spelled(manifest: &Value) -> Result<()> {
    keys_of(manifest, OF_MANIFEST)?;
    let single = ["config", "subject"].iter().filter_map(|key| manifest.get(key));
    let listed = ["layers", "manifests", "blobs"].iter().filter_map(|key| manifest.get(key)?.as_array()).flatten();
    for descriptor in single.chain(listed) {
        keys_of(descriptor, OF_DESCRIPTOR)?;
        keys_of(&descriptor["platform"], OF_PLATFORM)?;
    }
    Ok(())
}

fn keys_of(object: &Value, known: &[&str]) -> Result<()> {
    for key in object.as_object().into_iter().flat_map(Map::keys) {
        // Go's folding takes these two for letters of ASCII.
        let folded = key.replace('\u{17f}', "s").replace('\u{212a}', "k");
        if known.iter().any(|known| known.eq_ignore_ascii_case(&folded) && known != key) {
            return Err(invalid(format!("the key `{key}` would be read in two ways; keys are spelled as specified")));
        }
    }
    Ok(())
}

/// A value in which no object has a key twice.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Once)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Once(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Once(value))) = map.next_entry::<String, Once>()? {
            if object.contains_key(&key) {
                let shown: String = key.chars().take(100).collect();
                return Err(A::Error::custom(format!("the key `{shown}` comes twice")));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}
