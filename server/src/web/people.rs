//! `/settings/people`: who left an organisation, and what ended with it.

use super::page::{self, when};
use super::views::filters::plural_text;
use super::views::layout::Layout;
use super::views::people::{Leaver, Organization, People};
use crate::accounts::memberships::{self, Departure, Group, Listed};
use crate::app::App;
use crate::auth::extract::Then;
use crate::error::Result;
use crate::policy::{Allowed, UseAccount};
use actix_web::web::{Data, Form};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use uuid::Uuid;

const PAGE: &str = "/settings/people";

/// `GET /settings/people`: organisations whose namespace the viewer administers; all of them for a site admin.
pub async fn list(allowed: Allowed<UseAccount>, request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let found = memberships::departures(&app, &allowed).await?;
    let viewer = page::viewer(&app, allowed.principal()).await?;
    let page = People {
        layout: Layout::new("People who left", viewer).here("People who left").flash(page::flash(&app, &request)),
        organizations: found.groups.into_iter().map(|group| organization(&app, group)).collect(),
        more: found.more,
    };
    page::html_after_form(&app, &request, &page)
}

fn organization(app: &App, group: Group) -> Organization {
    let leavers = |people: Vec<Departure>| people.into_iter().map(|person| leaver(app, person)).collect();
    Organization {
        login: group.login,
        namespace: group.namespace,
        more_held: group.all_held - group.held.len() as u64,
        more_ended: group.all_ended - group.ended.len() as u64,
        until: group.listed.map(|listed| listed.until.to_string()).unwrap_or_default(),
        held: leavers(group.held),
        ended: leavers(group.ended),
    }
}

fn leaver(app: &App, person: Departure) -> Leaver {
    let (keeps_sign_in, lost) = (person.lost.is_none(), person.lost.unwrap_or_default());
    Leaver {
        name: person.person,
        at: when(app, person.at),
        roles: person.roles,
        keeps_sign_in,
        sessions: lost.sessions.len() as u64,
        tokens: lost.tokens,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The last one of the list.
    until: Uuid,
    people: u64,
}

/// `POST /settings/people`: the rights of those who were listed and are held end.
pub async fn confirm(
    Then(allowed, form): Then<Allowed<UseAccount>, Form<Confirmation>>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let listed = Listed { until: form.until, people: form.people };
    let done = memberships::confirm(&app, &allowed, listed).await?;
    let people = |count| plural_text(count, "person", "people");
    let mut text = format!("The rights of {} have ended.", people(done.ended));
    if done.left > 0 {
        let wait = if done.left == 1 { "waits" } else { "wait" };
        text = format!("{text} {} still {wait}.", people(done.left));
    }
    Ok(page::see_saying(&app, PAGE, &text))
}
