//! What the documents say of the code is there.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cerrojo_app::mail::Kind;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// What stands between backticks, one line each.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names of all tests in the workspace.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    rust_files(&root().join("crates"), &mut files);
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        for after in text.split("#[test]").skip(1).chain(text.split("#[tokio::test").skip(1)) {
            let name = after.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
            names.extend(name.map(|(name, _)| name.to_owned()));
        }
    }
    names
}

#[test]
fn every_test_that_the_map_names_exists() {
    let tests = tests();
    let security = document("SECURITY.md");
    let (_, map) = security.split_once("## OWASP ASVS 5.0").unwrap();
    let named: Vec<&str> = quoted(map)
        .filter(|name| {
            name.contains('_') && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        })
        .collect();
    assert!(named.len() > 40, "{named:?}");
    let missing: Vec<&&str> = named.iter().filter(|name| !tests.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_requirement_of_the_floor_is_in_the_map() {
    let sections = [
        ("6.1", 3),
        ("6.2", 12),
        ("6.3", 4),
        ("6.4", 4),
        ("6.5", 5),
        ("6.6", 3),
        ("6.8", 4),
        ("7.1", 3),
        ("7.2", 4),
        ("7.3", 2),
        ("7.4", 5),
        ("7.5", 2),
        ("7.6", 2),
        ("9.1", 3),
        ("9.2", 4),
    ];
    let security = document("SECURITY.md");
    let (_, map) = security.split_once("### V6 Authentication").unwrap();
    let ids: Vec<&str> = map.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).collect();
    for (section, count) in sections {
        for number in 1..=count {
            let id = format!("{section}.{number}");
            let range = format!("{section}.1 to {section}.{count}");
            assert!(
                ids.iter().any(|cell| cell.split(", ").any(|one| one == id) || *cell == range),
                "{id} is not in the map"
            );
        }
    }
}

#[test]
fn every_file_that_the_architecture_names_exists() {
    let architecture = document("ARCHITECTURE.md");
    let named: Vec<&str> = quoted(&architecture)
        .filter(|name| name.contains('/') && Path::new(name).extension() == Some("rs".as_ref()) && !name.contains('*'))
        .collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        let (first, rest) = name.split_once('/').unwrap();
        let file = root().join("crates").join(if first == "crates" { rest } else { name });
        let within = root().join("crates").join(first).join("src").join(rest);
        assert!(file.exists() || within.exists(), "{name}");
    }
}

#[test]
fn every_mail_and_its_values_are_in_the_manual() {
    let operations = document("OPERATIONS.md");
    let (_, table) = operations.split_once("| letter | when | values").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows: Vec<&str> = table.lines().skip(2).collect();
    assert_eq!(rows.len(), Kind::ALL.len());
    for (row, kind) in rows.iter().zip(Kind::ALL) {
        let names: BTreeSet<&str> = quoted(row).filter(|name| !name.contains(' ')).collect();
        let expected = [kind.name()].into_iter().chain(kind.values().iter().copied()).collect();
        assert_eq!(names, expected, "{row}");
    }
}
