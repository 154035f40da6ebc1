use super::*;

const MS: Duration = Duration::from_millis(1);

fn block(number: u8) -> AddressBlock {
    AddressBlock::of(std::net::Ipv4Addr::new(192, 0, 2, number).into())
}

fn turn(number: u8, known: Known) -> Turn {
    Turn { block: block(number), known }
}

type Answer = oneshot::Receiver<Result<String, Busy>>;

fn job(name: &str, since: Duration) -> (Job, Answer) {
    let (reply, answer) = oneshot::channel();
    let (asked, waits) = (Span::none(), Span::none());
    (Job { password: Zeroizing::new(name.to_owned()), task: Task::Make { reply }, since, asked, waits }, answer)
}

/// A queue for one thread, whose jobs take 100 ms.
struct Waiting {
    queue: Queue,
    answers: Vec<Answer>,
}

impl Waiting {
    fn new() -> Self {
        let mut queue = Queue::new(1, 3000 * MS);
        queue.done(100 * MS);
        Self { queue, answers: Vec::new() }
    }

    fn push(&mut self, name: &str, turn: Turn) -> Result<(), Busy> {
        let (job, answer) = job(name, Duration::ZERO);
        self.answers.push(answer);
        self.queue.push(turn, job)
    }

    fn next(&mut self) -> String {
        let job = self.queue.pop(Duration::ZERO).map(|job| job.password.to_string()).unwrap_or_default();
        self.queue.done(100 * MS);
        job
    }
}

#[test]
fn one_address_that_floods_delays_another_by_one_turn() {
    let mut waiting = Waiting::new();
    let mut admitted = 0;
    while waiting.push("flood", turn(1, Known::No)).is_ok() {
        admitted += 1;
    }
    assert_eq!(admitted, 31, "3 s of its own jobs");
    waiting.push("single", turn(2, Known::No)).unwrap();
    assert_eq!([waiting.next(), waiting.next()], ["flood", "single"]);
}

#[test]
fn turns_go_round_the_addresses() {
    let mut waiting = Waiting::new();
    for name in ["a1", "a2", "a3"] {
        waiting.push(name, turn(1, Known::No)).unwrap();
    }
    for name in ["b1", "b2"] {
        waiting.push(name, turn(2, Known::No)).unwrap();
    }
    waiting.push("c1", turn(3, Known::No)).unwrap();
    let order: Vec<String> = (0..7).map(|_| waiting.next()).collect();
    assert_eq!(order, ["a1", "b1", "c1", "a2", "b2", "a3", ""]);
}

#[test]
fn known_ones_go_first_and_the_others_never_starve() {
    let mut waiting = Waiting::new();
    waiting.push("other", turn(1, Known::No)).unwrap();
    waiting.push("other", turn(2, Known::No)).unwrap();
    for _ in 0..20 {
        waiting.push("known", turn(3, Known::Yes)).unwrap();
    }
    let order: Vec<String> = (0..22).map(|_| waiting.next()).collect();
    let others: Vec<usize> = (0..22).filter(|at| order[*at] == "other").collect();
    assert_eq!(others, [7, 15]);
}

#[test]
fn the_estimate_is_what_then_happens() {
    let mut random = 7_u32;
    let mut draw = move |below: u32| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 16) % below
    };
    for round in 0..200 {
        let mut waiting = Waiting::new();
        for _ in 0..draw(25) {
            let known = if draw(2) == 0 { Known::Yes } else { Known::No };
            let _ = waiting.push("x", turn(u8::try_from(draw(5)).unwrap(), known));
            if draw(4) == 0 {
                waiting.next();
            }
        }
        let me = turn(u8::try_from(draw(6)).unwrap(), if draw(2) == 0 { Known::Yes } else { Known::No });
        let estimate = waiting.queue.wait(me);
        if waiting.push("me", me).is_err() {
            continue;
        }
        let turns = (0..1000).take_while(|_| waiting.next() != "me").count();
        assert_eq!(estimate, 100 * MS * u32::try_from(turns).unwrap(), "round {round}");
    }
}

#[test]
fn only_who_would_wait_too_long_is_refused() {
    let mut waiting = Waiting::new();
    while waiting.push("flood", turn(1, Known::No)).is_ok() {}
    assert!(waiting.push("flood", turn(1, Known::No)).unwrap_err().retry_after >= Duration::from_secs(1));
    assert!(waiting.push("other", turn(2, Known::No)).is_ok());
    assert!(waiting.push("known", turn(1, Known::Yes)).is_ok());
}

#[test]
fn whoever_went_away_frees_the_place() {
    let mut waiting = Waiting::new();
    while waiting.push("gone", turn(1, Known::No)).is_ok() {}
    waiting.answers.clear();
    waiting.push("here", turn(1, Known::No)).unwrap();
    assert_eq!([waiting.next(), waiting.next()], ["here", ""]);

    waiting.push("gone", turn(1, Known::No)).unwrap();
    waiting.answers.clear();
    waiting.push("here", turn(1, Known::No)).unwrap();
    assert_eq!([waiting.next(), waiting.next()], ["here", ""], "skipped when its turn comes");
}

#[test]
fn whoever_has_waited_too_long_is_refused_then() {
    let mut queue = Queue::new(1, 3000 * MS);
    let (early, mut early_answer) = job("early", Duration::ZERO);
    let (late, mut late_answer) = job("late", 2000 * MS);
    queue.push(turn(1, Known::No), early).unwrap();
    queue.push(turn(1, Known::No), late).unwrap();
    assert_eq!(queue.pop(3001 * MS).map(|job| job.password.to_string()).as_deref(), Some("late"));
    assert!(early_answer.try_recv().unwrap().is_err());
    assert!(late_answer.try_recv().is_err(), "not answered yet");
    assert!(queue.pop(3001 * MS).is_none());
}

#[test]
fn the_queue_is_bounded_even_when_hashes_cost_nothing() {
    let mut queue = Queue::new(1, 3000 * MS);
    let mut answers = Vec::new();
    for _ in 0..MOST_WAITING {
        let (job, answer) = job("x", Duration::ZERO);
        answers.push(answer);
        queue.push(turn(1, Known::No), job).unwrap();
    }
    assert!(queue.push(turn(2, Known::Yes), job("x", Duration::ZERO).0).is_err());
}

#[test]
fn a_clock_that_leapt_does_not_close_the_queue() {
    let mut queue = Queue::new(1, 3000 * MS);
    queue.done(Duration::from_hours(24));
    assert!(queue.push(turn(1, Known::No), job("x", Duration::ZERO).0).is_ok());
}
