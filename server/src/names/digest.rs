//! Content digests, `sha256:<64 lower-case hex digits>`, or `sha512:` and 128 of them where a client asks for that.

use crate::error::{Error, OciCode};
use sha2::{Digest as _, Sha256, Sha512};
use std::fmt;
use std::str::FromStr;

/// A digest in its canonical form, by one of the two registered algorithms: OCI image-spec, descriptor.md, "Digests".
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

/// How a digest is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    #[default]
    Sha256,
    Sha512,
}

/// Hashes bytes as they come: by sha256 always, and by sha512 beside it where somebody asks for that.
#[derive(Clone, Default)]
pub struct Hasher {
    sha256: Sha256,
    sha512: Option<Box<Sha512>>,
}

impl Algorithm {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn hex_digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = [Self::Sha256, Self::Sha512].into_iter().find(|algorithm| algorithm.as_str() == text);
        known.ok_or_else(|| Error::registry(OciCode::DigestInvalid, "digests are made by `sha256` or `sha512`"))
    }
}

impl Hasher {
    /// One that makes digests by this algorithm.
    pub fn new(algorithm: Algorithm) -> Self {
        Self { sha256: Sha256::new(), sha512: (algorithm == Algorithm::Sha512).then(Box::default) }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
    }

    pub fn makes(&self, algorithm: Algorithm) -> bool {
        algorithm == Algorithm::Sha256 || self.sha512.is_some()
    }

    /// The digest of all that came; `None` by an algorithm that was not asked for.
    pub fn digest(self, algorithm: Algorithm) -> Option<Digest> {
        match algorithm {
            Algorithm::Sha256 => Some(Digest::made(algorithm, &self.sha256.finalize())),
            Algorithm::Sha512 => self.sha512.map(|sha512| Digest::made(algorithm, &sha512.finalize())),
        }
    }
}

impl Digest {
    /// By sha256.
    pub fn of(bytes: &[u8]) -> Self {
        Self::by(Algorithm::Sha256, bytes)
    }

    pub fn by(algorithm: Algorithm, bytes: &[u8]) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::made(algorithm, &Sha256::digest(bytes)),
            Algorithm::Sha512 => Self::made(algorithm, &Sha512::digest(bytes)),
        }
    }

    fn made(algorithm: Algorithm, hash: &[u8]) -> Self {
        Self(format!("{}:{}", algorithm.as_str(), hex::encode(hash)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn algorithm(&self) -> Algorithm {
        if self.0.starts_with("sha512:") { Algorithm::Sha512 } else { Algorithm::Sha256 }
    }

    /// The 64 or 128 hex digits.
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// A digest that our own database holds.
    pub fn trusted(stored: &str) -> Self {
        Self(stored.to_owned())
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let good = text.split_once(':').is_some_and(|(algorithm, hex)| {
            let digits = algorithm.parse().map(Algorithm::hex_digits);
            digits.is_ok_and(|digits| hex.len() == digits)
                && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        if good {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::registry(
            OciCode::DigestInvalid,
            "a digest is `sha256:` and 64 lower-case hex digits, or `sha512:` and 128 of them",
        ))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_sha256_and_sha512_is_a_digest() {
        let hex = "a".repeat(64);
        for (good, algorithm) in
            [(format!("sha256:{hex}"), Algorithm::Sha256), (format!("sha512:{hex}{hex}"), Algorithm::Sha512)]
        {
            let digest: Digest = good.parse().unwrap();
            assert_eq!((digest.algorithm(), digest.as_str()), (algorithm, &*good));
            assert_eq!(digest.hex(), &good[7..]);
        }
        for bad in [
            String::new(),
            "sha256:".into(),
            format!("sha256:{}", "A".repeat(64)),
            format!("sha256:{}", "a".repeat(63)),
            format!("sha256:{}", "a".repeat(65)),
            format!("sha256:{}", "a".repeat(128)),
            format!("sha512:{}", "a".repeat(64)),
            format!("sha512:{}", "a".repeat(127)),
            format!("sha512:{}", "A".repeat(128)),
            format!("sha384:{}", "a".repeat(96)),
            format!("sha512:../{}", "a".repeat(125)),
            format!("sha256:../{}", "a".repeat(61)),
            format!("sha256:{hex}\n"),
            format!("SHA256:{hex}"),
            format!(":{hex}"),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn bytes_are_hashed_by_what_was_asked_for() {
        // FIPS 180-4: the digests of `abc`.
        let sha256 = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let sha512 = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
            2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        for (algorithm, expected) in [(Algorithm::Sha256, None), (Algorithm::Sha512, Some(sha512))] {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(b"a");
            hasher.update(b"bc");
            assert!(hasher.makes(algorithm));
            assert_eq!(hasher.clone().digest(Algorithm::Sha256).unwrap().as_str(), sha256);
            assert_eq!(hasher.digest(Algorithm::Sha512).as_ref().map(Digest::as_str), expected);
        }
        assert_eq!(Digest::of(b"abc").as_str(), sha256);
        assert_eq!(Digest::by(Algorithm::Sha512, b"abc").as_str(), sha512);
    }
}
