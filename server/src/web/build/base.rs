//! A base image that a build was refused: what the page says, and the button that allows it.

use super::super::page;
use super::super::views::build::{BaseBox, Failure};
use super::BuildPath;
use crate::app::App;
use crate::auth::extract::Then;
use crate::builds::bases::{self, RefusedBase, Standing};
use crate::builds::{self, Rerun};
use crate::db::{Visibility, rows};
use crate::error::{Error, Result};
use crate::namespaces;
use crate::policy::{self, Allowed, ChooseBases, ManageBuilds, Principal, RepositoryAccess};
use actix_web::HttpResponse;
use actix_web::web::{Data, Form, Path};
use serde::Deserialize;

/// Names the refused base to those who may know of it, in the place of what the registry said to the builder.
pub(super) async fn explain(
    app: &App,
    principal: &Principal,
    on: &RepositoryAccess,
    build: &rows::Build,
    failure: &mut Failure,
) -> Result<()> {
    let Some(RefusedBase { base, now }) = bases::refused(app, principal, on, build).await? else { return Ok(()) };
    let (base, own, namespace) = (base.name.to_string(), on.name.to_string(), on.name.namespace.to_string());
    failure.heading = format!("`{base}` is private, and `{own}` may not build on it");
    failure.message = String::new();
    failure.hint = match now {
        Standing::Listed | Standing::Public => {
            failure.heading = format!("`{base}` was private, and `{own}` could not build on it");
            let may_take_back = now == Standing::Listed && policy::may::<ChooseBases>(principal, on);
            let public = on.visibility == Visibility::Public;
            failure.base = may_take_back.then_some(BaseBox { name: base, repository: own, public, is_allowed: true });
            Some("It is allowed now: re-run the build.".to_owned())
        }
        Standing::Foreign => Some(format!(
            "Builds read private images of their own namespace only: make `{base}` public, or push a copy to `{namespace}`."
        )),
        Standing::Refused if policy::may::<ChooseBases>(principal, on) => {
            let public = on.visibility == Visibility::Public;
            failure.base = Some(BaseBox { name: base, repository: own, public, is_allowed: false });
            None
        }
        Standing::Refused => Some(match namespaces::managers(app, on.namespace_id).await?.as_slice() {
            [] => format!("Whoever manages `{namespace}` can allow it on this page."),
            names => format!("Ask {}: whoever manages `{namespace}` can allow it on this page.", names.join(" or ")),
        }),
    };
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseInput {
    base: String,
}

/// `POST …/builds/{n}/allow-base`: lists the base that the build was refused, and builds again.
pub async fn allow(
    Then(Then(allowed, builds), form): Then<Then<Allowed<ChooseBases>, Allowed<ManageBuilds>>, Form<BaseInput>>,
    path: Path<BuildPath>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let on = allowed.on();
    let found = builds::find_by_number(&app, on.id, path.number).await?;
    let build = found.ok_or_else(|| Error::not_found(format!("build {} of `{}`", path.number, on.name)))?;
    // What the page named when the button was pressed: a build that is stored says nothing else later.
    let refused = bases::refused(&app, allowed.principal(), on, &build).await?;
    let refused = refused.filter(|refused| refused.base.name.to_string() == form.base);
    let RefusedBase { base, now } =
        refused.ok_or_else(|| Error::invalid("the build was not refused this base image"))?;
    let text = format!("{} may build on {} now.", on.name, base.name);
    let at = |number: i64| format!("/{}/-/builds/{number}", on.name);
    if matches!(now, Standing::Listed | Standing::Public) {
        // The button was pressed twice: one new build is enough.
        return Ok(page::see_saying(&app, &at(build.number), &text));
    }
    bases::allow(&app, &allowed, &base.name).await?;
    match builds::rerun(&app, &builds, build.number, Rerun::Same).await {
        Ok(again) => Ok(page::see_saying(&app, &at(again.number), &text)),
        // Its source was disconnected: there is nothing to build again.
        Err(Error::Invalid(_)) => Ok(page::see_saying(&app, &at(build.number), &text)),
        Err(error) => Err(error),
    }
}
