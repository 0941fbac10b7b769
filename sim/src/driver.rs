//! An engine with the environment that a scenario needs: a clock that jumps, a channel that loses tickets or takes
//! none on demand, and handlers that are closures.

use std::collections::VecDeque;
use std::time::Duration;

use eventful::{
    Config, Event, Key, RecordView, Status, Timestamp,
    engine::{Answer, Command, Deadline, Effect, Engine, EnqueueFailure, Outcome, Run, RunId, Ticket},
};

use crate::assertions::{ComparedStep, assert_consistent, assert_step};
use crate::spec::model::{Model, ModelResponse};
use crate::sut::Sut;

/// The number of records up to which the engine is checked after each command, and compared with the reference model:
/// both take as long as there are records.
const CHECKED_RECORDS: u64 = 100;

/// The number of sweeps after which a run must have started, if one is to start at all: far more than any test needs.
const MAX_WAKES: usize = 10_000;

/// An engine, its clock and its channel, driven by hand.
///
/// Every command is followed by a check of the engine, and by a comparison with the reference model until
/// it is opened again, as long as it is small.
#[derive(Debug)]
pub struct EngineDriver {
    /// The time of the next command. May be set back, to test a clock that steps back.
    pub now: Timestamp,
    /// The tickets on their way. Remove some to lose them.
    pub channel: VecDeque<Ticket>,
    /// The reason why no ticket gets into the channel, if none does.
    pub broken: Option<EnqueueFailure>,
    /// The runs that the engine aborted.
    pub aborted: Vec<RunId>,
    sut: Sut,
    model: Option<Model>,
}

impl EngineDriver {
    /// The time at which each driver's engine is opened. Any time after 1970 would do.
    pub const OPENED_AT: Timestamp = Timestamp::from_micros(1_000_000_000);

    /// Creates an empty engine and an empty channel.
    ///
    /// # Panics
    ///
    /// If the engine refuses the configuration.
    pub fn new(config: Config) -> Self {
        let model = Some(Model::new(config.clone(), Self::OPENED_AT));
        let sut = Sut::open(config, Self::OPENED_AT).expect("a scenario starts with a valid configuration");
        Self { now: Self::OPENED_AT, channel: VecDeque::new(), broken: None, aborted: Vec::new(), sut, model }
    }

    /// Returns the engine.
    pub fn engine(&self) -> &Engine {
        self.sut.engine()
    }

    /// Returns the engine with all facts that it ever put out.
    pub fn sut(&self) -> &Sut {
        &self.sut
    }

    /// Executes a command, and performs its effects.
    pub fn execute(&mut self, command: Command) -> Answer {
        let is_small = self.engine().gauges().records_total() < CHECKED_RECORDS;
        self.model = self.model.take().filter(|_| is_small);
        let (answer, effects) = match &mut self.model {
            Some(model) => {
                let response = model.execute(self.now, &command);
                let ModelResponse { answer, effects, .. } = response.clone();
                assert_step(&mut self.sut, model, ComparedStep { now: self.now, command, response });
                (answer, effects)
            }
            None => self.sut.execute(self.now, command),
        };
        if is_small && self.model.is_none() {
            assert_consistent(&self.sut);
        }
        self.perform(&effects);
        answer
    }

    /// Performs effects. After the first ticket that does not get in, none of the rest is sent, and all are reported
    /// last first.
    fn perform(&mut self, effects: &[Effect]) {
        let mut failed = Vec::new();
        for effect in effects {
            match effect {
                Effect::Abort(run) => self.aborted.push(*run),
                Effect::Enqueue(ticket) if failed.is_empty() && self.has_room() => self.channel.push_back(*ticket),
                Effect::Enqueue(ticket) => failed.push(*ticket),
            }
        }
        let cause = self.broken.unwrap_or(EnqueueFailure::Full);
        for ticket in failed.into_iter().rev() {
            self.execute(Command::EnqueueFailed { ticket, cause });
        }
    }

    /// Returns whether the channel has room. One slot more than the capacity is reserved for the marker.
    fn has_room(&self) -> bool {
        self.broken.is_none() && self.channel.len() <= self.engine().config().channel_capacity.get()
    }

    /// Submits an event with this id and the payload `x`.
    pub fn submit(&mut self, id: &str) -> Answer {
        self.submit_payload(id, "x")
    }

    /// Submits an event with this id and payload.
    pub fn submit_payload(&mut self, id: &str, payload: &'static str) -> Answer {
        self.execute(Command::Submit(Event::new(key(id), payload)))
    }

    /// Takes the next ticket out of the channel and presents it.
    pub fn present(&mut self) -> Option<Answer> {
        let ticket = self.channel.pop_front()?;
        Some(self.execute(Command::Start(ticket)))
    }

    /// Presents tickets until one starts a run, as long as there are any.
    pub fn start(&mut self) -> Option<Run> {
        loop {
            if let Answer::Running(run) = self.present()? {
                return Some(run);
            }
        }
    }

    /// Ends a run.
    pub fn settle(&mut self, run: RunId, outcome: Outcome) -> Answer {
        self.execute(Command::Settle { run, outcome })
    }

    /// Starts the next run, and ends it at once.
    ///
    /// # Panics
    ///
    /// If no ticket starts a run.
    pub fn run(&mut self, outcome: Outcome) -> RunId {
        let run = self.start().expect("a ticket that starts a run");
        self.settle(run.id, outcome);
        run.id
    }

    /// Advances the time.
    pub fn advance(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    /// Sweeps.
    pub fn sweep(&mut self) -> Answer {
        self.execute(Command::Sweep)
    }

    /// Jumps to the next deadline, if there is one, and sweeps.
    pub fn wake(&mut self) -> Option<Deadline> {
        let deadline = self.engine().next_deadline()?;
        self.now = self.now.max(deadline.at);
        self.sweep();
        Some(deadline)
    }

    /// Runs every event with `handler` until none is pending. Returns the time that this took.
    ///
    /// # Panics
    ///
    /// If events are pending and no number of sweeps leads to another run.
    pub fn run_to_end(&mut self, mut handler: impl FnMut(&Run) -> Outcome) -> Duration {
        let started_at = self.now;
        while self.engine().gauges().pending() > 0 {
            let run = self.start_at_last();
            self.settle(run.id, handler(&run));
        }
        self.now.since(started_at)
    }

    /// Starts the next run, however many deadlines have to pass for it.
    ///
    /// # Panics
    ///
    /// If no number of sweeps leads to another run.
    pub fn start_at_last(&mut self) -> Run {
        for _ in 0..MAX_WAKES {
            match self.start() {
                Some(run) => return run,
                None => drop(self.wake().expect("the engine asks for a wake-up while an event is pending")),
            }
        }
        panic!("no run starts, and the next deadline is {:?}", self.engine().next_deadline());
    }

    /// Kills the engine, the channel and every run, and opens another engine from the facts.
    ///
    /// # Panics
    ///
    /// If the engine's own facts contradict each other.
    pub fn reopen(&mut self) {
        self.reopen_with(self.engine().config().clone());
    }

    /// Does what [`EngineDriver::reopen`] does, with another configuration.
    ///
    /// # Panics
    ///
    /// When the engine's own facts contradict each other, and when it refuses the configuration.
    pub fn reopen_with(&mut self, config: Config) {
        self.channel.clear();
        self.model = None;
        let effects = self.sut.reopen_with(config, self.now).expect("the engine's own facts follow from each other");
        self.perform(&effects);
        assert_consistent(&self.sut);
    }

    /// Returns the record of the event with this id.
    pub fn record(&self, id: &str) -> Option<RecordView> {
        self.engine().get(self.now, &key(id))
    }

    /// Returns the status of the event with this id.
    pub fn status(&self, id: &str) -> Option<Status> {
        self.record(id).map(|record| record.status)
    }
}

/// Returns the key with this id and no source.
///
/// # Panics
///
/// If this is no valid id.
pub fn key(id: &str) -> Key {
    Key::new("", id).expect("a scenario's ids are valid")
}
