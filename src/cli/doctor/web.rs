//! Checks what the web pages need from the environment.

use super::report::Report;
use crate::config::settings::environment;
use crate::domain::document::ConfigDocument;

const AREA: &str = "web pages";

/// Reports whether people can sign in to the pages. Nothing is reported if the pages are off.
pub(super) fn examine(report: &mut Report, document: &ConfigDocument, has_address: bool) {
    let Some(console) = &document.console else {
        return;
    };
    let slack = console.slack.as_ref().map(|slack| &slack.client_secret_env);
    let oidc = console.oidc.as_ref().map(|oidc| &oidc.client_secret_env);
    let missing = |variable: &&String| environment(variable).is_none_or(|value| value.is_empty());
    let missing: Vec<&String> = [slack, oidc]
        .into_iter()
        .flatten()
        .filter(missing)
        .collect();
    for variable in &missing {
        let hint = "set it to the client secret of the sign-in, where `countersign serve` runs";
        report.problem(
            AREA,
            format!("{variable} is not set, so nobody can sign in with it"),
            hint,
        );
    }
    if has_address {
        if missing.is_empty() {
            report.ok(AREA, "have an address and their secrets");
        }
        return;
    }
    let hint = "set it to the address at which people reach this server";
    let web_only = document
        .policies
        .iter()
        .filter(|one| one.decide_on.is_some())
        .count();
    if web_only > 0 {
        let found = format!(
            "COUNTERSIGN_PUBLIC_URL is not set, so nobody can approve for {web_only} policies with `decideOn: web`"
        );
        report.problem(AREA, found, hint);
    } else {
        report.warning(
            AREA,
            "COUNTERSIGN_PUBLIC_URL is not set, so nobody can open them",
            hint,
        );
    }
}
