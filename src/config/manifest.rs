//! The Slack app's manifest, as `countersign manifest` prints it: the files of `manifests`, with the server's own address.

use super::settings::BaseUrl;

const HTTP: &str = include_str!("../../manifests/slack-app.yaml");
const SOCKET_MODE: &str = include_str!("../../manifests/slack-app-socket-mode.yaml");

/// The address that stands in the file until the operator's own is known.
const EXAMPLE: &str = "https://countersign.example.com";

/// The bot scopes that the manifests ask for: each with what is missing without it.
pub const SCOPES: [(&str, &str); 7] = [
    ("commands", "/approval and /breakglass"),
    ("chat:write", "cards, alerts and direct messages"),
    ("im:write", "direct messages"),
    ("users:read", "whether somebody is a full member"),
    ("usergroups:read", "user groups that are mapped to teams"),
    ("channels:read", "the state of public channels"),
    ("groups:read", "the state of private channels"),
];

/// The manifest of an app that Slack reaches at `url`.
pub fn over_http(url: &BaseUrl) -> String {
    printed(HTTP)
        .map(|line| line.replace(EXAMPLE, &url.to_string()) + "\n")
        .collect()
}

/// The manifest of an app in Socket Mode.
pub fn over_sockets() -> String {
    printed(SOCKET_MODE)
        .map(|line| line.to_owned() + "\n")
        .collect()
}

/// Without the lines at the top, which tell what has just been done.
fn printed(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn read(text: &str) -> Value {
        serde_saphyr::from_str(text).expect("YAML")
    }

    fn over_http() -> Value {
        let url = BaseUrl::parse("https://approvals.acme.test/bot/").expect("address");
        read(&super::over_http(&url))
    }

    fn both() -> [Value; 2] {
        [over_http(), read(&over_sockets())]
    }

    fn texts(list: &Value) -> Vec<&str> {
        let list = list.as_array().expect("a list");
        list.iter()
            .map(|text| text.as_str().expect("a text"))
            .collect()
    }

    #[test]
    fn http_manifest_uses_one_request_url() {
        let manifest = over_http();
        let inbound = Value::from("https://approvals.acme.test/bot/slack/events");
        let commands = manifest["features"]["slash_commands"].as_array();
        for command in commands.expect("commands") {
            assert_eq!(command["url"], inbound);
        }
        let settings = &manifest["settings"];
        assert_eq!(settings["event_subscriptions"]["request_url"], inbound);
        assert_eq!(settings["interactivity"]["request_url"], inbound);
        assert_eq!(
            settings["interactivity"]["message_menu_options_url"],
            inbound
        );
        assert_eq!(settings["socket_mode_enabled"], Value::from(false));
        assert!(!manifest.to_string().contains("example.com"));
    }

    #[test]
    fn socket_mode_manifest_has_no_urls_and_is_otherwise_equal() {
        let [mut http, mut sockets] = both();
        assert_eq!(
            sockets["settings"]["socket_mode_enabled"],
            Value::from(true)
        );
        assert!(!sockets.to_string().contains("http"));
        for command in http["features"]["slash_commands"]
            .as_array_mut()
            .expect("commands")
        {
            command.as_object_mut().expect("a command").remove("url");
        }
        for (part, keys) in [
            ("event_subscriptions", &["request_url"][..]),
            (
                "interactivity",
                &["request_url", "message_menu_options_url"],
            ),
        ] {
            let part = http["settings"][part].as_object_mut().expect("a part");
            for key in keys {
                assert!(part.remove(*key).is_some(), "{key}");
            }
        }
        sockets["settings"]["socket_mode_enabled"] = Value::from(false);
        assert_eq!(http, sockets);
    }

    #[test]
    fn manifest_requests_only_the_scopes_that_are_used() {
        for manifest in both() {
            let scopes = &manifest["oauth_config"]["scopes"];
            let known: Vec<&str> = SCOPES.iter().map(|(scope, _)| *scope).collect();
            assert_eq!(texts(&scopes["bot"]), known);
            // nothing in a person's name, and nothing that reads what people write
            assert_eq!(scopes.as_object().map(serde_json::Map::len), Some(1));
            assert!(!scopes.to_string().contains("history"));
        }
    }

    /// A check of one value of a manifest.
    type Check = fn(&Value) -> bool;

    fn text(value: &Value, from: usize, to: usize) -> bool {
        let length = value.as_str().map(|text| text.chars().count());
        length.is_some_and(|length| (from..=to).contains(&length))
    }

    fn list(value: &Value, most: usize) -> bool {
        value.as_array().is_some_and(|list| list.len() <= most)
    }

    /// Slack's manifest schema 2.0.0, as far as this app meets it: every key that may stand there, and what it may hold.
    const SCHEMA: [(&str, Check); 29] = [
        ("display_information", Value::is_object),
        ("display_information.name", |v| text(v, 1, 35)),
        ("display_information.description", |v| text(v, 1, 140)),
        ("display_information.background_color", |v| text(v, 4, 7)),
        ("display_information.long_description", |v| {
            text(v, 175, 4_000)
        }),
        ("features", Value::is_object),
        ("features.app_home", Value::is_object),
        ("features.app_home.home_tab_enabled", Value::is_boolean),
        ("features.app_home.messages_tab_enabled", Value::is_boolean),
        (
            "features.app_home.messages_tab_read_only_enabled",
            Value::is_boolean,
        ),
        ("features.bot_user", Value::is_object),
        ("features.bot_user.display_name", |v| text(v, 1, 80)),
        ("features.bot_user.always_online", Value::is_boolean),
        ("features.slash_commands", |v| list(v, 50)),
        ("oauth_config", Value::is_object),
        ("oauth_config.scopes", Value::is_object),
        ("oauth_config.scopes.bot", |v| list(v, 255)),
        ("settings", Value::is_object),
        ("settings.event_subscriptions", Value::is_object),
        ("settings.event_subscriptions.request_url", |v| {
            text(v, 1, 3_500)
        }),
        ("settings.event_subscriptions.bot_events", |v| list(v, 100)),
        ("settings.interactivity", Value::is_object),
        ("settings.interactivity.is_enabled", Value::is_boolean),
        ("settings.interactivity.request_url", |v| text(v, 1, 3_500)),
        ("settings.interactivity.message_menu_options_url", |v| {
            text(v, 1, 3_500)
        }),
        ("settings.org_deploy_enabled", Value::is_boolean),
        ("settings.socket_mode_enabled", Value::is_boolean),
        ("settings.token_rotation_enabled", Value::is_boolean),
        ("settings.incoming_webhooks", Value::is_object),
    ];

    /// Each fault of an object below `path`.
    fn faults(path: &str, object: &Value, found: &mut Vec<String>) {
        for (key, value) in object.as_object().into_iter().flatten() {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            match SCHEMA.iter().find(|(known, _)| *known == path) {
                Some((_, check)) if check(value) => faults(&path, value, found),
                Some(_) => found.push(format!("{path} may not hold {value}")),
                None => found.push(format!("{path} is unknown")),
            }
        }
    }

    fn all_faults(manifest: &Value) -> Vec<String> {
        let mut found = Vec::new();
        faults("", manifest, &mut found);
        let sockets = manifest["settings"]["socket_mode_enabled"] == true;
        for command in manifest["features"]["slash_commands"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let name = command["command"].as_str().unwrap_or_default();
            let known = [
                "command",
                "url",
                "description",
                "usage_hint",
                "should_escape",
            ];
            let keys = command.as_object().into_iter().flatten();
            found.extend(
                keys.filter(|(key, _)| !known.contains(&key.as_str()))
                    .map(|(key, _)| key.clone()),
            );
            let fine = name.starts_with('/')
                && text(&command["command"], 2, 32)
                && text(&command["description"], 1, 2_000)
                && text(&command["usage_hint"], 1, 1_000)
                && command["should_escape"].is_boolean()
                && (text(&command["url"], 1, 3_000) || (sockets && command["url"].is_null()));
            found.extend((!fine).then(|| format!("the command {name}")));
        }
        let events = texts(&manifest["settings"]["event_subscriptions"]["bot_events"]);
        let odd = |event: &&&str| {
            !event
                .bytes()
                .all(|sign| sign.is_ascii_lowercase() || sign == b'_' || sign == b'.')
        };
        found.extend(events.iter().filter(odd).map(|event| (*event).to_owned()));
        found
    }

    #[test]
    fn both_manifests_pass_the_schema() {
        for manifest in both() {
            assert_eq!(all_faults(&manifest), Vec::<String>::new());
            let commands = manifest["features"]["slash_commands"]
                .as_array()
                .expect("commands");
            let names: Vec<_> = commands.iter().map(|command| &command["command"]).collect();
            assert_eq!(names, ["/approval", "/breakglass"]);
            assert!(
                commands
                    .iter()
                    .all(|command| command["should_escape"] == true)
            );
        }
    }

    #[test]
    fn invalid_manifests_fail_the_schema() {
        type Spoil = fn(&mut Value);
        let spoils: [Spoil; 7] = [
            |m| m["display_information"]["name"] = "n".repeat(36).into(),
            |m| m["display_information"]["long_description"] = "short".into(),
            |m| m["settings"]["is_hosted_by_us"] = true.into(),
            |m| m["features"]["slash_commands"][0]["command"] = "approval".into(),
            |m| m["features"]["slash_commands"][1]["url"] = Value::Null,
            |m| m["settings"]["interactivity"]["is_enabled"] = "yes".into(),
            |m| m["settings"]["event_subscriptions"]["bot_events"][0] = "App Home".into(),
        ];
        for (number, spoil) in spoils.into_iter().enumerate() {
            let mut manifest = over_http();
            spoil(&mut manifest);
            assert_eq!(all_faults(&manifest).len(), 1, "{number}");
        }
    }
}
