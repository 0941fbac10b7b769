//! Options made ready: everything that can be refused before a server listens.

use std::fmt::Display;

use eventful::Config;
use eventful::http::FrontConfig;
use eventful::http::sources::Source;
use eventful::schedules::Schedule;

use crate::brokers::config as broker_config;
#[cfg(feature = "nats")]
use crate::brokers::intake::NatsIntake;
use crate::handler::Chosen;
use crate::options::ServeOptions;
use crate::schedules;

/// Everything that a server is started with.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) config: Config,
    pub(crate) front: FrontConfig,
    pub(crate) handler: Chosen,
    pub(crate) schedules: Vec<Schedule>,
    #[cfg(feature = "nats")]
    pub(crate) intakes: Vec<NatsIntake>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<eventful::http::Tls>,
}

/// Options that no server can be started with.
#[derive(Debug)]
pub(crate) struct Invalid(String);

impl Invalid {
    pub(crate) fn of(why: impl Display) -> Self {
        Self(why.to_string())
    }
}

impl Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

impl Prepared {
    /// Reads secrets and certificates, and puts everything together.
    ///
    /// # Errors
    ///
    /// The first thing that is not possible.
    pub(crate) fn new(options: &ServeOptions) -> Result<Self, Invalid> {
        #[cfg(feature = "postgres")]
        options.postgres.place().map_err(Invalid::of)?;
        let mut config = options.config().map_err(Invalid::of)?;
        options.types.unmatched.set(&mut config).map_err(Invalid::of)?;
        config.validate().map_err(Invalid::of)?;
        let tables = &options.tables;
        let mut front = options.front();
        front.access = options.access.access(options.listen, &tables.access).map_err(Invalid::of)?;
        let source = |(name, source): (&String, _)| Source::new(name, source).map_err(Invalid::of);
        front.sources = tables.sources.iter().map(source).collect::<Result<_, _>>()?;
        let schedules = schedules::schedules(&tables.schedules, options.schedules.as_deref(), &config);
        let schedules = schedules.map_err(Invalid::of)?;
        #[cfg(not(feature = "nats"))]
        broker_config::none(&tables.brokers).map_err(Invalid::of)?;
        #[cfg(feature = "nats")]
        let brokers = broker_config::all(&tables.brokers, options.brokers.from.as_ref()).map_err(Invalid::of)?;
        #[cfg(feature = "nats")]
        let intakes = NatsIntake::all(&brokers).map_err(|error| Invalid::of(format_args!("{error:#}")))?;
        #[cfg(feature = "nats")]
        front.intakes.extend(intakes.iter().map(NatsIntake::monitor));
        let handler = Chosen::new(options, &config).map_err(|error| Invalid::of(format_args!("{error:#}")))?;
        front.targets = handler.router().filter(|router| router.has_targets()).map(|router| router.states().clone());
        front.leases = handler.leases();
        Ok(Self {
            config,
            front,
            handler,
            schedules,
            #[cfg(feature = "nats")]
            intakes,
            #[cfg(feature = "tls")]
            tls: options.tls.tls().map_err(Invalid::of)?,
        })
    }
}
