//! Database addresses: accepts the spellings that users of `psql` and `sqlite3` expect, and explains what is wrong with others.

use super::StoreError;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

/// The expected forms of an address, for error messages.
const EXPECTED: &str = "expected sqlite://countersign.db, postgres://USER:PASSWORD@HOST:PORT/NAME or host=HOST dbname=NAME";

/// Parameters of libpq that have no meaning here and can safely be ignored.
const IGNORED: [&str; 14] = [
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "sslcompression",
    "sslsni",
    "tcp_user_timeout",
    "pool_max_conns",
];

/// Parameters that are passed to the driver.
const KNOWN: [&str; 17] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// A parsed database address.
#[derive(Debug, Clone)]
pub(super) enum Address {
    /// An `SQLite` file.
    Sqlite(Box<SqliteConnectOptions>),
    /// A Postgres server.
    Postgres(Box<PgConnectOptions>),
}

impl Address {
    /// Parses an address. The error never contains the address, because that may contain a password.
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let text = text.trim();
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return of_url(text).map(|options| Self::Postgres(Box::new(options)));
        }
        if text.starts_with("sqlite:") || is_file(text) {
            let options = text
                .parse::<SqliteConnectOptions>()
                .map_err(|error| wrong(&detail(&error)))?;
            return Ok(Self::Sqlite(Box::new(options)));
        }
        if let Some((scheme, _)) = text.split_once("://")
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        {
            return Err(wrong(&format!(
                "`{scheme}://` is not a database that Countersign knows"
            )));
        }
        if text.contains('=') {
            return of_pairs(text).map(|options| Self::Postgres(Box::new(options)));
        }
        Err(wrong("it does not say which database it is"))
    }
}

fn wrong(why: &str) -> StoreError {
    StoreError::CannotOpen(format!("DATABASE_URL is invalid: {why}; {EXPECTED}"))
}

/// The driver's message, without its prefix.
fn detail(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(why) => why.to_string(),
        other => other.to_string(),
    }
}

/// Whether a path names a file. It must not look like a mistyped server address.
fn is_file(text: &str) -> bool {
    let path = text.split('?').next().unwrap_or(text);
    let ending = std::path::Path::new(path).extension();
    let named = ending.is_some_and(|ending| {
        ["db", "sqlite", "sqlite3"]
            .iter()
            .any(|known| ending == *known)
    });
    let placed = ["/", "./", "../"]
        .iter()
        .any(|start| path.starts_with(start));
    !path.contains("://") && !path.contains('=') && (named || placed)
}

fn of_url(text: &str) -> Result<PgConnectOptions, StoreError> {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap_or(place);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if host.contains(',') {
        return Err(several_hosts());
    }
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if is_passed_on(key, value)? {
            kept.push(pair);
        }
    }
    let url = if kept.is_empty() {
        text.split('?').next().unwrap_or(text).to_owned()
    } else {
        format!(
            "{}?{}",
            text.split('?').next().unwrap_or(text),
            kept.join("&")
        )
    };
    let options = url.parse::<PgConnectOptions>().map_err(|error| {
        wrong(&format!(
            "{}; in user names and passwords, characters such as @ : / ? # and % are written %40 %3A %2F %3F %23 %25",
            // the driver names the parameter as its own code does
            detail(&error).replace("ssl_mode", "sslmode")
        ))
    })?;
    Ok(options.extra_float_digits(None))
}

fn several_hosts() -> StoreError {
    wrong(
        "it names several hosts, and Countersign connects to one; name the one that leads always to the primary",
    )
}

/// Whether a parameter is passed to the driver. Unknown parameters are refused, because the driver would silently ignore a misspelt
/// one.
fn is_passed_on(key: &str, value: &str) -> Result<bool, StoreError> {
    if key == "host" && value.contains(',') {
        return Err(several_hosts());
    }
    if key == "target_session_attrs" {
        return match value {
            "any" | "read-write" | "primary" => Ok(false), // `/readyz` reports a read-only server
            other => Err(wrong(&format!(
                "target_session_attrs={other} is not possible, as Countersign writes"
            ))),
        };
    }
    if key == "pgbouncer" {
        return Err(wrong(super::settings::USE_THE_SERVER));
    }
    if KNOWN.contains(&key) || key.starts_with("options[") || key.starts_with("options%5B") {
        return Ok(true);
    }
    if IGNORED.contains(&key) {
        return Ok(false);
    }
    Err(wrong(&format!("parameter `{key}` is unknown")))
}

/// Parses `host=.. dbname=..` as libpq does: values with spaces are quoted, `\` escapes.
fn of_pairs(text: &str) -> Result<PgConnectOptions, StoreError> {
    let mut options = PgConnectOptions::new().extra_float_digits(None);
    for (key, value) in pairs(text)? {
        if !is_passed_on(&key, &value)? {
            continue;
        }
        let parsed = |what: &str| wrong(&format!("{key}={value} is not {what}"));
        options = match key.as_str() {
            "host" | "hostaddr" if value.starts_with('/') => options.socket(&value),
            "host" | "hostaddr" => options.host(&value),
            "port" => options.port(value.parse().map_err(|_| parsed("a port"))?),
            "dbname" => options.database(&value),
            "user" => options.username(&value),
            "password" => options.password(&value),
            "application_name" => options.application_name(&value),
            "options" => options.options(server_settings(&value)?),
            "sslmode" => options.ssl_mode(value.parse().map_err(|_| parsed("a mode of TLS"))?),
            "sslrootcert" => options.ssl_root_cert(&value),
            "sslcert" => options.ssl_client_cert(&value),
            "sslkey" => options.ssl_client_key(&value),
            _ => {
                return Err(wrong(&format!(
                    "parameter `{key}` is only understood in a postgres:// address"
                )));
            }
        };
    }
    Ok(options)
}

/// Parses `-c NAME=VALUE` and `--NAME=VALUE`, several of them apart by spaces.
fn server_settings(text: &str) -> Result<Vec<(String, String)>, StoreError> {
    let mut settings = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-c").or_else(|| word.strip_prefix("--")) {
            Some("") if word == "-c" => words.next(),
            other => other,
        };
        let pair = setting.and_then(|setting| setting.split_once('='));
        let (name, value) =
            pair.ok_or_else(|| wrong(&format!("options={text} is not a list of -c NAME=VALUE")))?;
        settings.push((name.to_owned(), value.to_owned()));
    }
    Ok(settings)
}

fn pairs(text: &str) -> Result<Vec<(String, String)>, StoreError> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest
            .split_once('=')
            .ok_or_else(|| wrong("a parameter has no value"))?;
        let (value, left) = value_of(after.trim_start())?;
        pairs.push((key.trim().to_owned(), value));
        rest = left.trim_start();
    }
    Ok(pairs)
}

/// Parses one value; returns it with the remaining text.
fn value_of(text: &str) -> Result<(String, &str), StoreError> {
    let (quoted, body) = text
        .strip_prefix('\'')
        .map_or((false, text), |body| (true, body));
    let mut value = String::new();
    let mut signs = body.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '\\' => value.extend(signs.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &body[at + 1..])),
            _ if !quoted && sign.is_whitespace() => return Ok((value, &body[at..])),
            _ => value.push(sign),
        }
    }
    if quoted {
        return Err(wrong("a quoted value has no end"));
    }
    Ok((value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parsed address as a text, or the error.
    fn read(text: &str) -> String {
        match Address::parse(text) {
            Ok(Address::Sqlite(options)) => format!("file {}", options.get_filename().display()),
            Ok(Address::Postgres(options)) => {
                let place = options.get_socket().map_or_else(
                    || format!("{}:{}", options.get_host(), options.get_port()),
                    |socket| socket.display().to_string(),
                );
                format!(
                    "{}@{place}/{}",
                    options.get_username(),
                    options.get_database().unwrap_or("-")
                )
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_psql_accepts_is_accepted_f3() {
        for (text, leads_to) in [
            ("sqlite://countersign.db", "file countersign.db"),
            ("sqlite:countersign.db", "file countersign.db"),
            ("sqlite:///var/lib/cs.db", "file /var/lib/cs.db"),
            ("countersign.db", "file countersign.db"),
            ("/var/lib/countersign", "file /var/lib/countersign"),
            ("./cs.sqlite3?mode=rw", "file ./cs.sqlite3"),
            ("postgres://u:p@h:6000/n", "u@h:6000/n"),
            ("postgresql://u@h/n", "u@h:5432/n"),
            (
                "postgres://u@h/n?connect_timeout=10&sslmode=require",
                "u@h:5432/n",
            ),
            (
                "postgres://u@h/n?target_session_attrs=read-write",
                "u@h:5432/n",
            ),
            (
                "postgres:///n?host=/var/run/postgresql&user=u",
                "u@/var/run/postgresql/n",
            ),
            (
                "host=h port=6000 dbname=n user=u password='it''s'",
                "DATABASE_URL is invalid",
            ),
            (
                "host=h port=6000 dbname=n user=u password='a \\' b' sslmode=require",
                "u@h:6000/n",
            ),
            ("host=/run/pg dbname = n user=u", "u@/run/pg/n"),
            (
                "host=h dbname=n user=u options='-c search_path=a --jit=off -cwork_mem=1MB'",
                "u@h:5432/n",
            ),
        ] {
            let read = read(text);
            assert!(read.starts_with(leads_to), "{text}: {read}");
        }
    }

    #[test]
    fn what_is_not_accepted_says_why_and_never_repeats_the_password_f3() {
        for (text, why) in [
            (
                "mysql://u:hunter2@h/n",
                "`mysql://` is not a database that Countersign knows",
            ),
            ("hunter2", "it does not say which database it is"),
            ("postgres://u:hunter2@a:1,b:2/n", "several hosts"),
            ("host=a,b password=hunter2", "several hosts"),
            ("postgres://u:hun/ter2@h/n", "%2F"),
            ("postgres://u:hunter2@h/n?sslmode=maybe", "sslmode"),
            (
                "postgres://u:hunter2@h/n?ssl_mode=require",
                "parameter `ssl_mode` is unknown",
            ),
            (
                "postgres://u:hunter2@h/n?target_session_attrs=standby",
                "target_session_attrs=standby",
            ),
            (
                "postgres://u:hunter2@h/n?pgbouncer=true",
                "pool_mode = session",
            ),
            (
                "host=h port=many password=hunter2",
                "port=many is not a port",
            ),
            ("host=h password='hunter2", "no end"),
            (
                "host=h options=search_path password=hunter2",
                "options=search_path is not a list of -c NAME=VALUE",
            ),
            ("sqlite://a.db?mode=odd", "mode"),
        ] {
            let read = read(text);
            assert!(
                read.starts_with("DATABASE_URL is invalid: ") && read.contains(why),
                "{text}: {read}"
            );
            assert!(
                !read.contains("hunter2") && !read.contains("ter2"),
                "{read}"
            );
        }
    }
}
