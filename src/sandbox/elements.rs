//! Checks Block Kit elements and composition objects as Slack does.

use std::collections::HashSet;

use serde_json::Value;

use super::blocks::Problems;
use super::limits;

/// Checks an interactive element by its type.
pub(super) fn check_element(element: &Value, at: &str, problems: &mut Problems) {
    problems.maybe_string(element, "action_id", limits::ID, at);
    problems.maybe_plain(element, "placeholder", limits::PLACEHOLDER, at);
    check_confirm(element, at, problems);
    match element["type"].as_str() {
        Some("button" | "workflow_button" | "icon_button") => check_button(element, at, problems),
        Some("static_select" | "multi_static_select") => check_select(element, at, problems),
        Some("radio_buttons" | "checkboxes") => {
            check_options(
                &element["options"],
                limits::CHOICES,
                &format!("{at}/options"),
                problems,
            );
        }
        Some("overflow") => check_options(
            &element["options"],
            limits::OVERFLOW,
            &format!("{at}/options"),
            problems,
        ),
        Some("plain_text_input") => check_text_input(element, at, problems),
        Some("datepicker") => check_pattern(element, "initial_date", "dddd-dd-dd", at, problems),
        Some("timepicker") => check_pattern(element, "initial_time", "dd:dd", at, problems),
        Some(
            "users_select"
            | "multi_users_select"
            | "conversations_select"
            | "multi_conversations_select"
            | "channels_select"
            | "multi_channels_select"
            | "external_select"
            | "multi_external_select"
            | "datetimepicker"
            | "number_input"
            | "email_text_input"
            | "url_text_input"
            | "rich_text_input"
            | "file_input",
        ) => {}
        Some(other) => problems.add(&format!("unsupported type: {other}"), &format!("{at}/type")),
        None => problems.add("missing required field: type", at),
    }
}

/// Checks a button.
pub(super) fn check_button(button: &Value, at: &str, problems: &mut Problems) {
    problems.text(
        &button["text"],
        false,
        limits::BUTTON_TEXT,
        &format!("{at}/text"),
    );
    problems.maybe_string(button, "action_id", limits::ID, at);
    problems.maybe_string(button, "value", limits::BUTTON_VALUE, at);
    problems.maybe_string(button, "url", limits::URL, at);
    problems.maybe_string(
        button,
        "accessibility_label",
        limits::ACCESSIBILITY_LABEL,
        at,
    );
    match button.get("style") {
        None | Some(Value::Null) => {}
        Some(style) if style == "primary" || style == "danger" => {}
        Some(_) => problems.add("must be primary or danger", &format!("{at}/style")),
    }
    check_confirm(button, at, problems);
}

fn check_confirm(element: &Value, at: &str, problems: &mut Problems) {
    let Some(confirm) = element.get("confirm").filter(|confirm| !confirm.is_null()) else {
        return;
    };
    let at = format!("{at}/confirm");
    problems.text(
        &confirm["title"],
        false,
        limits::CONFIRM_TITLE,
        &format!("{at}/title"),
    );
    problems.text(
        &confirm["text"],
        true,
        limits::CONFIRM_TEXT,
        &format!("{at}/text"),
    );
    problems.maybe_plain(confirm, "confirm", limits::CONFIRM_BUTTON, &at);
    problems.maybe_plain(confirm, "deny", limits::CONFIRM_BUTTON, &at);
}

fn check_select(element: &Value, at: &str, problems: &mut Problems) {
    match (element.get("options"), element.get("option_groups")) {
        (Some(options), None) => {
            check_options(options, limits::OPTIONS, &format!("{at}/options"), problems);
        }
        (None, Some(groups)) => {
            let at = format!("{at}/option_groups");
            problems.list(groups, limits::OPTIONS, &at, |problems, group, at| {
                problems.text(
                    &group["label"],
                    false,
                    limits::OPTION_TEXT,
                    &format!("{at}/label"),
                );
                check_options(
                    &group["options"],
                    limits::OPTIONS,
                    &format!("{at}/options"),
                    problems,
                );
            });
        }
        _ => problems.add("exactly one of options and option_groups is needed", at),
    }
    check_initial(element, at, problems);
}

fn check_options(options: &Value, max: usize, at: &str, problems: &mut Problems) {
    let mut values = HashSet::new();
    problems.list(options, max, at, |problems, option, at| {
        problems.text(
            &option["text"],
            true,
            limits::OPTION_TEXT,
            &format!("{at}/text"),
        );
        problems.string(
            &option["value"],
            limits::OPTION_VALUE,
            &format!("{at}/value"),
        );
        if let Some(description) = option.get("description").filter(|text| !text.is_null()) {
            problems.text(
                description,
                true,
                limits::OPTION_TEXT,
                &format!("{at}/description"),
            );
        }
        if let Some(value) = option["value"].as_str()
            && !values.insert(value.to_owned())
        {
            problems.add(&format!("duplicate value: {value}"), &format!("{at}/value"));
        }
    });
}

/// The first error that Slack would report for options offered in a long list; the list may be empty.
pub(super) fn options_problem(options: &[Value]) -> Option<String> {
    if options.is_empty() {
        return None;
    }
    let mut problems = Problems::default();
    check_options(&options.into(), limits::OPTIONS, "/options", &mut problems);
    problems.first()
}

/// An initial option must be among the options.
fn check_initial(element: &Value, at: &str, problems: &mut Problems) {
    let flat = element["options"].as_array().cloned().unwrap_or_default();
    let groups = element["option_groups"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let grouped = groups
        .iter()
        .filter_map(|group| group["options"].as_array())
        .flatten();
    let known: HashSet<&str> = flat
        .iter()
        .chain(grouped)
        .filter_map(|option| option["value"].as_str())
        .collect();
    let many = element["initial_options"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let one = element
        .get("initial_option")
        .filter(|option| !option.is_null());
    for initial in many.iter().chain(one) {
        if !initial["value"]
            .as_str()
            .is_some_and(|value| known.contains(value))
        {
            problems.add("the initial option is not among the options", at);
        }
    }
}

fn check_text_input(element: &Value, at: &str, problems: &mut Problems) {
    for field in ["min_length", "max_length"] {
        if element[field]
            .as_u64()
            .is_some_and(|length| length > limits::INPUT_LENGTH)
        {
            problems.add("must be no more than 3000", &format!("{at}/{field}"));
        }
    }
    if element["max_length"].as_u64() == Some(0) {
        problems.add("must be at least 1", &format!("{at}/max_length"));
    }
    if let (Some(text), Some(max)) = (
        element["initial_value"].as_str(),
        element["max_length"].as_u64(),
    ) && u64::try_from(text.chars().count()).unwrap_or(u64::MAX) > max
    {
        problems.add("is longer than max_length", &format!("{at}/initial_value"));
    }
}

/// Checks a value like `2026-11-23`; in the pattern `d` stands for a digit.
fn check_pattern(element: &Value, field: &str, pattern: &str, at: &str, problems: &mut Problems) {
    let Some(value) = element.get(field).filter(|value| !value.is_null()) else {
        return;
    };
    let fits = |text: &str| {
        text.len() == pattern.len()
            && text
                .chars()
                .zip(pattern.chars())
                .all(|(c, p)| if p == 'd' { c.is_ascii_digit() } else { c == p })
    };
    if !value.as_str().is_some_and(fits) {
        problems.add("is malformed", &format!("{at}/{field}"));
    }
}
