//! Checks that policies with `decideOn: web` can be approved: the pages are on, and enough approvers can sign in to them.

use super::Checks;
use crate::domain::document::{Console, UserDocument};
use crate::domain::people::Directory;

impl Checks<'_> {
    pub(super) fn decide_on(&mut self) {
        let document = self.document;
        let policies = document.policies.iter().enumerate();
        let web_only: Vec<_> = policies
            .filter(|(_, one)| one.decide_on.is_some())
            .collect();
        let Some(console) = &document.console else {
            for (at, _) in web_only {
                self.problem(
                    format!("policies[{at}].decideOn"),
                    "needs the web pages, which are off, so nobody could approve; add `console` (docs/web.md), or leave `decideOn` out",
                );
            }
            return;
        };
        // unknown people cannot sign in either; each error is reported once
        if web_only.is_empty() || !self.problems.is_empty() {
            return;
        }
        let mut listed = document.directory.clone();
        listed.users.retain(|user| can_sign_in(user, console));
        let able = Directory::compile(&listed);
        for (at, template) in web_only {
            for short in self.shortfalls(template, &able) {
                let message = format!(
                    "too few of its approvers can sign in to the web pages: {}; add their `slack` or `oidc` identities",
                    short.message
                );
                self.problem(format!("policies[{at}].decideOn"), message);
            }
        }
    }
}

/// Whether a listed person has an identity at one of the providers.
fn can_sign_in(user: &UserDocument, console: &Console) -> bool {
    let by_slack = console.slack.is_some() && !user.slack.is_empty();
    let issuer = console.oidc.as_ref().map(|oidc| &oidc.issuer);
    by_slack || user.oidc.iter().any(|own| Some(&own.issuer) == issuer)
}
