//! The network: the way out of this machine, with its proxies and connections and what to do where there is none, and how many peers may
//! come in.

mod connector;
mod crowd;
mod fetch;
mod post;
mod proxies;
mod public;
mod unreached;

pub use connector::{Connector, Stream};
pub use crowd::{Crowd, Seat};
pub use fetch::{Fetched, Fetcher};
pub use post::{POST_DEADLINE, Poster, Reach};
pub use proxies::Proxies;
pub use unreached::Unreached;

use http::Uri;

/// Where an address leads: `slack.com:443`.
pub fn address_of(uri: &Uri) -> String {
    let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
        Some("https" | "wss") => 443,
        _ => 80,
    });
    format!("{}:{port}", uri.host().unwrap_or_default())
}

#[cfg(test)]
mod tests;
