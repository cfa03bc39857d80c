//! Checks what approvals on the web pages need from the environment.

use super::report::Report;
use crate::config::settings::environment;
use crate::domain::document::ConfigDocument;

const AREA: &str = "web pages";

/// Reports what keeps people from approving on the web. Nothing is reported if no policy says `decideOn: web`.
pub(super) fn examine(report: &mut Report, document: &ConfigDocument, has_address: bool) {
    let policies = document.policies.iter();
    let web_only = policies.filter(|one| one.decide_on.is_some()).count();
    let Some(console) = document.console.as_ref().filter(|_| web_only > 0) else {
        return;
    };
    let slack = console.slack.as_ref().map(|slack| &slack.client_secret_env);
    let oidc = console.oidc.as_ref().map(|oidc| &oidc.client_secret_env);
    for variable in [slack, oidc].into_iter().flatten() {
        if environment(variable).is_none_or(|value| value.is_empty()) {
            let found = format!("{variable} is not set, so nobody can sign in with it");
            let hint = "set it to the client secret of the sign-in, where `countersign serve` runs";
            report.problem(AREA, found, hint);
        }
    }
    if !has_address {
        let found = format!(
            "COUNTERSIGN_PUBLIC_URL is not set, so nobody can approve for the policies with `decideOn: web` ({web_only})"
        );
        let hint = "set it to the address at which people reach this server";
        report.problem(AREA, found, hint);
    }
}
