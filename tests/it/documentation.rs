//! Checks that the documentation matches the code: the README's commands are the ones that CI runs, and links resolve.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The commands in the first two steps of the README.
const COMMANDS: [&str; 2] = ["cargo run -- demo", "cargo test"];

#[test]
fn readme_commands_are_the_ones_ci_runs() {
    let readme = read("README.md");
    let checks = read(".ci/run");
    for command in COMMANDS {
        assert!(
            readme.lines().any(|line| line.trim() == command),
            "README.md does not say `{command}`"
        );
    }
    assert!(
        checks.contains("cargo test --locked"),
        ".ci/run does not run the README's tests"
    );
}

#[test]
fn documentation_links_resolve() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut papers = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    for entry in fs::read_dir(folder.join("docs")).expect("docs") {
        let name = entry.expect("a paper").file_name();
        // pictures have their own folder
        if Path::new(&name)
            .extension()
            .is_some_and(|ending| ending == "md")
        {
            papers.push(format!("docs/{}", name.display()));
        }
    }
    let mut links = 0;
    for paper in papers {
        let text = read(&paper);
        let base = folder.join(&paper);
        let base = base.parent().expect("a folder");
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            links += 1;
            assert!(base.join(file).exists(), "{paper}: {target} leads nowhere");
        }
    }
    assert!(links > 5, "no links were found");
}

#[test]
fn configuration_page_explains_every_variable() {
    let text = read("docs/configuration.md");
    for line in read(".env.example").lines() {
        let Some((name, _)) = line.trim_start_matches('#').split_once('=') else {
            continue;
        };
        if !name.contains(' ') {
            assert!(
                text.contains(name),
                "docs/configuration.md does not explain {name}"
            );
        }
    }
}

#[test]
fn api_page_lists_every_route() {
    let text = read("docs/api.md");
    for route in countersign::http::route::routes() {
        let named = format!("`{} {}`", route.method, route.path);
        assert!(text.contains(&named), "docs/api.md does not name {named}");
    }
}
