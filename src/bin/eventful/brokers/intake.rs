//! The consumer of a stream of NATS.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use eventful::Eventful;
use eventful::broker::{ConsumeError, IntakeConfig, IntakeMonitor, consume_monitored};
use eventful_nats::{LagReader, NatsSource, NatsSourceConfig};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::address::NatsUrl;
use super::config::{BrokerConfig, BrokerProduct};
use super::login::Login;
use crate::terminal::say;

/// The first wait after a failure to consume, which doubles up to the longest: soon enough for a broker that starts beside
/// this server, and rare enough for one that is away for days.
const RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(30);

/// The interval at which the broker is asked for what it has not delivered: as often as a metric is read.
const LAG_EVERY: Duration = Duration::from_secs(5);

/// The shortest `ack_wait`: half of it is the time for an extension to arrive.
const LEAST_ACK_WAIT: Duration = Duration::from_secs(1);

/// The consumer of a stream, which begins again after each failure.
#[derive(Debug)]
pub(crate) struct NatsIntake {
    name: String,
    url: NatsUrl,
    login: Login,
    source: NatsSourceConfig,
    intake: IntakeConfig,
    monitor: IntakeMonitor,
}

impl NatsIntake {
    /// Reads the secrets of all tables.
    ///
    /// # Errors
    ///
    /// The first thing that is not possible, and what to write instead.
    pub(crate) fn all(configs: &BTreeMap<String, BrokerConfig>) -> anyhow::Result<Vec<Self>> {
        let read = |(name, config): (&String, _)| Self::read(name, config).with_context(|| format!("sources.{name}"));
        configs.iter().map(read).collect()
    }

    fn read(name: &str, config: &BrokerConfig) -> anyhow::Result<Self> {
        let BrokerProduct::Jetstream = config.kind;
        let url = NatsUrl::parse(&config.url).map_err(|wrong| anyhow::anyhow!("url: {wrong}"))?;
        url.knows(&[]).map_err(|wrong| anyhow::anyhow!("url: {wrong}"))?;
        let login = Login::read(config.user.as_ref(), config.password.as_ref(), config.token.as_ref())?;
        let consumer = config.consumer.clone().unwrap_or_else(|| "eventful".to_owned());
        let letters = config.dead_letters.clone().unwrap_or_else(|| format!("dead.{}", url.name));
        let mut source = NatsSourceConfig::new(url.name.clone(), consumer, letters);
        source.filter_subjects.clone_from(&config.subjects);
        if let Some(wait) = config.ack_wait {
            anyhow::ensure!(
                wait.time() >= LEAST_ACK_WAIT,
                "ack_wait is too short for messages to be extended in time: write 1s or more"
            );
            source.ack_wait = wait.time();
        }
        let mut intake = IntakeConfig::default();
        intake.max_in_flight = config.max_in_flight.unwrap_or(intake.max_in_flight);
        Ok(Self { name: name.to_owned(), url, login, source, intake, monitor: IntakeMonitor::default() })
    }

    /// Returns its name, and the monitor of its numbers.
    pub(crate) fn monitor(&self) -> (String, IntakeMonitor) {
        (self.name.clone(), self.monitor.clone())
    }

    /// In words.
    pub(crate) fn describe(&self) -> String {
        let NatsSourceConfig { consumer, dead_letters, .. } = &self.source;
        format!("{}: takes events from {} as {consumer}; dead letters go to {dead_letters}", self.name, self.url)
    }

    /// Consumes until `stop` changes or the engine ends, again after each failure.
    async fn run(self, eventful: Eventful, mut stop: IntakeStop) {
        let mut wait = RETRY;
        loop {
            let received = self.monitor.numbers().counts.received;
            match self.consume(&eventful, &mut stop).await {
                Ok(()) => return,
                Err(error) if is_of_the_engine(&error) => {
                    tracing::error!("source {} ends: {error:#}", self.name);
                    return;
                }
                Err(error) => {
                    // One that has worked since is not at fault for long.
                    if self.monitor.numbers().counts.received > received {
                        wait = RETRY;
                    }
                    tracing::warn!("source {}: {error:#}; the next try is in {wait:?}", self.name);
                }
            }
            tokio::select! {
                biased;
                () = stop.comes() => return,
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(MAX_RETRY),
            }
        }
    }

    async fn consume(&self, eventful: &Eventful, stop: &mut IntakeStop) -> anyhow::Result<()> {
        let open = async {
            let client = self.login.connect(&self.url).await?;
            anyhow::Ok(NatsSource::open(client, self.source.clone()).await?)
        };
        let source = tokio::select! {
            biased;
            () = stop.comes() => return Ok(()),
            source = open => source?,
        };
        let lag = source.lag_reader();
        let consuming = consume_monitored(eventful, source, self.intake.clone(), &self.monitor, stop.comes());
        let ended = tokio::select! {
            biased;
            ended = consuming => ended,
            never = self.watch(&lag) => match never {},
        };
        self.monitor.set_lag(None);
        Ok(ended.map(drop)?)
    }

    async fn watch(&self, lag: &LagReader) -> std::convert::Infallible {
        loop {
            self.monitor.set_lag(lag.read().await.ok().map(|lag| lag.waiting));
            tokio::time::sleep(LAG_EVERY).await;
        }
    }
}

/// The consumers of all streams, until they are stopped.
#[derive(Debug)]
pub(crate) struct NatsIntakes {
    stops: Vec<oneshot::Sender<()>>,
    tasks: JoinSet<()>,
}

impl NatsIntakes {
    /// Starts all of them.
    pub(crate) fn start(intakes: Vec<NatsIntake>, eventful: &Eventful) -> Self {
        let (mut stops, mut tasks) = (Vec::new(), JoinSet::new());
        for intake in intakes {
            say(&format!("  source       {}", intake.describe()));
            let (stop, stopped) = oneshot::channel();
            stops.push(stop);
            tasks.spawn(intake.run(eventful.clone(), IntakeStop(Some(stopped))));
        }
        Self { stops, tasks }
    }

    /// Stops them, and waits until nothing of theirs is in flight: each bounds that itself.
    pub(crate) async fn stop(mut self) {
        self.stops.clear();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!("a source has ended badly: {error}");
            }
        }
    }
}

/// The end that others put to an intake: the other side sends, or is dropped.
#[derive(Debug)]
struct IntakeStop(Option<oneshot::Receiver<()>>);

impl IntakeStop {
    /// Waits until it comes; at once when it has come.
    async fn comes(&mut self) {
        if let Some(stopped) = &mut self.0 {
            let _sent_or_dropped = stopped.await;
            self.0 = None;
        }
    }
}

fn is_of_the_engine(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(ConsumeError::Engine(_)))
}
