//! The thin binary.

use clap::Parser;
use countersign::cli::{self, Cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    // before any thread starts: it sets environment variables
    if let Err(complaints) = countersign::config::settings::load_dotenv() {
        eprintln!("error: {complaints}");
        return ExitCode::from(2);
    }
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("error: another TLS provider is installed in this process");
        return ExitCode::from(2);
    }
    let cli = Cli::parse();
    match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(cli::main(cli)),
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            ExitCode::from(2)
        }
    }
}
