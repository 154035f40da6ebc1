//! What systemd is told, by a socket that stands in for its own.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use cerrojo_store::testing::Fresh;
use rustix::process::Signal;

use crate::installation::Installation;

/// Where the server says how it is.
struct Systemd(UnixDatagram);

impl Systemd {
    fn of(here: Installation) -> (Self, Installation) {
        let path = here.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        (Self(socket), here.with("NOTIFY_SOCKET", path.to_str().unwrap()))
    }

    /// What is said next.
    #[track_caller]
    fn hears(&self) -> String {
        let mut bytes = [0; 4096];
        let count = self.0.recv(&mut bytes).expect("something is said");
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    }

    /// What is said up to and with a line.
    #[track_caller]
    fn hears_up_to(&self, line: &str) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            heard.push(self.hears());
            if heard.last().unwrap().lines().any(|one| one == line) {
                return heard;
            }
        }
    }
}

#[test]
fn it_is_told_when_the_server_is_ready_reloads_and_stops() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fresh = runtime.block_on(Fresh::postgres());
    for database in ["sqlite:data/cerrojo.db", &fresh.url] {
        let (systemd, here) = Systemd::of(Installation::new().with("CERROJO_DATABASE__URL", database));
        let server = here.serve();
        let heard = systemd.hears_up_to("READY=1");
        let (ready, before) = heard.split_last().unwrap();
        assert_eq!(ready, &format!("READY=1\nSTATUS=listening on http://{}\n", server.address));
        // What it is busy with until then.
        assert!(before.iter().any(|said| said.contains("STATUS=bringing the database up to date")), "{before:?}");
        assert!(before.iter().all(|said| !said.contains("READY")), "{before:?}");
        assert_eq!(server.request("GET /health/ready", None, None).status, 200);

        server.signal(Signal::HUP);
        let reloading = systemd.hears();
        let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|rest| rest.trim_end().parse().ok());
        assert!(time.is_some_and(|time: u64| time > 0), "{reloading}");
        assert_eq!(systemd.hears(), format!("READY=1\nSTATUS=listening on http://{}\n", server.address));
        assert_eq!(server.request("GET /health/ready", None, None).status, 200);

        server.stop();
        assert!(systemd.hears().starts_with("STOPPING=1\n"));
    }
}

#[test]
fn a_server_that_lives_says_so_within_each_limit() {
    let (systemd, here) = Systemd::of(Installation::new().with("WATCHDOG_USEC", "6000000"));
    let server = here.serve();
    systemd.hears_up_to("READY=1");
    systemd.0.set_read_timeout(Some(Duration::from_secs(6))).unwrap();
    for _ in 0..3 {
        assert_eq!(systemd.hears(), "WATCHDOG=1\n", "or nothing within the limit");
    }
    server.stop();
}

#[test]
fn without_a_limit_or_with_anothers_no_life_is_shown() {
    for (name, value) in [("WATCHDOG_PID", "1"), ("WATCHDOG_USEC", "soon")] {
        let (systemd, here) = Systemd::of(Installation::new().with("WATCHDOG_USEC", "20000").with(name, value));
        let server = here.serve();
        systemd.hears_up_to("READY=1");
        server.stop();
        assert!(systemd.hears().starts_with("STOPPING=1\n"));
    }
}

#[test]
fn a_start_that_takes_long_asks_for_time() {
    let (systemd, here) = Systemd::of(Installation::new());
    here.run(&["db", "migrate"]).ok();
    // As a command that takes its time.
    let lock = std::fs::File::options().read(true).write(true).open(here.path("data/cerrojo.db.lock")).unwrap();
    lock.lock().unwrap();
    let starting = std::thread::spawn(move || {
        let server = here.serve();
        (server, here)
    });
    let heard = systemd.hears_up_to("EXTEND_TIMEOUT_USEC=30000000");
    assert!(heard.last().unwrap().contains("STATUS=waiting for the database's lock"), "{heard:?}");
    lock.unlock().unwrap();
    let (server, _here) = starting.join().unwrap();
    systemd.hears_up_to("READY=1");
    server.stop();
}
