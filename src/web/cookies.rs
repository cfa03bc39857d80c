//! The two cookies of the pages: that of a sign-in, and that of an attempt to sign in.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// Holds the secret of a sign-in.
    SignIn,
    /// Holds an attempt to sign in, for ten minutes.
    Attempt,
}

impl Cookie {
    /// The name. `__Host-` makes browsers refuse a cookie that another host of the domain sets; it needs `Secure`, and so https.
    /// Plain http is allowed on this machine only, and has a name of its own there.
    fn name(self, is_https: bool) -> &'static str {
        match (self, is_https) {
            (Self::SignIn, true) => "__Host-countersign",
            (Self::SignIn, false) => "countersign-local",
            (Self::Attempt, true) => "__Host-countersign-attempt",
            (Self::Attempt, false) => "countersign-attempt-local",
        }
    }

    /// The value that the browser sent; none if it sent several, because then another host may have set one.
    pub fn read(self, headers: &HeaderMap, is_https: bool) -> Option<String> {
        let name = self.name(is_https);
        let lines = headers.get_all(COOKIE).iter();
        let pairs = lines.filter_map(|line| line.to_str().ok());
        let mut found = pairs
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned());
        match (found.next(), found.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// Sets it for so many seconds; none of the values needs quoting.
    pub fn set(self, value: &str, seconds: i64, is_https: bool) -> Option<HeaderValue> {
        let name = self.name(is_https);
        let secure = if is_https { "; Secure" } else { "" };
        let text =
            format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&text).ok()
    }

    /// Removes it.
    pub fn clear(self, is_https: bool) -> Option<HeaderValue> {
        self.set("", 0, is_https)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn cookies_are_bound_to_the_host_and_read_once_w2() {
        let set = Cookie::SignIn.set("abc", 60, true).expect("a header");
        assert_eq!(
            set,
            "__Host-countersign=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        let read = |lines: &[&'static str]| Cookie::SignIn.read(&headers(lines), true);
        assert_eq!(
            read(&["a=b; __Host-countersign=abc"]),
            Some("abc".to_owned())
        );
        assert_eq!(read(&["countersign-local=abc"]), None);
        assert_eq!(read(&["__Host-countersign=a; __Host-countersign=b"]), None);
        assert_eq!(
            read(&["__Host-countersign=a", "__Host-countersign=b"]),
            None
        );
        assert_eq!(read(&[]), None);
    }
}
