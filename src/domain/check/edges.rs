//! Checks webhooks and break-glass.

use super::{Checks, text};
use crate::domain::document::Webhook;
use crate::domain::webhook::WebhookEvent;
use std::collections::BTreeSet;
use url::Url;

/// The longest URL of a webhook; databases index it.
const LONGEST_URL: usize = 1_000;

impl Checks<'_> {
    pub(super) fn webhooks(&mut self) {
        let (mut urls, mut names) = (BTreeSet::new(), BTreeSet::new());
        for (at, webhook) in self.document.webhooks.iter().enumerate() {
            let path = format!("webhooks[{at}]");
            self.expect(format!("{path}.url"), webhook_url(webhook));
            if !urls.insert(&webhook.url) {
                let message = "is the url of another webhook; list all of its events there";
                self.problem(format!("{path}.url"), message);
            }
            if let Some(name) = &webhook.name {
                self.expect(format!("{path}.name"), text::id(name));
                if !names.insert(name) {
                    let message = format!("`{name}` is the name of another webhook");
                    self.problem(format!("{path}.name"), message);
                }
            }
            if !is_variable(&webhook.secret_env) {
                let message = "names no environment variable; write letters, digits and `_`, such as HOOK_SECRET";
                self.problem(format!("{path}.secretEnv"), message);
            }
            if webhook.events.is_empty() {
                self.problem(
                    format!("{path}.events"),
                    "names no event, so nothing would ever be sent",
                );
            }
            let mut seen = BTreeSet::new();
            for (at, event) in webhook.events.iter().enumerate() {
                let path = format!("{path}.events[{at}]");
                if !WebhookEvent::NAMES.contains(&event.as_str()) {
                    let known = WebhookEvent::NAMES.iter().copied();
                    let message = self.suggestions.unknown("event", event, known);
                    self.problem(path, message);
                } else if !seen.insert(event) {
                    self.problem(path, format!("`{event}` stands twice"));
                }
            }
        }
    }

    pub(super) fn break_glass(&mut self) {
        let Some(config) = &self.document.break_glass else {
            return;
        };
        let channel = text::channel(config.security_channel.as_str());
        self.expect("breakGlass.securityChannel", channel);
        self.named("breakGlass.notify", &config.notify);
        let before = self.problems.len();
        self.named("breakGlass.allowed", &config.allowed);
        if config.allowed.is_empty() {
            let message = "names nobody, and empty never means everyone; name who may start a session, or leave `breakGlass` out";
            self.problem("breakGlass.allowed", message);
        } else if self.problems.len() == before
            && !self.open_ended(&config.allowed)
            && self.directory.among(&config.allowed).is_empty()
        {
            self.problem(
                "breakGlass.allowed",
                "nobody belongs to it, so no session could ever be started",
            );
        }
        self.span("breakGlass.minDuration", config.min_duration);
        if config.max_duration < config.min_duration {
            self.problem("breakGlass.maxDuration", "is shorter than `minDuration`");
        }
    }
}

/// The URL must use `https`, name a host and contain no password. `http` is allowed only if private addresses are allowed
/// explicitly.
fn webhook_url(webhook: &Webhook) -> Result<(), String> {
    if webhook.url.len() > LONGEST_URL {
        return Err(format!("is longer than {LONGEST_URL} characters"));
    }
    let url = Url::parse(&webhook.url).map_err(|error| format!("is no address ({error})"))?;
    match url.scheme() {
        "https" => {}
        "http" if webhook.allow_private => {}
        _ => {
            return Err(
                "must begin with https:// (http:// only with `allowPrivate: true`)".to_owned(),
            );
        }
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("names no host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user or a password; sign with `secretEnv` instead".to_owned());
    }
    if url.fragment().is_some() {
        return Err("holds a `#` part, which is never sent; take it out".to_owned());
    }
    Ok(())
}

pub(super) fn is_variable(name: &str) -> bool {
    let first = name.bytes().next();
    first.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
