//! What systemd is told of a node whose database is away.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use cerrojo_chaos::node::Cut;
use cerrojo_chaos::world;

use crate::cluster;

/// A new start would not bring the database back: the node says that it lives, and what it cannot do.
pub(crate) fn while_the_database_is_away() {
    let mut cluster = cluster(&[]);
    let path = world::folder("systemd").join("notify");
    let systemd = UnixDatagram::bind(&path).expect("a socket");
    let hears = |patience| {
        systemd.set_read_timeout(Some(patience)).expect("a time limit");
        let mut bytes = [0; 4096];
        let count = systemd.recv(&mut bytes).expect("something is said in time");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    };
    let hears_that = |words: &str| while !hears(Duration::from_mins(1)).contains(words) {};
    let node = &mut cluster.nodes[0];
    node.stop();
    node.set("NOTIFY_SOCKET", &path.to_string_lossy());
    node.set("WATCHDOG_USEC", "4000000");
    node.launch();
    node.wait_until_ready();
    hears_that("READY=1\nSTATUS=listening on");
    node.cut(Cut::Both);
    hears_that("STATUS=answering 503");
    for _ in 0..6 {
        assert_eq!(hears(Duration::from_secs(4)), "WATCHDOG=1\n");
    }
    assert!(!node.has_ended());
    node.heal(Cut::Both);
    hears_that("STATUS=listening on");
}
