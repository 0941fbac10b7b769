//! The driver of an intake on tokio: performs what it decides.

use core::pin::{Pin, pin};
use core::time::Duration;
use std::boxed::Box;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::action::{IntakeAction, IntakeCounts, IntakeEnd};
use super::config::IntakeConfig;
use super::intake::{CallOutcome, Intake};
use super::message::{DeliveryTag, Message, Room};
use super::monitor::{IntakeMonitor, Monitored};
use super::source::{BrokerSource, Received, SourceError, SourceErrorKind};
use crate::engine::Timestamp;
use crate::node::Unavailable;
use crate::runtime::Eventful;

/// The reason why a consumer has ended by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// The engine cannot be used without a restart. Nothing was acknowledged since.
    #[error("the engine takes no more messages of the broker")]
    Engine(#[source] Unavailable),
    /// The broker cannot be used.
    #[error("no more messages can be received from the broker: correct its configuration, and start again")]
    Broker(#[source] SourceError),
}

/// Submits the messages of a broker to the engine, until `stop` ends, the engine shuts down, or one of them cannot be used
/// any more. Returns the counts once nothing is in flight, at most `drain_timeout` after that.
///
/// Each message is received, submitted, durable with a journal, and only then acknowledged. Accepted events and duplicates
/// are acknowledged. Conflicts, events that are too large, and messages that are no events are put aside with the reason,
/// and then acknowledged. While the engine has no room nothing more is received, and what was received is extended, or
/// given back with a delay. What an engine that shuts down refuses, and what may or may not be durable, is never
/// acknowledged.
///
/// Dropping the future abandons what is in flight: the broker delivers it again.
///
/// # Errors
///
/// [`ConsumeError`]
pub async fn consume<S: BrokerSource>(
    eventful: &Eventful,
    source: S,
    config: IntakeConfig,
    stop: impl Future<Output = ()> + Send,
) -> Result<IntakeCounts, ConsumeError> {
    consume_monitored(eventful, source, config, &IntakeMonitor::default(), stop).await
}

/// The same as [`consume`], with a monitor that shows the numbers meanwhile.
///
/// # Errors
///
/// [`ConsumeError`]
pub async fn consume_monitored<S: BrokerSource>(
    eventful: &Eventful,
    source: S,
    config: IntakeConfig,
    monitor: &IntakeMonitor,
    stop: impl Future<Output = ()> + Send,
) -> Result<IntakeCounts, ConsumeError> {
    let monitored = monitor.begin();
    let intake = Intake::new(config.clone(), source.terms());
    let (source, calls) = (Arc::new(source), JoinSet::new());
    let mut consumer = Consumer { eventful, source, config, intake, calls, monitored, broken: None };
    consumer.run(stop).await;
    let counts = *consumer.intake.counts();
    match (consumer.broken, consumer.intake.end()) {
        (Some(error), _) => Err(ConsumeError::Broker(error)),
        (None, Some(IntakeEnd::Unavailable(why))) => Err(ConsumeError::Engine(why)),
        (None, Some(IntakeEnd::ShuttingDown) | None) => Ok(counts),
    }
}

type Receiving = Pin<Box<dyn Future<Output = Result<Received, SourceError>> + Send>>;

struct Consumer<'a, S> {
    eventful: &'a Eventful,
    source: Arc<S>,
    config: IntakeConfig,
    intake: Intake,
    /// Calls of the source and waits for durability that are under way.
    calls: JoinSet<CallResult>,
    monitored: Monitored<'a>,
    /// The failure of the source that ends the consumer.
    broken: Option<SourceError>,
}

/// The result of something that was done for the intake.
enum CallResult {
    Durable(DeliveryTag, Result<(), Unavailable>),
    Acknowledged(DeliveryTag, CallOutcome),
    GivenBack(DeliveryTag, CallOutcome),
    Extended(DeliveryTag, CallOutcome),
    Buried(DeliveryTag, CallOutcome),
}

/// The next thing that happens to a consumer.
enum Happening {
    Stop,
    Call(CallResult),
    Receive(Result<Received, SourceError>),
    Time,
}

impl<S: BrokerSource> Consumer<'_, S> {
    async fn run(&mut self, stop: impl Future<Output = ()> + Send) {
        let eventful = self.eventful;
        let mut stop = pin!(async move {
            tokio::select! {
                biased;
                () = stop => {}
                () = eventful.ending() => {}
            }
        });
        let mut receiving = None;
        loop {
            self.perform();
            self.monitored.note(self.intake.counts(), self.intake.in_flight());
            if self.intake.is_drained() {
                return;
            }
            let now = self.eventful.now();
            match self.intake.room(now) {
                Some(room) if receiving.is_none() => receiving = Some(receive(&self.source, room)),
                Some(_) => {}
                // What it has taken meanwhile comes with the next one.
                None => receiving = None,
            }
            let until = self.intake.next_deadline(now);
            let happening = tokio::select! {
                biased;
                () = &mut stop, if !self.intake.is_draining() => Happening::Stop,
                Some(call) = self.calls.join_next() => Happening::Call(call.unwrap_or_else(|died| resume(died))),
                received = async { receiving.as_mut()?.await.into() }, if receiving.is_some() => {
                    let Some(received) = received else { continue };
                    Happening::Receive(received)
                }
                () = sleep(eventful, until) => Happening::Time,
            };
            if matches!(happening, Happening::Receive(_)) {
                receiving = None;
            }
            self.note(happening);
        }
    }

    fn note(&mut self, happening: Happening) {
        let now = self.eventful.now();
        match happening {
            Happening::Stop => self.intake.drain(now),
            Happening::Call(call) => {
                self.note_call(now, call);
                // Several end at once, as an append makes many messages durable: a round for each would cost more than it does.
                while let Some(call) = self.calls.try_join_next() {
                    self.note_call(now, call.unwrap_or_else(|died| resume(died)));
                }
            }
            Happening::Receive(Ok(received)) => {
                self.intake.receive_succeeded();
                match received {
                    Received::Messages(messages) => self.take(now, messages),
                    Received::Revoked(partition) => self.intake.revoked(partition),
                }
            }
            Happening::Receive(Err(error)) if error.kind() == SourceErrorKind::Permanent => {
                tracing::error!(%error, "no more messages can be received from the broker");
                self.broken = Some(error);
                self.intake.drain(now);
            }
            Happening::Receive(Err(error)) => {
                tracing::warn!(%error, "messages cannot be received from the broker; the next try follows");
                self.intake.receive_failed(now);
            }
            Happening::Time => {}
        }
        self.intake.tick(now);
    }

    fn take(&mut self, now: Timestamp, messages: std::vec::Vec<Message>) {
        messages.into_iter().for_each(|message| self.intake.received(now, message));
    }

    fn note_call(&mut self, now: Timestamp, call: CallResult) {
        match call {
            CallResult::Durable(tag, durable) => self.intake.durable(now, tag, durable),
            CallResult::Acknowledged(tag, outcome) => self.intake.acknowledged(now, tag, outcome),
            CallResult::GivenBack(tag, outcome) => self.intake.given_back(now, tag, outcome),
            CallResult::Extended(tag, outcome) => self.intake.extended(now, tag, outcome),
            CallResult::Buried(tag, outcome) => self.intake.buried(now, tag, outcome),
        }
    }

    /// Performs what the intake decides, and what follows from that at once.
    fn perform(&mut self) {
        loop {
            let actions = self.intake.actions();
            if actions.is_empty() {
                return;
            }
            actions.into_iter().for_each(|action| self.act(action));
        }
    }

    fn act(&mut self, action: IntakeAction) {
        match action {
            IntakeAction::Submit { tag, event } => {
                let decided = self.eventful.decide(event);
                self.intake.decided(self.eventful.now(), tag, decided);
            }
            IntakeAction::AwaitDurable { tag, key, lsn } => {
                let wait = self.eventful.durable(&key, lsn);
                self.calls.spawn(async move { CallResult::Durable(tag, wait.await) });
            }
            IntakeAction::Abandon { tag } => self.source.abandon(tag),
            IntakeAction::Acknowledge { tag } => self.call("acknowledge", move |source| async move {
                CallResult::Acknowledged(tag, source.done(source.source.acknowledge(tag)).await)
            }),
            IntakeAction::GiveBack { tag, delay } => self.call("give back", move |source| async move {
                CallResult::GivenBack(tag, source.done(source.source.give_back(tag, delay)).await)
            }),
            IntakeAction::Extend { tag } => self.call("extend", move |source| async move {
                CallResult::Extended(tag, source.done(source.source.extend(tag)).await)
            }),
            IntakeAction::Bury { tag, letter } => self.call("put aside", move |source| async move {
                CallResult::Buried(tag, source.done(source.source.bury(tag, letter)).await)
            }),
        }
    }

    fn call<F>(&mut self, what: &'static str, make: impl FnOnce(Call<S>) -> F)
    where
        F: Future<Output = CallResult> + Send + 'static,
    {
        let call = Call { source: Arc::clone(&self.source), timeout: self.config.call_timeout, what };
        self.calls.spawn(make(call));
    }
}

/// One call of a source, bounded in time.
struct Call<S> {
    source: Arc<S>,
    timeout: Duration,
    what: &'static str,
}

impl<S> Call<S> {
    async fn done(&self, call: impl Future<Output = Result<(), SourceError>> + Send) -> CallOutcome {
        let Self { timeout, what, .. } = self;
        match tokio::time::timeout(*timeout, call).await {
            Ok(Ok(())) => return CallOutcome::Confirmed,
            Ok(Err(error)) if error.kind() == SourceErrorKind::Gone => {
                tracing::debug!(%error, "the broker did not {what} a message, which it has taken away");
                return CallOutcome::Gone;
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the broker did not {what} a message; it is tried again, or delivered again")
            }
            Err(_) => tracing::warn!(
                ?timeout,
                "the broker did not {what} a message in time; it is tried again, or delivered again"
            ),
        }
        CallOutcome::Failed
    }
}

async fn sleep(eventful: &Eventful, until: Option<Timestamp>) {
    match until {
        Some(at) => eventful.clock_reaches(at).await,
        None => core::future::pending().await,
    }
}

fn receive<S: BrokerSource>(source: &Arc<S>, room: Room) -> Receiving {
    let source = Arc::clone(source);
    Box::pin(async move { source.receive(room).await })
}

/// Continues the panic of a source: what it knows of its deliveries cannot be trusted any more.
fn resume(died: tokio::task::JoinError) -> ! {
    match died.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        // Nothing aborts a call while its consumer lives.
        Err(aborted) => std::panic::panic_any(std::format!("a call of the broker was {aborted}")),
    }
}
