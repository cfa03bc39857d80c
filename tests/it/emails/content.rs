//! Reads an e-mail as a mail program does: headers, and the parts for plain text and HTML.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// One e-mail that a mail server accepted.
#[derive(Debug, Clone)]
pub struct Received {
    pub from: String,
    pub to: String,
    pub user: Option<String>,
    pub content: String,
}

impl Received {
    fn head(&self) -> &str {
        self.content.split("\r\n\r\n").next().expect("headers")
    }

    /// The headers with their values, in order, unfolded and as they were sent.
    pub fn headers(&self) -> Vec<(String, String)> {
        headers(self.head())
    }

    /// A header, decoded.
    pub fn header(&self, name: &str) -> String {
        let found: Vec<String> = self
            .headers()
            .into_iter()
            .filter(|(one, _)| one.eq_ignore_ascii_case(name))
            .map(|(_, value)| decoded_words(&value))
            .collect();
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        found.into_iter().next().expect("one")
    }

    pub fn subject(&self) -> String {
        self.header("Subject")
    }

    pub fn text(&self) -> String {
        self.part("text/plain")
    }

    pub fn html(&self) -> String {
        self.part("text/html")
    }

    fn part(&self, wanted: &str) -> String {
        let kind = self.header("Content-Type");
        let (_, boundary) = kind.split_once("boundary=\"").expect("a boundary");
        let boundary = format!("--{}", boundary.split('"').next().expect("its end"));
        let (_, body) = self.content.split_once("\r\n\r\n").expect("a body");
        for part in body.split(&boundary) {
            let Some((head, body)) = part.split_once("\r\n\r\n") else {
                continue;
            };
            let headers = headers(head);
            let header = |name: &str| {
                let mut found = headers
                    .iter()
                    .filter(|(one, _)| one.eq_ignore_ascii_case(name));
                found.next().map(|(_, value)| value.to_ascii_lowercase())
            };
            if header("Content-Type").is_some_and(|kind| kind.starts_with(wanted)) {
                let body = body.strip_suffix("\r\n").unwrap_or(body);
                let body = match header("Content-Transfer-Encoding").as_deref() {
                    Some("quoted-printable") => quoted_printable(body),
                    Some("base64") => {
                        let packed: String = body.split_whitespace().collect();
                        STANDARD.decode(packed).expect("base64")
                    }
                    _ => body.as_bytes().to_vec(),
                };
                return String::from_utf8(body)
                    .expect("UTF-8")
                    .replace("\r\n", "\n");
            }
        }
        panic!("no {wanted} in {}", self.content);
    }
}

fn headers(head: &str) -> Vec<(String, String)> {
    let unfolded = head.trim().replace("\r\n ", " ").replace("\r\n\t", " ");
    let lines = unfolded.split("\r\n");
    lines
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

/// RFC 2047.
fn decoded_words(value: &str) -> String {
    let (mut decoded, mut rest) = (String::new(), value);
    while let Some((before, word)) = rest.split_once("=?utf-8?b?") {
        let (word, after) = word.split_once("?=").expect("its end");
        if !before.trim().is_empty() || decoded.is_empty() {
            decoded += before;
        }
        decoded += &String::from_utf8(STANDARD.decode(word).expect("base64")).expect("UTF-8");
        rest = after;
    }
    decoded + rest
}

/// RFC 2045, 6.7.
fn quoted_printable(text: &str) -> Vec<u8> {
    let text = text.replace("=\r\n", "");
    let (mut decoded, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        if byte != b'=' {
            decoded.push(byte);
            continue;
        }
        let digits = [
            bytes.next().expect("a digit"),
            bytes.next().expect("a digit"),
        ];
        let digits = std::str::from_utf8(&digits).expect("digits");
        decoded.push(u8::from_str_radix(digits, 16).expect("a byte"));
    }
    decoded
}
