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
