//! Which proxy leads to an address, as `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say. Their values may hold a password and
//! are never shown.

use super::Unreached;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use std::net::IpAddr;
use std::sync::Arc;

/// What the environment says about proxies; an empty text says nothing.
#[derive(Clone, Default)]
pub struct ProxySettings {
    /// The proxy for `https://` and `wss://`.
    pub https: String,
    /// The proxy for `http://` and `ws://`.
    pub http: String,
    /// The proxy for both, where the other two say nothing.
    pub all: String,
    /// Hosts, domains and networks that are reached without a proxy, separated by commas; `*` means all.
    pub no: String,
}

impl ProxySettings {
    /// The environment's; names in capitals win over small ones, as with other programs.
    pub fn from_env() -> Self {
        let first = |names: [&str; 2]| {
            let set = names.into_iter().find_map(|name| std::env::var(name).ok());
            set.unwrap_or_default().trim().to_owned()
        };
        Self {
            https: first(["HTTPS_PROXY", "https_proxy"]),
            http: first(["HTTP_PROXY", "http_proxy"]),
            all: first(["ALL_PROXY", "all_proxy"]),
            no: first(["NO_PROXY", "no_proxy"]),
        }
    }
}

/// A way through a proxy.
#[derive(Clone)]
pub(super) struct Proxy {
    /// Where it is.
    pub uri: Uri,
    /// What it is to be told, where the variable names a user.
    pub auth: Option<HeaderValue>,
    /// The variable that names it.
    pub variable: &'static str,
}

/// Which proxy leads where; cheap to clone.
#[derive(Clone)]
pub struct Proxies(Arc<Inner>);

struct Inner {
    matcher: Matcher,
    secure: Option<Setting>,
    plain: Option<Setting>,
}

/// The variable that decides for one scheme, and whether its value is a proxy that we can use.
#[derive(Clone, Copy)]
struct Setting {
    variable: &'static str,
    is_usable: bool,
}

/// Stands for a proxy that cannot be used, so that `NO_PROXY` still decides about it.
const UNUSABLE: &str = "http://unusable.invalid";

impl Proxies {
    /// As the environment says.
    pub fn from_env() -> Self {
        Self::new(&ProxySettings::from_env())
    }

    /// As these settings say.
    pub fn new(settings: &ProxySettings) -> Self {
        let usable = |text: &str| {
            if is_usable(text) {
                text.to_owned()
            } else {
                UNUSABLE.to_owned()
            }
        };
        let known = |text: &str| {
            if text.is_empty() {
                String::new()
            } else {
                usable(text)
            }
        };
        let matcher = Matcher::builder()
            .https(known(&settings.https))
            .http(known(&settings.http))
            .all(known(&settings.all))
            .no(settings.no.clone())
            .build();
        let setting = |variable, text: &str| {
            (!text.is_empty()).then(|| Setting {
                variable,
                is_usable: is_usable(text),
            })
        };
        let all = setting("ALL_PROXY", &settings.all);
        Self(Arc::new(Inner {
            matcher,
            secure: setting("HTTPS_PROXY", &settings.https).or(all),
            plain: setting("HTTP_PROXY", &settings.http).or(all),
        }))
    }

    /// The proxy that leads to an address; none where it is reached directly, as this machine itself always is.
    pub(super) fn toward(&self, uri: &Uri) -> Result<Option<Proxy>, Unreached> {
        let host = uri.host().unwrap_or_default();
        let (scheme, setting) = match uri.scheme_str() {
            Some("https" | "wss") => ("https", self.0.secure),
            _ => ("http", self.0.plain),
        };
        let asked = Uri::builder()
            .scheme(scheme)
            .authority(super::address_of(uri))
            .path_and_query("/")
            .build();
        let (Some(setting), Ok(asked), false) = (setting, asked, is_loopback(host)) else {
            return Ok(None);
        };
        let Some(found) = self.0.matcher.intercept(&asked) else {
            return Ok(None);
        };
        if !setting.is_usable {
            return Err(Unreached::unusable_proxy(setting.variable));
        }
        Ok(Some(Proxy {
            uri: found.uri().clone(),
            auth: found.basic_auth().cloned(),
            variable: setting.variable,
        }))
    }

    /// What a proxy is to be told with each request for a plain `http://` address, which it forwards.
    pub fn forwarding_auth(&self, uri: &Uri) -> Option<HeaderValue> {
        let is_plain = uri.scheme_str() == Some("http");
        let proxy = self.toward(uri).ok().flatten();
        proxy.filter(|_| is_plain).and_then(|proxy| proxy.auth)
    }
}

/// Whether a value is the address of a proxy that is spoken to in plain HTTP, the only kind that is understood here.
fn is_usable(text: &str) -> bool {
    let probe = Uri::from_static("http://probe.invalid");
    let found = Matcher::builder().http(text).build().intercept(&probe);
    found.is_some_and(|found| found.uri().scheme_str() == Some("http"))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = bare.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}
