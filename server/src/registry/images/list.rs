//! Lists of images: each once, with the first of its tags.

use super::{Image, MOST_BY_VERSION, MOST_LISTED, image};
use crate::app::App;
use crate::db::{self, rows};
use crate::error::Result;
use crate::names::Digest;
use crate::policy::{Allowed, ReadRepository};
use crate::registry::version_order;
use std::collections::HashMap;
use uuid::Uuid;

/// Tags of one image in a list; its own list has the others.
const MOST_TAGS: usize = 10;

/// The order of a list of tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagOrder {
    #[default]
    Newest,
    Name,
    /// As versions, the newest first.
    Version,
}

/// Which images a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// Occurs in the name of a tag, or begins the digest. Of a whole digest each tag is listed.
    pub part: &'a str,
    pub order: TagOrder,
    /// The tag whose image comes first where nothing else is asked for, however old it is.
    pub first: Option<&'a rows::Tag>,
    pub offset: u64,
    pub limit: u64,
}

/// Some images by their tags, and how many there are in all. More than `MOST_BY_VERSION` tags come by name.
pub async fn page(app: &App, allowed: &Allowed<ReadRepository>, asked: Asked<'_>) -> Result<(Vec<Image>, u64)> {
    let list = List { app, repository_id: allowed.on().id, asked };
    if let Ok(digest) = asked.part.parse::<Digest>() {
        return list.tags_of(&digest).await;
    }
    if asked.order == TagOrder::Version
        && db::tags::count(&app.db, list.repository_id, asked.part).await? <= MOST_BY_VERSION
    {
        return list.by_version().await;
    }
    let (digests, total) = match asked.order {
        TagOrder::Newest if asked.part.is_empty() => list.newest().await?,
        order => list.digests(order != TagOrder::Newest, None, asked.offset, asked.limit).await?,
    };
    let mut tagged = Vec::new();
    for digest in digests {
        tagged.push((list.some_tags(&digest, Vec::new()).await?, digest));
    }
    Ok((list.images(tagged).await?, total))
}

struct List<'a> {
    app: &'a App,
    repository_id: Uuid,
    asked: Asked<'a>,
}

impl List<'_> {
    async fn digests(&self, by_name: bool, but: Option<&str>, offset: u64, limit: u64) -> Result<(Vec<String>, u64)> {
        let (db, id, part) = (&self.app.db, self.repository_id, self.asked.part);
        let total = db::tags::digests::count(db, id, part).await?;
        Ok((db::tags::digests::page(db, id, part, by_name, but, offset, limit).await?, total))
    }

    /// The newest first, behind the one that comes before all others.
    async fn newest(&self) -> Result<(Vec<String>, u64)> {
        let Asked { first, offset, limit, .. } = self.asked;
        let Some(first) = first else { return self.digests(false, None, offset, limit).await };
        let is_here = offset == 0 && limit > 0;
        let limit = if is_here { limit - 1 } else { limit };
        let (mut digests, total) = self.digests(false, Some(&first.digest), offset.saturating_sub(1), limit).await?;
        if is_here {
            digests.insert(0, first.digest.clone());
        }
        Ok((digests, total))
    }

    /// The first tags of a digest: `known`, then those that were asked for, then others.
    async fn some_tags(&self, digest: &str, known: Vec<rows::Tag>) -> Result<Vec<rows::Tag>> {
        let (by_name, most) = (self.asked.order != TagOrder::Newest, MOST_TAGS as u64);
        let mut found = known;
        found.extend(self.asked.first.filter(|tag| !by_name && tag.digest == digest).cloned());
        let parts = [self.asked.part, ""];
        for part in &parts[usize::from(self.asked.part.is_empty())..] {
            if found.len() >= MOST_TAGS {
                break;
            }
            let on = (self.repository_id, digest);
            for tag in db::tags::digests::tags(&self.app.db, on, part, by_name, 0, most).await? {
                if found.iter().all(|known| known.id != tag.id) {
                    found.push(tag);
                }
            }
        }
        found.truncate(MOST_TAGS);
        Ok(found)
    }

    async fn by_version(&self) -> Result<(Vec<Image>, u64)> {
        let all = db::tags::digests::names(&self.app.db, self.repository_id, self.asked.part).await?;
        let digest_of: HashMap<&str, &str> = all.iter().map(|(name, digest)| (&**name, &**digest)).collect();
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        let mut digests: Vec<&str> = Vec::new();
        let mut names_of: HashMap<&str, Vec<String>> = HashMap::new();
        for name in version_order::newest_first(&names) {
            let digest = digest_of[name];
            let of_digest = names_of.entry(digest).or_insert_with(|| {
                digests.push(digest);
                Vec::new()
            });
            if of_digest.len() < MOST_TAGS {
                of_digest.push(name.to_owned());
            }
        }
        let (from, most) = (usize::try_from(self.asked.offset), usize::try_from(self.asked.limit));
        let total = digests.len() as u64;
        let mut tagged = Vec::new();
        for digest in digests.into_iter().skip(from.unwrap_or(usize::MAX)).take(most.unwrap_or(usize::MAX)) {
            let names = &names_of[digest];
            let mut tags = db::tags::find_all(&self.app.db, self.repository_id, names).await?;
            tags.sort_by_key(|tag| names.iter().position(|name| *name == tag.name));
            if !self.asked.part.is_empty() {
                tags = self.some_tags(digest, tags).await?;
            }
            tagged.push((tags, digest.to_owned()));
        }
        Ok((self.images(tagged).await?, total))
    }

    /// The tags of one digest, of which the number is.
    async fn tags_of(&self, digest: &Digest) -> Result<(Vec<Image>, u64)> {
        let (db, id, digest) = (&self.app.db, self.repository_id, digest.as_str());
        let Asked { order, offset, limit, .. } = self.asked;
        let total = db::tags::digests::count_tags(db, id, digest).await?;
        let tags = db::tags::digests::tags(db, (id, digest), "", order != TagOrder::Newest, offset, limit).await?;
        let mut found = self.images(vec![(tags, digest.to_owned())]).await?;
        for image in &mut found {
            image.more_tags = 0;
        }
        Ok((found, total))
    }

    /// What lies behind these tags; digests without one are left out.
    async fn images(&self, tagged: Vec<(Vec<rows::Tag>, String)>) -> Result<Vec<Image>> {
        let (db, id) = (&self.app.db, self.repository_id);
        let digests: Vec<String> = tagged.iter().map(|(_, digest)| digest.clone()).collect();
        let facts = db::manifests::facts(db, id, &digests).await?;
        let mut facts: HashMap<String, _> = facts.into_iter().map(|facts| (facts.digest.clone(), facts)).collect();
        let mut images = Vec::new();
        for (tags, digest) in tagged.into_iter().filter(|(tags, _)| !tags.is_empty()) {
            let Some(manifest) = facts.remove(&digest) else { continue };
            let shown = tags.len();
            let mut image = image(self.app, id, manifest, tags, MOST_LISTED).await?;
            if shown >= MOST_TAGS {
                let all = db::tags::digests::count_tags(db, id, &digest).await?;
                image.more_tags = all.saturating_sub(shown as u64);
                image.newest = db::tags::digests::tags(db, (id, &digest), "", false, 0, 1).await?.pop();
            }
            images.push(image);
        }
        Ok(images)
    }
}
