//! Settings of a repository: rule, visibility, how pushes arrive, deletion.

pub mod bases;
pub mod publish;

use super::page::{self, count};
use super::present;
use super::repository::{source_facts, turned_private};
use super::signing_key;
use super::views::filters::plural_text;
use super::views::repository::RepositoryTab;
use super::views::settings::{Mapping, RepositoryDelete, RuleForm, Settings};
use crate::app::App;
use crate::auth::extract::Then;
use crate::db::{Visibility, rows};
use crate::error::Result;
use crate::names::RefName;
use crate::namespaces::visibility;
use crate::policy::{AdministerRepository, Allowed};
use crate::registry::repositories;
use crate::sources::{self, Missing, rules};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

/// Dockerfiles that a sentence names.
const FOUND_TOLD: usize = 3;

/// `/{ns}/{repo}/-/settings`.
pub async fn show(
    allowed: Allowed<AdministerRepository>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let page = page_of(&app, &allowed, None).await?;
    let page = Settings { layout: page.layout.clone().flash(page::flash(&app, &request)), ..page };
    page::html_after_form(&app, &request, &page)
}

async fn page_of(app: &App, allowed: &Allowed<AdministerRepository>, typed: Option<RuleForm>) -> Result<Settings> {
    let on = allowed.on();
    let head = present::head(app, allowed.principal(), on).await?;
    let viewer = page::viewer(app, allowed.principal()).await?;
    let source = sources::of_repository(app, on.id).await?;
    let rule = match (&source, sources::rule_of_repository(app, on.id).await?) {
        (Some(source), Some(rule)) => {
            let mut form = typed.unwrap_or_else(|| form_of(&rule));
            form.found = sources::dockerfiles_of(app, source).await?;
            form.mapping = mapping(app, source).await?;
            Some(form)
        }
        _ => None,
    };
    Ok(Settings {
        layout: head.layout("Settings", viewer, RepositoryTab::Settings),
        source: source.as_ref().map(|s| source_facts(app, s, true)),
        rule,
        turned_private: turned_private(app, on.id, true, None).await?,
        key: signing_key::facts(app, on).await?,
        bases: bases::of(app, on).await?,
        head,
    })
}

fn form_of(rule: &rows::Rule) -> RuleForm {
    let args: std::collections::BTreeMap<String, String> = serde_json::from_str(&rule.build_args).unwrap_or_default();
    RuleForm {
        dockerfile: rule.dockerfile.clone(),
        context: rule.context.clone(),
        build_args: args.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("\n"),
        ..RuleForm::default()
    }
}

/// How refs become tags: refs that exist where there are some.
async fn mapping(app: &App, source: &rows::Source) -> Result<Vec<Mapping>> {
    let known = sources::some_refs(app, source.id).await?;
    let row = |rule: &str, example: &RefName, note: &str| Mapping {
        rule: rule.to_owned(),
        example_ref: example.short().to_owned(),
        example_tags: rules::tags_of(example, &source.default_branch).tags.iter().map(|t| t.name.to_string()).collect(),
        note: note.to_owned(),
    };
    let parse = |text: &str| text.parse::<RefName>().ok();
    let default = RefName::of_branch(&source.default_branch)?;
    let mut rows = vec![row("Default branch", &default, "its newest image is also latest")];
    let other = known.iter().find(|r| r.branch().is_some_and(|b| b != source.default_branch && !b.contains('/')));
    if let Some(branch) = other.cloned().or_else(|| parse("refs/heads/develop")) {
        rows.push(row("Each branch", &branch, ""));
    }
    let slashed = known.iter().find(|r| r.branch().is_some_and(|b| b.contains('/')));
    if let Some(branch) = slashed.cloned().or_else(|| parse("refs/heads/feature/login")) {
        rows.push(row("Branch with other characters", &branch, "what is no legal part of a tag becomes a dash"));
    }
    let version = known.iter().find(|r| rules::version_of(r).is_some());
    if let Some(tag) = version.cloned().or_else(|| parse("refs/tags/v1.2.3")) {
        rows.push(row(
            "Version tag",
            &tag,
            "the short ones move forward in version order only, and win over branches and other git tags",
        ));
    }
    Ok(rows)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleInput {
    dockerfile: String,
    #[serde(default)]
    context: String,
    #[serde(default)]
    build_args: String,
}

/// `POST …/-/settings/rule`.
pub async fn save_rule(
    Then(allowed, form): Then<Allowed<AdministerRepository>, Form<RuleInput>>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let input = form.into_inner();
    match sources::change_rule(&app, &allowed, &input.dockerfile, &input.context, &input.build_args).await? {
        Ok(()) => {
            let to = format!("/{}/-/settings", allowed.on().name);
            Ok(match sources::missing(&app, &allowed).await? {
                Some((missing, branch)) => page::see_warning(&app, &to, &told_of(&missing, &branch)),
                None => page::see_saying(&app, &to, "Saved. The next build uses it."),
            })
        }
        Err(wrong) => {
            let typed = RuleForm {
                dockerfile: input.dockerfile,
                dockerfile_error: wrong.dockerfile,
                context: input.context,
                context_error: wrong.context,
                build_args: input.build_args,
                build_args_error: wrong.build_args,
                ..RuleForm::default()
            };
            let page = page_of(&app, &allowed, Some(typed)).await?;
            page::with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// What was saved, and that nothing is built from it.
fn told_of(missing: &Missing, branch: &str) -> String {
    let (path, found) = match missing {
        Missing::Dockerfile { path, found } => (path, found),
        Missing::Context { folder } => {
            return format!("Saved, but {branch} has no folder {folder}: builds fail until that is pushed.");
        }
    };
    let there = match found.as_slice() {
        [] => "No other Dockerfile was found there".to_owned(),
        few if few.len() <= FOUND_TOLD => format!("Found there: {}", few.join(", ")),
        some => {
            let more = some.len() - FOUND_TOLD;
            format!(
                "Found there: {} and {}",
                some[..FOUND_TOLD].join(", "),
                plural_text(more as u64, "other", "others")
            )
        }
    };
    format!("Saved, but {branch} has no {path}: builds of it fail until that is pushed. {there}.")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisibilityInput {
    visibility: Visibility,
}

/// `POST …/-/settings/visibility`.
pub async fn save_visibility(
    Then(allowed, form): Then<Allowed<AdministerRepository>, Form<VisibilityInput>>,
    app: Data<App>,
) -> Result<HttpResponse> {
    visibility::set(&app, &allowed, form.visibility).await?;
    let text = match form.visibility {
        Visibility::Public => "Everybody may pull now.",
        Visibility::Private => "Only members may pull now.",
    };
    Ok(page::see_saying(&app, &format!("/{}/-/settings", allowed.on().name), text))
}

/// `POST …/-/settings/webhook`: webhook and source are tried again. It leads back to where the button was pressed.
pub async fn repair(
    allowed: Allowed<AdministerRepository>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    sources::repair(&app, &allowed).await?;
    let text = "The webhook and the code repository are being tried again.";
    let page = if request.query_string() == "from=overview" { "" } else { "/-/settings" };
    Ok(page::see_saying(&app, &format!("/{}{page}", allowed.on().name), text))
}

async fn delete_page(
    app: &App,
    allowed: &Allowed<AdministerRepository>,
    typed: &str,
    error: Option<String>,
) -> Result<RepositoryDelete> {
    let head = present::head(app, allowed.principal(), allowed.on()).await?;
    let viewer = page::viewer(app, allowed.principal()).await?;
    let (own, _) = repositories::storage(app, allowed.principal(), allowed.on()).await?;
    Ok(RepositoryDelete {
        layout: head.layout("Delete", viewer, RepositoryTab::Settings),
        typed: typed.to_owned(),
        error,
        size: count(own),
        has_source: sources::of_repository(app, allowed.on().id).await?.is_some(),
        head,
    })
}

/// `GET …/-/settings/delete`.
pub async fn confirm_delete(allowed: Allowed<AdministerRepository>, app: Data<App>) -> Result<HttpResponse> {
    page::html(&delete_page(&app, &allowed, "", None).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteInput {
    name: String,
}

/// `POST …/-/settings/delete`: the name was typed.
pub async fn delete(
    Then(allowed, form): Then<Allowed<AdministerRepository>, Form<DeleteInput>>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let name = allowed.on().name.to_string();
    if form.name.trim() != name {
        let error = format!("Type {name} to delete it.");
        let page = delete_page(&app, &allowed, &form.name, Some(error)).await?;
        return page::with_status(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    repositories::delete(&app, &allowed).await?;
    let to = format!("/{}", allowed.on().name.namespace);
    Ok(page::see_saying(&app, &to, &format!("{name} was deleted.")))
}
