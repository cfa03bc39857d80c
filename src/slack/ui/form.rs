//! The inputs of forms, within Slack's limits. Block and action of an input have one name.

use super::blocks::plain_text;
use super::text::{cut, plain};
use serde_json::{Value, json};

/// Most options of one list; a longer one asks for what fits the letters typed so far.
pub const OPTIONS: usize = 100;
/// Most characters of an option's text.
const OPTION_TEXT: usize = 75;
/// Most characters of an option's value.
const OPTION_VALUE: usize = 150;
/// Most characters that an input takes.
pub const LONGEST: usize = 3_000;

/// An input of text.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// Block and action.
    pub name: &'a str,
    /// What it is called.
    pub label: &'a str,
    /// What helps to fill it in; may be empty.
    pub hint: &'a str,
    /// Whether it may stay empty.
    pub optional: bool,
    /// Most characters.
    pub most: usize,
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self {
            name: "",
            label: "",
            hint: "",
            optional: false,
            most: LONGEST,
        }
    }
}

/// One line of text.
pub fn line(text: &Text<'_>, now: Option<&str>) -> Value {
    written(text, now, false)
}

/// Several lines of text.
pub fn lines(text: &Text<'_>, now: Option<&str>) -> Value {
    written(text, now, true)
}

fn written(text: &Text<'_>, now: Option<&str>, multiline: bool) -> Value {
    let mut element = json!({
        "type": "plain_text_input",
        "action_id": text.name,
        "multiline": multiline,
        "max_length": text.most,
    });
    // what would be cut is left out: half of it must not pass for all of it
    if let Some(now) = now.filter(|now| !now.is_empty() && now.chars().count() <= text.most) {
        element["initial_value"] = now.into();
    }
    input(text.name, text.label, text.hint, text.optional, &element)
}

/// Something to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub words: String,
}

impl Choice {
    /// A choice that is read as it is sent.
    pub fn named(value: &str) -> Self {
        Self {
            value: value.to_owned(),
            words: value.to_owned(),
        }
    }

    /// As Slack takes it; nothing for a value that is too long to be sent whole.
    pub fn option(&self) -> Option<Value> {
        let fits = (1..=OPTION_VALUE).contains(&self.value.chars().count());
        let words = cut(&plain(&self.words), OPTION_TEXT);
        fits.then(|| json!({ "text": plain_text(&words), "value": self.value }))
    }
}

/// A list to choose one from.
#[derive(Debug, Clone, Copy)]
pub struct Select<'a> {
    /// Block and action.
    pub name: &'a str,
    /// What it is called.
    pub label: &'a str,
    /// What helps to choose; may be empty.
    pub hint: &'a str,
    /// Whether it may stay empty.
    pub optional: bool,
    /// Most options that are sent along; a longer list asks for what fits the letters typed so far.
    pub most: usize,
}

/// Bytes of a view's JSON; Slack echoes it back (docs/decisions.md D32).
const VIEW_BYTES: usize = 55_000;

/// A form with as many options sent along as fit; nothing, where even without them it is too large.
pub fn sized(build: impl Fn(usize) -> Value) -> Option<Value> {
    let views = [OPTIONS, 30, 0].into_iter().map(build);
    views
        .into_iter()
        .find(|view| view.to_string().len() <= VIEW_BYTES)
}

/// Several boxes to tick.
pub fn boxes(name: &str, label: &str, choices: &[Choice], now: &[&str]) -> Value {
    let ticked = |choice: &&Choice| now.contains(&choice.value.as_str());
    let chosen: Vec<Value> = choices
        .iter()
        .filter(ticked)
        .filter_map(Choice::option)
        .collect();
    let options: Vec<Value> = choices.iter().filter_map(Choice::option).collect();
    let mut element = json!({ "type": "checkboxes", "action_id": name, "options": options });
    if !chosen.is_empty() {
        element["initial_options"] = chosen.into();
    }
    input(name, label, "", true, &element)
}

/// A list to choose from, in groups; `None` where there is nothing to choose.
pub fn grouped(
    select: &Select<'_>,
    groups: &[(&str, Vec<Choice>)],
    now: Option<&str>,
) -> Option<Value> {
    let groups: Vec<_> = groups
        .iter()
        .filter(|(_, choices)| !choices.is_empty())
        .collect();
    let all: Vec<Choice> = groups
        .iter()
        .flat_map(|(_, choices)| choices.clone())
        .collect();
    let too_long = groups
        .iter()
        .any(|(_, choices)| choices.len() > select.most);
    if groups.is_empty() || too_long {
        return one_of(select, &all, now);
    }
    let groups: Vec<Value> = groups
        .into_iter()
        .map(|(label, choices)| {
            let options: Vec<Value> = choices.iter().filter_map(Choice::option).collect();
            json!({ "label": plain_text(label), "options": options })
        })
        .collect();
    let element =
        json!({ "type": "static_select", "action_id": select.name, "option_groups": groups });
    Some(chosen(select, element, &all, now))
}

/// A list to choose one from; `None` where there is nothing to choose.
pub fn one_of(select: &Select<'_>, choices: &[Choice], now: Option<&str>) -> Option<Value> {
    let options: Vec<Value> = choices.iter().filter_map(Choice::option).collect();
    if options.is_empty() {
        return None;
    }
    let mut element = json!({ "type": "static_select", "action_id": select.name });
    if options.len() > select.most {
        element["type"] = "external_select".into();
        element["min_query_length"] = 0.into();
    } else {
        element["options"] = options.into();
    }
    Some(chosen(select, element, choices, now))
}

fn chosen(select: &Select<'_>, mut element: Value, choices: &[Choice], now: Option<&str>) -> Value {
    element["placeholder"] = plain_text("Choose");
    let first = choices
        .iter()
        .find(|choice| Some(choice.value.as_str()) == now);
    if let Some(option) = first.and_then(Choice::option) {
        element["initial_option"] = option;
    }
    input(
        select.name,
        select.label,
        select.hint,
        select.optional,
        &element,
    )
}

/// A list to choose several from; `None` where there is nothing to choose. What is chosen keeps its order, and what is not offered any
/// more stays chosen: only a person takes it out.
pub fn several_of(select: &Select<'_>, choices: &[Choice], now: &[String]) -> Option<Value> {
    let offered = |id: &String| choices.iter().find(|choice| choice.value == *id).cloned();
    let chosen: Vec<Choice> = now
        .iter()
        .map(|id| offered(id).unwrap_or_else(|| Choice::named(id)))
        .collect();
    let unknown = chosen.iter().filter(|choice| !choices.contains(choice));
    let options: Vec<Value> = choices
        .iter()
        .chain(unknown)
        .filter_map(Choice::option)
        .collect();
    if options.is_empty() {
        return None;
    }
    let chosen: Vec<Value> = chosen.iter().filter_map(Choice::option).collect();
    let mut element = json!({
        "type": "multi_static_select",
        "action_id": select.name,
        "placeholder": plain_text("Choose"),
    });
    if options.len() > select.most {
        element["type"] = "multi_external_select".into();
        element["min_query_length"] = 0.into();
    } else {
        element["options"] = options.into();
    }
    if !chosen.is_empty() {
        element["initial_options"] = chosen.into();
    }
    Some(input(
        select.name,
        select.label,
        select.hint,
        select.optional,
        &element,
    ))
}

/// What fits the letters typed so far: names that begin with them first.
pub fn fitting(choices: &[Choice], typed: &str) -> Vec<Value> {
    let typed = typed.trim().to_lowercase();
    let mut found: Vec<(bool, &Choice)> = choices
        .iter()
        .filter_map(|choice| {
            let value = choice.value.to_lowercase();
            let fits = value.contains(&typed) || choice.words.to_lowercase().contains(&typed);
            fits.then(|| (!value.starts_with(&typed), choice))
        })
        .collect();
    found.sort_by_key(|(later, _)| *later);
    let options = found.into_iter().filter_map(|(_, choice)| choice.option());
    options.take(OPTIONS).collect()
}

fn input(name: &str, label: &str, hint: &str, optional: bool, element: &Value) -> Value {
    let mut block = json!({
        "type": "input",
        "block_id": name,
        "optional": optional,
        "label": plain_text(label),
        "element": element,
    });
    if !hint.is_empty() {
        block["hint"] = plain_text(hint);
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(many: usize) -> Vec<Choice> {
        (0..many)
            .map(|n| Choice::named(&format!("project-{n}")))
            .collect()
    }

    const SELECT: Select<'_> = Select {
        name: "project",
        label: "Project",
        hint: "",
        optional: true,
        most: OPTIONS,
    };

    #[test]
    fn long_option_lists_are_searched_on_the_server() {
        let kind = |many| {
            one_of(&SELECT, &choices(many), Some("project-7")).expect("a list")["element"].clone()
        };
        assert_eq!(kind(100)["type"], "static_select");
        assert_eq!(kind(101)["type"], "external_select");
        for many in [100, 101] {
            assert_eq!(kind(many)["initial_option"]["value"], "project-7");
        }
        assert_eq!(one_of(&SELECT, &[], None), None);
        assert_eq!(grouped(&SELECT, &[("Empty", Vec::new())], None), None);
        let long = grouped(&SELECT, &[("Many", choices(101))], None).expect("a list");
        assert_eq!(long["element"]["type"], "external_select");
    }

    #[test]
    fn options_start_with_the_typed_text() {
        let names = ["my-api", "api", "billing", "API-gateway"].map(Choice::named);
        let found: Vec<Value> = fitting(&names, " api ")
            .iter()
            .map(|o| o["value"].clone())
            .collect();
        assert_eq!(found, ["api", "API-gateway", "my-api"]);
        assert_eq!(fitting(&choices(300), "").len(), OPTIONS);
        assert!(fitting(&names, "xyz").is_empty());
    }

    #[test]
    fn text_that_does_not_fit_is_not_cut() {
        let text = Text {
            name: "release",
            label: "Release",
            most: 5,
            ..Text::default()
        };
        assert_eq!(
            line(&text, Some("12345"))["element"]["initial_value"],
            "12345"
        );
        assert_eq!(
            line(&text, Some("123456"))["element"].get("initial_value"),
            None
        );
    }
}
