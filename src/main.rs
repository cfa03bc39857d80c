//! The thin binary.

use countersign::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    // before any thread starts: it sets environment variables
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        return cli::usage("another TLS provider is installed in this process");
    }
    match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(cli::main(cli)),
        Err(error) => cli::usage(format!("no runtime: {error}")),
    }
}
