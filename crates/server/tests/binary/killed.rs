//! kill -9 around logouts: whoever was told 200 is out for ever.

use std::sync::mpsc::channel;

use crate::http::request;
use crate::installation::Installation;

const ANA: &str = "ana@example.com";

#[test]
fn a_logout_that_was_answered_survives_the_kill() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let (out, stays) = (server.token(ANA), server.token(ANA));
    assert_eq!(server.logout(&out), 200);
    server.kill();
    let server = here.serve();
    assert_eq!([server.verify(&out), server.verify(&stays)], [401, 200]);
    assert_eq!(server.logout(&out), 401);
}

/// Each round kills after another number of answers, with the other logouts somewhere on their way.
#[test]
fn a_kill_at_any_moment_takes_back_no_answer() {
    const CLIENTS: usize = 8;
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    for answers_before_kill in 0..=CLIENTS {
        let server = here.serve();
        let tokens: Vec<String> = (0..CLIENTS).map(|_| server.token(ANA)).collect();
        let address = server.address;
        let (answered, answers) = channel();
        let told: Vec<Option<u16>> = std::thread::scope(|scope| {
            let clients: Vec<_> = tokens
                .iter()
                .map(|token| {
                    let answered = answered.clone();
                    scope.spawn(move || {
                        let answer = request(address, "POST /api/auth/logout", Some(token), None);
                        let _ = answered.send(());
                        answer.ok().map(|answer| answer.status)
                    })
                })
                .collect();
            for _ in 0..answers_before_kill {
                answers.recv().unwrap();
            }
            server.kill();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let server = here.serve();
        for (token, told) in tokens.iter().zip(told) {
            match told {
                Some(200) => assert_eq!(server.verify(token), 401, "told 200, and alive after the kill"),
                Some(other) => panic!("a logout was answered {other}"),
                // Cut off: whichever it was, it stays.
                None => {
                    let now = server.verify(token);
                    assert_eq!(server.logout(token), now, "verify says {now}");
                    assert_eq!(server.verify(token), 401);
                }
            }
        }
        server.kill();
    }
    here.run(&["db", "check"]).ok();
}
