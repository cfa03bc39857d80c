//! Audit events in words, for every interface.

use super::audit::AuditEventKind;
use super::principal::Principal;

/// What an actor did, in words; `request` names the request: `the request`, `#42`, or `a request` where it is not known.
pub fn in_words(what: AuditEventKind, actor: &Principal, request: &str) -> String {
    use AuditEventKind as Kind;
    let fixed = match what {
        Kind::RequestCreated => return format!("created {request}"),
        Kind::RequestAllowed => return format!("created {request}, which no policy gates"),
        Kind::RequestBypassed => {
            return format!("created {request}; break-glass bypassed its policies");
        }
        Kind::VoteApproved => return format!("approved {request}"),
        Kind::VoteRejected => return format!("rejected {request}"),
        Kind::VoteRefused => return format!("tried to decide on {request} and was refused"),
        Kind::RequestApproved => return format!("marked {request} as approved"),
        Kind::RequestRejected => return format!("marked {request} as rejected"),
        Kind::RequestCancelled => return format!("cancelled {request}"),
        Kind::RequestExpired => return format!("closed {request}, which had expired"),
        Kind::RequestExecuted => return format!("claimed {request} for execution"),
        Kind::RequestCompleted => return format!("reported how {request} ended"),
        Kind::RequestReopened => {
            return format!("reopened {request}, which needs more approvals now");
        }
        Kind::ExecutionRefused => return format!("tried to execute {request} and was refused"),
        Kind::RequestRefused => {
            return format!("tried to create or change {request} and was refused");
        }
        Kind::ConfigChanged => "changed the configuration",
        Kind::ConfigRefused => "tried to change the configuration and was refused",
        Kind::DirectoryChanged => "updated people and groups from Slack",
        Kind::TokenCreated => "created an API token",
        Kind::TokenRevoked => "revoked an API token",
        // nobody is known behind an unknown token
        Kind::TokenRefused if *actor == Principal::Bot => "refused an unknown API token",
        Kind::TokenRefused => "used an API token and was refused",
        Kind::SessionStarted => "started a break-glass session",
        Kind::SessionEnded => "ended a break-glass session",
        Kind::SessionReviewed => "reviewed a break-glass session",
        Kind::SessionRefused => "tried to use break-glass and was refused",
        Kind::PreferencesChanged => "changed their notification preferences",
        Kind::SignedIn => "signed in to the web pages",
        Kind::SignedOut => "signed out of the web pages",
        Kind::SignInRevoked => "ended a sign-in to the web pages",
        Kind::SignInRefused => "refused a sign-in to the web pages",
        Kind::Recovered => "changed the configuration without the usual checks",
        Kind::WebhookDisabled => "switched a webhook off, because it failed for a day",
        Kind::WebhookEnabled => "switched a webhook on again",
        Kind::Unknown => "recorded an event that this release does not know",
    };
    fixed.to_owned()
}
