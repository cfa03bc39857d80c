//! Where a person goes after signing in: a path on this server, and nothing else (threat W4).

use super::sign_in::ProviderKind;
use crate::domain::sign_in::Identity;

/// The longest path that is carried through a sign-in.
const LONGEST: usize = 1_000;
/// The page after a sign-in that named no other.
pub const START: &str = "/approvals";

/// The path if it leads to a page of this server, or else the start. Only characters that no browser reads as another host, and
/// no encoded slash, back slash or control character, are allowed.
pub fn safe(next: Option<&str>) -> &str {
    next.filter(|next| is_safe(next)).unwrap_or(START)
}

fn is_safe(next: &str) -> bool {
    let path = next.split('?').next().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let in_query = |b: u8| plain(b) || b"?=&%+:,@!$'()*;".contains(&b);
    path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains("/sign-")
        && path.bytes().all(plain)
        && next.bytes().all(in_query)
        && next.len() <= LONGEST
}

/// The address that signs in and returns to this path.
pub fn sign_in_and_return_to(next: &str) -> String {
    format!("/sign-in?{}", query(Some(next)))
}

/// The address at which the person proves again to the same provider who they are, and then returns to this path.
pub fn prove_and_return_to(next: &str, identity: &Identity) -> String {
    let kind = match identity {
        Identity::Slack(_) => ProviderKind::Slack,
        Identity::Oidc(_) => ProviderKind::Oidc,
    };
    prove_at_and_return_to(kind, next)
}

/// The same with the provider.
pub fn prove_at_and_return_to(kind: ProviderKind, next: &str) -> String {
    format!("/sign-in/{}?fresh=1&{}", kind.as_str(), query(Some(next)))
}

/// `next=...`, for an address.
pub fn query(next: Option<&str>) -> String {
    serde_urlencoded::to_string([("next", safe(next))]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_on_this_server_is_followed_w4() {
        for good in [
            "/approvals",
            "/approvals/7",
            "/approvals?state=pending&q=a%20b",
            "/stats?window=30d",
        ] {
            assert_eq!(safe(Some(good)), good);
        }
        for bad in [
            "",
            "approvals",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/%2fevil.example",
            "/%5cevil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\u{0}",
            " /approvals",
            "/approvals#x",
            "/@evil.example",
            "/approvals?next=\\",
            "/ä",
            "/sign-out",
            "/sign-in?next=/sign-in",
        ] {
            assert_eq!(safe(Some(bad)), START, "{bad:?}");
        }
        assert_eq!(safe(Some(&format!("/{}", "a".repeat(LONGEST)))), START);
        assert_eq!(safe(None), START);
    }
}
