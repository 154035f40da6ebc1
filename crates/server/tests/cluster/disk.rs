//! A disk that fails at COMMIT: SQLite's server ends itself, and the next start has the truth.

use std::sync::Arc;
use std::time::Duration;

use cerrojo_chaos::client::{Came, Client, Session};
use cerrojo_chaos::disk::Disk;
use cerrojo_chaos::history::judge;
use cerrojo_chaos::node::{Node, Place};
use cerrojo_chaos::record::Record;

use crate::program;

/// Longer than this it does not take to end.
const ENDS: Duration = Duration::from_secs(20);

pub(crate) fn sqlite() {
    let disk = Disk::new();
    let mut settings = vec![("CERROJO_DATABASE__URL", "sqlite:data/cerrojo.db")];
    settings.extend(disk.environment("cerrojo.db"));
    let mut node = Node::new(&Place { program: program(), number: (200, 0), settings: &settings });
    node.launch();
    node.wait_until_ready();
    let record = Arc::new(Record::default());
    let mut client = Client::new(&record, &[node.address], "somebody");
    client.expect_account(0);
    for _ in 0..3 {
        let sessions: Vec<Session> = (0..5).filter_map(|_| client.sign_in(0)).collect();
        assert_eq!(sessions.len(), 5);
        let [stays, before, at, ..] = &sessions[..] else { panic!("five sessions") };
        assert_eq!(client.log_out(0, before), Came::Done);
        disk.fail();
        assert_eq!(client.log_out(0, at), Came::Unknown, "a logout that could not be written was answered");
        assert!(node.ends_within(ENDS), "it goes on after a failed fsync: {}", node.said());
        disk.recover();
        node.launch();
        node.wait_until_ready();
        assert!(client.check(0, stays) && !client.check(0, before));
        // Whichever it was, it stays.
        let is_good = client.check(0, at);
        assert_eq!(client.log_out(0, at), if is_good { Came::Done } else { Came::Refused });
        for _ in 0..100 {
            for session in &sessions {
                client.check_everywhere(0, session);
            }
        }
    }
    assert_eq!(judge(&record.events()), []);
}
