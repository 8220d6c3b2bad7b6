//! What a repository offers: the tag that comes first, its images as rows, and the commands that get one.

use super::page::{count, when};
use super::present::{cause, verdict};
use super::views::cut::Cut;
use super::views::facts::{Signature, Size};
use super::views::filters::plural_text;
use super::views::pull::{Kind, PullBox};
use super::views::repository::ImageRow;
use crate::app::App;
use crate::db::{Visibility, rows};
use crate::error::Result;
use crate::names::{Digest, RefName};
use crate::policy::{self, Principal, RepositoryAccess};
use crate::registry::images::{self, Image};
use crate::registry::tags;
use crate::sources::rules;
use crate::trust::{self, Place};
use uuid::Uuid;

/// Where no code says which branch is the default one.
const USUAL_BRANCHES: [&str; 2] = ["main", "master"];

/// The tag that people are offered first: `latest`, else that of the default branch, else the newest one.
pub async fn tag(app: &App, repository_id: Uuid, source: Option<&rows::Source>) -> Result<Option<rows::Tag>> {
    images::offered(app, repository_id, &first_tags(source.map(|source| source.default_branch.as_str()))).await
}

/// What to say of an offered tag that is neither `latest` nor the default branch's.
pub fn stands_in(tag: &rows::Tag, source: Option<&rows::Source>) -> Option<String> {
    let branch = source?.default_branch.as_str();
    (!first_tags(Some(branch)).contains(&tag.name))
        .then(|| format!("There is no image of `{branch}`. `{}` is the tag that moved last.", tag.name))
}

fn first_tags(default_branch: Option<&str>) -> Vec<String> {
    let mut names = vec!["latest".to_owned()];
    for branch in default_branch.as_ref().map_or(&USUAL_BRANCHES[..], std::slice::from_ref) {
        let mapped = RefName::of_branch(branch).map(|name| rules::tags_of(&name, branch));
        names.extend(mapped.into_iter().flat_map(|mapped| mapped.tags).map(|tag| tag.name.to_string()));
    }
    names
}

/// What there is to pull.
pub fn kind(image: &Image) -> Kind {
    match image.kind {
        images::Kind::Image => Kind::Image,
        images::Kind::Chart => Kind::Chart,
        images::Kind::Plugin => Kind::Plugin,
        images::Kind::Cache => Kind::Cache,
        images::Kind::Artifact(_) => Kind::Artifact,
    }
}

/// `3 platforms`, or what else it is.
pub fn holds(image: &Image) -> String {
    match kind(image) {
        Kind::Image => plural_text(image.platforms.len() as u64 + image.more_platforms, "platform", "platforms"),
        other => other.name().to_owned(),
    }
}

/// What a pull moves.
pub fn size(image: &Image) -> Size {
    let (least, most) = image.sizes();
    Size { least: count(least), most: count(most) }
}

/// The names of an image's platforms.
pub fn platforms(image: &Image) -> Cut<String> {
    let names = image.platforms.iter().map(|p| p.name.clone()).filter(|name| !name.is_empty());
    Cut { shown: names.collect(), more: image.more_platforms }
}

/// Images in a list.
pub async fn rows(app: &App, on: &RepositoryAccess, images: &[Image]) -> Result<Vec<ImageRow>> {
    let digests: Vec<Digest> = images.iter().map(|image| Digest::trusted(&image.manifest.digest)).collect();
    let mut verdicts = trust::verify_all(app, &Place::from(on), &digests).await?;
    let mut rows = Vec::new();
    for image in images {
        let found = verdicts.remove(&image.manifest.digest).map(|found| verdict(app, found));
        rows.push(row(app, on, image, found.unwrap_or(Signature::NotSigned)).await?);
    }
    Ok(rows)
}

async fn row(app: &App, on: &RepositoryAccess, image: &Image, signature: Signature) -> Result<ImageRow> {
    let newest = image.newest.as_ref().or_else(|| image.tags.iter().max_by_key(|t| t.updated_at));
    let story = match newest {
        Some(tag) => tags::newest_move(app, tag).await?,
        None => None,
    };
    Ok(ImageRow {
        tags: Cut { shown: image.tags.iter().map(|t| t.name.clone()).collect(), more: image.more_tags },
        digest: image.manifest.digest.clone(),
        kind: kind(image),
        platforms: platforms(image),
        signature,
        size: size(image),
        at: when(app, newest.map_or(image.manifest.created_at, |t| t.updated_at)),
        cause: cause(on, story.as_ref()),
        moved: newest.and_then(|newest| not_the_title(image, newest)),
    })
}

/// The name of the tag that moved last, where the row's title did not move with it.
fn not_the_title(image: &Image, newest: &rows::Tag) -> Option<String> {
    let title = image.tags.first()?;
    (title.name != newest.name && title.updated_at != newest.updated_at).then(|| newest.name.clone())
}

/// The commands for one image.
pub fn pull_box(
    app: &App,
    principal: &Principal,
    on: &RepositoryAccess,
    tag: Option<&str>,
    image: &Image,
    signed: bool,
) -> PullBox {
    let host = app.config.public_host();
    let by_digest = format!("{host}/{}@{}", on.name, image.manifest.digest);
    let by_tag = tag.map_or_else(|| by_digest.clone(), |tag| format!("{host}/{}:{tag}", on.name));
    let user = match &principal.who {
        policy::Who::User { name, .. } => name.as_str(),
        _ => "YOUR-NAME",
    };
    let (kind, plain_http) = (kind(image), !app.config.is_https());
    PullBox {
        verify: signed.then(|| {
            let key = app.config.public_link(&format!("/{}/-/cosign.pub", on.name));
            format!("cosign verify --key {key} --private-infrastructure {by_tag}")
        }),
        by_digest,
        by_tag,
        plain_http,
        login: (on.visibility == Visibility::Private).then(|| kind.login(&host, user, plain_http)),
        kind,
        note: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_branch_comes_behind_latest() {
        assert_eq!(first_tags(Some("release/2.x")), ["latest", "release-2.x", "latest"]);
        assert_eq!(first_tags(Some("latest")), ["latest", "latest"]);
        assert!(first_tags(None).contains(&"main".to_owned()));
        assert_eq!(first_tags(Some("no branch")), ["latest"]);
    }
}
