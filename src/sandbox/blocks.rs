//! Checks Block Kit as Slack does: messages, modals and Home tabs.

use std::collections::HashSet;

use serde_json::Value;

use super::api::ApiError;
use super::elements::{check_button, check_element};
use super::limits;

/// Validation errors, each with its JSON pointer.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    pub(super) fn add(&mut self, what: &str, at: &str) {
        self.0.push(format!("[ERROR] {what} [json-pointer:{at}]"));
    }

    /// The first error.
    pub(super) fn first(self) -> Option<String> {
        self.0.into_iter().next()
    }

    fn refuse_as(self, code: &'static str) -> Result<(), ApiError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ApiError {
                code,
                messages: self.0,
            })
        }
    }

    /// Requires a string of 1..=`max` characters.
    pub(super) fn string(&mut self, value: &Value, max: usize, at: &str) {
        match value.as_str() {
            None => self.add("must be a string", at),
            Some("") => self.add("must be more than 0 characters", at),
            Some(text) if text.chars().count() > max => {
                self.add(&format!("must be less than {} characters", max + 1), at);
            }
            Some(_) => {}
        }
    }

    /// The same for an optional field.
    pub(super) fn maybe_string(&mut self, owner: &Value, field: &str, max: usize, at: &str) {
        if let Some(value) = owner.get(field).filter(|value| !value.is_null()) {
            self.string(value, max, &format!("{at}/{field}"));
        }
    }

    /// Requires a text object; `mrkdwn` says whether Slack's markup is allowed in it.
    pub(super) fn text(&mut self, value: &Value, mrkdwn: bool, max: usize, at: &str) {
        match value["type"].as_str() {
            Some("plain_text") => {}
            Some("mrkdwn") if mrkdwn => {}
            Some(other) => self.add(&format!("unsupported type: {other}"), &format!("{at}/type")),
            None => return self.add("missing required field: text", at),
        }
        self.string(&value["text"], max, &format!("{at}/text"));
    }

    /// The same for an optional plain text object.
    pub(super) fn maybe_plain(&mut self, owner: &Value, field: &str, max: usize, at: &str) {
        if let Some(value) = owner.get(field).filter(|value| !value.is_null()) {
            self.text(value, false, max, &format!("{at}/{field}"));
        }
    }

    /// Requires a list of 1..=`max` items and checks each with its pointer.
    pub(super) fn list(
        &mut self,
        value: &Value,
        max: usize,
        at: &str,
        mut each: impl FnMut(&mut Self, &Value, &str),
    ) {
        let Some(items) = value.as_array() else {
            return self.add("must be an array", at);
        };
        if items.is_empty() {
            self.add("no fewer than 1 items allowed", at);
        }
        if items.len() > max {
            self.add(&format!("no more than {max} items allowed"), at);
        }
        for (index, item) in items.iter().enumerate() {
            each(self, item, &format!("{at}/{index}"));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Surface {
    Message,
    Modal,
    Home,
}

/// Checks the blocks of a message.
pub(super) fn check_message(blocks: &[Value]) -> Result<(), ApiError> {
    let mut problems = Problems::default();
    if blocks.len() > limits::MESSAGE_BLOCKS {
        problems.add(
            &format!("no more than {} items allowed", limits::MESSAGE_BLOCKS),
            "/blocks",
        );
    }
    check_blocks(blocks, Surface::Message, "/blocks", &mut problems);
    problems.refuse_as("invalid_blocks")?;
    if blocks.iter().map(text_length).sum::<usize>() > limits::MESSAGE_BLOCKS_TEXT {
        return Err("msg_blocks_too_long".into());
    }
    Ok(())
}

/// Checks a modal or a Home tab.
pub(super) fn check_view(view: &Value) -> Result<(), ApiError> {
    if view.to_string().len() > limits::VIEW_BYTES {
        return Err("view_too_large".into());
    }
    let mut problems = Problems::default();
    let surface = if view["type"] == "home" {
        Surface::Home
    } else {
        Surface::Modal
    };
    if surface == Surface::Modal {
        problems.text(&view["title"], false, limits::VIEW_TITLE, "/view/title");
        problems.maybe_plain(view, "submit", limits::VIEW_TITLE, "/view");
        problems.maybe_plain(view, "close", limits::VIEW_TITLE, "/view");
    }
    for (field, max) in [
        ("private_metadata", limits::PRIVATE_METADATA),
        ("callback_id", limits::ID),
        ("external_id", limits::ID),
    ] {
        if view[field]
            .as_str()
            .is_some_and(|text| text.chars().count() > max)
        {
            problems.add(
                &format!("must be less than {} characters", max + 1),
                &format!("/view/{field}"),
            );
        }
    }
    match view["blocks"].as_array() {
        None => problems.add("missing required field: blocks", "/view"),
        Some(blocks) => {
            if blocks.len() > limits::VIEW_BLOCKS {
                problems.add(
                    &format!("no more than {} items allowed", limits::VIEW_BLOCKS),
                    "/view/blocks",
                );
            }
            check_blocks(blocks, surface, "/view/blocks", &mut problems);
            let has_input = blocks.iter().any(|block| block["type"] == "input");
            if surface == Surface::Modal
                && has_input
                && view.get("submit").is_none_or(Value::is_null)
            {
                problems.add(
                    "missing required field: submit (the view has input blocks)",
                    "/view",
                );
            }
        }
    }
    problems.refuse_as("invalid_arguments")
}

fn check_blocks(blocks: &[Value], surface: Surface, at: &str, problems: &mut Problems) {
    let mut ids = HashSet::new();
    let mut markdown = 0;
    for (index, block) in blocks.iter().enumerate() {
        let at = format!("{at}/{index}");
        problems.maybe_string(block, "block_id", limits::ID, &at);
        if let Some(id) = block["block_id"].as_str().filter(|id| !id.is_empty())
            && !ids.insert(id)
        {
            problems.add(
                &format!("`block_id` {id} already exists"),
                &format!("{at}/block_id"),
            );
        }
        if block["type"] == "markdown" {
            markdown += text_length(block);
        }
        check_block(block, surface, &at, problems);
    }
    if markdown > limits::MARKDOWN {
        problems.add("markdown blocks are too long together", at);
    }
}

fn check_block(block: &Value, surface: Surface, at: &str, problems: &mut Problems) {
    match block["type"].as_str() {
        Some("section") => check_section(block, at, problems),
        Some("header") => problems.text(
            &block["text"],
            false,
            limits::HEADER_TEXT,
            &format!("{at}/text"),
        ),
        Some("context") => {
            let at = format!("{at}/elements");
            problems.list(
                &block["elements"],
                limits::CONTEXT_ELEMENTS,
                &at,
                |problems, element, at| {
                    if element["type"] == "image" {
                        check_image(element, at, problems);
                    } else {
                        problems.text(element, true, limits::CONTEXT_TEXT, at);
                    }
                },
            );
        }
        Some("actions") => check_actions(block, at, problems),
        Some("input") => check_input(block, at, problems),
        Some("image") => {
            check_image(block, at, problems);
            problems.maybe_plain(block, "title", limits::IMAGE_TEXT, at);
        }
        Some("rich_text") => check_rich_text(block, at, problems),
        Some("markdown") => {
            problems.string(&block["text"], limits::MARKDOWN, &format!("{at}/text"));
        }
        Some("alert") if surface == Surface::Modal => {}
        Some(
            "divider" | "video" | "table" | "data_table" | "data_visualization" | "context_actions"
            | "card" | "carousel" | "container",
        ) => {}
        Some(other) => problems.add(&format!("unsupported type: {other}"), &format!("{at}/type")),
        None => problems.add("missing required field: type", at),
    }
}

fn check_section(block: &Value, at: &str, problems: &mut Problems) {
    let has = |field: &str| block.get(field).is_some_and(|value| !value.is_null());
    if !has("text") && !has("fields") {
        problems.add("missing required field: text", at);
    }
    if has("text") {
        problems.text(
            &block["text"],
            true,
            limits::SECTION_TEXT,
            &format!("{at}/text"),
        );
    }
    if has("fields") {
        let at = format!("{at}/fields");
        problems.list(
            &block["fields"],
            limits::FIELDS,
            &at,
            |problems, field, at| {
                problems.text(field, true, limits::FIELD_TEXT, at);
            },
        );
    }
    if has("accessory") {
        let at = format!("{at}/accessory");
        let accessory = &block["accessory"];
        match accessory["type"].as_str() {
            Some("image") => check_image(accessory, &at, problems),
            Some("plain_text_input") => {
                problems.add("unsupported type: plain_text_input", &format!("{at}/type"));
            }
            _ => check_element(accessory, &at, problems),
        }
    }
}

fn check_actions(block: &Value, at: &str, problems: &mut Problems) {
    let mut ids = HashSet::new();
    let at = format!("{at}/elements");
    problems.list(
        &block["elements"],
        limits::ACTIONS_ELEMENTS,
        &at,
        |problems, element, at| {
            match element["type"].as_str() {
                Some("button") => check_button(element, at, problems),
                Some("plain_text_input" | "image") => {
                    problems.add("unsupported element in actions", &format!("{at}/type"));
                }
                _ => check_element(element, at, problems),
            }
            if let Some(id) = element["action_id"].as_str()
                && !ids.insert(id.to_owned())
            {
                problems.add(
                    &format!("`action_id` {id} already exists"),
                    &format!("{at}/action_id"),
                );
            }
        },
    );
}

fn check_input(block: &Value, at: &str, problems: &mut Problems) {
    problems.text(
        &block["label"],
        false,
        limits::LABEL,
        &format!("{at}/label"),
    );
    problems.maybe_plain(block, "hint", limits::LABEL, at);
    let at = format!("{at}/element");
    match block["element"]["type"].as_str() {
        Some("button" | "overflow" | "image") => {
            problems.add("unsupported element in input", &format!("{at}/type"));
        }
        _ => check_element(&block["element"], &at, problems),
    }
}

fn check_image(image: &Value, at: &str, problems: &mut Problems) {
    problems.string(
        &image["alt_text"],
        limits::IMAGE_TEXT,
        &format!("{at}/alt_text"),
    );
    if image.get("slack_file").is_none() {
        problems.string(&image["image_url"], limits::URL, &format!("{at}/image_url"));
    }
}

fn check_rich_text(block: &Value, at: &str, problems: &mut Problems) {
    let at = format!("{at}/elements");
    problems.list(
        &block["elements"],
        usize::MAX,
        &at,
        |problems, part, at| match part["type"].as_str() {
            Some(
                "rich_text_section"
                | "rich_text_list"
                | "rich_text_preformatted"
                | "rich_text_quote",
            ) => {
                if !part["elements"].is_array() {
                    problems.add("missing required field: elements", at);
                }
            }
            other => problems.add(
                &format!("unsupported type: {}", other.unwrap_or("none")),
                &format!("{at}/type"),
            ),
        },
    );
}

/// The number of characters that people read in a block.
fn text_length(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(text_length).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if name == "text" => text.chars().count(),
                Value::String(_) => 0,
                other => text_length(other),
            })
            .sum(),
        _ => 0,
    }
}
