//! Every command against every status: its result, and its effect.

use eventful::{
    Config, Status,
    engine::{Answer, Command, ErrorText, Outcome, RunId, Ticket},
};
use eventful_sim::driver::{EngineDriver, key};

/// No record, then every status.
const COLUMNS: [Option<Status>; 7] = [
    None,
    Some(Status::Received),
    Some(Status::FailedRetry),
    Some(Status::Processing),
    Some(Status::Completed),
    Some(Status::Failed),
    Some(Status::Discarded),
];

#[test]
fn submit_accepts_what_is_absent_and_recognises_all_else() {
    for column in COLUMNS {
        let mut case = TableCase::new(column);
        let same = case.driver.submit("a");
        match column {
            None => assert_eq!(same, Answer::Accepted),
            Some(status) => assert!(matches!(same, Answer::Duplicate(known) if known.status == status), "{same:?}"),
        }
        assert_eq!(case.driver.status("a"), column.or(Some(Status::Received)));
    }
}

#[test]
fn submit_of_another_payload_conflicts_with_all_that_is_there() {
    for column in &COLUMNS[1..] {
        let mut case = TableCase::new(*column);
        assert!(matches!(case.driver.submit_payload("a", "y"), Answer::Conflict(_)), "{column:?}");
        assert_eq!(case.driver.status("a"), *column);
    }
}

#[test]
fn start_runs_what_waits_and_nothing_else() {
    for column in COLUMNS {
        let mut case = TableCase::new(column);
        let answer = case.driver.execute(Command::Start(case.ticket));
        if column.is_some_and(Status::is_waiting) {
            assert!(matches!(answer, Answer::Running(_)), "{column:?}: {answer:?}");
            assert_eq!(case.driver.status("a"), Some(Status::Processing));
        } else {
            assert_eq!(answer, Answer::Stale, "{column:?}");
            assert_eq!(case.driver.status("a"), column);
        }
    }
}

#[test]
fn settle_ends_the_current_run_and_nothing_else() {
    for column in COLUMNS {
        let mut case = TableCase::new(column);
        let answer = case.driver.settle(case.run, Outcome::Done);
        if column == Some(Status::Processing) {
            assert_eq!(answer, Answer::Settled(Status::Completed));
        } else {
            assert_eq!(answer, Answer::Stale, "{column:?}");
            assert_eq!(case.driver.status("a"), column);
        }
    }
}

#[test]
fn heartbeat_moves_the_current_run_and_nothing_else() {
    for column in COLUMNS {
        let mut case = TableCase::new(column);
        let answer = case.driver.execute(Command::Heartbeat(case.run));
        let expected = case.driver.now + case.driver.engine().config().run_timeout;
        let applied = column == Some(Status::Processing);
        assert_eq!(answer, if applied { Answer::Alive(expected) } else { Answer::Stale }, "{column:?}");
        assert_eq!(case.driver.status("a"), column);
    }
}

#[test]
fn redrive_revives_what_has_failed_and_nothing_else() {
    for column in COLUMNS {
        let mut case = TableCase::new(column);
        let answer = case.driver.execute(Command::Redrive(key("a")));
        let (expected, after) = match column {
            None => (Answer::NotFound, None),
            Some(Status::Failed) => (Answer::Noted, Some(Status::Received)),
            Some(other) => (Answer::NotFailed(other), column),
        };
        assert_eq!((answer, case.driver.status("a")), (expected, after), "{column:?}");
    }
}

#[test]
fn discard_ends_all_that_is_not_completed() {
    for column in COLUMNS {
        let mut case = TableCase::new(column);
        let answer = case.driver.execute(Command::Discard(key("a")));
        let (expected, after) = match column {
            None => (Answer::NotFound, None),
            Some(Status::Completed) => (Answer::TooLate, column),
            Some(_) => (Answer::Noted, Some(Status::Discarded)),
        };
        assert_eq!((answer, case.driver.status("a")), (expected, after), "{column:?}");
        assert_eq!(case.driver.execute(Command::Start(case.ticket)), Answer::Stale, "its ticket is void");
        let aborts = usize::from(column == Some(Status::Processing));
        assert_eq!(case.driver.aborted.len(), aborts);
    }
}

/// An engine whose event `a` has the wanted status, with the last ticket and run of that event.
struct TableCase {
    driver: EngineDriver,
    ticket: Ticket,
    run: RunId,
}

impl TableCase {
    fn new(status: Option<Status>) -> Self {
        let driver = EngineDriver::new(Config::default());
        let run = RunId::new(driver.engine().epoch(), 1);
        let mut case = Self { driver, ticket: Ticket::new(1), run };
        if let Some(status) = status {
            case.driver.submit("a");
            case.lead_to(status);
        }
        assert_eq!(case.driver.status("a"), status);
        case
    }

    fn lead_to(&mut self, status: Status) {
        let error = ErrorText::new("wrong");
        match status {
            Status::Received => {}
            Status::Processing => drop(self.driver.start()),
            Status::FailedRetry => self.wait_for_retry(),
            Status::Completed => drop(self.driver.run(Outcome::Done)),
            Status::Failed => drop(self.driver.run(Outcome::Permanent { error })),
            Status::Discarded => drop(self.driver.execute(Command::Discard(key("a")))),
        }
    }

    fn wait_for_retry(&mut self) {
        self.driver.run(Outcome::Retry { error: ErrorText::new("try again"), after: None });
        self.driver.wake();
        self.ticket = self.driver.channel[0];
    }
}
