//! Style sheet, script and icon: part of the program, addressed by their hash, so that browsers may keep them for ever.

use crate::domain::digest::Digest;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use std::sync::LazyLock;

struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

const STYLE: Asset = Asset {
    name: "pages.css",
    kind: "text/css; charset=utf-8",
    text: include_str!("assets/pages.css"),
};
const SCRIPT: Asset = Asset {
    name: "pages.js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("assets/pages.js"),
};
const LIVE_SCRIPT: Asset = Asset {
    name: "live.js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("assets/live.js"),
};

const ICON: Asset = Asset {
    name: "icon.svg",
    kind: "image/svg+xml",
    text: include_str!("assets/icon.svg"),
};

/// How much of the hash is in a file's name.
const HASH_LENGTH: usize = 16;

fn addressed(asset: &Asset) -> String {
    let digest = Digest::of(asset.text.as_bytes()).to_string();
    let hash = digest.rsplit(':').next().unwrap_or_default();
    let hash: String = hash.chars().take(HASH_LENGTH).collect();
    format!("{hash}-{}", asset.name)
}

static STYLE_FILE: LazyLock<String> = LazyLock::new(|| addressed(&STYLE));
static SCRIPT_FILE: LazyLock<String> = LazyLock::new(|| addressed(&SCRIPT));
static LIVE_SCRIPT_FILE: LazyLock<String> = LazyLock::new(|| addressed(&LIVE_SCRIPT));
static ICON_FILE: LazyLock<String> = LazyLock::new(|| addressed(&ICON));

/// The file name of the icon.
pub fn icon() -> &'static str {
    &ICON_FILE
}

/// The file name of the style sheet.
pub fn style() -> &'static str {
    &STYLE_FILE
}

/// The file name of the script.
pub fn script() -> &'static str {
    &SCRIPT_FILE
}

/// The file name of the script that updates open pages.
pub fn live_script() -> &'static str {
    &LIVE_SCRIPT_FILE
}

/// `GET /assets/{file}`
pub(super) async fn file(Path(file): Path<String>) -> Response {
    let asset = match file {
        file if file == style() => STYLE,
        file if file == script() => SCRIPT,
        file if file == live_script() => LIVE_SCRIPT,
        file if file == icon() => ICON,
        _ => return (StatusCode::NOT_FOUND, "no such file").into_response(),
    };
    let headers = [
        (CONTENT_TYPE, asset.kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, asset.text).into_response()
}
