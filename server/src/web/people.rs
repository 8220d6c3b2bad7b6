//! `/settings/people`: who left an organisation, and what ended with it.

use super::page::{self, when};
use super::views::layout::Layout;
use super::views::people::{Leaver, Organization, People};
use crate::accounts::memberships::{self, Departure, Group};
use crate::app::App;
use crate::auth::extract::Then;
use crate::error::Result;
use crate::policy::{Allowed, UseAccount};
use actix_web::web::{Data, Form};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

const PAGE: &str = "/settings/people";

/// `GET /settings/people`: organisations whose namespace the viewer administers; all of them for a site admin.
pub async fn list(allowed: Allowed<UseAccount>, request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let groups = memberships::groups(&app, &allowed).await?;
    let viewer = page::viewer(&app, allowed.principal()).await?;
    let page = People {
        layout: Layout::new("People who left", viewer).here("People who left").flash(page::flash(&app, &request)),
        organizations: groups.into_iter().map(|group| organization(&app, group)).collect(),
    };
    page::html_after_form(&app, &request, &page)
}

fn organization(app: &App, group: Group) -> Organization {
    let leavers = |people: Vec<Departure>| people.into_iter().map(|person| leaver(app, person)).collect();
    Organization {
        id: group.organization_id,
        login: group.login,
        namespace: group.namespace,
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
    organization: String,
}

/// `POST /settings/people`: the rights of those who are held end.
pub async fn confirm(
    Then(allowed, form): Then<Allowed<UseAccount>, Form<Confirmation>>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let ended = memberships::confirm(&app, &allowed, &form.organization).await?;
    let text = format!("The rights of {ended} {} have ended.", if ended == 1 { "person" } else { "people" });
    Ok(page::see_saying(&app, PAGE, &text))
}
