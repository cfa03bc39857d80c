//! Where the client commands find the server, and with which token.

use super::complaint::{Complaint, Complaints};
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
    ) -> Result<Self, Complaints> {
        let url = BaseUrl::parse(&args.url);
        let token = variable(TOKEN).filter(|text| !text.trim().is_empty());
        match (url, token) {
            (Ok(url), Some(token)) => Ok(Self {
                url,
                token: token.trim().into(),
            }),
            (url, token) => {
                let url = url.err().map(|message| Complaint {
                    variable: "COUNTERSIGN_URL",
                    message,
                });
                let token = token.is_none().then(|| Complaint {
                    variable: TOKEN,
                    message:
                        "is not set; make a token with `countersign token create` and put it there"
                            .to_owned(),
                });
                Err(Complaints(url.into_iter().chain(token).collect()))
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
        }
    }

    #[test]
    fn both_faults_at_once_and_no_token_in_debug() {
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
