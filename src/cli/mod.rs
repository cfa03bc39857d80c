//! The command line (docs/decisions.md D35): one short file per command. The client commands call a server through its API.

mod apply;
mod ask;
mod audit;
mod break_glass;
mod cancel;
mod child;
pub mod client;
mod completions;
mod decide;
#[cfg(feature = "sandbox")]
mod demo;
mod doctor;
mod error;
mod execute;
pub mod exit_status;
mod explain;
mod inbox;
mod init;
mod manifest;
mod output;
mod progress;
mod recover;
mod replay;
mod request;
mod run;
mod serve;
mod server;
mod show;
mod style;
mod token;
mod wait;
mod webhook;

use crate::config::dotenv::{self, NotRead};
use crate::config::settings::ServeArgs;
use clap::{Parser, Subcommand};
use error::CliError;
use std::process::ExitCode;

/// Approvals for risky operations, in Slack
#[derive(Debug, Parser)]
#[command(name = "countersign", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  countersign run release.deploy --project api-platform --env production --reason hotfix -- ./deploy
  countersign inbox
  countersign approve 42 --comment 'looks right'

The client commands use COUNTERSIGN_URL (http://127.0.0.1:8080) and COUNTERSIGN_TOKEN of the environment;
they do not read .env. HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are honoured.
Exit status 141: whoever read the output has gone away.";

const SERVE: &str = "\
Examples:
  countersign serve --config countersign.yaml

Secrets come from the environment alone, since arguments are seen by everybody on the machine:
  SLACK_SIGNING_SECRET  checks what Slack sends; two, separated by a comma, while rotating
  SLACK_BOT_TOKEN       speaks to Slack
  SLACK_APP_TOKEN       opens Socket Mode: Slack need not reach this server, and the signing secret may be left out
  DATABASE_URL          the database (sqlite://countersign.db)
and from the variables that `secretEnv` of webhooks names.
They are also read from a file .env in the working directory, where the environment does not set them.
HTTPS_PROXY, ALL_PROXY and NO_PROXY say which proxy leads to Slack: http://USER:PASSWORD@HOST:PORT";

/// All commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the bot together with a local Slack workspace in the browser
    #[cfg(feature = "sandbox")]
    Demo(demo::Args),
    /// Run the bot for your Slack workspace
    #[command(after_help = SERVE)]
    Serve(ServeArgs),
    /// Create a request
    Request(request::Args),
    /// Create a request, wait, run the command once it is approved, and report the outcome
    Run(run::Args),
    /// List requests
    Inbox(inbox::Args),
    /// Show one request
    Show(show::Args),
    /// Approve a request
    Approve(decide::Args),
    /// Reject a request
    Reject(decide::Args),
    /// Cancel a request
    Cancel(cancel::Args),
    /// Claim an approved request (once) and print its payload
    Execute(execute::ExecuteArgs),
    /// Report the outcome of an execution
    Complete(execute::CompleteArgs),
    /// Start, list, end and review break-glass sessions
    #[command(name = "break-glass")]
    BreakGlass(break_glass::Args),
    /// Show which policies would gate a request and who could approve it
    Explain(explain::Args),
    /// Apply a configuration file
    Apply(apply::Args),
    /// Evaluate a configuration over past requests, without changing anything
    Replay(replay::Args),
    /// Create, list and revoke API tokens
    Token(token::Args),
    /// Read and verify the audit log
    Audit(audit::Args),
    /// Recover from a lock-out, or void permissions after restoring a backup
    Recover(recover::Args),
    /// Write a first configuration from what the Slack workspace contains
    Init(init::Args),
    /// Check the installation and suggest fixes
    Doctor(doctor::Args),
    /// Test webhooks, and switch them on again
    Webhook(webhook::Args),
    /// Print the Slack app's manifest
    Manifest(manifest::Args),
    /// Print shell completions
    Completions(completions::Args),
    /// Print the manual page
    Man,
}

impl Command {
    /// Whether the command uses the bot's own database and secrets. Client commands do not read `.env` of the working directory: it could
    /// name another server, which would receive the token (threat R08).
    fn reads_dotenv(&self) -> bool {
        match self {
            #[cfg(feature = "sandbox")]
            Self::Demo(_) => true,
            Self::Serve(_)
            | Self::Token(_)
            | Self::Audit(_)
            | Self::Recover(_)
            | Self::Webhook(_)
            | Self::Doctor(_) => true,
            Self::Request(_)
            | Self::Run(_)
            | Self::Inbox(_)
            | Self::Show(_)
            | Self::Approve(_)
            | Self::Reject(_)
            | Self::Cancel(_)
            | Self::Execute(_)
            | Self::Complete(_)
            | Self::BreakGlass(_)
            | Self::Explain(_)
            | Self::Apply(_)
            | Self::Replay(_)
            | Self::Init(_)
            | Self::Manifest(_)
            | Self::Completions(_)
            | Self::Man => false,
        }
    }
}

/// Parses the command line and reads `.env` for the commands that use it. Call it before any thread starts: it sets environment variables.
/// An error is the exit status; its message has been printed.
pub fn parse() -> Result<Cli, ExitCode> {
    let cli = arguments()?;
    if !cli.command.reads_dotenv() {
        return Ok(cli);
    }
    match dotenv::load() {
        Ok(()) => {}
        Err(warning @ NotRead::Unreadable(_)) => output::tell(&format!("warning: {warning}")),
        Err(NotRead::Faulty(faults)) => return Err(usage(faults.to_string())),
    }
    // parsed again, because `.env` may have set variables that arguments default to
    arguments()
}

fn arguments() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|answer| {
        // printing help or the version can fail, too
        let printed = answer.print().map_err(|error| output::failed(&error));
        let status = u8::try_from(answer.exit_code()).unwrap_or(2);
        match printed {
            Err(trouble) if !answer.use_stderr() => ExitCode::from(trouble.tell().of_command()),
            _ => ExitCode::from(status),
        }
    })
}

/// Reports wrong usage of the program.
pub fn usage(why: impl Into<String>) -> ExitCode {
    ExitCode::from(CliError::Usage(why.into()).tell().of_command())
}

/// Runs a command and prints its error on standard error.
pub async fn main(cli: Cli) -> ExitCode {
    use crate::domain::decision::DecisionKind;
    let done = match cli.command {
        Command::Run(args) => return run::main(args).await,
        Command::Request(args) => return request::main(args).await,
        Command::Inbox(args) => inbox::main(args).await,
        Command::Show(args) => show::main(args).await,
        Command::Approve(args) => decide::main(args, DecisionKind::Approve).await,
        Command::Reject(args) => decide::main(args, DecisionKind::Reject).await,
        Command::Cancel(args) => cancel::main(args).await,
        Command::Execute(args) => execute::execute(args).await,
        Command::Complete(args) => execute::complete(args).await,
        Command::BreakGlass(args) => break_glass::main(args).await,
        Command::Explain(args) => explain::main(args).await,
        Command::Apply(args) => apply::main(args).await,
        Command::Replay(args) => replay::main(args).await,
        #[cfg(feature = "sandbox")]
        Command::Demo(args) => demo::main(args).await,
        Command::Serve(args) => serve::main(args).await,
        Command::Token(args) => token::main(args).await,
        Command::Audit(args) => audit::main(args).await,
        Command::Recover(args) => recover::main(args).await,
        Command::Init(args) => init::main(args).await,
        Command::Doctor(args) => doctor::main(args).await,
        Command::Webhook(args) => webhook::main(args).await,
        Command::Manifest(args) => manifest::main(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man => completions::man(),
    };
    let ending = done.unwrap_or_else(|trouble: CliError| trouble.tell());
    ExitCode::from(ending.of_command())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_names_every_scope_of_a_token() {
        let command = Cli::command();
        let create = command
            .find_subcommand("token")
            .and_then(|token| token.find_subcommand("create"));
        let help = create.expect("it is there").clone().render_long_help();
        for scope in crate::domain::token::Scope::ALL {
            assert!(help.to_string().contains(scope.as_str()), "{scope:?}");
        }
    }

    #[test]
    fn every_command_helps_with_an_example() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name().to_owned();
            if name == "man" {
                continue;
            }
            let help = command.clone().render_long_help().to_string();
            assert!(
                help.contains(&format!("countersign {name}")),
                "{name}:\n{help}"
            );
        }
    }
}
