//! What the daemon asks for, as it says it in the metadata of the call.

use tonic::Status;
use tonic::metadata::MetadataMap;

#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) dir: String,
    pub(super) include: Vec<String>,
    pub(super) exclude: Vec<String>,
    /// Paths to send together with all that their links lead to.
    pub(super) follow: Vec<String>,
}

impl Asked {
    pub(super) fn read(metadata: &MetadataMap) -> Result<Self, Status> {
        Ok(Self {
            dir: values(metadata, "dir-name")?.pop().unwrap_or_default(),
            include: values(metadata, "include-patterns")?,
            exclude: values(metadata, "exclude-patterns")?,
            follow: values(metadata, "followpaths")?,
        })
    }
}

/// All values of a key. BuildKit escapes them as in a URL's query when one of them is not ASCII.
///
/// A value that cannot be read fails the call: passing over an exclude pattern would send what must not be sent.
fn values(metadata: &MetadataMap, key: &str) -> Result<Vec<String>, Status> {
    let escaped = metadata.get(format!("{key}-encoded")).is_some_and(|flag| flag == "1");
    let unreadable = || Status::invalid_argument(format!("unreadable {key}"));
    let value = |value: &tonic::metadata::MetadataValue<tonic::metadata::Ascii>| {
        let text = value.to_str().map_err(|_not_ascii| unreadable())?;
        if escaped { unescape(text).ok_or_else(unreadable) } else { Ok(text.to_owned()) }
    };
    metadata.get_all(key).iter().map(value).collect()
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_unescaped_when_they_say_so() {
        let mut metadata = MetadataMap::new();
        metadata.insert("dir-name", "context".parse().unwrap());
        metadata.append("exclude-patterns", "a%2Bb+%C3%BC".parse().unwrap());
        metadata.append("exclude-patterns", "x".parse().unwrap());
        assert_eq!(Asked::read(&metadata).unwrap().exclude, ["a%2Bb+%C3%BC", "x"]);
        metadata.insert("exclude-patterns-encoded", "1".parse().unwrap());
        let asked = Asked::read(&metadata).unwrap();
        assert_eq!(asked.exclude, ["a+b ü", "x"]);
        assert_eq!(asked.dir, "context");
    }

    #[test]
    fn an_unreadable_pattern_fails_the_call() {
        for bad in ["%", "%4", "%zz", "%ff"] {
            let mut metadata = MetadataMap::new();
            metadata.insert("exclude-patterns-encoded", "1".parse().unwrap());
            metadata.append("exclude-patterns", bad.parse().unwrap());
            assert_eq!(Asked::read(&metadata).unwrap_err().code(), tonic::Code::InvalidArgument, "{bad}");
        }
    }
}
