//! `/login` and what can go wrong on the way back from a forge.

use super::layout::Layout;
use super::{filters, login};
use askama::Template;

/// A forge to sign in with.
#[derive(Debug, Clone)]
pub struct Provider {
    /// `GitHub`; decides the icon.
    pub name: String,
    /// Asks for identity only: `/login/github?next=…`.
    pub sign_in_url: String,
    /// Asks for repositories too, and leads to `/new/import`.
    pub start_url: String,
}

/// Who is let in; said on the page, so that nobody asks for rights in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhoMay {
    Everybody,
    /// People and organisations that the operator named; their names are not shown to strangers.
    Named,
}

/// `/login`.
#[derive(Template)]
#[template(path = "login/show.html")]
pub struct Login {
    pub layout: Layout,
    pub providers: Vec<Provider>,
    pub who: WhoMay,
    /// The page was opened by the one-time link: the next sign-in is let through.
    pub invited: bool,
    /// The one-time link was used already, or is not right.
    pub link_refused: bool,
}

/// Why a sign-in did not work; each has its own way on.
#[derive(Debug, Clone)]
pub enum LoginProblem {
    /// `error=access_denied`.
    Denied,
    /// The state is unknown, used, too old, or of another browser.
    StateExpired,
    /// Not among those who may sign in.
    NotAllowed { account: String },
    /// An organisation whose members may sign in has not approved this app; `url` is where people ask for it.
    NotApproved { account: String, url: String },
    /// Somebody who is signed in connected the account of another person.
    OtherAccount { account: String, signed_in: String },
    /// The forge did not answer, or not as it should.
    ForgeDown { reason: String },
    /// Any other `error=…` of the forge.
    Refused { reason: String },
}

impl LoginProblem {
    pub fn heading(&self, forge: &str) -> String {
        match self {
            Self::Denied => format!("You said no at {forge}"),
            Self::StateExpired => "This sign-in is no longer valid".to_owned(),
            Self::NotAllowed { account } | Self::NotApproved { account, .. } => {
                format!("{account} may not sign in here")
            }
            Self::OtherAccount { account, .. } => format!("{account} is another account"),
            Self::ForgeDown { .. } => format!("{forge} does not answer"),
            Self::Refused { .. } => format!("{forge} refused the sign-in"),
        }
    }
}

/// `/login/{provider}/callback`, when it fails. Status 403, 400 or 502 by the problem.
#[derive(Template)]
#[template(path = "login/problem.html")]
pub struct LoginFailed {
    pub layout: Layout,
    pub provider: Provider,
    pub problem: LoginProblem,
    pub request_id: String,
}
