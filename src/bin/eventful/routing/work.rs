//! Work on an event: it is logged, posted, or given to a command.

use std::time::Duration;

use eventful::{Attempt, Event};

#[cfg(feature = "nats")]
use crate::brokers::publish::Publish;
use crate::deliver::{Deliver, Undelivered};
use crate::exec::Exec;

/// Work on an event.
#[derive(Debug)]
pub(super) enum Work {
    Log,
    Deliver(Box<Deliver>),
    #[cfg(feature = "nats")]
    Publish(Box<Publish>),
    Exec(Exec),
}

impl Work {
    /// The descriptors that one run may hold at the same time.
    pub(super) const fn descriptors(&self) -> u64 {
        match self {
            Self::Log => 0,
            // A connection, another one that was begun meanwhile, and the lookup of a name.
            Self::Deliver(_) => 3,
            // One connection for all.
            #[cfg(feature = "nats")]
            Self::Publish(_) => 0,
            // Three pipes, a handle of the process, and the pipe by which its start is reported.
            Self::Exec(_) => 9,
        }
    }

    /// In words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Log => "logs each event (--deliver URL posts it, --exec CMD runs a command on it)".to_owned(),
            Self::Deliver(deliver) => format!("posts each event to {}", deliver.url()),
            #[cfg(feature = "nats")]
            Self::Publish(publish) => format!("publishes each event to {}", publish.url()),
            Self::Exec(exec) => format!("runs {} on each event", exec.command()),
        }
    }

    /// Does it within this time.
    pub(super) async fn run(&self, event: &Event, attempt: &Attempt, time: Duration) -> Result<(), Undelivered> {
        match self {
            Self::Log => {
                log(event);
                Ok(())
            }
            Self::Deliver(deliver) => deliver.post(event, attempt, time).await,
            #[cfg(feature = "nats")]
            Self::Publish(publish) => publish.publish(event, attempt, time).await,
            Self::Exec(exec) => Ok(exec.run(event, attempt, time).await?),
        }
    }
}

/// The span has key and attempt. The payload is the sender's business and stays out of logs.
fn log(event: &Event) {
    tracing::info!(r#type = event.event_type().unwrap_or_default(), bytes = event.payload().len(), "an event");
}
