//! The Slack app's manifest, as `countersign manifest` prints it: the files of `manifests/slack`, with the server's own address.

use super::settings::BaseUrl;

const HTTP: &str = include_str!("../../manifests/slack/http.yaml");

/// The address that stands in the file until the operator's own is known.
const EXAMPLE: &str = "https://countersign.example.com";

/// The manifest of an app that Slack reaches at `url`.
pub fn over_http(url: &BaseUrl) -> String {
    HTTP.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.replace(EXAMPLE, &url.to_string()) + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn read(text: &str) -> Value {
        serde_saphyr::from_str(text).expect("YAML")
    }

    fn printed() -> Value {
        let url = BaseUrl::parse("https://approvals.acme.test/bot/").expect("address");
        read(&over_http(&url))
    }

    #[test]
    fn everything_points_at_the_one_address() {
        let manifest = printed();
        let inbound = Value::from("https://approvals.acme.test/bot/slack/events");
        let commands = manifest["features"]["slash_commands"]
            .as_array()
            .expect("commands");
        assert_eq!(commands.len(), 1);
        for command in commands {
            assert_eq!(command["url"], inbound);
        }
        let settings = &manifest["settings"];
        assert_eq!(settings["event_subscriptions"]["request_url"], inbound);
        assert_eq!(settings["interactivity"]["request_url"], inbound);
        let lists = &settings["interactivity"]["message_menu_options_url"];
        assert_eq!(*lists, inbound);
        assert_eq!(settings["socket_mode_enabled"], Value::from(false));
        assert!(!manifest.to_string().contains("example.com"));
    }

    /// The limits of Slack's manifest schema 2.0.0 that this app can meet.
    #[test]
    fn slack_would_take_it() {
        let long = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
        let manifest = printed();
        let keys: Vec<_> = manifest
            .as_object()
            .expect("a mapping")
            .keys()
            .cloned()
            .collect();
        assert_eq!(
            keys,
            [
                "display_information",
                "features",
                "oauth_config",
                "settings"
            ]
        );
        let display = &manifest["display_information"];
        assert!((1..=35).contains(&long(&display["name"])));
        assert!((1..=140).contains(&long(&display["description"])));
        assert!((175..=4_000).contains(&long(&display["long_description"])));
        assert_eq!(long(&display["background_color"]), 7);
        let features = &manifest["features"];
        assert!((1..=80).contains(&long(&features["bot_user"]["display_name"])));
        for command in features["slash_commands"].as_array().expect("commands") {
            let name = command["command"].as_str().expect("a name");
            assert!(name.starts_with('/') && (2..=32).contains(&name.len()));
            assert!((1..=2_000).contains(&long(&command["description"])));
            assert!((1..=1_000).contains(&long(&command["usage_hint"])));
            assert_eq!(command["should_escape"], Value::from(true));
        }
        let interactivity = &manifest["settings"]["interactivity"];
        assert_eq!(interactivity["is_enabled"], Value::from(true));
    }

    #[test]
    fn nothing_asks_for_what_people_write() {
        let manifest = printed();
        let scopes: Vec<_> = manifest["oauth_config"]["scopes"]["bot"]
            .as_array()
            .expect("scopes")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(
            scopes,
            [
                "commands",
                "chat:write",
                "im:write",
                "users:read",
                "usergroups:read"
            ]
        );
        assert!(
            !manifest["oauth_config"]["scopes"]
                .as_object()
                .expect("a mapping")
                .contains_key("user")
        );
    }
}
