//! Where the client commands find the server, and with which token.

use super::setting_error::{SettingError, SettingErrors};
use super::settings::{APP_TOKEN, BOT_TOKEN, BaseUrl, SIGNING_SECRET};
use secrecy::SecretString;

/// The variable that holds the API token; a flag would show it to everybody who lists the machine's processes.
pub const TOKEN: &str = "COUNTERSIGN_TOKEN";

/// Secrets of ours that the command of `run` never sees. `DATABASE_URL` is not among them: it is as often the command's own.
pub const WITHHELD: [&str; 4] = [TOKEN, SIGNING_SECRET, BOT_TOKEN, APP_TOKEN];

/// The server of a client command.
#[derive(Debug, Clone, clap::Args)]
pub struct ClientArgs {
    /// The Countersign server to talk to
    #[arg(
        long = "url",
        value_name = "URL",
        env = "COUNTERSIGN_URL",
        default_value = "http://127.0.0.1:8080",
        hide_env_values = true,
        global = true
    )]
    pub url: String,
    /// Send the token unencrypted to a plain http:// address of another machine
    #[arg(
        long = "dangerously-allow-plain-http",
        env = "COUNTERSIGN_DANGEROUSLY_ALLOW_PLAIN_HTTP",
        value_name = "1",
        num_args = 0..=1,
        require_equals = true,
        default_value = "0",
        default_missing_value = "1",
        value_parser = yes_or_no,
        hide_default_value = true,
        hide_env_values = true,
        global = true
    )]
    pub allow_plain_http: bool,
}

/// Reads a switch; what is neither yes nor no is refused, and blank means no.
fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.trim() {
        "1" | "true" | "yes" => Ok(true),
        "" | "0" | "false" | "no" => Ok(false),
        _ => Err("write 1 or 0".to_owned()),
    }
}

/// A checked server address and the token for it.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// The server.
    pub url: BaseUrl,
    /// The API token.
    pub token: SecretString,
}

impl ClientSettings {
    /// Checks arguments and environment; everything that is wrong at once. `variable` reads an environment variable.
    pub fn read(
        args: &ClientArgs,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingErrors> {
        let url = BaseUrl::parse_server(&args.url, args.allow_plain_http);
        let token = variable(TOKEN).filter(|text| !text.trim().is_empty());
        match (url, token) {
            (Ok(url), Some(token)) => Ok(Self {
                url,
                token: token.trim().into(),
            }),
            (url, token) => {
                let url = url.err().map(|message| SettingError {
                    variable: "COUNTERSIGN_URL",
                    message,
                });
                let token = token.is_none().then(|| SettingError {
                    variable: TOKEN,
                    message:
                        "is not set; make a token with `countersign token create` and put it there"
                            .to_owned(),
                });
                Err(SettingErrors(url.into_iter().chain(token).collect()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn args(url: &str) -> ClientArgs {
        ClientArgs {
            url: url.to_owned(),
            allow_plain_http: false,
        }
    }

    #[test]
    fn plain_http_to_another_machine_needs_a_word_that_says_what_it_is_f3() {
        let token = |name: &str| (name == TOKEN).then(|| "cs_canary".to_owned());
        let mut args = args("http://countersign.approvals.svc:8080");
        let refused = ClientSettings::read(&args, token).expect_err("refused");
        for name in [
            "--dangerously-allow-plain-http",
            "COUNTERSIGN_DANGEROUSLY_ALLOW_PLAIN_HTTP=1",
        ] {
            assert!(refused.to_string().contains(name), "{refused}");
        }
        args.allow_plain_http = true;
        let allowed = ClientSettings::read(&args, token).expect("allowed");
        assert_eq!(allowed.url.to_string(), args.url);
        args.url = "http://user:canary@countersign.approvals.svc".to_owned();
        assert!(
            ClientSettings::read(&args, token).is_err(),
            "a password stays refused"
        );
    }

    #[test]
    fn a_switch_is_yes_or_no_and_nothing_else_f3() {
        for (text, means) in [
            ("1", true),
            (" yes ", true),
            ("true", true),
            ("0", false),
            ("", false),
            ("no", false),
            ("false", false),
        ] {
            assert_eq!(yes_or_no(text), Ok(means), "{text}");
        }
        for text in ["2", "on", "off", "maybe"] {
            assert!(yes_or_no(text).is_err(), "{text}");
        }
    }

    #[test]
    fn both_setting_errors_are_reported_and_debug_hides_the_token() {
        let faults = ClientSettings::read(&args("ftp://x"), |_| None).expect_err("two faults");
        assert_eq!(faults.0.len(), 2, "{faults}");

        let settings = ClientSettings::read(&args("http://localhost:8080/"), |name| {
            (name == TOKEN).then(|| " canary-token\n".to_owned())
        })
        .expect("good");
        assert_eq!(settings.token.expose_secret(), "canary-token");
        assert_eq!(
            settings.url.at("/v1/requests"),
            "http://localhost:8080/v1/requests"
        );
        assert!(!format!("{settings:?}").contains("canary"));
    }
}
