//! The handler that the options choose.

use eventful::http::sources::QUARANTINED;
use eventful::{Attempt, Event, Failure, Handler};

use crate::deliver::Deliver;
use crate::exec::Exec;
use crate::options::ServeOptions;

/// The handler that the options choose.
#[derive(Debug)]
pub(crate) enum Chosen {
    Log,
    Deliver(Box<Deliver>),
    Exec(Exec),
}

impl Chosen {
    pub(crate) fn new(options: &ServeOptions) -> anyhow::Result<Self> {
        let signer = options.access.signer(&options.tables.signing.secrets)?;
        Ok(match (&options.deliver, &options.exec) {
            (Some(url), _) => Self::Deliver(Box::new(Deliver::new(url.clone(), signer)?)),
            _ if options.access.signs() => {
                anyhow::bail!("--deliver-secret-file signs deliveries, and there are none: give a URL with --deliver")
            }
            (None, Some(command)) => Self::Exec(Exec::new(command.clone())),
            (None, None) => Self::Log,
        })
    }

    /// The descriptors that one run may hold at the same time.
    pub(crate) const fn descriptors_of_a_run(&self) -> u64 {
        match self {
            Self::Log => 0,
            // A connection, another one that was begun meanwhile, and the lookup of a name.
            Self::Deliver(_) => 3,
            // Three pipes, a handle of the process, and the pipe by which its start is reported.
            Self::Exec(_) => 9,
        }
    }

    /// Returns a description of the handler.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Log => "logs each event (--deliver URL posts it, --exec CMD runs a command on it)".to_owned(),
            Self::Deliver(deliver) => format!("posts each event to {}", deliver.url()),
            Self::Exec(exec) => format!("runs {} on each event", exec.command()),
        }
    }
}

impl Handler for Chosen {
    async fn handle(&self, event: Event, attempt: Attempt) -> Result<(), Failure> {
        if let Some(id) = event.attributes().value(QUARANTINED) {
            return Err(Failure::permanent(format_args!(
                "in quarantine: another payload came under the id {id:?}; discard this one, or submit it under an id of its own"
            )));
        }
        match self {
            Self::Log => {
                log(&event);
                Ok(())
            }
            Self::Deliver(deliver) => deliver.post(&event, &attempt).await,
            Self::Exec(exec) => exec.run(&event, &attempt).await,
        }
    }
}

/// The span has key and attempt. The payload is the sender's business and stays out of logs.
fn log(event: &Event) {
    tracing::info!(r#type = event.event_type().unwrap_or_default(), bytes = event.payload().len(), "an event");
}
