//! Pages before and outside a namespace.

use super::super::cut::Cut;
use super::super::errors::{Broken, NotFound, Refused};
use super::super::facts::State;
use super::super::home::{Dashboard, Welcome};
use super::super::import::{Filled, Import, ImportRow, ImportRowState, ImportState};
use super::super::layout::{Flash, Layout, Pages};
use super::super::login::{Login, LoginFailed, LoginProblem, Provider, WhoMay};
use super::super::people::{Leaver, Organization, People};
use super::super::repository::RepositoryTab;
use super::super::tokens::{ScopeChoice, TokenCreated, TokenList, TokenMade, TokenNew, TokenRevoke, TokenRow};
use super::data::{HOSTILE, ago, build, head, mona, page};
use super::lists::cards;

type Pages_ = Vec<(String, String)>;

pub(super) fn pages() -> Pages_ {
    [home(), login(), import(), tokens(), people(), errors()].concat()
}

fn github() -> Provider {
    Provider {
        name: "GitHub".to_owned(),
        sign_in_url: "/login/github".to_owned(),
        start_url: "/login/github?import=1".to_owned(),
    }
}

fn home() -> Pages_ {
    let welcome = |providers| Welcome {
        layout: Layout::new("Push code, pull a signed image", None),
        providers,
        callback_url: "https://slipway.example.org/login/github/callback".to_owned(),
        builds: true,
        examples: super::lists::cards().into_iter().take(1).collect(),
    };
    let mut failed = build(149, State::Failed, "Add /healthz endpoint");
    failed.failure = Some("cargo build exited with code 101".to_owned());
    let dashboard = |empty: bool| Dashboard {
        layout: Layout::new("Home", mona()).here("Home"),
        no_builder: empty.then(|| "this server has none".to_owned()),
        running: if empty { vec![] } else { vec![build(150, State::Running, "Write the changelog")] }.into(),
        failed: Cut { shown: if empty { vec![] } else { vec![failed.clone()] }, more: if empty { 0 } else { 3 } },
        repositories: if empty { vec![] } else { cards() },
    };
    vec![
        page("home-signed-out", &welcome(vec![github()])),
        page("home-no-forge", &welcome(vec![])),
        page("home-registry-only", &Welcome { builds: false, ..welcome(vec![github()]) }),
        page("home", &dashboard(false)),
        page("home-empty", &dashboard(true)),
    ]
}

fn login() -> Pages_ {
    let layout = || Layout { login_url: String::new(), ..Layout::new("Sign in", None).here("Sign in") };
    let show =
        |who, invited, link_refused| Login { layout: layout(), providers: vec![github()], who, invited, link_refused };
    let failed =
        |problem| LoginFailed { layout: layout(), provider: github(), problem, request_id: "019aa0c4-77d2".to_owned() };
    let not_approved = LoginProblem::NotApproved {
        account: "hubot".to_owned(),
        url: "https://github.com/settings/connections/applications/1".to_owned(),
    };
    vec![
        page("login", &show(WhoMay::Named, false, false)),
        page("login-invited", &show(WhoMay::Named, true, false)),
        page("login-link-refused", &show(WhoMay::Everybody, false, true)),
        page("login-denied", &failed(LoginProblem::Denied)),
        page("login-expired", &failed(LoginProblem::StateExpired)),
        page("login-not-allowed", &failed(LoginProblem::NotAllowed { account: "hubot".to_owned() })),
        page("login-not-approved", &failed(not_approved)),
        page("login-forge-down", &failed(LoginProblem::ForgeDown { reason: "it answered 502".to_owned() })),
        page("login-refused-hostile", &failed(LoginProblem::Refused { reason: HOSTILE.to_owned() })),
    ]
}

fn rows() -> Vec<ImportRow> {
    let row = |id: &str, name: &str, state| ImportRow {
        id: id.to_owned(),
        full_name: name.to_owned(),
        url: format!("https://github.com/{name}"),
        private: id == "2",
        pushed: Some(ago(7200)),
        target: format!("mona/{}", name.split('/').next_back().unwrap()),
        state,
    };
    let found =
        |paths: &[&str]| ImportRowState::Found { dockerfiles: paths.iter().map(|path| (*path).to_owned()).collect() };
    let imported = |filled: &[&str], others: &[&str]| ImportRowState::Imported {
        repositories: filled
            .iter()
            .map(|path| Filled { name: "acme/shop-api".to_owned(), dockerfile: (*path).to_owned() })
            .collect(),
        others: others.iter().map(|path| (*path).to_owned()).collect(),
    };
    vec![
        row("1", "mona/hello", found(&["Dockerfile"])),
        row("2", "acme/web", found(&["Dockerfile", "docker/ci.Dockerfile"])),
        row("3", "acme/api", imported(&["Dockerfile"], &[])),
        row("7", "acme/shop", imported(&["Dockerfile", "api/Dockerfile"], &["web/Dockerfile", HOSTILE])),
        row("4", "acme/docs", ImportRowState::NoDockerfile),
        row("5", "acme/new", ImportRowState::Looking),
        row(
            "6",
            "other/thing",
            ImportRowState::Blocked { reason: "Its files could not be listed. Press Refresh to try again".to_owned() },
        ),
    ]
}

fn import() -> Pages_ {
    let show = |state: ImportState, rows: Vec<ImportRow>, query: &str| Import {
        layout: Layout {
            live: state.is_listing(),
            refresh: state.is_listing(),
            ..Layout::new("Build from a code repository", mona()).here("Build from a code repository")
        },
        forge: "GitHub".to_owned(),
        account: "mona".to_owned(),
        total: rows.len() as u64,
        pages: Pages {
            url: "/new/import?page=1".to_owned(),
            number: 1,
            last: if rows.is_empty() { 1 } else { 3 },
            previous_url: None,
            next_url: Some("?page=2".to_owned()),
        },
        state,
        rows,
        query: query.to_owned(),
        unapproved: vec!["bigcorp".to_owned()],
        approval_url: Some("https://github.com/settings/connections/applications/1".to_owned()),
        no_builder: None,
        error: None,
        connect_url: "/login/github?import=1".to_owned(),
        broad_scopes: true,
    };
    let ready = || ImportState::Ready { at: ago(90) };
    let failed = |at| ImportState::Failed { at, reason: "the forge cannot be reached: it answered 502".to_owned() };
    let hostile = Import { error: Some(format!("{HOSTILE} cannot be built")), ..show(ready(), rows(), HOSTILE) };
    let alone = Import { no_builder: Some("this server has none".to_owned()), ..show(ready(), rows(), "") };
    vec![
        page("import-no-builder", &alone),
        page("import", &show(ready(), rows(), "")),
        page("import-listing", &show(ImportState::Listing { found: 130 }, rows(), "")),
        page("import-not-connected", &show(ImportState::NotConnected, vec![], "")),
        page("import-revoked", &show(ImportState::Revoked, vec![], "")),
        page("import-failed", &show(failed(Some(ago(86_400))), rows(), "")),
        page("import-failed-first", &show(failed(None), vec![], "")),
        page("import-empty", &show(ready(), vec![], "")),
        page("import-no-match", &show(ready(), vec![], "nothing")),
        page("import-hostile", &hostile),
    ]
}

fn tokens() -> Pages_ {
    let row = |name: &str, used: bool, expired: bool| TokenRow {
        id: name.len().to_string(),
        name: name.to_owned(),
        prefix: "slp_Ab3d…".to_owned(),
        scopes: "Pull and push".to_owned(),
        created: ago(864_000),
        used: used.then(|| ago(60)),
        expires: Some(ago(if expired { 3600 } else { -6_000_000 })),
        expired,
    };
    let list = |rows| TokenList {
        layout: Layout::new("Access tokens", mona())
            .here("Access tokens")
            .flash(Some(Flash { good: true, text: "The token was revoked.".to_owned() })),
        rows,
        pages: Pages::default(),
        login: "docker login slipway.example.org -u mona".to_owned(),
    };
    let scope = |value: &str, label: &str, hint: &str| ScopeChoice {
        value: value.to_owned(),
        label: label.to_owned(),
        hint: hint.to_owned(),
        checked: value == "pull",
    };
    let new = |name: &str, error: Option<String>| TokenNew {
        layout: Layout::new("New access token", mona()).crumb("Access tokens", "/settings/tokens").here("New"),
        form: "019aa0c4-77d2-7c31-8a14-2f1d9a1b0c55".to_owned(),
        name: name.to_owned(),
        name_error: error,
        expires: "90".to_owned(),
        expires_error: None,
        scopes: vec![
            scope("pull", "Pull", "Read images that you may read."),
            scope("push", "Push", "Write images and tags."),
            scope("delete", "Delete", "Delete tags and images."),
        ],
        scopes_error: None,
    };
    let created = TokenCreated {
        layout: Layout::new("Your new token", mona()).crumb("Access tokens", "/settings/tokens").here("New"),
        name: "laptop".to_owned(),
        token: "slp_0123456789abcdefABCDEF0123456789abcdefABCD".to_owned(),
        expires: Some(ago(-7_776_000)),
        login: "echo 'slp_0123456789abcdefABCDEF0123456789abcdefABCD' | docker login slipway.example.org -u mona --password-stdin".to_owned(),
    };
    let made = |name: &str, revoked| TokenMade {
        layout: Layout::new("Your new token", mona()).crumb("Access tokens", "/settings/tokens"),
        id: "019aa0c4-77d2-7c31-8a14-2f1d9a1b0c55".to_owned(),
        name: name.to_owned(),
        prefix: "slp_Ab3d…".to_owned(),
        made: ago(4),
        revoked,
    };
    vec![
        page(
            "tokens-revoke-hostile",
            &TokenRevoke { row: row(HOSTILE, true, false), layout: Layout::new("Revoke", mona()) },
        ),
        page("tokens-made", &made("laptop", false)),
        page("tokens-made-revoked", &made(HOSTILE, true)),
        page("tokens", &list(vec![row("laptop", true, false), row("old machine", false, true)])),
        page("tokens-empty", &list(vec![])),
        page("tokens-hostile", &list(vec![row(HOSTILE, true, false)])),
        page("tokens-new", &new("", None)),
        page("tokens-new-hostile", &new(HOSTILE, Some("A name has at most 100 characters.".to_owned()))),
        page("tokens-created", &created),
    ]
}

fn people() -> Pages_ {
    let leaver = |name: &str, keeps_sign_in: bool| Leaver {
        name: name.to_owned(),
        at: ago(3_600),
        roles: vec!["admin of acme".to_owned()],
        keeps_sign_in,
        sessions: 2,
        tokens: if keeps_sign_in { vec![] } else { vec![format!("{name} (slp_Ab3d…)")] },
    };
    let list = |organizations| People {
        layout: Layout::new("People who left", mona()).here("People who left"),
        organizations,
        more: 0,
    };
    let acme = |login: &str, held: Vec<Leaver>| Organization {
        login: login.to_owned(),
        namespace: Some("acme".to_owned()),
        held,
        more_held: 0,
        until: "019aa0c4-77d2-7c31-8a14-2f1d9a1b0c55".to_owned(),
        ended: vec![leaver("old-hand", true)],
        more_ended: 0,
    };
    let many = Organization { more_held: 4_500, more_ended: 1, ..acme("globex", vec![leaver("homer", false)]) };
    vec![
        page("people-many", &People { more: 12, ..list(vec![many]) }),
        page("people", &list(vec![acme("acme", vec![leaver("lisa", false), leaver("bart", true)])])),
        page("people-empty", &list(vec![])),
        page("people-hostile", &list(vec![acme(HOSTILE, vec![leaver(HOSTILE, false)])])),
    ]
}

fn errors() -> Pages_ {
    let id = || "019aa0c4-77d2-7c31-8a14-2f1d9a1b0c55".to_owned();
    let refused = Refused {
        layout: Layout::new("Too many requests", mona()),
        status: 429,
        heading: "Too many sign-ins".to_owned(),
        text: "Try again in 40 seconds.".to_owned(),
        way_on: Some(("/login".to_owned(), "Back to sign in".to_owned())),
        request_id: id(),
    };
    let signed_out = Layout { login_url: "/login?next=%2Facme%2Fsecret".to_owned(), ..Layout::new("Not found", None) };
    vec![
        page("error-404-signed-out", &NotFound { layout: signed_out, way_on: None, request_id: id() }),
        page("error-404", &NotFound { layout: Layout::new("Not found", mona()), way_on: None, request_id: id() }),
        page(
            "error-404-in-repository",
            &NotFound {
                layout: head(true).layout("Not found", mona(), RepositoryTab::Tags),
                way_on: Some(("/acme/api/-/tags".to_owned(), "All tags of acme/api".to_owned())),
                request_id: id(),
            },
        ),
        page("error-429", &refused),
        page("error-500", &Broken { layout: Layout::new("Something broke", mona()), request_id: id() }),
    ]
}
