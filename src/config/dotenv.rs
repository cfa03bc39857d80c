//! The file `.env`: what its lines mean, and which of them are ours (threat R08).
//!
//! Values mean what they say: nothing is expanded, and a `$` stays a `$`. Variables of other programs are skipped, however they are
//! written, so that a foreign project's file never makes a command fail.

use super::file_error::{ConfigFileError, ConfigFileErrors};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// The file, in the working directory.
const FILE: &str = ".env";

/// Variables of ours whose names do not begin with [`PREFIX`].
const OWN: [&str; 8] = [
    "DATABASE_URL",
    "RUST_LOG",
    "SLACK_API_URL",
    "SLACK_APP_ID",
    "SLACK_APP_TOKEN",
    "SLACK_BOT_TOKEN",
    "SLACK_CLIENT_SECRET",
    "SLACK_SIGNING_SECRET",
];
const PREFIX: &str = "COUNTERSIGN_";

/// Why the file was not read.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    /// It is there and cannot be opened. It may be another program's, so this is a warning.
    #[error(".env was not read: {0}")]
    Unreadable(std::io::Error),
    /// A line of ours cannot be understood.
    #[error(transparent)]
    Faulty(#[from] ConfigFileErrors),
}

/// Takes our variables of `.env` into the environment, where they are not set already. Call it before any thread starts.
pub fn load() -> Result<(), NotRead> {
    let bytes = match std::fs::read(FILE) {
        Ok(bytes) => bytes,
        // a directory of that name belongs to somebody else
        Err(_) if Path::new(FILE).is_dir() => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(NotRead::Unreadable(error)),
    };
    let unset = |name: &str| std::env::var_os(name).is_none();
    let mut lines = String::new();
    for (name, value) in read(&bytes)? {
        if unset(&name) {
            lines.extend([&name, "=", &literal(&value), "\n"]);
        }
    }
    // only the setting is left to the library: what a value means has been decided here
    dotenvy::from_read(lines.as_bytes())
        .map_err(|_| NotRead::Unreadable(std::io::Error::from(ErrorKind::InvalidData)))
}

/// Whether a variable is one of Countersign's own.
pub fn is_own(name: &str) -> bool {
    OWN.contains(&name)
        || name
            .strip_prefix(PREFIX)
            .is_some_and(|rest| !rest.is_empty())
}

/// A value as the library reads it back unchanged: in double quotes, and what has a meaning there escaped.
fn literal(value: &str) -> String {
    let mut quoted = String::from("\"");
    for sign in value.chars() {
        if matches!(sign, '\\' | '"' | '$') {
            quoted.push('\\');
        }
        quoted.push(sign);
    }
    quoted + "\""
}

/// Our variables in a file, or every line of ours that cannot be understood.
fn read(bytes: &[u8]) -> Result<BTreeMap<String, String>, ConfigFileErrors> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let mut found: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let number = at + 1;
        at += 1;
        let Some((name, written)) = assignment(line) else {
            continue;
        };
        if !is_own(name) {
            at += lines_quoted(written, &lines[at..]);
            continue;
        }
        let taken = value(written).and_then(|value| match found.get(name) {
            Some((first, _)) => Err(format!(
                "it is set in line {first} already; keep one of the two lines"
            )),
            None => Ok(value),
        });
        match taken {
            Ok(value) => {
                found.insert(name.to_owned(), (number, value));
            }
            Err(message) => faults.push(ConfigFileError {
                file: FILE.to_owned(),
                at: Some((number, 1)),
                path: name.to_owned(),
                message,
            }),
        }
    }
    if faults.is_empty() {
        let plain = found.into_iter().map(|(name, (_, value))| (name, value));
        Ok(plain.collect())
    } else {
        Err(ConfigFileErrors(faults))
    }
}

/// `NAME=value`, perhaps behind `export`; the value as it is written. A line of ours without `=` has no value at all.
fn assignment(line: &[u8]) -> Option<(&str, &[u8])> {
    let line = line.trim_ascii();
    let line = line.strip_prefix(b"export ").unwrap_or(line).trim_ascii();
    let name_length = line
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))
        .unwrap_or(line.len());
    let (name, rest) = line.split_at(name_length);
    let name = std::str::from_utf8(name).ok()?;
    let rest = rest.trim_ascii_start();
    if !name.is_empty() && (rest.starts_with(b"=") || is_own(name)) {
        Some((name, rest))
    } else {
        None
    }
}

/// How many of the lines below belong to a value of another program that begins with a quote and goes on there.
fn lines_quoted(written: &[u8], below: &[&[u8]]) -> usize {
    let value = written
        .strip_prefix(b"=")
        .unwrap_or(written)
        .trim_ascii_start();
    let Some((quote, rest)) = value
        .split_first()
        .filter(|(byte, _)| b"\"'`".contains(byte))
    else {
        return 0;
    };
    if rest.contains(quote) {
        return 0;
    }
    let closing = below.iter().position(|line| line.contains(quote));
    closing.map_or(0, |line| line + 1)
}

/// What a value means. Messages never repeat it: it may be a secret.
fn value(written: &[u8]) -> Result<String, String> {
    let Some(written) = written.strip_prefix(b"=") else {
        return Err("the `=` is missing; write NAME=value".to_owned());
    };
    let text = std::str::from_utf8(written)
        .map_err(|_| "the value is not UTF-8 text; save the file as UTF-8".to_owned())?
        .trim();
    if text.chars().any(|sign| sign.is_control() && sign != '\t') {
        return Err("the value holds a control character; remove it".to_owned());
    }
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(&text[1..], quote),
        _ => Ok(without_comment(text).to_owned()),
    }
}

/// Between quotes everything is itself, a `#` included; in double quotes `\"`, `\\` and `\$` stand for their second character.
fn quoted(text: &str, quote: char) -> Result<String, String> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, sign)) = characters.next() {
        let rest = &text[at + sign.len_utf8()..];
        if sign == quote {
            let behind = rest.trim_start();
            if behind.is_empty() || behind.starts_with('#') {
                return Ok(value);
            }
            return Err(format!(
                "text follows the closing {quote}; put the whole value between quotes"
            ));
        }
        if quote == '"' && sign == '\\' && rest.starts_with(['"', '\\', '$']) {
            value.extend(characters.next().map(|(_, escaped)| escaped));
        } else {
            value.push(sign);
        }
    }
    Err(format!(
        "the closing {quote} is missing; a value ends on its line"
    ))
}

/// Without quotes a `#` begins a comment behind white space only.
fn without_comment(text: &str) -> &str {
    let comment = text.char_indices().find(|(at, sign)| {
        let before = text[..*at].chars().next_back();
        *sign == '#' && before.is_none_or(char::is_whitespace)
    });
    comment.map_or(text, |(at, _)| text[..at].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(line: &str) -> String {
        match read(format!("DATABASE_URL{line}\n").as_bytes()) {
            Ok(found) => found["DATABASE_URL"].clone(),
            Err(faults) => faults.to_string(),
        }
    }

    #[test]
    fn values_mean_what_they_say_f4() {
        for (line, means) in [
            ("=sqlite://a.db", "sqlite://a.db"),
            (" = sqlite://a.db  ", "sqlite://a.db"),
            (
                "=postgres://me:p#ss$HOME${x}@h/n",
                "postgres://me:p#ss$HOME${x}@h/n",
            ),
            ("=two words # a comment", "two words"),
            ("=# nothing", ""),
            ("=", ""),
            ("='a # b' # c", "a # b"),
            ("=\"a # 'b' $c\"", "a # 'b' $c"),
            (r#"="a\"b\\c\$d\n""#, r#"a"b\c$d\n"#),
            (r"='a\b'", r"a\b"),
            (r"=a\ b", r"a\ b"),
            ("=a\r", "a"),
            ("=ü", "ü"),
        ] {
            assert_eq!(database(line), means, "{line}");
        }
        let exported = read(b"\xef\xbb\xbf  export SLACK_APP_ID=A1").expect("it reads");
        assert_eq!(exported["SLACK_APP_ID"], "A1");
    }

    #[test]
    fn a_fault_names_file_and_line_and_never_the_value_f4() {
        for (line, says) in [
            ("='canary", "the closing ' is missing"),
            ("=\"canary\" b", "text follows the closing \""),
            (" canary", "the `=` is missing"),
            ("", "the `=` is missing"),
            ("=canary\0", "a control character"),
        ] {
            let said = database(line);
            let named = said.starts_with(".env:1:1: DATABASE_URL: ");
            assert!(
                named && said.contains(says) && !said.contains("canary"),
                "{said}"
            );
        }
        let said = read(b"# ours\nSLACK_APP_ID=A1\n\nSLACK_APP_ID=A2\nRUST_LOG=\xff\n")
            .expect_err("two faults")
            .to_string();
        assert_eq!(
            said,
            ".env:4:1: SLACK_APP_ID: it is set in line 2 already; keep one of the two lines\n\
             .env:5:1: RUST_LOG: the value is not UTF-8 text; save the file as UTF-8"
        );
    }

    #[test]
    fn what_belongs_to_other_programs_is_skipped_however_it_is_written_f4() {
        let foreign = "APP_NAME=My Shop\nBROKEN='\nno line at all\nSLACK_WEBHOOK=\"x\" y\nexport\n=\n\
            KEY=\"-----BEGIN\nDATABASE_URL=sqlite://inside.db\n-----END\"\n\u{e4}=1\nHTTPS_PROXY=http://x\n\
            COUNTERSIGN_LISTEN=127.0.0.1:1\nCOUNTERSIGN_=x\n";
        let found = read(foreign.as_bytes()).expect("no fault");
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["COUNTERSIGN_LISTEN"]);
        assert_eq!(read(b"\xff\xfe A=\xff\n"), Ok(BTreeMap::new()));
    }

    #[test]
    fn the_library_reads_every_value_back_unchanged() {
        for value in [
            "",
            "a",
            "it's",
            "''",
            "$HOME ${x} \\ \" # é",
            "a\tb",
            "'",
            "\\'",
        ] {
            let line = format!("X={}\n", literal(value));
            let read: Vec<_> = dotenvy::from_read_iter(line.as_bytes())
                .collect::<Result<_, _>>()
                .expect("it reads");
            assert_eq!(read, [("X".to_owned(), value.to_owned())]);
        }
    }
}
