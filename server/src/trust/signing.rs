//! ECDSA on P-256 with SHA-256: the one file that names `sigstore`.

use crate::error::{Context, Error, Result};
use crate::secrets::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use sigstore::crypto::signing_key::SigStoreKeyPair;
use sigstore::crypto::{CosignVerificationKey, SigStoreSigner, Signature, SigningScheme};

/// The word for it in the key's row.
pub(super) const ALGORITHM: &str = "ecdsa-p256-sha256";
const SCHEME: SigningScheme = SigningScheme::ECDSA_P256_SHA256_ASN1;

/// A new key: public and private part as PEM.
pub(super) fn generate() -> Result<(String, Secret)> {
    let pair = SCHEME.create_signer().and_then(|s| s.to_sigstore_keypair()).context("making a signing key")?;
    let public = pair.public_key_to_pem().context("making a signing key")?;
    let private = pair.private_key_to_pem().context("making a signing key")?;
    Ok((public, Secret::new(private.as_str())))
}

/// The private key of P-256 whose scalar these bytes are, as PKCS#8 (RFC 5958, RFC 5915); its public part is computed.
const PKCS8_OF_P256: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20,
];

/// The public key, as PEM, of the private one whose scalar these bytes are; an error for the few that are none.
pub(super) fn public_of(scalar: &[u8; 32]) -> Result<String> {
    let der = [&PKCS8_OF_P256[..], scalar].concat();
    SigStoreKeyPair::from_der(&der).and_then(|pair| pair.public_key_to_pem()).context("deriving a key")
}

/// Signs with a private key that was just decrypted.
pub(super) struct Signer(SigStoreSigner);

impl Signer {
    pub(super) fn new(private: &Secret) -> Result<Self> {
        let pair = SigStoreKeyPair::from_pem(private.reveal().as_bytes()).context("reading the signing key")?;
        Ok(Self(pair.to_sigstore_signer(&SCHEME).context("reading the signing key")?))
    }

    /// The signature in base64.
    pub(super) fn sign(&self, message: &[u8]) -> Result<String> {
        Ok(STANDARD.encode(self.0.sign(message).context("signing")?))
    }
}

/// A public key, read once for many signatures.
pub(super) struct Verifier(CosignVerificationKey);

impl Verifier {
    /// `None` for what is no public key.
    pub(super) fn new(public_pem: &str) -> Option<Self> {
        CosignVerificationKey::try_from_pem(public_pem.as_bytes()).ok().map(Self)
    }

    /// Whether the key made the signature, which is base64.
    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        self.0.verify_signature(Signature::Base64Encoded(signature.as_bytes()), message).is_ok()
    }
}

/// As `Verifier::verifies`, for one signature.
pub(super) fn verifies(public_pem: &str, message: &[u8], signature: &str) -> bool {
    Verifier::new(public_pem).is_some_and(|key| key.verifies(message, signature))
}

/// `SHA256:` and the hex hash of the key's DER form: what `openssl pkey -pubin -outform der | sha256sum` prints.
pub(super) fn fingerprint(public_pem: &str) -> Result<String> {
    let body: String = public_pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    let der = STANDARD.decode(body).map_err(|e| Error::internal("reading a public key", e))?;
    Ok(format!("SHA256:{}", hex::encode(Sha256::digest(der))))
}

/// A fingerprint as people type it, with or without `SHA256:`, as `fingerprint` writes it; what is none matches none.
pub(super) fn normal(typed: &str) -> String {
    let hex = typed.trim().rsplit(':').next().unwrap_or_default().to_ascii_lowercase();
    let is_hash = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hash { format!("SHA256:{hex}") } else { String::new() }
}
