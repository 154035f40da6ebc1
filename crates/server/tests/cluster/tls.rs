//! The way to the database by TLS.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cerrojo_chaos::postgres::Postgres;
use cerrojo_chaos::world;

use crate::program;

/// Of nobody else here.
const PORT: u16 = 5999;

/// A root made for tests, and what it signed for `localhost`.
fn made_for_tests(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guard/tests/fake/tls").join(name)
}

/// A server that takes nothing but TLS: who asks for its name gets in by the right root and by no other.
pub(crate) fn elsewhere() {
    let mut database = Postgres::create(PORT);
    database.require_tls(&made_for_tests("leaf.pem"), &made_for_tests("leaf.key"));
    database.start();
    let folder = world::folder("tls");
    let migrate = |host: &str, how: &str| -> Output {
        let mut command = Command::new(program());
        command.args(["db", "migrate"]).current_dir(&folder).env_clear();
        let url = format!("postgres://postgres@{host}:{PORT}/postgres?{how}");
        command.env("CERROJO_DATABASE__URL", url).output().expect("the program runs")
    };
    let refused = |host: &str, how: &str| {
        let output = migrate(host, how);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{how}: it got in");
        said
    };
    let root = format!("sslmode=verify-full&sslrootcert={}", made_for_tests("ca.pem").display());
    assert!(refused("localhost", "sslmode=verify-full").contains("certificate"));
    assert!(refused("127.0.0.1", &root).contains("certificate"));
    let plain = refused("localhost", "sslmode=disable");
    assert!(plain.contains("encryption"), "{plain}");
    let output = migrate("localhost", &root);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(database.query("SELECT count(*) FROM log_head"), "1");
}
