//! A database file that was put back.

use crate::installation::{Installation, copy_database};

const ANA: &str = "ana@example.com";

#[test]
fn a_database_put_back_ends_every_session() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let (out, stays) = (server.token(ANA), server.token(ANA));
    server.stop();
    let (database, copy) = (here.path("data/cerrojo.db"), here.path("copy.db"));
    copy_database(&database, &copy);
    let server = here.serve();
    assert_eq!(server.logout(&out), 200);
    server.stop();
    copy_database(&copy, &database);
    let server = here.serve();
    assert_eq!([server.verify(&out), server.verify(&stays)], [401, 401]);
    let after = server.token(ANA);
    server.stop();
    let server = here.serve();
    assert_eq!([server.verify(&out), server.verify(&stays), server.verify(&after)], [401, 401, 200]);
}

#[test]
fn a_database_copied_while_the_server_ran_is_no_better() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let (out, stays) = (server.token(ANA), server.token(ANA));
    let (database, copy) = (here.path("data/cerrojo.db"), here.path("copy.db"));
    copy_database(&database, &copy);
    assert_eq!(server.logout(&out), 200);
    server.kill();
    copy_database(&copy, &database);
    let server = here.serve();
    assert_eq!([server.verify(&out), server.verify(&stays)], [401, 401]);
    server.token(ANA);
}

#[test]
fn a_lost_position_file_counts_as_gone_back() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let token = server.token(ANA);
    server.stop();
    std::fs::remove_file(here.path("data/cerrojo.db.position")).unwrap();
    let server = here.serve();
    assert_eq!(server.verify(&token), 401);
    server.token(ANA);
}

#[test]
fn the_operator_ends_everything_after_a_whole_folder_was_put_back() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let (out, stays) = (server.token(ANA), server.token(ANA));
    server.stop();
    let files = ["cerrojo.db", "cerrojo.db.position", "master.key"].map(|name| here.path("data").join(name));
    let before = files.clone().map(|file| std::fs::read(file).unwrap());
    let server = here.serve();
    assert_eq!(server.logout(&out), 200);
    server.stop();
    for (file, bytes) in files.iter().zip(before) {
        std::fs::write(file, bytes).unwrap();
    }
    here.run(&["session", "end", "--everyone", "--yes"]).ok();
    let server = here.serve();
    assert_eq!([server.verify(&out), server.verify(&stays)], [401, 401]);
    server.token(ANA);
}

/// A database file put back beside the write-ahead log of a killed server, then `first` is done.
fn put_back_under_a_newer_log(first: impl Fn(&Installation)) {
    let here = Installation::new();
    let (database, copy) = (here.path("data/cerrojo.db"), here.path("copy.db"));
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let stays = server.token(ANA);
    server.stop();
    std::fs::copy(&database, &copy).unwrap();
    let server = here.serve();
    let out = server.token(ANA);
    assert_eq!(server.logout(&out), 200);
    server.stop();
    let server = here.serve();
    server.token(ANA);
    server.kill();
    assert!(here.path("data/cerrojo.db-wal").metadata().unwrap().len() > 0);
    std::fs::copy(&copy, &database).unwrap();
    first(&here);
    assert!(here.path("data/cerrojo.db-wal.set-aside").exists());
    let server = here.serve();
    assert_eq!([server.verify(&out), server.verify(&stays)], [401, 401]);
    server.token(ANA);
    here.run(&["db", "check"]).ok();
}

#[test]
fn a_database_is_not_mixed_with_the_log_of_another() {
    put_back_under_a_newer_log(|here| here.serve().stop());
    put_back_under_a_newer_log(|here| drop(here.add_user("eva@example.com", "user").ok()));
}

#[test]
fn a_command_that_only_looks_does_not_mix_them_either() {
    put_back_under_a_newer_log(|here| drop(here.run(&["user", "list"]).ok()));
    put_back_under_a_newer_log(|here| drop(here.run(&["db", "backup", "other.db"]).ok()));
}
