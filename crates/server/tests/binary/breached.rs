//! Lists of breached passwords: built from what is public, checked, asked, and in use.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use cerrojo_store::testing::Fresh;
use serde_json::json;

use crate::installation::{Installation, PASSWORD, Ran};

/// SHA-1 of "caballo-grapa", "bateria-correcta" and "filomena come uvas".
const CABALLO: &str = "9D4AB0855B00924BD66F0ECEAE7A038154E421CB";
const BATERIA: &str = "066B9B309DB2C53B40DF4768805AE6F4B3A24B51";
const FILOMENA: &str = "959677BC5AD7457819B0273369D47DABB657987A";

const SETTING: &str = "CERROJO_PASSWORD__BREACHED_LIST";

fn build(here: &Installation, arguments: &[&str]) -> Ran {
    here.run(&[&["breached-list", "build", "breached.list"], arguments].concat())
}

fn write(here: &Installation, name: &str, text: impl AsRef<[u8]>) {
    let path = here.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[track_caller]
fn has(here: &Installation, password: &str) -> bool {
    let ran = here.run_with_input(&["breached-list", "contains", "breached.list", "--password-stdin"], password);
    match ran.exit {
        Some(0) => false,
        Some(1) => {
            assert!(ran.err.contains("the password is in the list"), "{ran:?}");
            true
        }
        _ => panic!("{ran:?}"),
    }
}

#[test]
fn a_list_is_built_from_hashes_with_counts_in_any_order() {
    let here = Installation::new();
    write(&here, "pwned.txt", format!("{FILOMENA}:3\r\n{CABALLO}:12\r\n{BATERIA}:1\r\n{CABALLO}:12\r\n"));
    let ran = build(&here, &["pwned.txt", "--min-count", "2"]).ok();
    assert_eq!(ran.out, "2 passwords in breached.list (4.02 KiB); 1 were there before\n");
    assert!(ran.err.contains("pwned.txt: 3 hashes, 1 seen too rarely"), "{ran:?}");
    assert!(has(&here, "caballo-grapa") && has(&here, "filomena come uvas\n") && !has(&here, "bateria-correcta"));
    let mode = std::fs::metadata(here.path("breached.list")).unwrap().permissions().mode();
    assert_eq!(mode & 0o133, 0, "{mode:o}");
    here.run(&["breached-list", "check", "breached.list"]).ok();
}

#[test]
fn a_list_is_built_from_range_files() {
    let here = Installation::new();
    for (hash, extension) in [(CABALLO, ".txt"), (BATERIA, ""), (FILOMENA, ".txt")] {
        let (prefix, suffix) = hash.split_at(5);
        // Filled up, as the service does when it is asked to.
        let text = format!("{suffix}:7\r\n{}:0", "F".repeat(35));
        write(&here, &format!("hashes/{prefix}{extension}"), text);
    }
    write(&here, "hashes/README.md", "not a range");
    let ran = build(&here, &["hashes"]).ok();
    assert!(ran.out.starts_with("3 passwords"), "{ran:?}");
    assert!(ran.err.contains("1,048,573 range files of 1,048,576 are not there"), "{ran:?}");
    assert!(has(&here, "caballo-grapa") && has(&here, "bateria-correcta") && has(&here, "filomena come uvas"));
    // One of them, by its name.
    let one = format!("hashes/{}.txt", &CABALLO[..5]);
    build(&here, &[&one, "--replace"]).ok();
    assert!(has(&here, "caballo-grapa") && !has(&here, "bateria-correcta"));
    std::fs::rename(here.path(&one), here.path("renamed.txt")).unwrap();
    build(&here, &["renamed.txt", "--replace"]).refused(1, "give it its name back");
}

#[test]
fn a_list_is_built_from_passwords_and_from_standard_input() {
    let here = Installation::new();
    let mut text =
        "caballo-grapa\r\n\nbateria-correcta\n$HEX[66696c6f6d656e6120636f6d652075766173]\n".as_bytes().to_vec();
    text.extend(b"contrase\xf1a-larga\n");
    text.extend(format!("{}\n", "x".repeat(10_000)).into_bytes());
    write(&here, "words.txt", text);
    let ran = build(&here, &["words.txt"]).ok();
    let said = "words.txt: 4 passwords, 1 longer than a password can be, 1 were not UTF-8 and were read as Latin-1";
    assert!(ran.err.contains(said), "{ran:?}");
    for password in ["caballo-grapa", "bateria-correcta", "filomena come uvas", "contraseña-larga"] {
        assert!(has(&here, password), "{password}");
    }
    assert!(!has(&here, "Caballo-grapa") && !has(&here, "caballo-grapa "));
    // Both kinds at once, one of them through a pipe.
    write(&here, "pwned.txt", format!("{FILOMENA}:3\n"));
    let arguments = ["breached-list", "build", "both.list", "-", "pwned.txt"];
    let ran = here.run_with_input(&arguments, "caballo-grapa\n").ok();
    assert!(ran.out.starts_with("2 passwords in both.list"), "{ran:?}");
    here.run(&["breached-list", "build", "x.list", "-", "-"]).refused(2, "only once");
}

#[test]
fn more_than_fits_in_memory_is_sorted_all_the_same() {
    let here = Installation::new();
    let mut text = String::new();
    for number in 0..400_000 {
        writeln!(text, "clave-{}", number % 300_000).unwrap();
    }
    write(&here, "words.txt", text);
    let small = build(&here, &["words.txt", "--memory", "1"]).ok();
    assert!(small.out.starts_with("300,000 passwords") && small.out.contains("100,000 were there before"), "{small:?}");
    here.run(&["breached-list", "check", "breached.list"]).ok();
    here.run(&["breached-list", "build", "large.list", "words.txt"]).ok();
    assert!(std::fs::read(here.path("breached.list")).unwrap() == std::fs::read(here.path("large.list")).unwrap());
    assert!(has(&here, "clave-299999") && !has(&here, "clave-300000"));
}

#[test]
fn what_no_list_can_be_built_from_is_refused_and_leaves_nothing() {
    let here = Installation::new();
    let sources: [(&str, &[u8], &str); 7] = [
        ("empty.txt", b"\n", "there is nothing in it"),
        ("words.gz", b"\x1f\x8b\x08\x00", "zcat FILE | cerrojo breached-list build LIST -"),
        ("words16.txt", b"\xff\xfea\0b\0", "iconv"),
        ("program", b"\x7fELF\0\0", "no text"),
        ("ntlm.txt", b"8846F7EAEE8FB117AD06BDD830B7586C:9\n", "NTLM"),
        ("mixed.txt", format!("{CABALLO}:1\ncaballo\n").leak().as_bytes(), "--format"),
        (
            "cut.txt",
            format!("{}{CABALLO}:1\n{}", format!("{BATERIA}:1\n").repeat(2000), &FILOMENA[..20]).leak().as_bytes(),
            "line 2002",
        ),
    ];
    for (name, text, why) in sources {
        write(&here, name, text);
        build(&here, &[name]).refused(1, why);
    }
    build(&here, &["missing.txt"]).refused(1, "missing.txt");
    std::fs::create_dir(here.path("folder")).unwrap();
    build(&here, &["folder"]).refused(1, "no range files");
    write(&here, "hashes.txt", format!("{CABALLO}\n"));
    build(&here, &["hashes.txt", "--min-count", "2"]).refused(1, "line 1: there is no count");
    write(&here, "rare.txt", format!("{CABALLO}:1\n"));
    build(&here, &["rare.txt", "--min-count", "2"]).refused(1, "nothing would be in the list");
    let names: Vec<_> = std::fs::read_dir(here.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().starts_with("breached")), "{names:?}");
    // Unless it is said what they are.
    build(&here, &["mixed.txt", "--format", "passwords"]).ok();
    assert!(has(&here, "caballo"));
}

#[test]
fn a_list_is_replaced_only_when_told_and_nothing_else_ever() {
    let here = Installation::new();
    write(&here, "one.txt", "caballo-grapa\n");
    write(&here, "two.txt", "bateria-correcta\n");
    build(&here, &["one.txt"]).ok();
    build(&here, &["two.txt"]).refused(1, "--replace");
    assert!(has(&here, "caballo-grapa"));
    build(&here, &["two.txt", "--replace"]).ok();
    assert!(has(&here, "bateria-correcta") && !has(&here, "caballo-grapa"));
    here.run(&["breached-list", "build", "one.txt", "two.txt", "--replace"]).refused(1, "is not replaced");
    assert_eq!(std::fs::read(here.path("one.txt")).unwrap(), b"caballo-grapa\n");
}

#[test]
fn a_damaged_list_is_told_and_no_server_starts_on_it() {
    let here = Installation::new().with(SETTING, "breached.list");
    for arguments in [&["serve"][..], &["config", "check"], &["breached-list", "check", "breached.list"]] {
        here.run(arguments).refused(1, "breached.list: No such file");
    }
    assert!(!here.path("data/cerrojo.db").exists());
    // The list can be built although the setting names it already.
    write(&here, "words.txt", "caballo-grapa\nbateria-correcta\n");
    build(&here, &["words.txt"]).ok();
    here.run(&["config", "check"]).ok();
    let good = std::fs::read(here.path("breached.list")).unwrap();
    let mut other = good.clone();
    other[11] = 9;
    for (bytes, why) in [(&good[..good.len() - 3], "cut off"), (&other[..], "version 9"), (b"words", "no list")] {
        write(&here, "breached.list", bytes);
        for arguments in [&["serve"][..], &["config", "check"], &["breached-list", "check", "breached.list"]] {
            here.run(arguments).refused(1, why);
        }
        let ran = here.run_with_input(&["breached-list", "contains", "--password-stdin"], "caballo-grapa");
        ran.refused(1, why);
    }
    // What a start does not look for, a check does.
    let mut damaged = good;
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    write(&here, "breached.list", &damaged);
    here.run(&["config", "check"]).ok();
    here.run(&["breached-list", "check", "breached.list"]).refused(1, "checksum");
    // Nobody needs the list to end sessions.
    std::fs::remove_file(here.path("breached.list")).unwrap();
    here.run(&["db", "migrate"]).ok();
    here.run(&["session", "end", "--everyone", "--yes"]).ok();
    here.add_user("ana@example.com", "user").refused(1, "password.breached_list: breached.list: No such file");
}

#[test]
fn the_command_line_and_the_server_refuse_what_is_in_the_list() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fresh = runtime.block_on(Fresh::postgres());
    for here in [Installation::new(), Installation::new().with("CERROJO_DATABASE__URL", &fresh.url)] {
        let here = here.with(SETTING, "breached.list");
        write(&here, "words.txt", "caballo-grapa\n");
        build(&here, &["words.txt"]).ok();
        let add = ["user", "add", "--email", "ana@example.com", "--name", "Ana", "--password-stdin"];
        here.run_with_input(&add, "caballo-grapa\n").refused(1, "it appears in known breaches");
        here.run_with_input(&add, PASSWORD).ok();
        let set = ["user", "set-password", "ana@example.com", "--password-stdin"];
        here.run_with_input(&set, "caballo-grapa\n").refused(1, "it appears in known breaches");
        here.run_with_input(&["breached-list", "contains", "--password-stdin"], PASSWORD).ok();
        let server = here.serve();
        assert!(server.said().contains("passwords=1"), "{}", server.said());
        let register = |email: &str, password: &str| {
            let body = json!({ "name": "Bea", "email": email, "password": password });
            server.request("POST /api/auth/register", None, Some(&body)).status
        };
        assert_eq!(register("bea@example.com", "caballo-grapa"), 400);
        assert_eq!(register("bea@example.com", "bateria-correcta"), 201);
        write(&here, "words.txt", format!("bateria-correcta\n{PASSWORD}\n"));
        build(&here, &["words.txt", "--replace"]).ok();
        assert_eq!(register("eva@example.com", "bateria-correcta"), 400);
        assert_eq!(register("eva@example.com", "caballo-grapa"), 201);
        assert_eq!(server.login("ana@example.com", PASSWORD).status, 200);
    }
}
