//! The Home tab is personal: what waits for you on top, then what you asked for, then what you decided.

use super::content::{self, Offer};
use super::form::Choice;
use super::text::{code, cut_markup, escape};
use super::{audit, blocks, card, card_value, on_web, phrases};
use crate::app::LoggedEvent;
use crate::domain::action::RequestType;
use crate::domain::people::{Directory, Person};
use crate::domain::request_details::RequestDetails;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Requests of one page.
pub const PAGE: u32 = 10;
/// Own requests and own decisions that are listed at first.
const LATELY: u32 = 5;
/// Those after a click on Show more.
const MORE_LATELY: u32 = 10;
/// Events of the audit log that administrators see.
pub const EVENTS: u32 = 8;
/// Most characters of a line.
const LINE: usize = 400;
/// Most characters of a line without buttons that decide.
const ROW: usize = 250;

/// How somebody looks at the pending requests. It travels with the view and comes back from outside: it chooses what is listed, and
/// gives no right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Look {
    /// Of this type alone.
    pub kind: Option<RequestType>,
    /// Also what waits for others.
    pub all: bool,
    /// Below this number: a later page.
    pub below: Option<String>,
    /// More of what they asked for and decided.
    pub more: bool,
}

impl Look {
    /// Reads what a view carries; anything unreadable is the first look.
    pub fn read(metadata: Option<&str>) -> Self {
        serde_json::from_str(metadata.unwrap_or_default()).unwrap_or_default()
    }

    /// How many own requests and own decisions are listed.
    pub fn lately(&self) -> u32 {
        if self.more { MORE_LATELY } else { LATELY }
    }

    /// The look after a click on one of the Home tab's own buttons; `None` for another button.
    pub fn turned(self, action_id: &str, value: &str) -> Option<Self> {
        let first = Self {
            below: None,
            ..self
        };
        Some(match action_id {
            "home_kind" => Self {
                kind: RequestType::ALL
                    .into_iter()
                    .find(|kind| kind.as_str() == value),
                ..first
            },
            "home_all" => Self { all: true, ..first },
            "home_mine" => Self {
                all: false,
                ..first
            },
            "home_first" => first,
            "home_more" => Self { more: true, ..self },
            "home_older" => Self {
                below: Some(value.to_owned()),
                ..first
            },
            _ => return None,
        })
    }
}

/// What a Home tab is made of.
pub struct Home<'a> {
    /// Whose it is.
    pub person: &'a Person,
    /// How they look at it.
    pub look: &'a Look,
    /// The pending requests of this page.
    pub pending: &'a [RequestDetails],
    /// Where the next page begins.
    pub next: Option<&'a str>,
    /// What they asked for last; one more than is listed, if there are more.
    pub yours: &'a [RequestDetails],
    /// What they decided on last; one more than is listed, if there are more.
    pub decided: &'a [RequestDetails],
    /// The latest events of the audit log, for administrators.
    pub events: Option<&'a [LoggedEvent]>,
    /// Who is who.
    pub directory: &'a Directory,
    /// What they want to be told.
    pub notifications: &'a [Value],
    /// Sections of other modules, such as break-glass sessions: they stand above everything else.
    pub above: &'a [Value],
}

/// The Home tab of a person.
pub fn home(home: &Home<'_>) -> Value {
    let mut blocks = home.above.to_vec();
    blocks.push(blocks::header(&title(home)));
    blocks.push(blocks::actions(&filters(home.look)));
    blocks.extend(waiting(home));
    blocks.push(blocks::divider());
    blocks.push(blocks::header("Asked by you"));
    if home.yours.is_empty() {
        let help = code("/approval help");
        blocks.push(blocks::section(&format!(
            "Nothing yet. Press New request, or type {} ({help} shows how).",
            code("/approval request")
        )));
    }
    blocks.extend(lately(home.yours, home.look));
    if !home.decided.is_empty() {
        blocks.push(blocks::divider());
        blocks.push(blocks::header("Decided by you"));
        blocks.extend(lately(home.decided, home.look));
    }
    if let Some(events) = home.events.filter(|events| !events.is_empty()) {
        blocks.push(blocks::divider());
        blocks.push(blocks::header("Audit log"));
        blocks.extend(audit::lines(events, home.directory));
        let more = format!(
            "For administrators. {} shows more.",
            code("/approval audit 50")
        );
        blocks.push(blocks::context(&[more]));
    }
    blocks.extend(home.notifications.iter().cloned());
    let look = serde_json::to_string(home.look).unwrap_or_default();
    json!({ "type": "home", "private_metadata": look, "blocks": blocks })
}

/// The newest ones, and how to see more.
fn lately(requests: &[RequestDetails], look: &Look) -> Vec<Value> {
    let listed = look.lately() as usize;
    let rows = requests.iter().take(listed).map(row);
    let mut blocks: Vec<Value> = rows.collect();
    if requests.len() <= listed {
        return blocks;
    }
    blocks.push(if look.more {
        let words = format!("The newest {MORE_LATELY}; the API and the web pages list all.");
        blocks::context(&[words])
    } else {
        let label = "Show more of what you asked for and decided";
        blocks::actions(&[blocks::button("home_more", "Show more", "more", label)])
    });
    blocks
}

/// The Home tab of somebody who may not use it, or at a bad moment.
pub fn unavailable(why: &str) -> Value {
    json!({ "type": "home", "blocks": [blocks::section(&escape(why))] })
}

fn title(home: &Home<'_>) -> String {
    let what = if home.look.all {
        "Pending requests"
    } else {
        "Waiting for you"
    };
    let count = home.pending.len();
    if count == 0 {
        return what.to_owned();
    }
    let more = if home.next.is_some() { "+" } else { "" };
    let page = if home.look.below.is_some() {
        ", a later page"
    } else {
        ""
    };
    format!("{what} ({count}{more}{page})")
}

/// New request, the type, and whose.
fn filters(look: &Look) -> Vec<Value> {
    let mut new = blocks::button("new_request", "New request", "new", "Ask for an approval");
    new["style"] = "primary".into();
    let whose = if look.all {
        blocks::button(
            "home_mine",
            "Only what waits for me",
            "mine",
            "Show only what waits for me",
        )
    } else {
        blocks::button(
            "home_all",
            "All pending",
            "all",
            "Show all pending requests",
        )
    };
    vec![new, types(look.kind), whose]
}

fn types(chosen: Option<RequestType>) -> Value {
    let every = Choice {
        value: "every".to_owned(),
        words: "Every type".to_owned(),
    };
    let kind = |kind: RequestType| Choice {
        value: kind.as_str().to_owned(),
        words: format!("Type: {}", kind.as_str()),
    };
    let now = chosen.map_or_else(|| every.clone(), kind);
    let choices = std::iter::once(every).chain(RequestType::ALL.map(kind));
    let options: Vec<Value> = choices
        .filter_map(|choice: Choice| choice.option())
        .collect();
    json!({
        "type": "static_select",
        "action_id": "home_kind",
        "placeholder": blocks::plain_text("Type"),
        "options": options,
        "initial_option": now.option(),
    })
}

fn waiting(home: &Home<'_>) -> Vec<Value> {
    let mut blocks = Vec::new();
    if home.pending.is_empty() {
        blocks.push(blocks::section(match (home.look.all, home.look.kind) {
            (false, None) => {
                "No request waits for you. Press All pending to see what waits for others."
            }
            (true, None) => "No request waits for a decision.",
            (_, Some(_)) => "No request of this type waits.",
        }));
    }
    for shown in home.pending {
        if shown.waits_for(&home.person.id, home.directory) {
            blocks.push(blocks::section(&line(shown, " · *you can approve*")));
            blocks.push(blocks::actions(&decide(shown)));
        } else {
            blocks.push(row(shown));
        }
    }
    let turns = turns(home);
    if !turns.is_empty() {
        blocks.push(blocks::actions(&turns));
    }
    blocks
}

/// Approve stands only where the line says all of what is approved; elsewhere Review does, which shows it (threat SL9). Where approvals
/// count on the web only, a link does.
fn decide(shown: &RequestDetails) -> Vec<Value> {
    let value = card_value(shown);
    let about = format!("request {}, {}", shown.request.number, shown.action.name);
    let said = match content::offer(shown) {
        Offer::Hidden => true,
        Offer::Whole => shown.request.payload == "null",
        Offer::Review => false,
    };
    let first = if on_web::applies(shown) {
        on_web::button(shown)
    } else if said && line(shown, "").chars().count() < LINE {
        Some(card::approve_button(shown))
    } else {
        let label = format!("Review {about}");
        Some(blocks::button("review", "Review", &value, &label))
    };
    let details = blocks::button("details", "Details", &value, &format!("Details of {about}"));
    first
        .into_iter()
        .chain([card::reject_button(shown), details])
        .collect()
}

fn turns(home: &Home<'_>) -> Vec<Value> {
    let mut turns = Vec::new();
    if home.look.below.is_some() {
        turns.push(blocks::button(
            "home_first",
            "Newest",
            "first",
            "Show the newest requests",
        ));
    }
    if let Some(next) = home.next {
        turns.push(blocks::button(
            "home_older",
            "Older",
            next,
            "Show older requests",
        ));
    }
    turns
}

fn line(shown: &RequestDetails, mark: &str) -> String {
    cut_markup(&phrases::list_line(shown), LINE) + mark
}

fn row(shown: &RequestDetails) -> Value {
    let mut row = blocks::section(&cut_markup(&phrases::list_line(shown), ROW));
    let label = format!("Details of request {}", shown.request.number);
    row["accessory"] = blocks::button("details", "Details", &card_value(shown), &label);
    row
}
