//! Backup beside a running server, restore without one.

use crate::installation::Installation;

const ANA: &str = "ana@example.com";
const RESTORE: [&str; 4] = ["db", "restore", "backup.db", "--yes"];

#[test]
fn after_a_restore_everything_is_over_and_users_are_there() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let (out_before, out_after, stays) = (server.token(ANA), server.token(ANA), server.token(ANA));
    assert_eq!(server.logout(&out_before), 200);
    let ran = here.run(&["db", "backup", "backup.db"]).ok();
    assert!(ran.out.contains("KiB") && ran.err.contains("master.key"), "{ran:?}");
    here.run(&["db", "backup", "backup.db"]).refused(1, "exists already");
    assert_eq!(server.logout(&out_after), 200);
    let born_after = server.token(ANA);
    here.add_user("later@example.com", "user").ok();
    let ran = here.run(&RESTORE).refused(1, "in use by");
    assert!(ran.err.contains(&format!("process {}", server.pid())), "{ran:?}");
    assert_eq!(server.verify(&stays), 200);
    server.stop();
    here.run(&["db", "restore", "backup.db"]).refused(2, "--yes");
    let ran = here.run(&RESTORE).ok();
    assert!(ran.err.contains(".before-restore-"), "{ran:?}");
    let server = here.serve();
    for token in [&out_before, &out_after, &stays, &born_after] {
        assert_eq!(server.verify(token), 401);
    }
    let after = server.token(ANA);
    assert_eq!(server.login("later@example.com", crate::installation::PASSWORD).status, 401);
    server.kill();
    let server = here.serve();
    assert_eq!([server.verify(&stays), server.verify(&after)], [401, 200]);
    here.run(&["db", "check"]).ok();
    let listed = here.run(&["session", "list", "--user", ANA, "--ended", "--json"]).ok().json();
    let restored = listed.as_array().unwrap().iter().filter(|row| row["ended_reason"] == "restored").count();
    assert_eq!(restored, 2, "{listed}");
}

#[test]
fn the_database_that_was_replaced_is_kept_whole() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    here.run(&["db", "backup", "backup.db"]).ok();
    let server = here.serve();
    here.add_user("later@example.com", "user").ok();
    let token = server.token("later@example.com");
    // What was written last is still in the write-ahead log.
    server.kill();
    here.run(&RESTORE).ok();
    let mut names = std::fs::read_dir(here.path("data")).unwrap().map(|entry| entry.unwrap().path());
    let kept = names.find(|path| path.to_string_lossy().contains(".before-restore-")).unwrap();
    here.run(&["db", "restore", kept.to_str().unwrap(), "--yes"]).ok();
    let server = here.serve();
    assert_eq!(server.verify(&token), 401);
    server.token("later@example.com");
}

#[test]
fn a_backup_can_be_restored_where_there_is_no_database() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    here.run(&["db", "backup", "backup.db"]).ok();
    for suffix in ["", "-wal", "-shm", ".position", ".lock"] {
        let _ = std::fs::remove_file(here.path(&format!("data/cerrojo.db{suffix}")));
    }
    here.run(&RESTORE).ok();
    here.serve().token(ANA);
}

#[test]
fn what_is_no_backup_of_this_installation_is_refused_and_nothing_changes() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let token = server.token(ANA);
    server.stop();
    std::fs::write(here.path("backup.db"), "not a database at all".repeat(500)).unwrap();
    here.run(&RESTORE).refused(1, "is not restored");
    std::fs::write(here.path("backup.db"), "").unwrap();
    here.run(&RESTORE).refused(1, "is not restored");
    let other = Installation::new();
    other.add_user(ANA, "user").ok();
    other.run(&["db", "backup", "backup.db"]).ok();
    std::fs::copy(other.path("backup.db"), here.path("backup.db")).unwrap();
    here.run(&RESTORE).refused(1, "another master key");
    here.run(&["db", "restore", "missing.db", "--yes"]).refused(1, "missing.db");
    let names = std::fs::read_dir(here.path("data")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().contains("restor")).collect();
    assert!(left.is_empty(), "{left:?}");
    let server = here.serve();
    assert_eq!(server.verify(&token), 200);
}
