//! Secrets: random tokens and their hashes, and the envelope that keeps secrets in the database.
//!
//! The master key is a file in the data folder (0600), never in the database: a copy of the database alone is worth nothing.

use crate::error::{Context, Error, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use uuid::Uuid;

/// A value that prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The only way out; say why where you call it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// `N` bytes from the system's random source.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has a random source");
    bytes
}

/// A token of 256 random bits behind a readable prefix, `slp_…`.
pub fn new_token(prefix: &str) -> Secret {
    Secret(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random::<32>())))
}

/// What the database holds of a token: SHA-256 as hex.
pub fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Where an encrypted value lives; it is bound to that place.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub table: &'static str,
    pub column: &'static str,
    pub row: Uuid,
}

impl Place {
    fn associated_data(self) -> Vec<u8> {
        format!("{}.{}.{}", self.table, self.column, self.row).into_bytes()
    }
}

/// Encrypts what the database keeps. Envelope: version 1, key id (4 bytes), nonce (12), AES-256-GCM text and tag.
pub struct MasterKey {
    bytes: [u8; 32],
    key: LessSafeKey,
    id: [u8; 4],
}

const VERSION: u8 = 1;
const HEADER: usize = 1 + 4 + 12;

impl MasterKey {
    fn new(bytes: [u8; 32]) -> Self {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).expect("the key has 32 bytes"));
        let mut id = [0; 4];
        id.copy_from_slice(&Sha256::digest(bytes)[..4]);
        Self { bytes, key, id }
    }

    /// Reads the key, or makes it at the first start.
    pub fn load_or_create(file: &Path) -> Result<Self> {
        Ok(Self::new(load_or_create(file)?))
    }

    /// Reads the key, and makes none.
    pub fn load(file: &Path) -> Result<Self> {
        let bytes = std::fs::read(file).context(&format!("reading {}", file.display()))?;
        Ok(Self::new(checked(file, bytes)?))
    }

    /// A key of its own for another purpose, so that no key serves two.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &self.bytes);
        let tag = aws_lc_rs::hmac::sign(&key, purpose.as_bytes());
        let mut out = [0; 32];
        out.copy_from_slice(tag.as_ref());
        out
    }

    pub fn seal(&self, place: Place, plain: &[u8]) -> Vec<u8> {
        let nonce = random::<12>();
        let mut text = plain.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.associated_data()),
                &mut text,
            )
            .expect("a short text can be encrypted");
        let mut out = Vec::with_capacity(HEADER + text.len());
        out.push(VERSION);
        out.extend_from_slice(&self.id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&text);
        out
    }

    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<Vec<u8>> {
        let failed =
            |why: &str| Error::internal(format!("decrypting {}.{}", place.table, place.column), why.to_owned());
        let (header, text) = sealed.split_at_checked(HEADER).ok_or_else(|| failed("too short"))?;
        if header[0] != VERSION || header[1..5] != self.id {
            return Err(failed("it was encrypted with another master key"));
        }
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&header[5..]);
        let mut text = text.to_vec();
        let plain = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(place.associated_data()), &mut text)
            .map_err(|_unspecified| failed("it was changed or moved"))?;
        Ok(plain.to_vec())
    }

    pub fn seal_text(&self, place: Place, secret: &Secret) -> Vec<u8> {
        self.seal(place, secret.reveal().as_bytes())
    }

    pub fn open_text(&self, place: Place, sealed: &[u8]) -> Result<Secret> {
        String::from_utf8(self.open(place, sealed)?).map(Secret).context("decrypting a text")
    }
}

/// 32 random bytes in a file that only we can read; made when it is absent.
fn load_or_create(file: &Path) -> Result<[u8; 32]> {
    match std::fs::read(file) {
        Ok(bytes) => checked(file, bytes),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let bytes = random::<32>();
            write_private(file, &bytes)?;
            Ok(bytes)
        }
        Err(e) => Err(Error::internal(format!("reading {}", file.display()), e)),
    }
}

fn checked(file: &Path, bytes: Vec<u8>) -> Result<[u8; 32]> {
    let wrong = |_: Vec<u8>| Error::internal(format!("{}", file.display()), "the key has not 32 bytes".to_owned());
    bytes.try_into().map_err(wrong)
}

/// Writes a file with mode 0600, whole or not at all, and makes it last.
pub fn write_private(file: &Path, bytes: &[u8]) -> Result<()> {
    let unfinished = file.with_extension("unfinished");
    let write = || -> std::io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let mut f = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        f.write_all(bytes)?;
        f.sync_all()?;
        std::fs::rename(&unfinished, file)?;
        sync_folders(file)
    };
    write().context(&format!("writing {}", file.display()))
}

/// A name lasts only once the folder that holds it is on disk, and at a first start the folders above are new too.
fn sync_folders(file: &Path) -> std::io::Result<()> {
    let mut folders = file.ancestors().skip(1);
    if let Some(folder) = folders.next() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    for folder in folders.take(2) {
        // One that belongs to somebody else may not be read; it was there before us.
        File::open(folder).and_then(|folder| folder.sync_all()).ok();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_sealed_value_opens_only_at_its_place() {
        let key = MasterKey::new([7; 32]);
        let place = Place { table: "connection", column: "token_encrypted", row: Uuid::now_v7() };
        let sealed = key.seal(place, b"gho_x");
        assert_eq!(key.open(place, &sealed).unwrap(), b"gho_x");
        assert!(key.open(Place { row: Uuid::now_v7(), ..place }, &sealed).is_err());
        assert!(key.open(Place { column: "other", ..place }, &sealed).is_err());
        assert!(MasterKey::new([8; 32]).open(place, &sealed).is_err());
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(key.open(place, &changed).is_err());
        assert!(key.open(place, &sealed[..5]).is_err());
    }

    #[test]
    fn the_key_file_is_private_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("master.key");
        let first = load_or_create(&file).unwrap();
        assert_eq!(load_or_create(&file).unwrap(), first);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something unfinished is left");
    }

    #[test]
    fn what_a_crash_left_unfinished_is_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("master.key");
        std::fs::write(file.with_extension("unfinished"), [1; 7]).unwrap();
        let key = load_or_create(&file).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), key);
    }
}
