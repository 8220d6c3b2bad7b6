//! Personal access tokens: made, listed and revoked by their owner. The token itself is shown once and never stored.

use crate::app::App;
use crate::auth::tokens::PERSONAL;
use crate::clock::DAY;
use crate::db::events::NewEvent;
use crate::db::{self, Tx, rows};
use crate::error::{Error, Result};
use crate::policy::{Allowed, Principal, Scope, UseAccount};
use crate::secrets::{self, Secret};
use serde_json::json;
use uuid::Uuid;

/// Unless another one is chosen.
pub const DEFAULT_DAYS: u16 = 90;
const MOST_DAYS: u16 = 365;
const MOST_NAME: usize = 80;
/// Tokens of one person that work at once.
const MOST: u64 = 100;
// "slp_" and four letters: enough to tell two apart, nothing to guess the rest by.
const SHOWN: usize = 8;

/// How long a token lives; without an end only by an explicit choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    Days(u16),
    Never,
}

/// A checked wish for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    name: String,
    scopes: Vec<Scope>,
    expiry: Expiry,
}

/// What is wrong with a wish, field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    pub name: Option<String>,
    pub scopes: Option<String>,
    pub expiry: Option<String>,
}

impl NewToken {
    /// `expiry` is a number of days or `never`; empty means the default.
    pub fn check(name: &str, scopes: &[String], expiry: &str) -> Result<Self, Wrong> {
        let name = name.trim();
        let known: Option<Vec<Scope>> = scopes.iter().map(|s| parse_scope(s)).collect();
        let days = match expiry.trim() {
            "" => Some(Expiry::Days(DEFAULT_DAYS)),
            "never" => Some(Expiry::Never),
            text => text.parse().ok().filter(|d| (1..=MOST_DAYS).contains(d)).map(Expiry::Days),
        };
        let named = !name.is_empty() && name.chars().count() <= MOST_NAME && !name.contains(char::is_control);
        match (named, known, days) {
            (true, Some(scopes), Some(expiry)) if !scopes.is_empty() => {
                Ok(Self { name: name.to_owned(), scopes, expiry })
            }
            (named, known, days) => Err(Wrong {
                name: (!named).then(|| format!("give it a name of at most {MOST_NAME} characters")),
                scopes: match known {
                    None => Some("the scopes are read, write and admin".into()),
                    Some(list) if list.is_empty() => Some("choose at least one".into()),
                    Some(_) => None,
                },
                expiry: days.is_none().then(|| format!("a number of days from 1 to {MOST_DAYS}, or `never`")),
            }),
        }
    }
}

impl NewToken {
    /// As rows hold them.
    fn words(&self) -> String {
        self.scopes.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Whether a token is what this wish makes.
    fn made(&self, token: &rows::Token) -> bool {
        let days = token.expires_at.map(|at| (at - token.created_at) / DAY);
        let wished = match self.expiry {
            Expiry::Days(days) => Some(i64::from(days)),
            Expiry::Never => None,
        };
        (&token.name, &token.scopes, days) == (&self.name, &self.words(), wished)
    }
}

impl Wrong {
    /// All of it in one sentence, for the command line.
    pub fn text(&self) -> String {
        [("name", &self.name), ("scopes", &self.scopes), ("days", &self.expiry)]
            .into_iter()
            .filter_map(|(field, text)| text.as_ref().map(|t| format!("{field}: {t}")))
            .collect::<Vec<_>>()
            .join("; ")
    }
}

fn parse_scope(word: &str) -> Option<Scope> {
    Scope::ALL.into_iter().find(|s| s.as_str() == word)
}

/// What became of a form that makes a token.
#[derive(Debug)]
pub enum Sent {
    Now(rows::Token, Secret),
    /// The same form made this one before.
    Before(rows::Token),
}

/// As `create`, from a form that a browser may send again: `form` is its number, and with the same wish it makes one token.
pub async fn create_once(app: &App, allowed: &Allowed<UseAccount>, new: NewToken, form: Uuid) -> Result<Sent> {
    let known = async || {
        let known = db::tokens::find(&app.db, form).await?;
        // Whose number somebody else has, or who goes back and asks for another token, has one of another number.
        Ok::<_, Error>(
            known.map(|known| (Some(known.user_id) == allowed.principal().user_id() && new.made(&known), known)),
        )
    };
    match known().await? {
        Some((true, before)) => return Ok(Sent::Before(before)),
        Some((false, _)) => {
            let (token, secret) = create(app, allowed, new.clone()).await?;
            return Ok(Sent::Now(token, secret));
        }
        None => {}
    }
    match create_as(app, allowed, new.clone(), form).await {
        Ok((token, secret)) => Ok(Sent::Now(token, secret)),
        // Pressed twice at once.
        Err(error) => match known().await? {
            Some((true, before)) => Ok(Sent::Before(before)),
            _ => Err(error),
        },
    }
}

/// Makes a token for the person who asks, who may have so many that work.
pub async fn create(app: &App, allowed: &Allowed<UseAccount>, new: NewToken) -> Result<(rows::Token, Secret)> {
    create_as(app, allowed, new, Uuid::now_v7()).await
}

async fn create_as(app: &App, allowed: &Allowed<UseAccount>, new: NewToken, id: Uuid) -> Result<(rows::Token, Secret)> {
    let owner = owner(app, allowed).await?;
    let tx = app.db.begin().await?;
    if db::tokens::count_working(&tx, owner.id, app.clock.now()).await? >= MOST {
        return Err(Error::TooMany(format!(
            "you have {MOST} tokens that work, and nobody may have more: revoke one first"
        )));
    }
    let made = add_as(app, &tx, allowed.principal(), &owner, new, id).await?;
    tx.commit().await?;
    Ok(made)
}

/// As `create`, for anybody: the operator's way.
pub async fn add(
    app: &App,
    tx: &Tx,
    by: &Principal,
    owner: &rows::User,
    new: NewToken,
) -> Result<(rows::Token, Secret)> {
    add_as(app, tx, by, owner, new, Uuid::now_v7()).await
}

async fn add_as(
    app: &App,
    tx: &Tx,
    by: &Principal,
    owner: &rows::User,
    new: NewToken,
    id: Uuid,
) -> Result<(rows::Token, Secret)> {
    let (now, token) = (app.clock.now(), secrets::new_token(PERSONAL));
    let row = rows::Token {
        id,
        user_id: owner.id,
        prefix: token.reveal()[..SHOWN].to_owned(),
        hash: secrets::hash(token.reveal()),
        scopes: new.words(),
        name: new.name,
        created_at: now,
        expires_at: match new.expiry {
            Expiry::Days(days) => Some(now + i64::from(days) * DAY),
            Expiry::Never => None,
        },
        used_at: None,
        used_address: None,
        revoked_at: None,
    };
    let row = db::tokens::insert(tx, row).await?;
    note(app, tx, by, &row, "token.created").await?;
    Ok((row, token))
}

/// One page of the asker's tokens that are not revoked, newest first, and how many there are; expired ones for 30 days
/// more.
pub async fn page(
    app: &App,
    allowed: &Allowed<UseAccount>,
    offset: u64,
    limit: u64,
) -> Result<(Vec<rows::Token>, u64)> {
    let owner = owner(app, allowed).await?;
    db::tokens::page(&app.db, owner.id, app.clock.now() - 30 * DAY, offset, limit).await
}

/// One of the asker's tokens that is not revoked; another person's looks as if there were none.
pub async fn find(app: &App, allowed: &Allowed<UseAccount>, id: Uuid) -> Result<rows::Token> {
    let owner = owner(app, allowed).await?;
    let token = db::tokens::find(&app.db, id).await?.filter(|t| t.user_id == owner.id && t.revoked_at.is_none());
    token.ok_or_else(|| Error::not_found("this token"))
}

/// Ends one of the asker's tokens at once; another person's looks as if there were none.
pub async fn revoke(app: &App, allowed: &Allowed<UseAccount>, id: Uuid) -> Result<rows::Token> {
    let owner = owner(app, allowed).await?;
    let tx = app.db.begin().await?;
    let token = db::tokens::find(&tx, id).await?.filter(|t| t.user_id == owner.id);
    let token = token.ok_or_else(|| Error::not_found("this token"))?;
    if token.revoked_at.is_none() {
        db::tokens::revoke(&tx, id, app.clock.now()).await?;
        note(app, &tx, allowed.principal(), &token, "token.revoked").await?;
    }
    tx.commit().await?;
    Ok(token)
}

async fn owner(app: &App, allowed: &Allowed<UseAccount>) -> Result<rows::User> {
    let id = allowed.principal().user_id().ok_or_else(|| Error::Unauthorized("sign in to do this".into()))?;
    db::users::find(&app.db, id).await?.ok_or_else(|| Error::not_found("this person"))
}

async fn note(app: &App, tx: &Tx, by: &Principal, token: &rows::Token, kind: &'static str) -> Result<()> {
    let body =
        json!({"token_id": token.id, "user_id": token.user_id, "scopes": token.scopes, "expires_at": token.expires_at});
    let subject = token.name.clone();
    let event = NewEvent { kind, namespace_id: None, repository_id: None, subject, cause: None, body };
    db::events::add(tx, by, event, app.clock.now()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, scopes: &[&str], expiry: &str) -> Result<NewToken, Wrong> {
        NewToken::check(name, &scopes.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(), expiry)
    }

    #[test]
    fn a_token_ends_after_90_days_unless_chosen() {
        assert_eq!(check("ci", &["read"], "").unwrap().expiry, Expiry::Days(90));
        assert_eq!(check("ci", &["read"], "365").unwrap().expiry, Expiry::Days(365));
        assert_eq!(check("ci", &["read"], "never").unwrap().expiry, Expiry::Never);
        for bad in ["0", "366", "-1", "1e3", "forever", "99999999999"] {
            assert!(check("ci", &["read"], bad).unwrap_err().expiry.is_some(), "{bad}");
        }
    }

    #[test]
    fn each_wrong_field_is_named() {
        let wrong = check(" ", &["root"], "0").unwrap_err();
        assert!(wrong.name.is_some() && wrong.scopes.is_some() && wrong.expiry.is_some());
        assert!(check("x", &[], "1").unwrap_err().scopes.is_some());
        assert!(check(&"x".repeat(81), &["read"], "1").unwrap_err().name.is_some());
        assert!(check("a\nb", &["read"], "1").unwrap_err().name.is_some());
        assert!(check(&"ü".repeat(80), &["read", "write"], "1").is_ok());
    }
}
