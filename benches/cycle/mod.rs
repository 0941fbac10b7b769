//! The core alone, driven through whole lives of events: submit, start, settle.

use std::time::Duration;

use bytes::Bytes;
use eventful::{
    Config, Event, Timestamp,
    engine::{Answer, Command, Effect, Engine, Outcome, Output},
};

use crate::ids;

/// The two forms of id that the store keeps differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A canonical UUID, packed into 16 bytes.
    Uuid,
    /// Any other id of 36 bytes.
    Text,
}

impl Form {
    pub(crate) const ALL: [(Self, &str); 2] = [(Self::Uuid, "uuid"), (Self::Text, "text")];

    pub(crate) fn id(self, n: u64) -> String {
        match self {
            Self::Uuid => ids::uuid(n),
            Self::Text => ids::uuid(n).replace('-', "_"),
        }
    }
}

/// An engine whose clock ticks one microsecond per event.
pub(crate) struct Cycle {
    engine: Engine,
    out: Output,
    now: Timestamp,
}

impl Cycle {
    pub(crate) fn new(retention: Duration) -> Self {
        let mut config = Config::default();
        config.max_records = 100_000_000;
        config.retention = retention;
        let (mut out, now) = (Output::new(), Timestamp::from_micros(1_700_000_000_000_000));
        let engine = Engine::new(config, now, &mut out).expect("a valid configuration");
        Self { engine, out, now }
    }

    /// One whole life.
    pub(crate) fn live(&mut self, event: Event) {
        self.now = self.now + Duration::from_micros(1);
        self.engine.execute(self.now, Command::Submit(event), &mut self.out);
        let ticket = self.out.drain_effects().find_map(|effect| match effect {
            Effect::Enqueue(ticket) => Some(ticket),
            Effect::Abort(_) => None,
        });
        let start = Command::Start(ticket.expect("a ticket for the only event"));
        let Answer::Running(run) = self.engine.execute(self.now, start, &mut self.out) else {
            panic!("a live ticket starts a run")
        };
        self.engine.execute(self.now, Command::Settle { run: run.id, outcome: Outcome::Done }, &mut self.out);
    }

    pub(crate) fn sweep(&mut self) {
        self.engine.execute(self.now, Command::Sweep, &mut self.out);
    }
}

/// The payload of every event; cloning it allocates nothing.
pub(crate) fn payload() -> Bytes {
    Bytes::from_static(&[b'x'; 256])
}
