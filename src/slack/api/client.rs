//! The Web API methods that we call, each with a time-out, over slack-morphism's client. Nothing here retries; the outbox does.

mod introduction;
mod reach;
mod reads;

pub use introduction::{Introduction, NotIntroduced, introduce};
pub use reads::patiently;

use crate::domain::time::Timestamp;
use crate::net::{Connector, Proxies, address_of};
use crate::slack::api::channels::{Audience, Channels};
use crate::slack::api::error::SlackError;
use crate::slack::api::message::Message;
use crate::slack::api::reply::{
    AuthTest, BotReply, ChannelReply, ConnectionReply, Done, HookReply, OpenedView, Posted, Reply,
    SlackUser, UserGroup, UserGroupsReply, UserReply, UsersPage, ViewReply,
};
use crate::slack::api::ttl_cache::TtlCache;
use reach::Reach;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use slack_morphism::prelude::{
    SlackApiToken, SlackApiTokenValue, SlackClient, SlackClientHttpConnector,
    SlackClientHyperConnector,
};
use slack_morphism::{ClientResult, SlackClientApiCallContext};
use std::sync::Arc;
use std::time::Duration;
use tracing::{Instrument as _, debug_span};
use url::{Host, Url};

/// Slack's own address of the Web API.
pub const SLACK_API_URL: &str = "https://slack.com/api";

/// How long a call may take (docs/decisions.md D30); after it the outcome is unknown.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// How many people's time zones are kept.
const TIME_ZONES_CAPACITY: usize = 10_000;

/// Users of a page; Slack gives a thousand at most, and may give fewer.
const USERS_PAGE_SIZE: &str = "500";

/// Where a `response_url` may lead, besides the host of the Web API (threat NO7).
const HOOK_HOSTS: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];

/// Slack's Web API for one bot token; cheap to clone.
#[derive(Clone)]
pub struct Slack {
    client: Arc<SlackClient<SlackClientHyperConnector<SecureConnector>>>,
    token: Arc<SlackApiToken>,
    base: Url,
    proxies: Proxies,
    channels: Arc<Channels>,
    time_zones: Arc<TtlCache<Option<String>>>,
    reach: Arc<Reach>,
}

/// Why a client could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadClient {
    /// `SLACK_API_URL` is no http(s) address.
    #[error("the address of Slack's Web API must be http or https, such as {SLACK_API_URL}")]
    Url,
    /// No certificates to check Slack with.
    #[error("no root certificates: install the system's ca-certificates ({0})")]
    Certificates(String),
}

impl Slack {
    /// A client for this token. `api_url` is [`SLACK_API_URL`], Slack for governments, or a local workspace.
    pub fn new(token: &SecretString, api_url: &str) -> Result<Self, BadClient> {
        Self::through(token, api_url, &Proxies::from_env())
    }

    /// The same through these proxies.
    pub fn through(
        token: &SecretString,
        api_url: &str,
        proxies: &Proxies,
    ) -> Result<Self, BadClient> {
        let trimmed = api_url.trim_end_matches('/');
        let base: Url = trimmed.parse().map_err(|_| BadClient::Url)?;
        let secure = match base.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(BadClient::Url),
        };
        let connector = SlackClientHyperConnector::with_connector(connector(secure, proxies)?)
            .with_slack_api_url(trimmed);
        let token = SlackApiToken::new(SlackApiTokenValue(token.expose_secret().to_owned()));
        Ok(Self {
            client: Arc::new(SlackClient::new(connector)),
            token: Arc::new(token),
            base,
            proxies: proxies.clone(),
            channels: Arc::default(),
            time_zones: Arc::new(TtlCache::new(TIME_ZONES_CAPACITY)),
            reach: Arc::default(),
        })
    }

    /// The proxies on the way to Slack.
    pub fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// Who reads what is posted in a channel; looked up at most every ten minutes.
    pub async fn audience(&self, channel: &str, now: Timestamp) -> Result<Audience, SlackError> {
        self.channels.audience(self, channel, now).await
    }

    /// Whether the latest calls all ended without reaching Slack: its way to Slack may be cut for this replica alone.
    pub fn is_cut_off(&self) -> bool {
        self.reach.is_cut_off()
    }

    /// Looks channels up anew, because Slack says that one has changed.
    pub fn forget_channels(&self) {
        self.channels.forget();
    }

    /// Whose token it is.
    pub async fn auth_test(&self) -> Result<AuthTest, SlackError> {
        self.post("auth.test", &json!({})).await
    }

    /// The id of the app a bot belongs to.
    pub async fn bots_info(&self, bot_id: &str) -> Result<String, SlackError> {
        let params = vec![("bot", Some(bot_id.to_owned()))];
        let reply: BotReply = self.get("bots.info", &params).await?;
        Ok(reply.bot.app_id)
    }

    /// What Slack knows of a user.
    pub async fn users_info(&self, user_id: &str) -> Result<SlackUser, SlackError> {
        let params = vec![("user", Some(user_id.to_owned()))];
        let reply: UserReply = self.get("users.info", &params).await?;
        Ok(reply.user)
    }

    /// The time zone of a user's profile; looked up at most every ten minutes.
    pub async fn time_zone(
        &self,
        user_id: &str,
        now: Timestamp,
    ) -> Result<Option<String>, SlackError> {
        let asked = match self.time_zones.get(user_id, now) {
            Ok(known) => return Ok(known),
            Err(asked) => asked,
        };
        let zone = self.users_info(user_id).await?.tz;
        self.time_zones.keep(user_id, zone.clone(), now, asked);
        Ok(zone)
    }

    /// A page of the workspace's users; an organization's token needs the workspace named.
    pub async fn users_list(
        &self,
        team_id: &str,
        cursor: Option<&str>,
    ) -> Result<UsersPage, SlackError> {
        let params = vec![
            ("team_id", Some(team_id.to_owned())),
            ("limit", Some(USERS_PAGE_SIZE.to_owned())),
            ("cursor", cursor.map(str::to_owned)),
        ];
        self.get("users.list", &params).await
    }

    /// Every user group that is not switched off, with its users and who changed it last, in one answer: what is asked for in two
    /// could belong to two moments.
    pub async fn user_groups(&self, team_id: &str) -> Result<Vec<UserGroup>, SlackError> {
        let params = vec![
            ("team_id", Some(team_id.to_owned())),
            ("include_users", Some("true".to_owned())),
        ];
        let reply: UserGroupsReply = self.get("usergroups.list", &params).await?;
        Ok(reply.usergroups)
    }

    /// Posts a message, into a thread where one is named.
    pub async fn post_message(
        &self,
        channel: &str,
        message: &Message,
        thread_ts: Option<&str>,
    ) -> Result<Posted, SlackError> {
        let mut body = message.body();
        body["channel"] = channel.into();
        body["unfurl_links"] = false.into();
        body["unfurl_media"] = false.into();
        if let Some(thread_ts) = thread_ts {
            body["thread_ts"] = thread_ts.into();
        }
        self.post("chat.postMessage", &body).await
    }

    /// Replaces a message of ours.
    pub async fn update_message(
        &self,
        channel: &str,
        ts: &str,
        message: &Message,
    ) -> Result<Posted, SlackError> {
        let mut body = message.body();
        body["channel"] = channel.into();
        body["ts"] = ts.into();
        self.post("chat.update", &body).await
    }

    /// Shows a message to one user of a channel; it is gone when they reload.
    pub async fn post_ephemeral(
        &self,
        channel: &str,
        user_id: &str,
        message: &Message,
    ) -> Result<(), SlackError> {
        let mut body = message.body();
        body["channel"] = channel.into();
        body["user"] = user_id.into();
        self.post::<Done>("chat.postEphemeral", &body).await?;
        Ok(())
    }

    /// A fresh address for one connection of Socket Mode. The client's token must be the app's; the address holds a ticket.
    pub async fn open_connection(&self) -> Result<SecretString, SlackError> {
        let reply: ConnectionReply = self.post("apps.connections.open", &json!({})).await?;
        let url = reply.url.expose_secret();
        // in the clear only where the Web API is, too: a workspace on this machine
        let plain = self.base.scheme() == "http" && url.starts_with("ws://");
        if url.starts_with("wss://") || plain {
            Ok(reply.url)
        } else {
            Err(SlackError::ForeignUrl)
        }
    }

    /// The id of the channel for direct messages with a user.
    pub async fn open_dm(&self, user_id: &str) -> Result<String, SlackError> {
        let reply: ChannelReply = self
            .post("conversations.open", &json!({ "users": user_id }))
            .await?;
        Ok(reply.channel.id)
    }

    /// Opens a modal, within three seconds of the click that gave the trigger.
    pub async fn open_view(
        &self,
        trigger_id: &str,
        view: &Value,
    ) -> Result<OpenedView, SlackError> {
        let body = json!({ "trigger_id": trigger_id, "view": view });
        let reply: ViewReply = self.post("views.open", &body).await?;
        Ok(reply.view)
    }

    /// Puts a modal on top of the open one; three fit.
    pub async fn push_view(
        &self,
        trigger_id: &str,
        view: &Value,
    ) -> Result<OpenedView, SlackError> {
        let body = json!({ "trigger_id": trigger_id, "view": view });
        let reply: ViewReply = self.post("views.push", &body).await?;
        Ok(reply.view)
    }

    /// Replaces a modal; with `hash` only if nothing has changed it meanwhile.
    pub async fn update_view(
        &self,
        view_id: &str,
        hash: Option<&str>,
        view: &Value,
    ) -> Result<OpenedView, SlackError> {
        let mut body = json!({ "view_id": view_id, "view": view });
        if let Some(hash) = hash {
            body["hash"] = hash.into();
        }
        let reply: ViewReply = self.post("views.update", &body).await?;
        Ok(reply.view)
    }

    /// Replaces somebody's Home tab.
    pub async fn publish_home(&self, user_id: &str, view: &Value) -> Result<(), SlackError> {
        let body = json!({ "user_id": user_id, "view": view });
        self.post::<Done>("views.publish", &body).await?;
        Ok(())
    }

    /// Answers a click or a command for the one who made it. Only Slack's own hosts are called, without the token, and no redirect is
    /// followed.
    pub async fn respond(&self, response_url: &str, message: &Message) -> Result<(), SlackError> {
        self.write_to(response_url, message, false).await
    }

    /// Puts something else in the place of the message that was clicked, by the same way.
    pub async fn replace(&self, response_url: &str, message: &Message) -> Result<(), SlackError> {
        self.write_to(response_url, message, true).await
    }

    async fn write_to(
        &self,
        response_url: &str,
        message: &Message,
        in_place: bool,
    ) -> Result<(), SlackError> {
        let url = self
            .response_url(response_url)
            .ok_or(SlackError::ForeignUrl)?;
        let mut body = message.body();
        if !in_place {
            body["response_type"] = "ephemeral".into();
        }
        body["replace_original"] = in_place.into();
        let span = debug_span!("response_url");
        let context = SlackClientApiCallContext {
            rate_control_params: None,
            token: None,
            tracing_span: &span,
            is_sensitive_url: true,
        };
        let connector = &self.client.http_api.connector;
        let address = address(&url);
        let reply: HookReply =
            within(&address, connector.http_post_uri(url, &body, context)).await?;
        if reply.ok {
            Ok(())
        } else {
            Err(SlackError::Lost)
        }
    }

    /// The address, if it is one that we follow.
    fn response_url(&self, text: &str) -> Option<Url> {
        let url: Url = text.parse().ok()?;
        let plain = url.username().is_empty() && url.password().is_none();
        let slack = url.scheme() == "https"
            && url.port().is_none()
            && url
                .host_str()
                .is_some_and(|host| HOOK_HOSTS.contains(&host));
        let local = url.scheme() == self.base.scheme() && same_host(&url, &self.base);
        (plain && (slack || local)).then_some(url)
    }

    async fn post<T: DeserializeOwned + Send>(
        &self,
        method: &str,
        body: &(impl Serialize + Send + Sync),
    ) -> Result<T, SlackError> {
        let session = self.client.open_session(&self.token);
        let call = session.http_session_api.http_post(method, body, None);
        let span = debug_span!("web_api", method);
        let reply: Result<Reply<T>, SlackError> =
            within(&address(&self.base), call).instrument(span).await;
        self.reach.learn(reply.as_ref().err());
        reply?.into_result()
    }

    async fn get<T: DeserializeOwned + Send>(
        &self,
        method: &str,
        params: &Vec<(&str, Option<String>)>,
    ) -> Result<T, SlackError> {
        let session = self.client.open_session(&self.token);
        let call = session.http_session_api.http_get(method, params, None);
        let span = debug_span!("web_api", method);
        let reply: Result<Reply<T>, SlackError> =
            within(&address(&self.base), call).instrument(span).await;
        self.reach.learn(reply.as_ref().err());
        reply?.into_result()
    }
}

/// Where an address leads, for people.
fn address(url: &Url) -> String {
    url.as_str()
        .parse()
        .map_or_else(|_| "Slack".to_owned(), |uri| address_of(&uri))
}

async fn within<T>(
    address: &str,
    call: impl Future<Output = ClientResult<T>>,
) -> Result<T, SlackError> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => answer.map_err(|error| SlackError::of(error, address)),
        Err(_) => Err(SlackError::TimedOut),
    }
}

fn same_host(one: &Url, other: &Url) -> bool {
    let same = match (one.host(), other.host()) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    };
    same || (is_loopback(one) && is_loopback(other))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

type SecureConnector = hyper_rustls::HttpsConnector<Connector>;

/// Speaks HTTP/1.1 alone: a call that times out takes its connection with it. One connection of HTTP/2 would carry all calls, and a network
/// that loses it silently would keep all later calls waiting for it.
///
/// Over http (a local workspace) nothing is checked, so that a machine without root certificates can run the demo.
fn connector(secure: bool, proxies: &Proxies) -> Result<SecureConnector, BadClient> {
    let tcp = Connector::new(proxies.clone());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = hyper_rustls::HttpsConnectorBuilder::new();
    if secure {
        let builder = builder
            .with_provider_and_native_roots(provider)
            .map_err(|error| BadClient::Certificates(error.to_string()))?;
        return Ok(builder.https_only().enable_http1().wrap_connector(tcp));
    }
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| BadClient::Certificates(error.to_string()))?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(builder
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp))
}

#[cfg(test)]
mod tests;
