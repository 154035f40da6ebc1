//! One server at a time.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use crate::installation::Installation;

/// A server looks after its files every second; a busy machine is slower.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_second_server_refuses_and_names_the_first() {
    let here = Installation::new();
    let server = here.serve();
    let ran = here.run(&["serve"]).refused(1, &format!("process {}", server.pid()));
    assert!(ran.err.contains(&format!("cerrojo serve on {}", server.address)), "{ran:?}");
    server.stop();
    here.serve().stop();
}

#[test]
fn another_name_for_the_same_file_does_not_help() {
    let here = Installation::new();
    let server = here.serve();
    symlink(here.path("data/cerrojo.db"), here.path("link.db")).unwrap();
    let pid = format!("process {}", server.pid());
    for url in ["sqlite:link.db", "sqlite:data/../data/./cerrojo.db"] {
        let mut command = here.command(&["serve"]);
        let output = command.env("CERROJO_DATABASE__URL", url).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains(&pid), "{url}: {output:?}");
        assert_eq!(output.status.code(), Some(1));
    }
    std::fs::hard_link(here.path("data/cerrojo.db"), here.path("hard.db")).unwrap();
    let output = here.command(&["serve"]).env("CERROJO_DATABASE__URL", "sqlite:hard.db").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("hard link"), "{output:?}");
}

#[test]
fn a_killed_server_leaves_no_lock_behind() {
    let here = Installation::new();
    here.serve().kill();
    here.serve().stop();
}

#[test]
fn a_server_whose_lock_was_removed_ends() {
    let here = Installation::new();
    let server = here.serve();
    std::fs::remove_file(here.path("data/cerrojo.db.lock")).unwrap();
    let said = server.fails_by_itself(PATIENCE);
    assert!(said.contains("cerrojo.db.lock") && said.contains("removed or replaced"), "{said}");
    here.serve().stop();
}

#[test]
fn a_server_whose_database_was_moved_or_replaced_ends() {
    let here = Installation::new();
    let server = here.serve();
    std::fs::rename(here.path("data/cerrojo.db"), here.path("data/moved.db")).unwrap();
    let said = server.fails_by_itself(PATIENCE);
    assert!(said.contains("data/cerrojo.db") && said.contains("removed or replaced"), "{said}");
    std::fs::rename(here.path("data/moved.db"), here.path("data/cerrojo.db")).unwrap();
    let server = here.serve();
    std::fs::copy(here.path("data/cerrojo.db"), here.path("copy.db")).unwrap();
    std::fs::rename(here.path("copy.db"), here.path("data/cerrojo.db")).unwrap();
    server.fails_by_itself(PATIENCE);
}

#[test]
fn files_that_others_could_read_are_closed_to_them_again() {
    let here = Installation::new();
    here.serve().kill();
    let files = ["data/cerrojo.db", "data/cerrojo.db-wal", "data/cerrojo.db-shm"].map(|name| here.path(name));
    let open = || {
        for file in &files {
            std::fs::set_permissions(file, Permissions::from_mode(0o664)).unwrap();
        }
    };
    let modes = || files.clone().map(|file| file.metadata().unwrap().permissions().mode() & 0o777);
    open();
    let server = here.serve();
    assert_eq!(modes(), [0o600; 3]);
    assert!(server.said().contains("could be read by others"), "{}", server.said());
    open();
    let ran = here.run(&["user", "list"]).ok();
    assert!(ran.err.contains("could be read by others"), "{ran:?}");
    assert_eq!(modes(), [0o600; 3]);
    open();
    here.add_user("ana@example.com", "user").ok();
    assert_eq!(modes(), [0o600; 3]);
    open();
    here.run(&["db", "backup", "copy.db"]).ok();
    assert_eq!(modes(), [0o600; 3]);
    server.stop();
}

#[test]
fn nothing_beside_the_database_can_be_read_by_others() {
    let here = Installation::new();
    let server = here.serve();
    for entry in std::fs::read_dir(here.path("data")).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} has mode {mode:o}", entry.path());
    }
    server.stop();
}

#[test]
fn the_first_start_says_how_to_make_an_administrator() {
    let here = Installation::new();
    let printed = || std::fs::read_to_string(here.path("printed")).unwrap();
    let serve = || {
        let out = std::fs::File::create(here.path("printed")).unwrap();
        Installation::serve_by(here.command(&["serve"]).stdout(out))
    };
    let server = serve();
    assert!(server.said().contains("cerrojo user add --role admin"), "{}", server.said());
    let told = printed();
    let (_, link) = told.split_once("http://127.0.0.1:4000/first-administrator?token=").unwrap();
    let code = link.split_whitespace().next().unwrap();
    assert!(!server.said().contains(code), "the log goes further than the terminal");
    let page = server.request(&format!("GET /first-administrator?token={code}"), None, None);
    assert_eq!(page.status, 200);
    here.add_user("admin@example.com", "admin").ok();
    assert_eq!(server.request(&format!("GET /first-administrator?token={code}"), None, None).status, 401);
    server.stop();
    let again = serve();
    assert!(!again.said().contains("cerrojo user add") && printed().is_empty(), "{} {}", again.said(), printed());
    again.stop();
}

#[test]
fn without_pages_there_is_no_link_for_the_first_administrator() {
    let here = Installation::new().with("CERROJO_PAGES__ENABLED", "false");
    let out = std::fs::File::create(here.path("printed")).unwrap();
    let server = Installation::serve_by(here.command(&["serve"]).stdout(out));
    assert!(server.said().contains("cerrojo user add --role admin"), "{}", server.said());
    assert_eq!(std::fs::read_to_string(here.path("printed")).unwrap(), "");
    server.stop();
}

#[test]
fn plain_http_beyond_this_machine_is_warned_of() {
    let here = Installation::new().with("CERROJO_SERVER__PUBLIC_URL", "http://auth.example.com");
    assert!(here.serve().said().contains("travel unencrypted"));
}
