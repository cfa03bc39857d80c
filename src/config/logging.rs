//! The log: text for people, JSON for machines, and never the bodies, tokens and frames that wire-level crates would print.

use super::setting_error::SettingError;
use std::io::IsTerminal as _;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Crates whose finer levels print what was sent and received; they are capped at info whatever the filter says (threat OP3).
const WIRE: [&str; 8] = [
    "slack_morphism",
    "hyper",
    "hyper_util",
    "hyper_rustls",
    "h2",
    "rustls",
    "tungstenite",
    "tokio_tungstenite",
];

/// The arguments of every command that logs.
#[derive(Debug, Clone, clap::Args)]
pub struct LogArgs {
    /// What is logged: a level, or a list such as countersign=debug,info
    #[arg(
        long = "log",
        value_name = "FILTER",
        env = "RUST_LOG",
        default_value = "info",
        hide_env_values = true
    )]
    pub filter: String,
    /// How it is written
    #[arg(
        long = "log-format",
        value_name = "FORMAT",
        env = "COUNTERSIGN_LOG_FORMAT",
        default_value = "text",
        hide_env_values = true
    )]
    pub format: String,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; with colour on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The filter, which is known to parse.
    pub filter: String,
    /// How lines are written.
    pub format: LogFormat,
}

impl LogSettings {
    /// Checks filter and format.
    pub fn read(args: &LogArgs) -> Result<Self, Vec<SettingError>> {
        let setting_error = |variable, message: String| SettingError { variable, message };
        let filter = match args.filter.trim() {
            "" => "info",
            filter => filter,
        };
        let mut setting_errors = Vec::new();
        if let Err(error) = EnvFilter::try_new(filter) {
            setting_errors.push(setting_error(
                "RUST_LOG",
                format!(
                    "cannot be read ({error}); write for example info, or countersign=debug,info"
                ),
            ));
        }
        let format = match args.format.trim() {
            "" | "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => {
                setting_errors.push(setting_error(
                    "COUNTERSIGN_LOG_FORMAT",
                    "must be text or json".to_owned(),
                ));
                None
            }
        };
        match format {
            Some(format) if setting_errors.is_empty() => Ok(Self {
                filter: filter.to_owned(),
                format,
            }),
            _ => Err(setting_errors),
        }
    }

    /// Starts the log of this process, on standard error: plain when piped or when `NO_COLOR` is set. Once for a process.
    pub fn start(&self) -> anyhow::Result<()> {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = std::io::stderr().is_terminal() && !no_color;
        self.subscriber(std::io::stderr, colour).try_init()?;
        Ok(())
    }

    fn subscriber<W>(&self, writer: W, colour: bool) -> impl Subscriber + Send + Sync + use<W>
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(writer)
            .with_ansi(colour);
        let lines = match self.format {
            LogFormat::Text => lines.boxed(),
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
        };
        // filters of the whole log: one of a layer alone remembers, per thread, an `enabled!` that no event followed (sqlx asks so
        // before each statement) and swallows the next event
        tracing_subscriber::registry()
            .with(EnvFilter::new(&self.filter))
            .with(filter_fn(is_harmless))
            .with(lines)
    }
}

fn is_harmless(metadata: &Metadata<'_>) -> bool {
    let root = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || !WIRE.contains(&root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("one thread").write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: LogFormat, speak: impl FnOnce()) -> String {
        let lines = Lines::default();
        let settings = LogSettings {
            filter: filter.to_owned(),
            format,
        };
        let writer = lines.clone();
        let subscriber = settings.subscriber(move || writer.clone(), false);
        tracing::subscriber::with_default(subscriber, speak);
        let bytes = lines.0.lock().expect("one thread").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn no_filter_opens_the_wire_level_crates_op3() {
        for filter in [
            "trace",
            "slack_morphism=trace",
            "slack_morphism::hyper_tokio=trace,hyper=trace,info",
        ] {
            let log = logged(filter, LogFormat::Text, || {
                tracing::debug!(target: "slack_morphism::hyper_tokio::connector", "canary body");
                tracing::trace!(target: "hyper::proto::h1", "canary header");
                tracing::info!(target: "slack_morphism", "fine");
            });
            assert!(!log.contains("canary"), "{log}");
            assert!(log.contains("fine"), "{log}");
        }
        let own = logged("trace", LogFormat::Text, || tracing::trace!("ours"));
        assert!(own.contains("ours"));
    }

    #[test]
    fn checking_whether_a_level_is_enabled_loses_no_line() {
        let log = logged("info", LogFormat::Text, || {
            assert!(!tracing::enabled!(tracing::Level::TRACE));
            tracing::info!("still here");
        });
        assert!(log.contains("still here"), "{log}");
    }

    #[test]
    fn json_lines_parse_and_plain_text_has_no_escapes() {
        let json = logged("info", LogFormat::Json, || {
            tracing::info!(request = 42, "decided");
        });
        let line: serde_json::Value = serde_json::from_str(&json).expect("one JSON object");
        assert_eq!(
            (&line["message"], &line["request"]),
            (&"decided".into(), &42.into())
        );
        let text = logged("info", LogFormat::Text, || {
            tracing::warn!(request = 42, "decided");
        });
        assert!(
            text.contains("decided request=42") && !text.contains('\u{1b}'),
            "{text}"
        );
    }

    #[test]
    fn filter_and_format_are_checked_together() {
        let args = LogArgs {
            filter: "countersign=loud".to_owned(),
            format: "xml".to_owned(),
        };
        let setting_errors = LogSettings::read(&args).expect_err("two complaints");
        assert_eq!(setting_errors.len(), 2, "{setting_errors:?}");
    }
}
