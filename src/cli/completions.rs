//! `countersign completions` and `countersign man`, generated from the command line's own definition.

use super::Cli;
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::output;
use clap::CommandFactory as _;
use clap_complete::Shell;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign completions bash > /etc/bash_completion.d/countersign\n  source <(countersign completions zsh)"
)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints completions for a shell.
pub fn completions(args: &Args) -> Result<ExitStatus, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "countersign", &mut script);
    output::exact(script)?;
    Ok(ExitStatus::Done)
}

/// Prints the manual page, one section for each command.
pub fn man() -> Result<ExitStatus, CliError> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    render(&command, &mut page).map_err(|error| output::failed(&error))?;
    output::exact(page)?;
    Ok(ExitStatus::Done)
}

/// Renders a command and its subcommands, such as `token create`.
fn render(command: &clap::Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    clap_mangen::Man::new(command.clone()).render(page)?;
    let below = command.get_subcommands();
    below
        .filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
        .try_for_each(|sub| render(sub, page))
}
