//! Verification by the server, of any signature it finds: cosign's tag, referrers, and sigstore bundles with a plain key.
//!
//! Only what a key of the namespace that is not revoked signed, for this digest and this repository, is *verified*; and
//! what the instance's key signed before there were keys of namespaces. A signature for another digest counts as none.

mod effort;
mod look;

use super::Place;
use super::checks::{self, BUNDLE_TYPE, Finding};
use super::signature::{ARTIFACT_TYPE, cosign_tag};
use super::verdicts::{Keys, Known, Question};
use crate::app::App;
use crate::clock::Millis;
use crate::db::manifests::Referrer;
use crate::db::{self, rows};
use crate::error::Result;
use crate::names::Digest;
use effort::Effort;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

// Anybody who may push can add signatures; looking at them stays cheap.
const MOST_MANIFESTS: usize = 20;
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
    /// A build made and signed it here, and no signature of ours is to be found: somebody took it away.
    Lost,
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

/// Looks for signatures of a manifest and checks them.
pub async fn verify(app: &App, place: &Place, digest: &Digest) -> Result<Verdict> {
    let mut all = verify_all(app, place, std::slice::from_ref(digest)).await?;
    Ok(all.remove(digest.as_str()).expect("each digest that is asked has its verdict"))
}

/// The verdicts of some manifests, by digest. A verification that was run before counts, with the time that it ran.
///
/// Four questions for all that is remembered, and one where there are signatures that no tag names; two more for each signature that is not, up to a number of reads. Each
/// image has a share of that; what is left goes to those that need more.
pub async fn verify_all(app: &App, place: &Place, digests: &[Digest]) -> Result<HashMap<String, Verdict>> {
    let keys = keys_of(app, place).await?;
    let found = candidates(app, place.repository_id, digests).await?;
    let manifests = |digest: &Digest| found.get(digest.as_str()).map_or(&[][..], Vec::as_slice);
    let mut effort = Effort::new();
    let (mut known, mut open) = (HashMap::new(), Vec::new());
    for digest in digests {
        let mut share = effort.share();
        let best = judge(app, place, digest, manifests(digest), &keys, &mut share).await?;
        effort.give_back(&share);
        if share.is_short {
            open.push(digest);
        }
        known.insert(digest.to_string(), best);
    }
    for digest in open {
        effort.is_short = false;
        let mut best = judge(app, place, digest, manifests(digest), &keys, &mut effort).await?;
        if effort.is_short && best.finding.is_unsigned() {
            // Ours may be among those that were not looked at.
            best.finding = look::too_many();
        }
        known.insert(digest.to_string(), best);
    }
    let unsigned = known.iter().filter(|(_, best)| best.finding.is_unsigned()).map(|(digest, _)| digest.clone());
    let built = db::signing_runs::built(&app.db, place.repository_id, &unsigned.collect::<Vec<_>>()).await?;
    let told = |(digest, best): (String, Known)| {
        let mut verdict = verdict(app, place, &keys, best);
        if built.contains(&digest) {
            verdict.state = VerdictState::Lost;
        }
        (digest, verdict)
    };
    Ok(known.into_iter().map(told).collect())
}

async fn keys_of(app: &App, place: &Place) -> Result<Keys> {
    Ok(Keys {
        own: checks::in_order(db::keys::of_namespace(&app.db, place.namespace_id).await?),
        revoked: db::keys::count_revoked(&app.db).await?,
    })
}

/// Manifests that may hold signatures, by the digest that they are for: the one with cosign's tag first, then those that
/// the server made, the newest first, so that no number of others hides them.
///
/// cosign reads that tag and bundles. What a build made here has its signature in one of them, or has lost it; what came
/// from elsewhere counts as signed by any other referrer too.
async fn candidates(app: &App, repository_id: Uuid, digests: &[Digest]) -> Result<HashMap<String, Vec<String>>> {
    let of_tag: HashMap<String, &Digest> =
        digests.iter().filter_map(|d| Some((cosign_tag(d)?.to_string(), d))).collect();
    let names: Vec<String> = of_tag.keys().cloned().collect();
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    for tag in db::tags::find_all(&app.db, repository_id, &names).await? {
        found.entry(of_tag[&tag.name].to_string()).or_default().push(tag.digest);
    }
    let referrers = signatures_of(app, repository_id, digests).await?;
    let is_read = |one: &Referrer| {
        let is_tagged = found.get(&one.subject_digest).is_some_and(|tagged| tagged.contains(&one.digest));
        is_tagged || one.artifact_type.as_deref() == Some(BUNDLE_TYPE)
    };
    let unread: BTreeSet<String> = referrers.iter().filter(|one| !is_read(one)).map(|one| one.digest.clone()).collect();
    let subjects = referrers.iter().filter(|one| unread.contains(&one.digest)).map(|one| one.subject_digest.clone());
    let subjects: BTreeSet<String> = subjects.collect();
    let built = db::signing_runs::built(&app.db, repository_id, &Vec::from_iter(subjects)).await?;
    for Referrer { subject_digest, digest, .. } in referrers {
        if unread.contains(&digest) && built.contains(&subject_digest) {
            continue;
        }
        let of_subject = found.entry(subject_digest).or_default();
        if !of_subject.contains(&digest) && of_subject.len() < MOST_MANIFESTS {
            of_subject.push(digest);
        }
    }
    Ok(found)
}

/// Referrers that are signatures.
async fn signatures_of(app: &App, repository_id: Uuid, digests: &[Digest]) -> Result<Vec<Referrer>> {
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
) -> Result<Known> {
    let mut best = Known { finding: Finding::Nothing, at: app.clock.now() };
    for manifest in manifests {
        let question = Question { place, subject: digest, manifest, keys };
        let known = match app.verdicts.find(&question) {
            Some(known) => known,
            None => look::look(app, &question, effort).await?,
        };
        best = if known.finding > best.finding { known } else { best };
        if matches!(best.finding, Finding::Verified(_)) {
            break;
        }
    }
    Ok(best)
}

fn verdict(app: &App, place: &Place, keys: &Keys, best: Known) -> Verdict {
    let named = |id: Uuid| keys.own.iter().find(|key| key.row.id == id).map(|key| name_of(app, place, &key.row));
    let (state, key) = match best.finding {
        Finding::Nothing => (VerdictState::NotSigned, None),
        Finding::Unreadable(why) => (VerdictState::CouldNotCheck(why), None),
        Finding::Untrusted => (VerdictState::Untrusted, None),
        Finding::Elsewhere(repository) => (VerdictState::Elsewhere(repository), None),
        Finding::Revoked(id) => (VerdictState::Revoked, named(id)),
        Finding::Verified(id) => (VerdictState::Verified, named(id)),
    };
    Verdict { state, key, at: best.at }
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
