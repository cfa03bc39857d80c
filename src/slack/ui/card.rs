//! The card: one glance tells who wants what, where, how risky, and how far it is.

use super::content::{self, Offer};
use super::text::{code, cut, cut_markup, date, name};
use super::{Message, blocks, config_diff, on_web, phrases, shared};
use crate::domain::digest::Digest;
use crate::domain::document::Risk;
use crate::domain::id::RequestId;
use crate::domain::request::State;
use crate::domain::request_details::RequestDetails;
use crate::slack::api::channels::Audience;
use serde_json::Value;

/// Slack refuses messages that are too long as a whole; this is well below what it takes.
const WHOLE: usize = 11_500;

/// How much a card lists itself; Details has all.
#[derive(Clone, Copy)]
struct Room {
    /// Policies, and as many decisions.
    listed: usize,
    /// Characters of the reason.
    reason: usize,
    /// Lines of a difference.
    lines: usize,
}

/// From the most to the least.
const ROOMS: [Room; 4] = [
    Room {
        listed: 8,
        reason: 1_000,
        lines: 24,
    },
    Room {
        listed: 3,
        reason: 300,
        lines: 10,
    },
    Room {
        listed: 1,
        reason: 100,
        lines: 4,
    },
    Room {
        listed: 1,
        reason: 100,
        lines: 1,
    },
];

/// The card of a request, as it is now.
pub fn card(shown: &RequestDetails) -> Message {
    card_for(shown, Audience::Own)
}

/// The same for those who read it; another organization is shown neither reason and comments nor what runs (threat SL7).
pub fn card_for(shown: &RequestDetails, audience: Audience) -> Message {
    let fits = |card: &Message| card.body().to_string().chars().count() <= WHOLE;
    let cards = ROOMS.into_iter().map(|room| card_in(shown, room, audience));
    let mut last = Message::plain("");
    for card in cards {
        last = card;
        if fits(&last) {
            break;
        }
    }
    last
}

/// The same card with a link to the request's page, above its buttons.
#[must_use]
pub fn linked(mut card: Message, page: &str) -> Message {
    let link = blocks::context(&[format!("<{page}|Open on the web>")]);
    let has_buttons = card
        .blocks
        .last()
        .is_some_and(|last| last["type"] == "actions");
    let at = card.blocks.len() - usize::from(has_buttons);
    card.blocks.insert(at, link);
    card
}

fn card_in(shown: &RequestDetails, room: Room, audience: Audience) -> Message {
    let offer = offer_to(shown, audience);
    let mut blocks = vec![blocks::section(&headline(shown)), facts(shown, offer)];
    blocks.extend(match audience {
        Audience::Own => shown
            .request
            .reason
            .as_ref()
            .map(|reason| blocks::section_brief(&format!("Why: {reason}"), room.reason)),
        Audience::Shared => Some(blocks::context(&[shared::withheld(
            "Open Details to read them.",
        )])),
    });
    if audience == Audience::Own {
        blocks.extend(break_glass(shown));
    }
    blocks.extend(what_runs(shown, room, offer, audience));
    blocks.extend(policies(shown, room.listed));
    blocks.extend(decisions(shown, room.listed, audience));
    blocks.push(blocks::context(&[footer(shown, audience)]));
    if shown.is_pending() {
        if on_web::applies(shown) {
            let sentence = on_web::sentence(shown, audience).to_owned();
            blocks.push(blocks::context(&[sentence]));
        }
        blocks.push(blocks::actions(&buttons(shown, offer, audience)));
    }
    Message {
        text: cut_markup(&fallback(shown), 1_500),
        blocks,
    }
}

/// Where another organization reads along, the content is for Review alone.
fn offer_to(shown: &RequestDetails, audience: Audience) -> Offer {
    match (content::offer(shown), audience) {
        (Offer::Whole, Audience::Shared) if shown.request.payload != "null" => Offer::Review,
        (offer, _) => offer,
    }
}

/// What a button of the card carries: request and digest, and no authority.
pub fn card_value(shown: &RequestDetails) -> String {
    format!("{} {}", shown.request.id, shown.request.digest)
}

/// Reads what [`card_value`] wrote.
pub fn read_value(value: &str) -> Option<(RequestId, Digest)> {
    let (id, digest) = value.split_once(' ')?;
    Some((id.parse().ok()?, digest.parse().ok()?))
}

/// Who wants what, and how risky it is; the fields below say where.
fn headline(shown: &RequestDetails) -> String {
    let number = shown.request.number;
    let who = name(&shown.who(&shown.request.requester));
    let what = name(&shown.action.name);
    let risk = phrases::risk(shown.action.risk);
    if shown.is_pending() {
        format!("*#{number}* *{who}* asks for *{what}* (*{risk}* risk)")
    } else {
        let outcome = phrases::outcome(shown);
        format!("*#{number} {outcome}*: *{who}* asked for *{what}* (*{risk}* risk)")
    }
}

/// The emergency is told in its own words, by a sign and in words, since colour alone says nothing.
fn break_glass(shown: &RequestDetails) -> Vec<Value> {
    let Some(session) = shown
        .session
        .as_ref()
        .filter(|_| !shown.bypassed.is_empty())
    else {
        return Vec::new();
    };
    let who = &session.initiator;
    let words = format!("🚨 Break-glass of {}: {}", cut(who, 100), session.reason);
    vec![blocks::section_brief(&words, 450)]
}

/// The target stands here in whole wherever Approve does; a long release is left to Review.
pub(super) fn facts(shown: &RequestDetails, offer: Offer) -> Value {
    let request = &shown.request;
    let target = &request.target;
    let most = if offer == Offer::Review {
        100
    } else {
        usize::MAX
    };
    let named = |name: Option<&str>| name.map(|name| code(&cut(name, most)));
    let places = [
        ("Project", named(target.project.as_ref().map(AsRef::as_ref))),
        ("Cluster", named(target.cluster.as_ref().map(AsRef::as_ref))),
        (
            "Environment",
            named(target.environment.as_ref().map(AsRef::as_ref)),
        ),
        ("Release", named(target.release.as_deref())),
    ];
    let mut pairs: Vec<(&str, String)> = places
        .into_iter()
        .filter_map(|(label, value)| Some((label, value?)))
        .collect();
    pairs.push(("Action", phrases::action_code(shown)));
    if request.submitted_by != request.requester {
        let by = name(&shown.who(&request.submitted_by));
        pairs.push(("Submitted by", by));
    }
    if !request.authors.is_empty() {
        let authors: Vec<String> = request
            .authors
            .iter()
            .map(|author| name(shown.name(author)))
            .collect();
        pairs.push(("Authors", cut_markup(&authors.join(", "), 300)));
    }
    blocks::fields(&pairs)
}

fn what_runs(shown: &RequestDetails, room: Room, offer: Offer, audience: Audience) -> Vec<Value> {
    let payload = &shown.request.payload;
    let size = payload.len();
    let readable = audience == Audience::Own && shown.difference.is_some();
    match offer {
        Offer::Review if readable => what_changes(shown, room),
        Offer::Hidden => vec![blocks::context(&[format!(
            "What runs ({size} bytes) is kept out of Slack by a policy; its digest is {}.",
            code(shown.request.digest.as_str())
        )])],
        Offer::Review if shown.is_pending() => vec![blocks::context(&[format!(
            "What runs ({size} bytes, digest {}) is not shown here: {} to read all of it and decide.",
            code(shown.request.digest.short()),
            how_to_read(shown)
        )])],
        Offer::Review => vec![blocks::context(&[format!(
            "What ran or would have run: {size} bytes, digest {}.",
            code(shown.request.digest.short())
        )])],
        Offer::Whole if payload == "null" => Vec::new(),
        Offer::Whole => content::payload_blocks(payload),
    }
}

fn how_to_read(shown: &RequestDetails) -> &'static str {
    if on_web::applies(shown) {
        "open it on the web"
    } else {
        "press Review"
    }
}

/// A change of the configuration is read as what differs; the whole document is in Review.
fn what_changes(shown: &RequestDetails, room: Room) -> Vec<Value> {
    let Some(difference) = &shown.difference else {
        return Vec::new();
    };
    let mut blocks = config_diff::blocks(difference, room.lines);
    let size = shown.request.payload.len();
    let digest = code(shown.request.digest.short());
    blocks.push(blocks::context(&[if shown.is_pending() {
        let how = how_to_read(shown);
        format!("The whole new configuration ({size} bytes, digest {digest}): {how} to read it and decide.")
    } else {
        format!("The whole configuration of this change has {size} bytes, digest {digest}.")
    }]));
    blocks
}

fn policies(shown: &RequestDetails, listed: usize) -> Vec<Value> {
    // what is still open comes first, or a cut could hide it
    let mut sorted: Vec<_> = shown.policies.iter().collect();
    sorted.sort_by_key(|policy| policy.satisfied);
    let mut lines: Vec<String> = sorted
        .iter()
        .take(listed)
        .map(|policy| cut_markup(&phrases::policy_line(policy), 400))
        .collect();
    if sorted.len() > listed {
        lines.push(format!("and {} more under Details", sorted.len() - listed));
    }
    lines.extend(
        shown
            .bypassed
            .iter()
            .take(listed)
            .map(phrases::bypassed_line),
    );
    if shown.bypassed.len() > listed {
        let more = shown.bypassed.len() - listed;
        lines.push(format!("and {more} more bypassed, under Details"));
    }
    for observed in shown.observed.iter().take(2) {
        let name = name(&observed.name);
        lines.push(format!("{name} is in observe mode and gates nothing"));
    }
    if lines.is_empty() {
        Vec::new()
    } else {
        vec![blocks::section(&lines.join("\n"))]
    }
}

fn decisions(shown: &RequestDetails, listed: usize, audience: Audience) -> Vec<Value> {
    if shown.decisions.is_empty() {
        return Vec::new();
    }
    let earlier = shown.decisions.len().saturating_sub(listed);
    let mut lines: Vec<String> = shown.decisions[earlier..]
        .iter()
        .map(|decision| phrases::decision_line_for(shown, decision, audience))
        .collect();
    if earlier > 0 {
        lines.insert(0, format!("{earlier} earlier decisions are under Details"));
    }
    vec![blocks::section(&lines.join("\n"))]
}

fn footer(shown: &RequestDetails, audience: Audience) -> String {
    let digest = code(shown.request.digest.short());
    if let State::Pending { expires_at } = &shown.request.state {
        let who = phrases::waiting_for(shown);
        let expiry = date(*expires_at);
        return format!("Waits for {who} · expires {expiry} · digest {digest}");
    }
    let outcome = match audience {
        Audience::Own => phrases::outcome_line(shown),
        Audience::Shared => phrases::outcome_line_without_reason(shown),
    };
    format!("{outcome} Digest {digest}")
}

/// Approve, or Review where not all stands on the card, or a link where approvals count on the web only; Reject; Details.
fn buttons(shown: &RequestDetails, offer: Offer, audience: Audience) -> Vec<Value> {
    let value = card_value(shown);
    let about = format!("request {}, {}", shown.request.number, shown.action.name);
    let first = match (on_web::applies(shown), audience) {
        (true, Audience::Own) => on_web::button(shown),
        (true, Audience::Shared) => None,
        (false, _) if offer == Offer::Review => {
            let label = format!("Review {about}");
            Some(blocks::button("review", "Review", &value, &label))
        }
        (false, _) => Some(approve_button(shown)),
    };
    let details = blocks::button("details", "Details", &value, &format!("Details of {about}"));
    first
        .into_iter()
        .chain([reject_button(shown), details])
        .collect()
}

/// Approve: the one green button, but plain where an emergency let the request past a policy, and with a question for a Critical action.
pub(super) fn approve_button(shown: &RequestDetails) -> Value {
    let request = &shown.request;
    let what = act(shown);
    let label = format!("Approve request {}, {what}", request.number);
    let mut button = blocks::button("approve", "Approve", &card_value(shown), &label);
    if shown.action.risk == Risk::Critical {
        let what = cut(&what, 180);
        let short = request.digest.short();
        let words =
            format!("Your approval counts towards a Critical action: {what}. Digest {short}.");
        let title = format!("Approve #{}?", request.number);
        button["confirm"] = blocks::confirm(&title, &words, "Approve", true);
    } else if shown.bypassed.is_empty() {
        button["style"] = "primary".into();
    }
    button
}

/// Action and target as plain text: `Release Deploy on api-platform / production`.
fn act(shown: &RequestDetails) -> String {
    let (what, target) = (&shown.action.name, shown.request.target.to_string());
    if target.is_empty() {
        what.clone()
    } else {
        format!("{what} on {target}")
    }
}

/// Reject, which asks why.
pub(super) fn reject_button(shown: &RequestDetails) -> Value {
    let number = shown.request.number;
    let label = format!("Reject request {number}, {}", act(shown));
    blocks::button("reject", "Reject", &card_value(shown), &label)
}

/// A full sentence for notifications and screen readers.
fn fallback(shown: &RequestDetails) -> String {
    let number = shown.request.number;
    let sentence = phrases::sentence(shown);
    let standing = phrases::standing(shown);
    format!("#{number} {sentence}. {standing}.")
}
