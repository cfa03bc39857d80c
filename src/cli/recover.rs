//! `countersign recover`: lets the operator regain control, directly in the database.

use super::apply;
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::token::{failed, open_past_rules};
use super::{output, style};
use crate::app::{App, AppError, Recovered};
use crate::config::file::Source;
use crate::domain::diff::diff;
use crate::domain::id::ChannelId;
use crate::domain::refusal::Refusal;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The reason that is recorded for a restored backup if none is given.
const RESTORED: &str = "a back-up was restored";

/// Arguments of `recover`.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true).args(["config", "restored"]),
    after_help = "Examples:\n  countersign recover --config countersign.yaml --reason 'the last administrator has left'\n  countersign recover --restored --reason 'disk failure on 12 May'\n\nThis opens the database named by DATABASE_URL, also while `countersign serve` runs. It asks no administrator and no policy; it is\naudited as prominent, and the security channel is told. See docs/recovery.md.\n\n--restored cancels every open request, pending ones too: it may have been approved and executed after the back-up was made, which the\nback-up does not know. It revokes every API token, since a token that was revoked after the back-up works again. It prints what it\ncancelled and revoked; make new tokens with `countersign token create`."
)]
pub struct Args {
    /// Put this configuration into force, whatever policies gate it
    #[arg(long, value_name = "FILE", requires = "reason")]
    config: Option<PathBuf>,
    /// After restoring a backup: cancel every open request, revoke every API token, end every break-glass session
    #[arg(long)]
    restored: bool,
    /// Reason; it is announced and stays in the audit log
    #[arg(long)]
    reason: Option<String>,
}

/// Runs `countersign recover`.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    let reason = args.reason.as_deref().unwrap_or(RESTORED);
    match &args.config {
        Some(file) => Box::pin(put_into_force(file, reason)).await,
        None => void(reason).await,
    }
}

async fn put_into_force(file: &Path, reason: &str) -> Result<ExitStatus, CliError> {
    let source = Source::open(file).map_err(|faults| CliError::Usage(faults.to_string()))?;
    // config errors are reported with their lines before the database is opened
    if let Err(faults) = source.compile(0, &BTreeMap::new()) {
        return Err(CliError::Usage(faults.to_string()));
    }
    let app = open_past_rules().await?;
    let done = app.recover(source.document(), reason).await;
    app.close().await;
    let recovered = done.map_err(|error| located(&source, error))?;
    tell(&recovered)?;
    Ok(ExitStatus::Done)
}

fn located(source: &Source, error: AppError) -> CliError {
    match error {
        AppError::Refused(Refusal::Invalid(problems)) => {
            CliError::Usage(source.locate(&problems).to_string())
        }
        other => failed(other),
    }
}

fn tell(recovered: &Recovered) -> Result<(), CliError> {
    if !recovered.changed {
        output::tell("Nothing differs.");
        return Ok(());
    }
    let difference = recovered
        .before
        .as_ref()
        .map(|before| diff(before, &recovered.config.document));
    if difference.is_none() {
        output::tell("Nothing that reads was stored before.");
    }
    let holds = format!("It holds now, as version {}.", recovered.config.version);
    output::tell(&style::good(&holds));
    tell_where(recovered.announced.as_ref());
    // printed last: the change is in force even if nobody reads the difference
    difference.map_or(Ok(()), |difference| output::text(&apply::text(&difference)))
}

async fn void(reason: &str) -> Result<ExitStatus, CliError> {
    let app: App = open_past_rules().await?;
    let done = app.void_open(reason).await;
    app.close().await;
    let voided = done.map_err(failed)?;
    for number in &voided.requests {
        output::line(&format!("#{number}"))?;
    }
    for token in &voided.tokens {
        let name = style::plain(&token.name);
        output::line(&format!("{} {} {name}", token.id, token.principal))?;
    }
    let count = format!("{} open requests were cancelled.", voided.requests.len());
    output::tell(&style::good(&count));
    let count = format!("{} API tokens were revoked.", voided.tokens.len());
    output::tell(&style::good(&count));
    if !voided.tokens.is_empty() {
        output::tell("Make new ones with `countersign token create`.");
    }
    if voided.sessions > 0 {
        let count = format!("{} break-glass sessions are ended.", voided.sessions);
        output::tell(&style::good(&count));
    }
    tell_where(voided.announced.as_ref());
    Ok(ExitStatus::Done)
}

fn tell_where(channel: Option<&ChannelId>) {
    match channel {
        Some(channel) => output::tell(&format!(
            "{} is told by a running server within seconds, else at its next start.",
            style::plain(channel.as_str())
        )),
        None => output::tell(&format!(
            "{} nobody is told: there is no security channel and no default route",
            style::waiting("warning:")
        )),
    }
}
