//! `slipway admin leavers`: who left an organisation, and whose rights end.

use crate::accounts::memberships::{self, Group, Listed};
use crate::app::App;
use crate::error::Result;

/// People by organisation; of those who wait, what to say to end their rights.
pub(super) async fn list(app: &App) -> Result<String> {
    let (mut lines, found) = (Vec::new(), memberships::all_departures(app).await?);
    for group in &found.groups {
        for (people, all, word) in [(&group.held, group.all_held, "waits"), (&group.ended, group.all_ended, "ended")] {
            lines.extend(people.iter().map(|person| format!("{}  {word}  {}", group.login, person.text())));
            let more = all - people.len() as u64;
            lines.extend((more > 0).then(|| format!("{}  {word}  and {more} more", group.login)));
        }
    }
    lines.extend((found.more > 0).then(|| format!("and {} more organisations", found.more)));
    for group in &found.groups {
        if let Some(listed) = group.listed {
            let name = name(group, &found.groups);
            lines.push(format!("\nTo end the rights of {} who wait for {}:", people(listed.people), group.login));
            lines.push(format!("  slipway admin leavers --confirm {name} --until {listed}"));
        }
    }
    Ok(if lines.is_empty() { "nobody left".to_owned() } else { lines.join("\n") })
}

/// The login, or the number where others have the same login or a shell could read it otherwise.
fn name(group: &Group, all: &[Group]) -> String {
    let is_shared = all.iter().any(|other| other.id != group.id && other.login.eq_ignore_ascii_case(&group.login));
    let is_plain = group.login.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if is_shared || !is_plain { format!("id:{}", group.id) } else { group.login.clone() }
}

fn people(count: u64) -> String {
    if count == 1 { "1 person".to_owned() } else { format!("{count} people") }
}

/// Ends the rights of those who were listed; `until` is as the list prints it.
pub(super) async fn confirm(app: &App, organization: &str, until: Option<String>) -> Result<String> {
    let listed = until.as_deref().map(str::parse::<Listed>).transpose()?;
    let done = memberships::confirm_by_operator(app, organization, listed).await?;
    let wait = if done.left == 1 { "waits" } else { "wait" };
    let left = if done.left == 0 { String::new() } else { format!("; {} still {wait}", done.left) };
    Ok(format!("the rights of {} by `{organization}` have ended{left}", people(done.ended)))
}

#[cfg(test)]
mod tests {
    use super::super::{Admin, perform};
    use crate::cli::{Arguments, Command};
    use crate::db::{self, MembershipState, rows};
    use crate::testing::{self, TestApp};
    use clap::Parser as _;

    /// So many people of an organisation who wait.
    async fn waiting(app: &TestApp, (id, login): (&str, &str), people: usize) {
        let tx = app.db.begin().await.unwrap();
        for n in 0..people {
            let user = db::users::insert(&tx, testing::user(&format!("{login}-{id}-{n}"))).await.unwrap();
            db::memberships::confirm(&tx, user.id, "https://github.com", (id, login), 1).await.unwrap();
            let row = db::memberships::find(&tx, user.id, "https://github.com", id).await.unwrap().unwrap();
            let held = rows::Membership { state: MembershipState::Held, is_member: false, ..row };
            db::memberships::put(&tx, held).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Says what was printed.
    async fn say(app: &TestApp, line: &str) -> String {
        let words = Arguments::try_parse_from(line.split_whitespace()).unwrap_or_else(|e| panic!("{line}: {e}"));
        let Command::Admin(command @ Admin::Leavers { .. }) = words.command else { panic!("{line}") };
        perform(app, command).await.unwrap()
    }

    #[tokio::test]
    async fn the_commands_of_the_list_end_the_rights_of_those_whom_it_shows() {
        let app = TestApp::start().await;
        for (organization, people) in [(("60", "acme"), 3), (("61", "ACME"), 1), (("62", "globex"), 2)] {
            waiting(&app, organization, people).await;
        }
        let list = say(&app, "slipway admin leavers").await;
        assert_eq!(list.matches("  waits  ").count(), 6, "{list}");
        let commands = list.lines().map(str::trim).filter(|line| line.starts_with("slipway"));
        let mut said = Vec::new();
        for line in commands {
            said.push(say(&app, line).await);
        }
        said.sort_unstable();
        assert_eq!(
            said,
            [
                "the rights of 1 person by `id:61` have ended",
                "the rights of 2 people by `globex` have ended",
                "the rights of 3 people by `id:60` have ended",
            ]
        );
    }
}
