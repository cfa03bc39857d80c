//! What the environment says: every variable checked, all complaints at once, and no secret ever printed (threat OP3).
//!
//! Secrets come from the environment alone. A flag would show them to everybody who lists the machine's processes.

use super::logging::{LogArgs, LogSettings};
use super::setting_error::{SettingError, SettingErrors};
use secrecy::SecretString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use url::{Host, Url};

const DATABASE_URL: &str = "DATABASE_URL";
pub(super) const SIGNING_SECRET: &str = "SLACK_SIGNING_SECRET";
pub(super) const BOT_TOKEN: &str = "SLACK_BOT_TOKEN";
pub(super) const APP_TOKEN: &str = "SLACK_APP_TOKEN";

/// Slack's own signing secrets have 32 signs; half of that is the least that nobody guesses.
const SHORTEST_SIGNING_SECRET: usize = 16;

/// The arguments of `countersign serve`; each is a variable, too.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    /// The configuration to load into an empty database, or to apply once when it is new
    #[arg(
        long,
        value_name = "FILE",
        env = "COUNTERSIGN_CONFIG",
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,
    /// The address to listen on
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "COUNTERSIGN_LISTEN",
        default_value = "127.0.0.1:8080",
        hide_env_values = true
    )]
    pub listen: String,
    /// A second address for /metrics, which then leaves the first one
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "COUNTERSIGN_ADMIN_LISTEN",
        hide_env_values = true
    )]
    pub admin_listen: Option<String>,
    /// Where people reach this server, for the web pages, such as `https://countersign.example.com`
    #[arg(
        long,
        value_name = "URL",
        env = "COUNTERSIGN_PUBLIC_URL",
        hide_env_values = true
    )]
    pub public_url: Option<String>,
    /// The Slack app's own id; asked of Slack when left out
    #[arg(long, value_name = "ID", env = "SLACK_APP_ID", hide_env_values = true)]
    pub slack_app_id: Option<String>,
    /// Where Slack's Web API is
    #[arg(
        long,
        value_name = "URL",
        env = "SLACK_API_URL",
        default_value = "https://slack.com/api",
        hide_env_values = true
    )]
    pub slack_api_url: String,
    /// What is logged, and how
    #[command(flatten)]
    pub log: LogArgs,
}

/// Everything `countersign serve` needs from its surroundings, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where to serve `/metrics` instead of on the public port.
    pub admin_listen: Option<SocketAddr>,
    /// Where people reach the web pages.
    pub public_url: Option<BaseUrl>,
    /// The database; a secret, since it may hold a password.
    pub database_url: SecretString,
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// How to speak with Slack.
    pub slack: SlackSettings,
    /// What is logged, and how.
    pub log: LogSettings,
}

/// How to speak with Slack.
#[derive(Debug, Clone)]
pub struct SlackSettings {
    /// The signing secrets that are valid now: one, or two while rotating; none where Slack sends over sockets alone.
    pub signing_secrets: Vec<SecretString>,
    /// The app-level token, for Socket Mode.
    pub app_token: Option<SecretString>,
    /// The bot token.
    pub bot_token: SecretString,
    /// The app's id, where the operator names it.
    pub app_id: Option<String>,
    /// Where Slack's Web API is.
    pub api_url: BaseUrl,
}

const PLAIN_HTTP: &str = "must begin with https://; http:// is allowed for this machine only";
const PLAIN_HTTP_TO_SERVER: &str = "must begin with https://; http:// is allowed for this machine only. \
    If you trust every machine on the way, allow it with --dangerously-allow-plain-http or \
    COUNTERSIGN_DANGEROUSLY_ALLOW_PLAIN_HTTP=1: the token then travels unencrypted";

/// An `https` address, or `http` on this very machine, without credentials, query and closing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Checks an address; the message says what to write instead and never repeats the text, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::read(text, Err(PLAIN_HTTP))
    }

    /// The same for the server of the client commands, for which plain http can be allowed.
    pub fn parse_server(text: &str, allow_plain_http: bool) -> Result<Self, String> {
        let plain = if allow_plain_http {
            Ok(())
        } else {
            Err(PLAIN_HTTP_TO_SERVER)
        };
        Self::read(text, plain)
    }

    fn read(text: &str, plain_http: Result<(), &str>) -> Result<Self, String> {
        let mut url = Url::parse(text.trim()).map_err(|error| {
            format!(
                "is not an address ({error}); write for example https://countersign.example.com"
            )
        })?;
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => plain_http?,
            _ => return Err("must begin with https://".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user name or password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must end with its path, without `?` or `#`".to_owned());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The address of a path below this one; the path begins with a slash.
    pub fn at(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// The address itself.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// The value of an environment variable, as [`Settings::read`] wants it.
pub fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The database alone, for the commands that open it beside a running server.
pub fn database_url(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<SecretString, SettingErrors> {
    let mut checks = Checks::default();
    let url = checks.database(variable(DATABASE_URL).as_deref());
    url.ok_or(SettingErrors(checks.0))
}

/// The bot token alone, for the commands that only read Slack.
pub fn bot_token(variable: impl Fn(&str) -> Option<String>) -> Result<SecretString, SettingErrors> {
    let mut checks = Checks::default();
    let token = checks.bot_token(variable(BOT_TOKEN).as_deref());
    token.ok_or(SettingErrors(checks.0))
}

impl Settings {
    /// Checks arguments and environment; everything that is wrong at once. `variable` reads an environment variable.
    pub fn read(
        args: &ServeArgs,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingErrors> {
        let mut checks = Checks::default();
        let listen = checks.address("COUNTERSIGN_LISTEN", &args.listen);
        let admin_listen = set(args.admin_listen.as_deref())
            .and_then(|text| checks.address("COUNTERSIGN_ADMIN_LISTEN", text));
        if listen.is_some() && listen == admin_listen && listen.is_some_and(|at| at.port() != 0) {
            checks.add(
                "COUNTERSIGN_ADMIN_LISTEN",
                "is the address of COUNTERSIGN_LISTEN; choose another port",
            );
        }
        let public_url = set(args.public_url.as_deref())
            .and_then(|text| checks.origin("COUNTERSIGN_PUBLIC_URL", text));
        let database_url = checks.database(variable(DATABASE_URL).as_deref());
        let slack = checks.slack(args, &variable);
        let log = LogSettings::read(&args.log)
            .map_err(|complaints| checks.0.extend(complaints))
            .ok();
        match (listen, database_url, slack, log) {
            (Some(listen), Some(database_url), Some(slack), Some(log)) if checks.0.is_empty() => {
                Ok(Self {
                    listen,
                    admin_listen,
                    public_url,
                    database_url,
                    config: args
                        .config
                        .clone()
                        .filter(|path| !path.as_os_str().is_empty()),
                    slack,
                    log,
                })
            }
            _ => Err(SettingErrors(checks.0)),
        }
    }
}

/// What is not blank; a blank optional variable counts as left out.
fn set(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// Collects complaints while the values are read.
#[derive(Default)]
struct Checks(Vec<SettingError>);

impl Checks {
    fn add(&mut self, variable: &'static str, message: impl Into<String>) {
        self.0.push(SettingError {
            variable,
            message: message.into(),
        });
    }

    fn take<T>(&mut self, variable: &'static str, read: Result<T, String>) -> Option<T> {
        read.map_err(|message| self.add(variable, message)).ok()
    }

    fn address(&mut self, variable: &'static str, text: &str) -> Option<SocketAddr> {
        let read = text.trim().parse().map_err(|_| {
            "is invalid: expected an IP address and a port, such as 127.0.0.1:8080 or [::]:8080"
                .to_owned()
        });
        self.take(variable, read)
    }

    fn web(&mut self, variable: &'static str, text: &str) -> Option<BaseUrl> {
        self.take(variable, BaseUrl::parse(text))
    }

    /// An address without a path: cookies and pages begin at the root.
    fn origin(&mut self, variable: &'static str, text: &str) -> Option<BaseUrl> {
        let read = BaseUrl::parse(text).and_then(|base| match base.url().path() {
            "" | "/" => Ok(base),
            _ => Err("must name a host alone, without a path".to_owned()),
        });
        self.take(variable, read)
    }

    /// The store reads the address, in every spelling that is understood, and says what is wrong with one; here it only must not be a
    /// server of another kind.
    fn database(&mut self, value: Option<&str>) -> Option<SecretString> {
        let text = set(value).unwrap_or("sqlite://countersign.db");
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        if scheme.is_none_or(|scheme| ["sqlite", "postgres", "postgresql"].contains(&scheme)) {
            return Some(text.into());
        }
        self.add(
            DATABASE_URL,
            "must begin with sqlite:// or postgres://, such as sqlite://countersign.db",
        );
        None
    }

    fn slack(
        &mut self,
        args: &ServeArgs,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Option<SlackSettings> {
        let bot_token = self.bot_token(variable(BOT_TOKEN).as_deref());
        let app_token = variable(APP_TOKEN);
        let over_sockets = set(app_token.as_deref()).is_some();
        let app_token = self.token(APP_TOKEN, "xapp-", app_token.as_deref());
        let signing_secrets = match variable(SIGNING_SECRET) {
            None if over_sockets => Some(Vec::new()),
            secrets => self.signing_secrets(secrets),
        };
        let app_id = set(args.slack_app_id.as_deref()).map(str::to_owned);
        if app_id.as_deref().is_some_and(|id| !is_app_id(id)) {
            self.add("SLACK_APP_ID", "is invalid: expected an ID that starts with \"A\" (app settings, Basic Information)");
        }
        let api_url = self.web("SLACK_API_URL", &args.slack_api_url);
        Some(SlackSettings {
            signing_secrets: signing_secrets?,
            bot_token: bot_token?,
            app_token,
            app_id,
            api_url: api_url?,
        })
    }

    fn bot_token(&mut self, value: Option<&str>) -> Option<SecretString> {
        if set(value).is_none() {
            self.add(BOT_TOKEN, "is not set (app settings, OAuth & Permissions)");
        }
        self.token(BOT_TOKEN, "xoxb-", value)
    }

    fn token(
        &mut self,
        variable: &'static str,
        prefix: &str,
        value: Option<&str>,
    ) -> Option<SecretString> {
        let text = set(value)?;
        let signs = text.bytes().all(|sign| sign.is_ascii_graphic());
        if text.starts_with(prefix) && text.len() > prefix.len() && signs {
            return Some(text.into());
        }
        self.add(
            variable,
            format!(
                "is invalid: expected a token that starts with \"{prefix}\" and contains no spaces"
            ),
        );
        None
    }

    fn signing_secrets(&mut self, value: Option<String>) -> Option<Vec<SecretString>> {
        let Some(text) = value else {
            self.add(
                SIGNING_SECRET,
                "is not set (app settings, Basic Information; or set SLACK_APP_TOKEN for Socket Mode)",
            );
            return None;
        };
        let secrets: Vec<&str> = text.split(',').map(str::trim).collect();
        let wrong = if secrets.len() > 2 {
            Some("holds more than two secrets; keep the new and the old one")
        } else if secrets.iter().any(|secret| secret.is_empty()) {
            Some("is blank, or one of its two secrets is; anybody could sign with an empty secret")
        } else if secrets
            .iter()
            .any(|secret| secret.len() < SHORTEST_SIGNING_SECRET)
        {
            Some("is too short; copy it whole from the Slack app's settings, Basic Information")
        } else if !secrets
            .iter()
            .all(|secret| secret.bytes().all(|sign| sign.is_ascii_graphic()))
        {
            Some(
                "holds signs that no signing secret has; copy it from the Slack app's settings, Basic Information",
            )
        } else {
            None
        };
        if let Some(message) = wrong {
            self.add(SIGNING_SECRET, message);
            return None;
        }
        Some(secrets.into_iter().map(SecretString::from).collect())
    }
}

fn is_app_id(text: &str) -> bool {
    text.len() > 1
        && text.starts_with('A')
        && text
            .bytes()
            .all(|sign| sign.is_ascii_uppercase() || sign.is_ascii_digit())
}

#[cfg(test)]
mod tests;
