//! Verification by the server, of any signature it finds: cosign's tag, referrers, and sigstore bundles with a plain key.
//!
//! Only what a key of the namespace that is not revoked signed, for this digest and this repository, is *verified*; and
//! what the instance's key signed before there were keys of namespaces. A signature for another digest counts as none.

use super::Place;
use super::checks::{self, BUNDLE_TYPE, Claim, Finding};
use super::signature::{ARTIFACT_TYPE, tag_of};
use super::verdicts::{Keys, Known, Question};
use crate::app::App;
use crate::clock::Millis;
use crate::db::{self, rows};
use crate::error::Result;
use crate::names::{Digest, NamespaceName};
use crate::registry::{blobs, manifests};
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

// Anybody who may push can add signatures; looking at them stays cheap.
const MOST_MANIFESTS: usize = 20;
const MOST_LAYERS: usize = 200;
/// Manifests and blobs that are read for one question; one manifest with all its layers fits. The rest is for the next time.
const MOST_READS: usize = 300;
/// The largest one that is read; cosign's own of 200 signatures has half of that.
const MOST_MANIFEST: i64 = 1 << 20;
/// Signatures of all images of a list that one question answers with.
const MOST_LISTED: u64 = 1_000;

/// What is known about the signatures of one manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub state: VerdictState,
    /// The key that it was verified with, or the revoked one.
    pub key: Option<KeyName>,
    /// When it was checked.
    pub at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerdictState {
    Verified,
    /// A key of ours signed it, and was revoked.
    Revoked,
    /// A key of ours signed it for another repository: `evil/app`, or empty when the signature names none.
    Elsewhere(String),
    /// There are signatures, none by a key that we know.
    Untrusted,
    NotSigned,
    /// Something is there but could not be looked at; the text says why.
    CouldNotCheck(String),
}

/// How people tell keys apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    /// `the key of acme`
    pub name: String,
    /// `SHA256:…`
    pub fingerprint: String,
}

/// Looks for signatures of a manifest and checks them, whatever is remembered.
pub async fn verify(app: &App, place: &Place, digest: &Digest) -> Result<Verdict> {
    let keys = keys_of(app, place).await?;
    let mut found = candidates(app, place.repository_id, std::slice::from_ref(digest)).await?;
    let found = found.remove(digest.as_str()).unwrap_or_default();
    let mut effort = Effort { from_memory: false, reads: MOST_READS };
    judge(app, place, digest, &found, &keys, &mut effort).await
}

/// The verdicts of a list of manifests, by digest. A verification that was run before counts, with the time that it ran.
///
/// Four questions for all that is remembered; two more for each signature that is not, up to a number of reads.
pub async fn verify_all(app: &App, place: &Place, digests: &[Digest]) -> Result<HashMap<String, Verdict>> {
    let keys = keys_of(app, place).await?;
    let found = candidates(app, place.repository_id, digests).await?;
    let mut effort = Effort { from_memory: true, reads: MOST_READS };
    let mut verdicts = HashMap::new();
    for digest in digests {
        let manifests = found.get(digest.as_str()).map_or(&[][..], Vec::as_slice);
        let verdict = judge(app, place, digest, manifests, &keys, &mut effort).await?;
        verdicts.insert(digest.to_string(), verdict);
    }
    Ok(verdicts)
}

pub(super) async fn keys_of(app: &App, place: &Place) -> Result<Keys> {
    Ok(Keys {
        own: db::keys::of_namespace(&app.db, place.namespace_id).await?,
        revoked: db::keys::count_revoked(&app.db).await?,
    })
}

/// Those of `digests` that may be signed.
pub(super) async fn with_signatures(app: &App, repository_id: Uuid, digests: &[Digest]) -> Result<Vec<Digest>> {
    let found = candidates(app, repository_id, digests).await?;
    Ok(digests.iter().filter(|digest| found.contains_key(digest.as_str())).cloned().collect())
}

/// Manifests that may hold signatures, by the digest that they are for; the one with cosign's tag first.
async fn candidates(app: &App, repository_id: Uuid, digests: &[Digest]) -> Result<HashMap<String, Vec<String>>> {
    let of_tag: HashMap<String, &Digest> = digests.iter().map(|d| (tag_of(d).to_string(), d)).collect();
    let names: Vec<String> = of_tag.keys().cloned().collect();
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    for tag in db::tags::find_all(&app.db, repository_id, &names).await? {
        found.entry(of_tag[&tag.name].to_string()).or_default().push(tag.digest);
    }
    for (subject, manifest) in signatures_of(app, repository_id, digests).await? {
        let of_subject = found.entry(subject).or_default();
        if !of_subject.contains(&manifest) && of_subject.len() < MOST_MANIFESTS {
            of_subject.push(manifest);
        }
    }
    Ok(found)
}

/// Referrers that are signatures: subject and digest.
async fn signatures_of(app: &App, repository_id: Uuid, digests: &[Digest]) -> Result<Vec<(String, String)>> {
    let types = [ARTIFACT_TYPE, BUNDLE_TYPE];
    let all = db::manifests::referrers_of_type(&app.db, repository_id, digests, &types, MOST_LISTED).await?;
    if (all.len() as u64) < MOST_LISTED {
        return Ok(all);
    }
    // One image with very many signatures leaves the others theirs.
    let mut some = Vec::new();
    for digest in digests {
        let (one, most) = (std::slice::from_ref(digest), MOST_MANIFESTS as u64);
        some.extend(db::manifests::referrers_of_type(&app.db, repository_id, one, &types, most).await?);
    }
    Ok(some)
}

/// What the signatures of a digest come to; the best one counts.
async fn judge(
    app: &App,
    place: &Place,
    digest: &Digest,
    manifests: &[String],
    keys: &Keys,
    effort: &mut Effort,
) -> Result<Verdict> {
    let mut best = Known { finding: Finding::Nothing, at: app.clock.now() };
    for manifest in manifests {
        let question = Question { place, subject: digest, manifest, keys };
        let remembered = if effort.from_memory { app.verdicts.find(&question) } else { None };
        let known = match remembered {
            Some(known) => known,
            None => look(app, &question, effort).await?,
        };
        best = if known.finding > best.finding { known } else { best };
        if matches!(best.finding, Finding::Verified(_)) {
            break;
        }
    }
    let named = |id: Uuid| keys.own.iter().find(|key| key.id == id).map(|key| name_of(app, place, key));
    let (state, key) = match best.finding {
        Finding::Nothing => (VerdictState::NotSigned, None),
        Finding::Unreadable(why) => (VerdictState::CouldNotCheck(why), None),
        Finding::Untrusted => (VerdictState::Untrusted, None),
        Finding::Elsewhere(repository) => (VerdictState::Elsewhere(repository), None),
        Finding::Revoked(id) => (VerdictState::Revoked, named(id)),
        Finding::Verified(id) => (VerdictState::Verified, named(id)),
    };
    Ok(Verdict { state, key, at: best.at })
}

fn name_of(app: &App, place: &Place, key: &rows::SigningKey) -> KeyName {
    let age = match (key.revoked_at, key.retired_at) {
        (Some(_), _) => "a revoked key",
        (_, Some(_)) => "a retired key",
        _ => "the key",
    };
    let host = app.config.public_host();
    let owner = if key.scope == db::keys::INSTANCE { &*host } else { place.namespace() };
    KeyName { name: format!("{age} of {owner}"), fingerprint: key.fingerprint.clone() }
}

/// What a question may cost.
struct Effort {
    from_memory: bool,
    /// So many more manifests and blobs may be read.
    reads: usize,
}

impl Effort {
    /// Whether one more may be read.
    fn read(&mut self) -> bool {
        let is_left = self.reads > 0;
        self.reads = self.reads.saturating_sub(1);
        is_left
    }
}

/// Verifies the signatures in one manifest, and remembers what came out unless that can change: what is absent may come.
async fn look(app: &App, question: &Question<'_>, effort: &mut Effort) -> Result<Known> {
    let repository_id = question.place.repository_id;
    let mut known = Known { finding: Finding::Nothing, at: app.clock.now() };
    let too_many = || Finding::Unreadable("there are too many signatures to read at once".into());
    if !effort.read() {
        return Ok(Known { finding: too_many(), ..known });
    }
    let digest = Digest::trusted(question.manifest);
    let Some(manifest) = manifests::find_small(app, repository_id, &digest, MOST_MANIFEST).await? else {
        if manifests::find_facts(app, repository_id, &digest).await?.is_some() {
            known.finding = Finding::Unreadable("the signature's manifest is too large".into());
        }
        return Ok(known);
    };
    let Ok(value) = serde_json::from_slice::<Value>(&manifest.body) else {
        known.finding = Finding::Unreadable("the signature's manifest cannot be read".into());
        app.verdicts.remember(question, &known);
        return Ok(known);
    };
    let mut is_whole = true;
    // Newest last: our own signature is mostly the last one.
    for layer in value["layers"].as_array().into_iter().flatten().rev().take(MOST_LAYERS) {
        let Some((limit, read)) = layer["mediaType"].as_str().and_then(checks::of_type) else { continue };
        let Some(blob) = layer["digest"].as_str().and_then(|d| d.parse().ok()) else { continue };
        if !effort.read() {
            known.finding = known.finding.max(too_many());
            is_whole = false;
            break;
        }
        let finding = if let Some(bytes) = blobs::read_small(app, repository_id, &blob, limit).await? {
            weigh(app, question, &read(&bytes, layer, question.subject), effort).await?
        } else {
            is_whole = false;
            Some(Finding::Unreadable("what was signed is absent or too large".into()))
        };
        is_whole &= finding.is_some();
        known.finding = known.finding.max(finding.unwrap_or_else(too_many));
        if matches!(known.finding, Finding::Verified(_)) {
            break;
        }
    }
    if is_whole || matches!(known.finding, Finding::Verified(_)) {
        app.verdicts.remember(question, &known);
    }
    Ok(known)
}

/// What a signature is worth; `None` when nothing more may be read. Another namespace's key is looked for only where the signature names that namespace.
async fn weigh(app: &App, question: &Question<'_>, claim: &Claim, effort: &mut Effort) -> Result<Option<Finding>> {
    match claim {
        Claim::Nothing => return Ok(Some(Finding::Nothing)),
        Claim::Unreadable(why) => return Ok(Some(Finding::Unreadable(why.clone()))),
        Claim::Signed { .. } => {}
    }
    if let Some(finding) = checks::by_keys(question.place, &question.keys.own, claim) {
        return Ok(Some(finding));
    }
    let named = checks::other_namespace(question.place, claim).and_then(|name| name.parse::<NamespaceName>().ok());
    let Some(namespace) = named else { return Ok(Some(Finding::Untrusted)) };
    if !effort.read() {
        return Ok(None);
    }
    let others = db::keys::of_name(&app.db, namespace.as_str()).await?;
    Ok(Some(checks::by_keys(question.place, &others, claim).unwrap_or(Finding::Untrusted)))
}
