//! The Slack checks: the tokens, their scopes, and everything that the configuration names in Slack.

use super::named::{Account, Named};
use super::report::Report;
use crate::app::Clock;
use crate::config::manifest::SCOPES;
use crate::config::settings::SlackSettings;
use crate::slack::api::client::{Introduction, NotIntroduced, Slack, introduce, patiently};
use crate::slack::api::error::SlackError;
use crate::slack::api::reply::UserGroup;
use crate::slack::inbound::account_access::AccessCache;
use crate::slack::inbound::installation::Installation;
use crate::slack::inbound::socket::SocketsRefused;
use secrecy::SecretString;
use std::time::Duration;

/// The largest tolerable clock offset, in milliseconds. Deliveries older than five minutes are refused, so a clock that far off gets none.
const LARGEST_OFFSET: u64 = 240_000;
/// A healthy clock is less than this far off, in milliseconds.
const NEAR: u64 = 10_000;

const TOKEN: &str = "bot token";
const INSTALL: &str = "add it under OAuth & Permissions of the app's settings (or paste the manifest of `countersign manifest` again), and install the app again";

/// Runs the Slack checks. Those that need the bot token are skipped if the token does not work.
pub async fn examine(report: &mut Report, settings: &SlackSettings, clock: &Clock, named: &Named) {
    let api_url = settings.api_url.to_string();
    let asked = clock.now();
    let introduced = match introduce(&settings.bot_token, &api_url).await {
        Ok(introduced) => introduced,
        Err(why) => return unintroduced(report, &why),
    };
    clocks(report, asked.0.midpoint(clock.now().0), &introduced);
    let auth = &introduced.auth;
    let team = auth.team.as_deref().unwrap_or(&auth.team_id);
    report.ok(TOKEN, format!("works in {team} ({})", auth.team_id));
    scopes(report, &introduced);
    if let Some(token) = &settings.app_token {
        app_token(report, token, &api_url).await;
    }
    let Ok(slack) = Slack::new(&settings.bot_token, &api_url) else {
        return;
    };
    let home = installation(report, &slack, settings.app_id.clone()).await;
    for (id, place) in &named.channels {
        channel(report, &slack, id, place).await;
    }
    if !named.groups.is_empty() {
        groups(report, &slack, home.as_ref(), &auth.team_id, named).await;
    }
    if let Some(home) = home {
        accounts(report, &slack, &home, clock, &named.accounts).await;
    }
}

fn unintroduced(report: &mut Report, why: &NotIntroduced) {
    let hint = match why {
        NotIntroduced::Slack(SlackError::InvalidAuth(_)) => {
            "copy the Bot User OAuth Token again from OAuth & Permissions of the app's settings to SLACK_BOT_TOKEN"
        }
        NotIntroduced::Slack(SlackError::TokenRevoked(_)) => {
            "install the app again, and copy its new Bot User OAuth Token to SLACK_BOT_TOKEN"
        }
        NotIntroduced::Slack(SlackError::Transport(unreached)) => {
            let found = format!("no connection to Slack: {}", unreached.what);
            return report.problem(TOKEN, found, unreached.hint.clone());
        }
        NotIntroduced::Slack(SlackError::TimedOut) => {
            "look whether this machine may reach SLACK_API_URL (https://slack.com/api): firewall, proxy"
        }
        NotIntroduced::Slack(_) | NotIntroduced::Client(_) => {
            "look at SLACK_API_URL, and at https://status.slack.com; then try again"
        }
    };
    report.problem(TOKEN, why.to_string(), hint);
}

fn clocks(report: &mut Report, now: i64, introduced: &Introduction) {
    let Some(slack) = introduced.at else {
        return report.warning(
            "clock",
            "Slack did not tell its time",
            "compare this machine's clock by hand",
        );
    };
    // Slack's date has whole seconds
    let away = now
        .abs_diff(slack.0.saturating_add(500))
        .saturating_sub(500);
    let found = format!(
        "{:.1} s away from Slack's",
        Duration::from_millis(away).as_secs_f64()
    );
    let hint = "let NTP set this machine's clock; deliveries five minutes away are refused";
    if away > LARGEST_OFFSET {
        report.problem("clock", found, hint);
    } else if away > NEAR {
        report.warning("clock", found, hint);
    } else {
        report.ok("clock", "agrees with Slack's");
    }
}

fn scopes(report: &mut Report, introduced: &Introduction) {
    let Some(granted) = &introduced.scopes else {
        return report.warning(
            "scopes",
            "Slack did not list them",
            "compare them with docs/slack-setup.md",
        );
    };
    let missing = SCOPES
        .iter()
        .filter(|(scope, _)| !granted.iter().any(|one| one == scope));
    let mut all = true;
    for (scope, why) in missing {
        all = false;
        report.problem("scopes", format!("{scope} is missing: {why}"), INSTALL);
    }
    if all {
        report.ok("scopes", "all that are needed");
    }
    let known = |scope: &&String| SCOPES.iter().any(|(one, _)| *scope == one);
    let more: Vec<&str> = granted
        .iter()
        .filter(|scope| !known(scope))
        .map(String::as_str)
        .collect();
    if !more.is_empty() {
        report.warning(
            "scopes",
            format!("more than are needed: {}", more.join(", ")),
            "take them away under OAuth & Permissions, unless something else needs them",
        );
    }
}

async fn app_token(report: &mut Report, token: &SecretString, api_url: &str) {
    let opened = match Slack::new(token, api_url) {
        Ok(slack) => patiently(|| slack.open_connection()).await,
        Err(_) => return,
    };
    match opened {
        Ok(_) => report.ok("app token", "opens Socket Mode"),
        Err(error) => {
            let (found, hint) = SocketsRefused::of(&error).map_or_else(
                || (error.to_string(), "try again in a while".to_owned()),
                |why| (why.code().to_owned(), why.hint().to_owned()),
            );
            report.problem("app token", found, hint);
        }
    }
}

async fn installation(
    report: &mut Report,
    slack: &Slack,
    app_id: Option<String>,
) -> Option<Installation> {
    let home = match patiently(|| Installation::learn(slack, None)).await {
        Ok(home) => home,
        Err(error) => {
            report.problem(
                "app id",
                error.to_string(),
                lacking(
                    &error,
                    "set SLACK_APP_ID to the App ID of Basic Information",
                ),
            );
            return None;
        }
    };
    match app_id {
        Some(configured) if configured != home.app_id => report.problem(
            "app id",
            format!(
                "SLACK_APP_ID is {configured}, but the bot token belongs to {}",
                home.app_id
            ),
            "unset SLACK_APP_ID, or take the bot token of that app",
        ),
        _ => report.ok("app id", home.app_id.clone()),
    }
    Some(home)
}

async fn channel(report: &mut Report, slack: &Slack, id: &str, place: &str) {
    const AREA: &str = "channel";
    let channel = match patiently(|| slack.channel_info(id)).await {
        Ok(channel) => channel,
        Err(SlackError::ChannelNotFound) => {
            return report.problem(
                AREA,
                format!("{id} ({place}) does not exist, or is private without the bot"),
                "write the id at the end of the channel's About tab, and invite the bot: /invite @Countersign",
            );
        }
        Err(error) => {
            let hint = lacking(&error, "try again in a while");
            return report.problem(AREA, format!("{id} ({place}): {error}"), hint);
        }
    };
    let name = channel
        .name
        .as_deref()
        .map_or_else(|| id.to_owned(), |name| format!("#{name} {id}"));
    let is = |flag: Option<bool>| flag.unwrap_or(false);
    if is(channel.is_archived) {
        report.problem(
            AREA,
            format!("{name} ({place}) is archived"),
            "unarchive it, or name another one",
        );
    } else if !is(channel.is_member) {
        report.problem(
            AREA,
            format!("the bot is not in {name} ({place})"),
            "invite it there: /invite @Countersign",
        );
    } else if is(channel.is_ext_shared) {
        report.warning(
            AREA,
            format!(
                "{name} ({place}) is shared with another organization: cards and alerts there show neither reason nor what runs"
            ),
            "name a channel of your own, so that people can read them at a glance",
        );
    } else {
        report.ok(AREA, format!("{name} ({place})"));
    }
}

/// The user groups of all home workspaces.
async fn groups_of_home(
    slack: &Slack,
    home: Option<&Installation>,
    team_id: &str,
) -> Result<Vec<UserGroup>, SlackError> {
    let mut workspaces = match home {
        Some(home) if home.org_wide => patiently(|| slack.workspaces()).await?,
        _ => Vec::new(),
    };
    if workspaces.is_empty() {
        workspaces.push(team_id.to_owned());
    }
    let mut all = Vec::new();
    for workspace in &workspaces {
        all.extend(patiently(|| slack.all_user_groups(workspace)).await?);
    }
    Ok(all)
}

async fn groups(
    report: &mut Report,
    slack: &Slack,
    home: Option<&Installation>,
    team_id: &str,
    named: &Named,
) {
    const AREA: &str = "user group";
    let all = match groups_of_home(slack, home, team_id).await {
        Ok(all) => all,
        Err(error) => {
            let hint = lacking(
                &error,
                "user groups need a paid plan; list the members instead of slackUserGroup",
            );
            return report.problem(AREA, error.to_string(), hint);
        }
    };
    for (id, place) in &named.groups {
        let Some(group) = all.iter().find(|group| group.id == *id) else {
            report.problem(
                AREA,
                format!("{id} ({place}) does not exist"),
                "write the id that Slack shows for the group (S...)",
            );
            continue;
        };
        let name = group.handle.as_deref().unwrap_or(id);
        if group.date_delete.unwrap_or(0) != 0 {
            report.problem(
                AREA,
                format!("@{name} {id} ({place}) is switched off, so nobody is in it"),
                "switch it on in Slack, or name another one",
            );
        } else {
            let count = group.users.as_ref().map_or(0, Vec::len);
            report.ok(AREA, format!("@{name} {id} ({place}), {count} members"));
        }
    }
}

async fn accounts(
    report: &mut Report,
    slack: &Slack,
    home: &Installation,
    clock: &Clock,
    listed: &[Account],
) {
    const AREA: &str = "person";
    let cache = AccessCache::default();
    let mut fine = 0;
    for account in listed {
        let Account {
            person,
            user_id,
            team_id,
        } = account;
        let elsewhere = team_id
            .as_ref()
            .filter(|team| **team != home.team_id && !home.org_wide);
        if let Some(team) = elsewhere {
            report.warning(
                AREA,
                format!("{person} ({user_id}) is listed under workspace {team}, and the app lives in {}", home.team_id),
                "write the workspace's own id, or take the identity out",
            );
            continue;
        }
        match patiently(|| cache.look(slack, home, user_id, clock.now())).await {
            Ok((Ok(_), _)) => fine += 1,
            Ok((Err(why), _)) => report.warning(
                AREA,
                format!("{person} ({user_id}) can do nothing: {why}"),
                "take the identity out, or let somebody else approve; quorums that count on this person may never be met",
            ),
            Err(SlackError::Other(code)) if code == "user_not_found" => report.problem(
                AREA,
                format!("{person}: there is no user {user_id} in this workspace"),
                "write the id of their profile: More, Copy member ID",
            ),
            Err(error) => {
                let hint = lacking(&error, "try again in a while");
                report.problem(AREA, format!("{person} ({user_id}): {error}"), hint);
            }
        }
    }
    if fine > 0 {
        report.ok(
            AREA,
            format!(
                "{fine} of {} listed accounts are full members",
                listed.len()
            ),
        );
    }
}

/// The hint for a failed call: a missing scope always has the same hint.
fn lacking(error: &SlackError, otherwise: &str) -> String {
    match error {
        SlackError::Other(code) if code == "missing_scope" => INSTALL.to_owned(),
        _ => otherwise.to_owned(),
    }
}
