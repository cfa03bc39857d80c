//! Checks policies: approvers, quorum, conditions, times.

use super::{Checks, text};
use crate::domain::conditions::is_timed;
use crate::domain::document::{Approvers, Conditions, People, PolicyTemplate, Quorum, Window};
use crate::domain::eligibility::PeopleInvolved;
use crate::domain::people::Directory;
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::satisfiable::{self, Shortfall};
use crate::domain::time::Span;
use crate::domain::window::{Opening, Week};
use std::collections::BTreeSet;

impl Checks<'_> {
    pub(super) fn policies(&mut self) {
        let policies = &self.document.policies;
        self.ids(
            "policies",
            ".id",
            policies.iter().map(|template| template.id.as_str()),
        );
        for (at, template) in policies.iter().enumerate() {
            self.template(&format!("policies[{at}]"), template);
        }
    }

    fn template(&mut self, path: &str, template: &PolicyTemplate) {
        self.name(format!("{path}.name"), &template.name);
        self.expect(
            format!("{path}.description"),
            text::description(&template.description),
        );
        self.gated_actions(path, template);
        self.conditions(&format!("{path}.conditions"), &template.conditions);
        self.span(format!("{path}.expiresAfter"), template.expires_after);
        self.span(format!("{path}.validFor"), template.valid_for);
        if let Some(channel) = &template.channel {
            self.expect(format!("{path}.channel"), text::channel(channel.as_str()));
        }
        self.escalation(path, template);
        if let Some(target) = template.latency_target {
            self.span(format!("{path}.latencyTarget"), target);
        }
        let before = self.problems.len();
        self.approvers(path, template);
        self.quorum(&format!("{path}.quorum"), &template.quorum);
        // an unknown person cannot approve anyway; report only one error for it
        if self.problems.len() == before {
            self.satisfiable(path, template);
        }
    }

    fn gated_actions(&mut self, path: &str, template: &PolicyTemplate) {
        let Some(actions) = &template.actions else {
            return;
        };
        let path = format!("{path}.actions");
        if actions.is_empty() {
            self.problem(
                &path,
                "names no action, so the policy would never apply; leave it out for all of them",
            );
        }
        let mut seen = BTreeSet::new();
        for (at, action) in actions.iter().enumerate() {
            let result = self.action_known(action);
            self.expect(format!("{path}[{at}]"), result);
            if !seen.insert(action) {
                self.problem(format!("{path}[{at}]"), format!("`{action}` stands twice"));
            }
        }
    }

    fn escalation(&mut self, path: &str, template: &PolicyTemplate) {
        let Some(escalation) = &template.escalation else {
            return;
        };
        let path = format!("{path}.escalation");
        self.span(format!("{path}.after"), escalation.after);
        self.named(&format!("{path}.notify"), &escalation.notify);
        if let Some(channel) = &escalation.channel {
            self.expect(format!("{path}.channel"), text::channel(channel.as_str()));
        } else if escalation.notify.is_empty() {
            self.problem(
                path,
                "tells nobody; name people in `notify`, or a `channel`",
            );
        }
    }

    fn approvers(&mut self, path: &str, template: &PolicyTemplate) {
        match &template.approvers {
            Some(Approvers::Among(people)) if people.is_empty() => self.problem(
                format!("{path}.approvers"),
                "names nobody, and empty never means everyone; name people, teams or roles, or write `anyone`",
            ),
            Some(Approvers::Among(people)) => self.named(&format!("{path}.approvers"), people),
            None if required(&template.quorum).is_empty() => self.problem(
                path,
                "has no approvers; name them in `approvers` (people, teams, roles, or `anyone`) or in the quorum",
            ),
            None | Some(Approvers::Anyone) => {}
        }
    }

    fn quorum(&mut self, path: &str, quorum: &Quorum) {
        if quorum.min_approvals == 0 {
            self.problem(format!("{path}.minApprovals"), "must be at least 1");
        }
        self.users(
            &format!("{path}.requiredUserIds"),
            &quorum.required_user_ids,
        );
        self.teams(
            &format!("{path}.requiredTeamIds"),
            &quorum.required_team_ids,
        );
        self.roles(
            &format!("{path}.requiredOrgRoles"),
            &quorum.required_org_roles,
        );
    }

    /// Reports a quorum that the listed people could never meet.
    fn satisfiable(&mut self, path: &str, template: &PolicyTemplate) {
        for short in self.shortfalls(template, self.directory) {
            self.problem(
                format!("{path}.quorum"),
                format!("can never be met: {}", short.message),
            );
        }
    }

    /// Why these people could never meet the quorum. If Slack may add people, this is checked only when a request is created.
    pub(super) fn shortfalls(
        &self,
        template: &PolicyTemplate,
        directory: &Directory,
    ) -> Vec<Shortfall> {
        let required = required(&template.quorum);
        let approvers = match &template.approvers {
            Some(Approvers::Among(people)) => people.clone(),
            Some(Approvers::Anyone) | None => People::default(),
        };
        let any_team = template.quorum.min_distinct_teams > 0
            || matches!(template.approvers, Some(Approvers::Anyone));
        let groups = any_team
            && self
                .document
                .directory
                .teams
                .iter()
                .any(|team| team.slack_user_group.is_some());
        if groups || self.open_ended(&required) || self.open_ended(&approvers) {
            return Vec::new();
        }
        let gate = PinnedPolicy {
            version: 0,
            template: template.clone(),
            bound: Vec::new(),
            left_out: None,
        };
        satisfiable::shortfalls(&[gate], &PeopleInvolved::default(), &[], directory)
    }

    fn conditions(&mut self, path: &str, conditions: &Conditions) {
        for (at, name) in conditions.environments.iter().flatten().enumerate() {
            let result = self.registry.environment(name.as_str()).map(drop);
            self.expect(format!("{path}.environments[{at}]"), result);
        }
        if conditions.environments.as_ref().is_some_and(Vec::is_empty) {
            let message = "names no environment; leave it out for all of them";
            self.problem(format!("{path}.environments"), message);
        }
        self.window(
            path,
            &Window {
                weekdays: conditions.weekdays.clone(),
                start_hour: conditions.start_hour,
                end_hour: conditions.end_hour,
            },
        );
        for (at, window) in conditions.windows.iter().flatten().enumerate() {
            self.window(&format!("{path}.windows[{at}]"), window);
        }
        if conditions.windows.as_ref().is_some_and(Vec::is_empty) {
            self.problem(format!("{path}.windows"), "names no window; leave it out");
        }
        self.zone(path, conditions);
    }

    fn window(&mut self, path: &str, window: &Window) {
        let read = Opening::read(
            window.weekdays.as_deref(),
            window.start_hour,
            window.end_hour,
        );
        if let Err((field, message)) = read {
            self.problem(format!("{path}.{field}"), message);
        }
    }

    fn zone(&mut self, path: &str, conditions: &Conditions) {
        let timed = is_timed(conditions);
        if timed && Week::of(conditions).hours() == 0 {
            let message = "`windows` and the days and hours beside it never hold together";
            self.problem(format!("{path}.windows"), message);
        }
        let path = format!("{path}.timezone");
        match conditions.timezone.as_deref() {
            None if timed => self.problem(
                path,
                "is missing; days and hours need one, such as `Europe/Istanbul`",
            ),
            Some(zone) if zone.parse::<chrono_tz::Tz>().is_err() => {
                let known = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
                let message = self.suggestions.unknown("time zone", zone, known);
                self.problem(path, message);
            }
            None | Some(_) => {}
        }
    }

    pub(super) fn span(&mut self, path: impl std::fmt::Display, span: Span) {
        if span.0 <= 0 {
            self.problem(path, "must be longer than nothing");
        }
    }
}

fn required(quorum: &Quorum) -> People {
    People {
        users: quorum.required_user_ids.clone(),
        teams: quorum.required_team_ids.clone(),
        org_roles: quorum.required_org_roles.clone(),
    }
}
