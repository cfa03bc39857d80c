//! Renders blocks as plain lines, so that tests read like a chat.

use serde_json::Value;

use super::mrkdwn::plain;
use super::state::{Message, State, View};

/// A message: its blocks, or its text if it has none.
pub(super) fn message(state: &State, message: &Message) -> String {
    if message.blocks.is_empty() {
        return plain(state, &message.text);
    }
    blocks(state, &message.blocks)
}

/// A view: title, blocks, field errors and the buttons below.
pub(super) fn view(state: &State, view: &View) -> String {
    let mut lines = Vec::new();
    if view.body["title"].is_object() {
        lines.push(format!("== {} ==", text(state, &view.body["title"])));
    }
    for block in view.body["blocks"].as_array().into_iter().flatten() {
        lines.extend(block_lines(state, block));
        let id = block["block_id"].as_str().unwrap_or_default();
        if let Some(error) = view.errors.get(id) {
            lines.push(format!("  ! {error}"));
        }
    }
    let below: Vec<_> = ["close", "submit"]
        .iter()
        .filter(|field| view.body[**field].is_object())
        .map(|field| format!("[{}]", text(state, &view.body[*field])))
        .collect();
    if !below.is_empty() {
        lines.push(below.join(" "));
    }
    lines.join("\n")
}

/// Blocks as one or more lines each.
pub(super) fn blocks(state: &State, blocks: &[Value]) -> String {
    let lines: Vec<_> = blocks
        .iter()
        .flat_map(|block| block_lines(state, block))
        .collect();
    lines.join("\n")
}

fn block_lines(state: &State, block: &Value) -> Vec<String> {
    match block["type"].as_str().unwrap_or_default() {
        "header" => vec![format!("# {}", text(state, &block["text"]))],
        "divider" => vec!["---".to_owned()],
        "section" => section(state, block),
        "context" => {
            let parts = items(&block["elements"]).map(|element| match element["type"].as_str() {
                Some("image") => format!("[image: {}]", word(element, "alt_text")),
                _ => text(state, element),
            });
            vec![format!("· {}", parts.collect::<Vec<_>>().join(" · "))]
        }
        "actions" => {
            let parts: Vec<_> = items(&block["elements"])
                .map(|element| control(state, element))
                .collect();
            vec![parts.join(" ")]
        }
        "input" => input(state, block),
        "image" => vec![format!("[image: {}]", word(block, "alt_text"))],
        "markdown" => vec![word(block, "text").to_owned()],
        "rich_text" => items(&block["elements"])
            .map(|part| rich(state, part))
            .collect(),
        other => vec![format!("[{other}]")],
    }
}

fn section(state: &State, block: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if block["text"].is_object() {
        lines.push(text(state, &block["text"]));
    }
    lines.extend(items(&block["fields"]).map(|field| text(state, field).replace('\n', " ")));
    if let Some(accessory) = block.get("accessory") {
        let shown = control(state, accessory);
        match lines.last_mut() {
            Some(last) => last.extend([" ", &shown]),
            None => lines.push(shown),
        }
    }
    lines
}

fn input(state: &State, block: &Value) -> Vec<String> {
    let optional = if block["optional"] == true {
        " (optional)"
    } else {
        ""
    };
    let mut lines = vec![format!(
        "{}{optional}: {}",
        text(state, &block["label"]),
        control(state, &block["element"])
    )];
    if block["hint"].is_object() {
        lines.push(format!("  {}", text(state, &block["hint"])));
    }
    lines
}

/// A control: a button by its text, a select by its options, an input by its content.
fn control(state: &State, element: &Value) -> String {
    let first = |names: &[&str]| {
        let found = names
            .iter()
            .find_map(|name| element.get(*name).filter(|v| !v.is_null()));
        found.map(|value| {
            value
                .as_str()
                .map_or_else(|| text(state, &value["text"]), ToOwned::to_owned)
        })
    };
    match element["type"].as_str().unwrap_or_default() {
        "button" | "workflow_button" => format!("[{}]", text(state, &element["text"])),
        "image" => format!("[image: {}]", word(element, "alt_text")),
        "radio_buttons"
        | "checkboxes"
        | "overflow"
        | "static_select"
        | "multi_static_select"
        | "external_select"
        | "multi_external_select" => {
            let groups = items(&element["option_groups"]);
            let grouped = groups.flat_map(|group| items(&group["options"]));
            let all: Vec<_> = items(&element["options"])
                .chain(grouped)
                .map(|option| text(state, &option["text"]))
                .collect();
            let many =
                items(&element["initial_options"]).map(|option| text(state, &option["text"]));
            let now: Vec<_> = first(&["initial_option"]).into_iter().chain(many).collect();
            let all = if all.is_empty() {
                "a long list".to_owned()
            } else {
                all.join(" | ")
            };
            match now.join(", ") {
                now if now.is_empty() => format!("<{all}>"),
                now => format!("<{all}, now {now}>"),
            }
        }
        _ => {
            let placeholder = || items_text(state, &element["placeholder"]);
            let inside = first(&["initial_value", "initial_date", "initial_time"])
                .unwrap_or_else(placeholder);
            format!("<{inside}>")
        }
    }
}

fn rich(state: &State, part: &Value) -> String {
    let line = |part: &Value| {
        items(&part["elements"])
            .map(|element| inline(state, element))
            .collect::<String>()
    };
    match part["type"].as_str().unwrap_or_default() {
        "rich_text_list" => {
            let all: Vec<_> = items(&part["elements"])
                .map(|item| format!("- {}", line(item)))
                .collect();
            all.join("\n")
        }
        "rich_text_preformatted" => format!("```\n{}\n```", line(part)),
        "rich_text_quote" => format!("> {}", line(part)),
        _ => line(part),
    }
}

fn inline(state: &State, element: &Value) -> String {
    match element["type"].as_str().unwrap_or_default() {
        "text" => word(element, "text").to_owned(),
        "user" => plain(state, &format!("<@{}>", word(element, "user_id"))),
        "usergroup" => plain(
            state,
            &format!("<!subteam^{}>", word(element, "usergroup_id")),
        ),
        "channel" => plain(state, &format!("<#{}>", word(element, "channel_id"))),
        "link" => match element["text"].as_str() {
            Some(label) => format!("{label} ({})", word(element, "url")),
            None => word(element, "url").to_owned(),
        },
        "emoji" => format!(":{}:", word(element, "name")),
        "date" => word(element, "fallback").to_owned(),
        "broadcast" => format!("@{}", word(element, "range")),
        _ => String::new(),
    }
}

/// A text object: markup is resolved, plain text is unchanged.
fn text(state: &State, object: &Value) -> String {
    let raw = word(object, "text");
    if object["type"] == "mrkdwn" {
        plain(state, raw)
    } else {
        raw.to_owned()
    }
}

fn items_text(state: &State, object: &Value) -> String {
    if object.is_object() {
        text(state, object)
    } else {
        String::new()
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn word<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}
