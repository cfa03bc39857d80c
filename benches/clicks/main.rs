//! What the bot can do per second, measured from outside: the real program on a real database, signed clicks over HTTP from a
//! process of their own, and a check that every click that was acknowledged is stored.
//!
//! `cargo bench --bench clicks -- --help` explains the options, `docs/performance.md` the figures.

#![expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]

mod database;
mod load;
mod options;
mod peer;
mod proxy;
mod report;
mod round;
mod server;
mod slack;

use options::{Command, Options};
use report::Report;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match options::parse() {
        // this program again, as the process that sends the load
        Command::Load { plan } => runtime.block_on(load::run(&plan)),
        Command::Measure(options) => runtime.block_on(measure(&options)),
    }
}

/// The databases and the peer take turns, round by round: whatever else the machine does meanwhile slows them all alike.
async fn measure(options: &Options) {
    let mut report = Report::default();
    for round in 1..=options.rounds {
        for database in &options.databases {
            eprintln!("round {round} of {}: {}", options.rounds, database.name());
            round::measure(*database, options, &mut report).await;
            if options.peer {
                peer::measure(*database, options, &mut report).await;
            }
        }
    }
    if options.databases.contains(&database::Kind::Postgres) {
        eprintln!("statements and round trips, through a proxy that counts them");
        round::count(options, &mut report).await;
    }
    print!("{report}");
}
