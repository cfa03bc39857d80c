//! A first configuration, written from what a workspace knows: every section with what it means, so that it can be changed by hand.

use crate::domain::text;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What the configuration is written from.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// The organization's name.
    pub organization: String,
    /// Environments; the last one is the one that is gated.
    pub environments: Vec<String>,
    /// Projects.
    pub projects: Vec<String>,
    /// The workspace.
    pub team_id: String,
    /// Who exists.
    pub people: Vec<Person>,
    /// Their teams.
    pub teams: Vec<Team>,
    /// The channel of the cards, and its name.
    pub channel: (String, String),
    /// Who may change the configuration, by the ids of people.
    pub administrators: Vec<String>,
}

/// Somebody of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The id in the configuration.
    pub id: String,
    /// The name that people read.
    pub name: String,
    /// The id in Slack.
    pub user_id: String,
}

/// A user group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// The id in the configuration.
    pub id: String,
    /// The name that people read.
    pub name: String,
    /// The id in Slack.
    pub group_id: String,
    /// Its members, by the ids of people.
    pub members: Vec<String>,
}

/// Words that a YAML reader takes for something else.
const TAKEN: [&str; 12] = [
    "true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan", "anyone",
];

/// An id made of a handle or a name: small letters, digits and hyphens, beginning with a letter.
pub fn id_of(text: &str) -> Option<String> {
    let mut id = String::new();
    for sign in text.to_lowercase().chars() {
        if sign.is_ascii_alphanumeric() {
            id.push(sign);
        } else if !id.is_empty() && !id.ends_with('-') {
            id.push('-');
        }
    }
    let id = id.trim_matches('-');
    let good = id.starts_with(|first: char| first.is_ascii_lowercase());
    (good && id.len() <= 60 && !TAKEN.contains(&id)).then(|| id.to_owned())
}

/// Gives everybody an id of their own: that of the handle, else one made of Slack's own.
pub fn ids<'a>(handles: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    let (mut ids, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for (slack_id, handle) in handles {
        let own = || format!("slack-{}", slack_id.to_lowercase());
        let mut id = id_of(handle).unwrap_or_else(own);
        if !taken.insert(id.clone()) {
            id = own();
            taken.insert(id.clone());
        }
        ids.insert(slack_id.to_owned(), id);
    }
    ids
}

/// A name as a configuration takes it: printable, of a length that fits; else the id.
pub fn name_of(text: &str, id: &str) -> String {
    text::shown_name(text, 200).unwrap_or_else(|| id.to_owned())
}

/// A text in quotes: JSON's are YAML's as well.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A name as it can stand in a comment.
fn remark(text: &str) -> String {
    text.chars()
        .filter(|sign| !text::is_invisible(*sign))
        .collect()
}

fn list(items: &[String]) -> String {
    items
        .iter()
        .map(|item| quoted(item))
        .collect::<Vec<_>>()
        .join(", ")
}

impl Draft {
    /// How many approvals the policy asks for: two where there are people enough besides the one who asks.
    fn approvals(&self) -> usize {
        if self.people.len() > 2 { 2 } else { 1 }
    }

    /// The configuration as a file.
    pub fn yaml(&self) -> String {
        let mut file = String::from(
            "# The configuration of Countersign, begun by `countersign init` from your workspace. Change it as you like: an unknown key and a\n\
             # wrong name are refused with their line. Every key of a policy: manifests/policies/template.yaml.\n\n",
        );
        let sections = [
            format!(
                "# The highest level at which a policy can be bound.\norganization: {}\n",
                quoted(&name_of(&self.organization, "organization"))
            ),
            self.resources(),
            self.directory(),
            self.policies(),
            format!(
                "# Which channel a card goes to: the first rule that matches (policy, project, cluster, environment, risk), else the default.\n\
                 routes:\n  # #{}\n  default: {}\n",
                remark(&self.channel.1),
                quoted(&self.channel.0)
            ),
            format!(
                "# Who may change this configuration. Empty means nobody.\nadministrators: {{users: [{}]}}\n",
                list(&self.administrators)
            ),
        ];
        file += &sections.join("\n");
        file
    }

    fn resources(&self) -> String {
        format!(
            "# What exists. A request for anything else is refused with the nearest known names.\n\
             resources:\n  environments: [{}]\n  projects: [{}]\n  \
             # each cluster belongs to one environment: {{id: prod-eu-1, environment: production}}\n  clusters: []\n",
            list(&self.environments),
            list(&self.projects)
        )
    }

    fn directory(&self) -> String {
        let mut text = String::from(
            "# Who exists. Nobody is ever recognised by a name or an e-mail address, only by the ids of Slack.\ndirectory:\n  users:\n",
        );
        for person in &self.people {
            let (id, name) = (quoted(&person.id), name_of(&person.name, &person.id));
            let name = quoted(&name);
            let (team, user) = (&self.team_id, &person.user_id);
            // writing to a text never fails
            let _ = writeln!(
                text,
                "    - {{id: {id}, name: {name}, slack: {{teamId: {}, userId: {}}}}}",
                quoted(team),
                quoted(user)
            );
        }
        if !self.teams.is_empty() {
            text += "  # from your user groups, as they are now\n  teams:\n";
        }
        for team in &self.teams {
            let (id, members) = (quoted(&team.id), list(&team.members));
            let name = quoted(&name_of(&team.name, &team.id));
            let group = remark(&team.group_id);
            let _ = writeln!(
                text,
                "    # user group {group}\n    - {{id: {id}, name: {name}, members: [{members}]}}"
            );
        }
        text
    }

    fn policies(&self) -> String {
        let gated = self
            .environments
            .last()
            .map(|name| quoted(name))
            .unwrap_or_default();
        format!(
            "# What is gated, and by whom it must be approved. Nobody approves their own request.\n\
             policies:\n  - id: production-gate\n    name: Production Gate\n    \
             description: Other people look before anything is released there.\n    scope: environment\n    \
             actions: [release.deploy, promotion.execute, rollback.execute]\n    \
             # or {{teams: [..]}}, {{users: [..]}}, {{orgRoles: [..]}}\n    approvers: anyone\n    \
             quorum: {{minApprovals: {}}}\n    conditions: {{requireReason: true}}\n\n\
             # Where policies hold.\nbindings:\n  - {{policy: production-gate, level: environment, resource: {gated}}}\n",
            self.approvals()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::Source;

    fn person(id: &str, name: &str, user_id: &str) -> Person {
        Person {
            id: id.to_owned(),
            name: name.to_owned(),
            user_id: user_id.to_owned(),
        }
    }

    fn draft() -> Draft {
        Draft {
            organization: "Acme: \"best\" #1".to_owned(),
            environments: vec!["staging".to_owned(), "production".to_owned()],
            projects: vec!["api".to_owned()],
            team_id: "T01".to_owned(),
            people: vec![
                person("alice", "Alice {Anderson}", "U1"),
                person("bob", "no", "U2"),
                person("slack-u3", "Кэрол\n- evil: true", "U3"),
            ],
            teams: vec![Team {
                id: "sre".to_owned(),
                name: "SRE & friends".to_owned(),
                group_id: "S1".to_owned(),
                members: vec!["alice".to_owned()],
            }],
            channel: ("C1".to_owned(), "approvals\nrules: []".to_owned()),
            administrators: vec!["bob".to_owned()],
        }
    }

    #[test]
    fn generated_config_loads_whatever_names_people_have() {
        let yaml = draft().yaml();
        let source =
            Source::read("draft.yaml", &yaml).unwrap_or_else(|faults| panic!("{faults}\n{yaml}"));
        source
            .compile(0, &BTreeMap::new())
            .unwrap_or_else(|faults| panic!("{faults}\n{yaml}"));
        let document = source.document();
        assert_eq!(document.organization, "Acme: \"best\" #1");
        assert_eq!(document.directory.users[2].name, "Кэрол- evil: true");
        assert_eq!(document.policies[0].quorum.min_approvals, 2);
        assert!(document.routes.rules.is_empty());
    }

    #[test]
    fn small_team_gets_a_quorum_it_can_meet() {
        for people in 1..=3 {
            let mut small = draft();
            small.people.truncate(people);
            small.administrators = vec!["alice".to_owned()];
            let source = Source::read("draft.yaml", &small.yaml())
                .unwrap_or_else(|faults| panic!("{faults}"));
            source
                .compile(0, &BTreeMap::new())
                .unwrap_or_else(|faults| panic!("{people}: {faults}"));
        }
    }

    #[test]
    fn generated_ids_come_from_handles_and_are_unique() {
        for (text, id) in [
            ("Alice.Anderson", Some("alice-anderson")),
            ("  bob_99 ", Some("bob-99")),
            ("99", None),
            ("no", None),
            ("Ω", None),
            ("", None),
        ] {
            assert_eq!(id_of(text).as_deref(), id, "{text}");
        }
        let ids = ids([("U1", "bob"), ("U2", "Bob!"), ("U3", "99")].into_iter());
        let made: Vec<&str> = ids.values().map(String::as_str).collect();
        assert_eq!(made, ["bob", "slack-u2", "slack-u3"]);
    }
}
