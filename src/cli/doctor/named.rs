//! Slack ids that a configuration names: channels, user groups and accounts, each with the first place that names it.

use crate::domain::document::ConfigDocument;
use std::collections::BTreeMap;

/// Slack ids, with where the configuration names them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Channel ids, with where they are named.
    pub channels: BTreeMap<String, String>,
    /// User group ids, with where they are named.
    pub groups: BTreeMap<String, String>,
    /// Slack accounts of people.
    pub accounts: Vec<Account>,
}

/// A listed Slack identity.
#[derive(Debug, PartialEq, Eq)]
pub struct Account {
    /// The person whose identity it is.
    pub person: String,
    /// Workspace id; none for an identity of a whole organization.
    pub team_id: Option<String>,
    /// User id.
    pub user_id: String,
}

impl Named {
    /// Collects the ids of a configuration.
    pub fn of(document: &ConfigDocument) -> Self {
        let mut named = Self::default();
        let channels = &mut named.channels;
        let mut channel = |id: &str, place: String| {
            channels.entry(id.to_owned()).or_insert(place);
        };
        if let Some(default) = &document.routes.default {
            channel(default.as_str(), "routes.default".to_owned());
        }
        for (at, rule) in document.routes.rules.iter().enumerate() {
            channel(rule.channel.as_str(), format!("routes.rules[{at}]"));
        }
        for policy in &document.policies {
            let escalation = policy.escalation.as_ref();
            let escalation = escalation.and_then(|escalation| escalation.channel.as_ref());
            for id in policy.channel.iter().chain(escalation) {
                channel(id.as_str(), format!("policy {}", policy.id));
            }
        }
        if let Some(config) = &document.break_glass {
            let place = "breakGlass.securityChannel".to_owned();
            channel(config.security_channel.as_str(), place);
        }
        let digest = document.notifications.as_ref();
        if let Some(digest) = digest.and_then(|notifications| notifications.digest.as_ref()) {
            channel(digest.channel.as_str(), "notifications.digest".to_owned());
        }
        for team in &document.directory.teams {
            if let Some(group) = &team.slack_user_group {
                let place = format!("team {}", team.id);
                named.groups.entry(group.clone()).or_insert(place);
            }
        }
        for user in &document.directory.users {
            named
                .accounts
                .extend(user.slack.0.iter().map(|identity| Account {
                    person: user.id.to_string(),
                    team_id: identity.team_id.clone(),
                    user_id: identity.user_id.clone(),
                }));
        }
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::Source;

    #[test]
    fn everything_that_lives_in_slack_is_found() {
        let source = Source::read(
            "test.yaml",
            "organization: acme
directory:
  users:
    - {id: dan, name: Dan, slack: [{teamId: T1, userId: U1}, {enterpriseId: E1, userId: W1}]}
    - {id: erin, name: Erin}
  teams: [{id: sre, name: SRE, slackUserGroup: S1}, {id: dev, name: Dev}]
policies:
  - {id: a, name: A, scope: organization, approvers: anyone, channel: C4, escalation: {after: 1h, channel: C5}}
routes: {default: C1, rules: [{risk: High, channel: C2}, {risk: Medium, channel: C1}]}
breakGlass: {securityChannel: C3}
",
        )
        .unwrap_or_else(|faults| panic!("{faults}"));
        let named = Named::of(source.document());
        let channels: Vec<_> = named
            .channels
            .iter()
            .map(|(id, place)| format!("{id} {place}"))
            .collect();
        assert_eq!(
            channels,
            [
                "C1 routes.default",
                "C2 routes.rules[0]",
                "C3 breakGlass.securityChannel",
                "C4 policy a",
                "C5 policy a"
            ]
        );
        assert_eq!(
            named.groups.into_iter().collect::<Vec<_>>(),
            [("S1".to_owned(), "team sre".to_owned())]
        );
        let accounts: Vec<_> = named
            .accounts
            .iter()
            .map(|account| (account.user_id.as_str(), account.team_id.is_some()))
            .collect();
        assert_eq!(accounts, [("U1", true), ("W1", false)]);
    }
}
