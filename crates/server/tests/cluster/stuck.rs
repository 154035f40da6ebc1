//! A node that stands still at the worst moment must not make the others stand still.

use std::sync::Arc;

use cerrojo_chaos::client::{Came, Client, Session};
use cerrojo_chaos::cluster::Cluster;
use cerrojo_chaos::moment;
use cerrojo_chaos::node::Cut;
use cerrojo_chaos::record::Record;

use crate::{cluster, registered, violations};

const HEAD: &str = "UPDATE log_head SET number = number";
const LEASES: &str = "SELECT * FROM leases FOR UPDATE";
const WAITS: &str = "wait_event_type = 'Lock'";
/// A node that holds the head and says nothing more, however far it came before it stood still.
const IDLE: &str = "state = 'idle in transaction' AND application_name = 'cerrojo' AND pid IN \
    (SELECT pid FROM pg_locks WHERE relation = CAST('log_head' AS regclass) AND mode = 'RowExclusiveLock')";
/// Where it stands still.
const STUCK: usize = 2;

/// It holds the log's head, which every ending needs, and says nothing more.
pub(crate) fn with_the_head() {
    let cluster = cluster(&[]);
    let record = Arc::new(Record::default());
    let (mut client, session) = signed_in(&cluster, &record, "somebody");
    let (mut other, others) = signed_in(&cluster, &record, "another");
    std::thread::scope(|scope| {
        let held = cluster.database.hold(HEAD);
        // In several statements: one session alone is ended by a single one, which holds nothing while its node stands still.
        let logging_out = scope.spawn(|| other.log_out_all(STUCK, &others, std::slice::from_ref(&others)));
        cluster.database.wait_until(1, &format!("{WAITS} AND query LIKE '%UPDATE log_head%'"));
        cluster.nodes[STUCK].pause();
        drop(held);
        cluster.database.wait_until(1, IDLE);
        goes_on(&mut client, &session);
        cluster.nodes[STUCK].go_on();
        let _ = logging_out.join();
    });
    assert_eq!(client.log_out(0, &session), Came::Refused);
    client.check_everywhere(0, &session);
    assert_eq!(violations(&record), []);
}

/// It holds the row of its own lease, which whoever waits for it wants to remove.
pub(crate) fn with_its_lease() {
    let cluster = cluster(&[]);
    let record = Arc::new(Record::default());
    let (mut client, session) = signed_in(&cluster, &record, "somebody");
    let held = cluster.database.hold(LEASES);
    // Every node, so this one too, has sent its renewal.
    cluster.database.wait_until(3, WAITS);
    cluster.nodes[STUCK].cut(Cut::Both);
    drop(held);
    goes_on(&mut client, &session);
    assert_eq!(violations(&record), []);
}

/// It is told to stop when it has joined and does not answer yet: nobody has to wait for it afterwards.
pub(crate) fn at_its_start() {
    let mut cluster = cluster(&[]);
    for _ in 0..5 {
        cluster.nodes[STUCK].stop();
        assert_eq!(cluster.database.query("SELECT count(*) FROM leases"), "2");
        cluster.nodes[STUCK].launch();
        cluster.database.wait_for("SELECT count(*) = 3 FROM leases");
    }
}

/// While the other one still stands still. How soon is measured by `bench/chaos`.
fn goes_on(client: &mut Client, session: &Session) {
    let begun = moment::now();
    let came = client.log_out(0, session);
    assert_eq!(came, Came::Done, "after {:?}", moment::between(begun, moment::now()));
}

fn signed_in(cluster: &Cluster, record: &Arc<Record>, name: &str) -> (Client, Session) {
    let mut client = registered(cluster, record, name);
    let session = client.sign_in(0).expect("somebody signs in");
    (client, session)
}
