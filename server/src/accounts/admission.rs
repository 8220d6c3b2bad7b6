//! Who may sign in. Pure: asked at every sign-in, at each start of the server, and when the forge says who left.

use crate::config::SignIn;
pub use crate::db::Admission as Reason;

/// An account at the forge, as the forge itself tells it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker<'a> {
    pub login: &'a str,
    /// The forge's numeric id.
    pub remote_id: &'a str,
    /// Organisations that it is a member of, as far as they were asked for.
    pub organizations: &'a [Organization],
    /// It comes with a one-time link that is still open.
    pub has_invite: bool,
    /// It came with a one-time link before: an invitation lasts until the operator disables the person.
    pub was_invited: bool,
}

/// An organisation at the forge. Its login can be given up, and taken by somebody else; its id cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Organization {
    pub id: String,
    pub login: String,
}

/// The first rule that lets the asker in.
pub fn admit(rules: &SignIn, asker: &Asker) -> Option<Reason> {
    [
        (is_named(&rules.site_admins, asker), Reason::SiteAdmin),
        (is_named(&rules.users, asker), Reason::Named),
        (asker.has_invite || asker.was_invited, Reason::Invited),
        (asker.organizations.iter().any(|o| names_organization(&rules.organizations, o)), Reason::Organization),
        (rules.everybody, Reason::Everybody),
    ]
    .into_iter()
    .find_map(|(yes, reason)| yes.then_some(reason))
}

/// Whether a list of the operator names the account: by login, or by `id:583231`, which outlives a rename.
pub fn is_named(list: &[String], asker: &Asker) -> bool {
    names(list, asker.remote_id, asker.login)
}

/// Whether a list of the operator names the organisation, in the same two ways.
pub fn names_organization(list: &[String], organization: &Organization) -> bool {
    names(list, &organization.id, &organization.login)
}

fn names(list: &[String], id: &str, login: &str) -> bool {
    list.iter().any(|word| match word.strip_prefix("id:") {
        Some(word) => word == id,
        None => word.eq_ignore_ascii_case(login),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> SignIn {
        let words = |w: &[&str]| w.iter().map(|w| (*w).to_owned()).collect();
        SignIn {
            users: words(&["mona", "id:7"]),
            organizations: words(&["Acme", "id:70"]),
            site_admins: words(&["root-cat"]),
            everybody: false,
        }
    }

    #[test]
    fn only_the_named_members_and_invited_are_let_in() {
        let of = |id: &str, login: &str| [Organization { id: id.into(), login: login.into() }];
        let (acme, renamed, other) = (of("60", "acme"), of("70", "new-name"), of("80", "id:70"));
        let stranger = Asker { login: "eve", remote_id: "666", ..Asker::default() };
        for (asker, expected) in [
            (stranger, None),
            (Asker { login: "Mona", ..stranger }, Some(Reason::Named)),
            (Asker { login: "ROOT-CAT", ..stranger }, Some(Reason::SiteAdmin)),
            (Asker { remote_id: "7", ..stranger }, Some(Reason::Named)),
            // A login that looks like an id, or like one with its prefix, is no id.
            (Asker { login: "7", ..stranger }, None),
            (Asker { login: "id:7", ..stranger }, None),
            (Asker { organizations: &acme, ..stranger }, Some(Reason::Organization)),
            (Asker { organizations: &renamed, ..stranger }, Some(Reason::Organization)),
            (Asker { organizations: &other, ..stranger }, None),
            (Asker { has_invite: true, ..stranger }, Some(Reason::Invited)),
            (Asker { was_invited: true, ..stranger }, Some(Reason::Invited)),
            (Asker { login: "", remote_id: "", ..stranger }, None),
        ] {
            assert_eq!(admit(&rules(), &asker), expected, "{asker:?}");
        }
    }

    #[test]
    fn everybody_is_a_setting() {
        let stranger = Asker { login: "eve", remote_id: "666", ..Asker::default() };
        let open = SignIn { everybody: true, ..rules() };
        assert_eq!(admit(&open, &stranger), Some(Reason::Everybody));
        let closed = SignIn { users: Vec::new(), organizations: Vec::new(), site_admins: Vec::new(), everybody: false };
        assert_eq!(admit(&closed, &stranger), None);
    }
}
