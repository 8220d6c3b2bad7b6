//! The signature once more, as cosign looks for it first: a sigstore bundle that refers to the image.
//!
//! Where an image has any bundle, cosign 3 looks at no tag: one bundle of a stranger, and a release would not be verified
//! any more. So there is one of each key that signs as soon as there is another, and none before: where there is none,
//! cosign reads the tag, and with it the signatures that others added there. It names the repository as the payload
//! beside the image does.

use super::checks::{self, BUNDLE_TYPE, COSIGN_PREDICATE, Claim};
use super::signing::{self, Signer};
use crate::app::App;
use crate::db::manifests::Facts;
use crate::db::{self, Ask, Tx, rows};
use crate::error::{Error, Result};
use crate::names::Digest;
use crate::policy::Principal;
use crate::registry::blobs::{self, OwnBlob};
use crate::registry::manifests;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const STATEMENT_TYPE: &str = "application/vnd.in-toto+json";
/// Bundles that are looked through for one of ours; the server's own come first.
const MOST_LOOKED_AT: u64 = 20;
/// One of ours has a kilobyte, and the name twice.
const MOST_BYTES: usize = 8 << 10;

/// A bundle whose bytes are stored and whose rows are not.
pub(super) struct Bundle {
    blobs: Vec<OwnBlob>,
    manifest: Bytes,
}

/// Whether the image has a bundle, of whomever: then clients look at no tag.
pub(super) async fn is_any(c: &impl Ask, repository: &rows::Repository, subject: &str) -> Result<bool> {
    db::manifests::has_bundle(c, repository.id, subject).await
}

/// Makes those that the image lacks, of these keys. `reference` is host and name of its repository.
pub(super) async fn make_missing(
    app: &App,
    repository: &rows::Repository,
    reference: &str,
    subject: &Facts,
    signers: &[(rows::SigningKey, Signer)],
) -> Result<Vec<Bundle>> {
    let statement = statement(reference, &subject.digest);
    let message = checks::envelope_message(STATEMENT_TYPE, statement.as_bytes());
    let there = there(app, repository, subject, &message).await?;
    let mut made = Vec::new();
    for (key, signer) in signers {
        if there.iter().any(|signature| signing::verifies(&key.public_pem, &message, signature)) {
            continue;
        }
        let bundle = json!({
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": {"hint": hint(key)?}},
            "dsseEnvelope": {
                "payload": STANDARD.encode(&statement),
                "payloadType": STATEMENT_TYPE,
                "signatures": [{"sig": signer.sign(&message)?}],
            },
        });
        let bundle = blobs::store_own(app, Bytes::from(bundle.to_string())).await?;
        let manifest = manifest(bundle.digest.as_str(), bundle.size_bytes, subject);
        let config = blobs::store_own(app, Bytes::from_static(b"{}")).await?;
        made.push(Bundle { blobs: vec![config, bundle], manifest: Bytes::from(manifest.to_string()) });
    }
    Ok(made)
}

/// Writes the rows, in the transaction that stores the signature beside the image.
pub(super) async fn store(
    app: &App,
    tx: &Tx,
    by: &Principal,
    repository: &rows::Repository,
    bundles: &[Bundle],
) -> Result<()> {
    for bundle in bundles {
        manifests::insert_own(app, tx, by, repository, &bundle.blobs, &bundle.manifest, None).await?;
    }
    Ok(())
}

/// The signatures of this message in bundles that are as we write them.
async fn there(app: &App, repository: &rows::Repository, subject: &Facts, message: &[u8]) -> Result<Vec<String>> {
    let of = [Digest::trusted(&subject.digest)];
    let found = db::manifests::referrers_of_type(&app.db, repository.id, &of, &[BUNDLE_TYPE], MOST_LOOKED_AT).await?;
    let mut signatures = Vec::new();
    for one in found {
        let digest = Digest::trusted(&one.digest);
        let most = i64::try_from(MOST_BYTES).unwrap_or(i64::MAX);
        let Some(row) = manifests::find_small(app, repository.id, &digest, most).await? else { continue };
        let value: Value = serde_json::from_slice(&row.body).unwrap_or_default();
        let layer = &value["layers"][0];
        let (Some(blob), Some(size)) = (layer["digest"].as_str(), layer["size"].as_i64()) else { continue };
        if value != manifest(blob, size, subject) {
            continue;
        }
        let Some(bytes) = blobs::read_small(app, repository.id, &Digest::trusted(blob), MOST_BYTES).await? else {
            continue;
        };
        if let Claim::Signed { message: signed, signature, .. } = checks::read_bundle(&bytes, layer, &of[0])
            && signed == message
        {
            signatures.push(signature);
        }
    }
    Ok(signatures)
}

fn statement(reference: &str, digest: &str) -> String {
    let digest = Digest::trusted(digest);
    let value = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": reference, "digest": {digest.algorithm().as_str(): digest.hex()}}],
        "predicateType": COSIGN_PREDICATE,
        "predicate": {},
    });
    value.to_string()
}

fn manifest(bundle: &str, size: i64, subject: &Facts) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": BUNDLE_TYPE,
        "config": {"mediaType": EMPTY_TYPE, "size": 2, "digest": Digest::of(b"{}").as_str()},
        "layers": [{"mediaType": BUNDLE_TYPE, "size": size, "digest": bundle}],
        "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size_bytes},
        "annotations": {
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": COSIGN_PREDICATE,
        },
    })
}

/// How sigstore names a key: the hash of its DER form, in base64.
fn hint(key: &rows::SigningKey) -> Result<String> {
    let hash = hex::decode(key.fingerprint.trim_start_matches("SHA256:"));
    hash.map(|hash| STANDARD.encode(hash)).map_err(|e| Error::internal("reading a fingerprint", e))
}
