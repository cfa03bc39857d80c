//! `countersign init`: the real program reads a workspace and writes a configuration that loads.

use crate::database::Kind;
use crate::world::{World, world};
use countersign::config::file::Source;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

struct Said {
    code: i32,
    out: String,
    err: String,
}

async fn init(world: &World, folder: &Path, flags: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .arg("init")
        .args(flags)
        .current_dir(folder)
        .env_clear()
        .env("SLACK_API_URL", world.slack.api_url())
        .env("SLACK_BOT_TOKEN", "xoxb-story")
        .stdin(Stdio::null());
    let ran = tokio::task::spawn_blocking(move || command.output()).await;
    let output = ran.expect("no panic").expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Said {
        code: output.status.code().expect("an exit status"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(uuid::Uuid::now_v7().to_string());
    std::fs::create_dir(&folder).expect("a folder");
    folder
}

const FLAGS: [&str; 8] = [
    "--channel",
    "#approvals",
    "--administrator",
    "@erin",
    "--administrator",
    "U03CAROL",
    "--project",
    "API Platform",
];

#[tokio::test]
async fn init_writes_a_loadable_configuration_and_prints_next_steps() {
    let world = world!(Kind::Sqlite);
    world.slack.change(|state| {
        let bot = state.install.bot_user.clone();
        state
            .channels
            .get_mut("C01APPROVALS")
            .expect("there")
            .members
            .remove(&bot);
        state
            .users
            .get_mut("U04MALLORY")
            .expect("there")
            .is_restricted = true;
        state.users.get_mut("U01ALICE").expect("there").real_name =
            "Alice: {Anderson} # \"the\" first".to_owned();
        state.groups.get_mut("S02SRE").expect("there").is_disabled = true;
    });
    let folder = folder();
    let said = init(&world, &folder, &FLAGS).await;
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    insta::assert_snapshot!("next", said.err);
    let path = folder.join("countersign.yaml");
    insta::assert_snapshot!("written", std::fs::read_to_string(&path).expect("a file"));
    let source = Source::open(&path).unwrap_or_else(|faults| panic!("{faults}"));
    source
        .compile(0, &BTreeMap::new())
        .unwrap_or_else(|faults| panic!("{faults}"));
    // an existing file is never overwritten
    let again = init(&world, &folder, &FLAGS).await;
    assert_eq!(again.code, 2);
    assert!(
        again.err.contains("countersign.yaml is there already"),
        "{}",
        again.err
    );
    let printed = init(&world, &folder, &[&FLAGS[..], &["--out", "-"]].concat()).await;
    assert_eq!(printed.out, std::fs::read_to_string(&path).expect("a file"));
    // a bot runs with the generated configuration
    let Some(begun) = World::start_with(Kind::Sqlite, &printed.out).await else {
        return;
    };
    let asked = begun.types("alice", "request release.deploy project=api-platform env=production release=v1 reason=\"a first try\"").await;
    assert!(asked.contains("Asked as *#1*"), "{asked}");
    begun.finish().await;
    std::fs::remove_dir_all(folder).expect("the folder goes");
    world.finish().await;
}

#[tokio::test]
async fn init_without_a_terminal_names_the_missing_flags() {
    let world = world!(Kind::Sqlite);
    let folder = folder();
    let said = init(&world, &folder, &[]).await;
    assert_eq!(said.code, 2);
    insta::assert_snapshot!("not_asked", said.err);
    for (flags, why) in [
        (
            [
                "--channel",
                "nowhere",
                "--administrator",
                "erin",
                "--project",
                "a",
            ],
            "there is no channel nowhere",
        ),
        (
            [
                "--channel",
                "approvals",
                "--administrator",
                "nobody",
                "--project",
                "a",
            ],
            "there is no full member nobody",
        ),
        (
            [
                "--channel",
                "approvals",
                "--administrator",
                "erin",
                "--project",
                "99",
            ],
            "`99` is no id",
        ),
    ] {
        let said = init(&world, &folder, &flags).await;
        assert_eq!(said.code, 2, "{flags:?}");
        assert!(said.err.contains(why), "{}", said.err);
    }
    world
        .slack
        .change(|state| state.scopes.remove("usergroups:read"));
    let said = init(&world, &folder, &FLAGS).await;
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("missing_scope") && said.err.contains("countersign doctor"),
        "{}",
        said.err
    );
    assert!(!folder.join("countersign.yaml").exists());
    std::fs::remove_dir_all(folder).expect("the folder goes");
    world.finish().await;
}
