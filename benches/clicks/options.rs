//! The command line of the benchmark.

use crate::database::Kind;
use std::path::PathBuf;

const HELP: &str = "\
Measures clicks, submissions, explanations, inbox pages and executions per second.

Usage: cargo bench --bench clicks -- [OPTIONS]

Options:
  --rounds N           Rounds; the median and the spread are printed [default: 3]
  --clicks N           Clicks in each round and for each number of clients [default: 4000]
  --clients A,B        Numbers of clients that click at the same time [default: 16,64]
  --database NAME      sqlite or postgres; both if it is not given
  --peer               Also measure the same clicks against a bot written with Bolt for JavaScript.
                       It needs Node.js and, once: npm install --prefix benches/clicks/peer
  --help               Print help

Postgres is the one that COUNTERSIGN_TEST_POSTGRES names, else postgres://postgres@127.0.0.1:5432/postgres.
Each round makes a database of its own and removes it.
";

/// What to do.
pub enum Command {
    /// Send the load that a file describes.
    Load {
        /// The file.
        plan: PathBuf,
    },
    /// Measure.
    Measure(Options),
}

/// What to measure.
pub struct Options {
    pub rounds: usize,
    pub clicks: usize,
    pub clients: Vec<usize>,
    pub databases: Vec<Kind>,
    pub peer: bool,
}

/// Reads the command line, or ends the program with what is wrong with it.
pub fn parse() -> Command {
    let mut words = std::env::args().skip(1);
    let mut options = Options {
        rounds: 3,
        clicks: 4_000,
        clients: vec![16, 64],
        databases: vec![Kind::Sqlite, Kind::Postgres],
        peer: false,
    };
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .unwrap_or_else(|| usage(&format!("{word} needs a value")))
        };
        match word.as_str() {
            "--load" => {
                return Command::Load {
                    plan: value().into(),
                };
            }
            "--rounds" => options.rounds = number(&value()),
            "--clicks" => options.clicks = number(&value()),
            "--clients" => options.clients = value().split(',').map(number).collect(),
            "--database" => options.databases = vec![kind(&value())],
            "--peer" => options.peer = true,
            // cargo adds it
            "--bench" => {}
            "--help" => {
                print!("{HELP}");
                std::process::exit(0);
            }
            other => usage(&format!("{other} is not an option")),
        }
    }
    Command::Measure(options)
}

fn number(text: &str) -> usize {
    match text.parse() {
        Ok(number) if number > 0 => number,
        _ => usage(&format!("{text} is not a positive number")),
    }
}

fn kind(name: &str) -> Kind {
    match name {
        "sqlite" => Kind::Sqlite,
        "postgres" => Kind::Postgres,
        other => usage(&format!("{other} is neither sqlite nor postgres")),
    }
}

fn usage(why: &str) -> ! {
    eprintln!("{why}\n\n{HELP}");
    std::process::exit(2)
}
