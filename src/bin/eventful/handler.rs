//! The handler that the options choose.

use eventful::engine::TypePolicies;
use eventful::handler::LeaseDesk;
use eventful::{Attempt, Config, Event, Failure, Handler};

use crate::options::ServeOptions;
use crate::routing::router::{DefaultTarget, EventRouter, refuse_quarantined};
use crate::types::UnmatchedFlag;

/// The handler that the options choose.
#[derive(Debug)]
pub(crate) struct Chosen {
    means: Means,
    unmatched: UnmatchedFlag,
    types: TypePolicies,
}

/// The way in which events are handled.
#[derive(Debug)]
enum Means {
    Route(Box<EventRouter>),
    Pull(LeaseDesk),
}

impl Chosen {
    /// Creates the handler of flags and tables.
    ///
    /// # Errors
    ///
    /// The first thing that is not possible, and what to write instead.
    pub(crate) fn new(options: &ServeOptions, config: &Config) -> anyhow::Result<Self> {
        let means = Means::new(options, config)?;
        Ok(Self { means, unmatched: options.types.unmatched, types: config.types.clone() })
    }

    /// Returns the targets and routes, unless the handler is `--pull`.
    pub(crate) fn router(&self) -> Option<&EventRouter> {
        if let Means::Route(router) = &self.means { Some(router) } else { None }
    }

    /// Returns the desk at which workers take events, if the handler is `--pull`.
    pub(crate) fn leases(&self) -> Option<LeaseDesk> {
        if let Means::Pull(desk) = &self.means { Some(desk.clone()) } else { None }
    }

    /// Returns the descriptors that one run may hold at the same time.
    pub(crate) fn descriptors_of_a_run(&self) -> u64 {
        self.router().map_or(0, EventRouter::descriptors_of_a_run)
    }

    /// Returns a description of the handler.
    pub(crate) fn describe(&self) -> String {
        match &self.means {
            Means::Route(router) => router.describe(),
            Means::Pull(_) => "gives each event to a worker that asks for it, by POST /v1/lease".to_owned(),
        }
    }
}

impl Means {
    fn new(options: &ServeOptions, config: &Config) -> anyhow::Result<Self> {
        let tables = &options.tables;
        let signer = options.access.signer(&tables.signing.secrets)?;
        if options.access.signs() && options.deliver.is_none() && tables.targets.is_empty() {
            anyhow::bail!("--deliver-secret-file signs deliveries, and there are none: give a URL with --deliver");
        }
        if options.pull {
            anyhow::ensure!(
                tables.targets.is_empty() && tables.routes.is_empty(),
                "pull gives every event to workers, and there are targets or routes: leave them or pull out"
            );
            return Ok(Self::Pull(LeaseDesk::new()));
        }
        let default =
            DefaultTarget { url: options.deliver.clone(), form: options.deliver_as, exec: options.exec.clone() };
        let router = EventRouter::new(default, (&tables.targets, &tables.routes), signer.as_ref(), config)?;
        Ok(Self::Route(Box::new(router)))
    }
}

impl Handler for Chosen {
    fn waits_to_be_asked(&self) -> bool {
        matches!(self.means, Means::Pull(_))
    }

    async fn handle(&self, event: Event, attempt: Attempt) -> Result<(), Failure> {
        refuse_quarantined(&event)?;
        self.unmatched.refuse(&event, &self.types)?;
        match &self.means {
            Means::Route(router) => router.work(&event, &attempt).await,
            Means::Pull(desk) => desk.handle(event, attempt).await,
        }
    }
}
