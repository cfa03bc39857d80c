//! The address at which people reach the web pages.

use super::App;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::request::Request;
use std::sync::{Arc, PoisonError, RwLock};

/// Where this installation is reached, once that is known.
#[derive(Debug, Default)]
pub(super) struct PublicUrl(RwLock<Option<Arc<str>>>);

impl App {
    /// Says where people reach the web pages: `https://countersign.example.com`, without a closing slash.
    pub fn serve_pages_at(&self, url: &str) {
        let held = self.0.public_url.0.write();
        *held.unwrap_or_else(PoisonError::into_inner) = Some(url.trim_end_matches('/').into());
    }

    /// Where people reach the web pages, if it is configured.
    pub fn public_url(&self) -> Option<Arc<str>> {
        let held = self.0.public_url.0.read();
        held.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The address of a request's page, if there are pages.
    pub fn page_of(&self, request: &Request, config: &CompiledConfig) -> Option<String> {
        let url = self.public_url()?;
        let has_pages = config.document().console.is_some();
        has_pages.then(|| format!("{url}/approvals/{}", request.number))
    }
}
