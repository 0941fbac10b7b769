//! The server host: the real adapter behind the real HTTP front, on simulated sockets.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use eventful::http::sources::{NoSecret, Secret, SecretRef, Source, SourceConfig};
use eventful::http::{Access, AccessConfig, FrontConfig, Limits, Listener, serve};
use eventful::journal::OpenError;
use eventful::{Eventful, ShutdownReport, StartError, Status, Timestamp, clock::Clock as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use turmoil::net::TcpListener;

use super::ask::Asker;
use super::clock::TICK;
use super::connection_owners::SIGNER;
use super::disturb::Disturber;
use super::embedder;
use super::given_up::given_up;
use super::observed_store::ObservedStore;
use super::oracle::progress::Waits;
use super::oracle::shutdown::{self, SeenShutdown};
use super::oracle::{OracleResult, durable, holds};
use super::run_context::RunContext;
use super::scenario::SubmittedItem;
use super::scripted_handler::ScriptedHandler;
use super::step::NetworkStep;
use super::window::Narrow;
use super::wire;
use crate::disk::DiskFault;
use crate::failure::Broken;

/// The current process of the server, if one is up.
pub(super) type ServerProcess = Rc<RefCell<Option<Up>>>;

/// A process of the server, seen from outside.
pub(super) struct Up {
    pub(super) eventful: Eventful,
    pub(super) orders: UnboundedSender<Order>,
    /// The time at which it came up.
    pub(super) since: Timestamp,
    /// The time by which its shutdown must have ended.
    pub(super) ends_by: Option<Duration>,
    /// The time at which it was found broken, or its journal permanently down.
    pub(super) broken_since: Option<Duration>,
    /// True while its journal is being opened again.
    pub(super) is_reopening: bool,
    /// The check of tickets and submitters that wait without reason.
    pub(super) waits: Waits,
}

/// An order of an operator to the process.
#[derive(Debug)]
pub(super) enum Order {
    /// Shuts down, by as many calls as there are timeouts.
    Shutdown {
        timeouts: Vec<Duration>,
        awaited: bool,
    },
    Pause,
    Resume,
    /// Submits events of the program's own.
    Submit {
        first: u8,
        count: u8,
        patience: Duration,
    },
    /// Makes all calls that may have to wait for the disk, again and again until this time.
    Ask {
        until: Timestamp,
    },
}

/// The time for which requests in progress may continue when the server stops: within the range of client timeouts, so
/// that some end in time and some do not.
pub(super) const CLOSE_GRACE: Duration = Duration::from_millis(40);

/// Runs one process of the server.
pub(super) async fn live(stage: Arc<RunContext>, door: ServerProcess) -> turmoil::Result {
    let (orders, inbox) = unbounded_channel();
    if !embedder::start_unpolled(&stage, start).await? {
        return Ok(());
    }
    let Some(eventful) = start(&stage)? else { return Ok(()) };
    // A reader that is dropped at once must cost nothing from then on.
    drop(eventful.subscribe(1)?);
    // The buffer holds more facts than a run makes, so that a lag is always a bug.
    stage.open(eventful.subscribe(1 << 20)?);
    *door.borrow_mut() = Some(Up {
        eventful: eventful.clone(),
        orders,
        since: stage.clock.now(),
        ends_by: None,
        broken_since: None,
        is_reopening: false,
        waits: Waits::default(),
    });
    tokio::spawn(operate(Arc::clone(&stage), eventful.clone(), inbox));
    let listener = Ear { stage, listener: TcpListener::bind(("0.0.0.0", 80)).await? };
    let stop = eventful.clone();
    let judge = Arc::clone(&listener.stage);
    let mut front = FrontConfig::from(limits());
    front.sources.push(signer()?);
    front.access = access()?;
    serve(listener, eventful, front, async move {
        stop.stopped().await;
    })
    .await;
    // Those who asked for the shutdown are notified at the same time, and have reported that by the next tick.
    tokio::time::sleep(TICK).await;
    let waiting = judge.with(|notes, _| notes.shutdowns_waiting);
    judge.judge(holds(waiting == 0, || {
        Broken::new("shutdown", 6, format_args!("{waiting} callers of a shutdown are not notified that it has ended"))
    }));
    Ok(())
}

/// Starts the adapter. Returns none if its disk, or a hook, prevents that: then the process ends.
fn start(stage: &Arc<RunContext>) -> Result<Option<Eventful>, StartError> {
    let mut builder = Eventful::builder()
        .config(stage.scenario.setup.config())
        .seed(stage.scenario.seed)
        .clock(stage.clock.clone())
        .hooks(Arc::new(Disturber(Arc::clone(stage))));
    if let (Some(journal), Some(drive)) = (stage.scenario.setup.journal, &stage.drive) {
        builder = builder.journal(ObservedStore::store(stage, drive), journal.durability());
    }
    let started = catch_unwind(AssertUnwindSafe(|| builder.start(ScriptedHandler(Arc::clone(stage)))));
    let refused = match started {
        Ok(Ok(eventful)) => {
            stage.judge(recovered(&eventful));
            return Ok(Some(eventful));
        }
        Ok(Err(StartError::Open(OpenError::Io { .. }) | StartError::Write(_))) => "start refused by the disk",
        Ok(Err(StartError::Open(error))) => {
            stage.judge(Err(durable::refused(&error)));
            return Ok(None);
        }
        Ok(Err(error)) => return Err(error),
        // A panic of a hook: the panic itself is counted elsewhere.
        Err(_) => "start cut short by a panic",
    };
    stage.with(|notes, now| {
        notes.coverage.reach(refused);
        notes.trace.note(now, &NetworkStep::NotStarted);
    });
    Ok(None)
}

/// Checks that the engine has exactly what the journal reports as recovered, before anything is done with it: only a
/// run that was cut short may have failed since.
fn recovered(eventful: &Eventful) -> OracleResult {
    let (Some(recovery), Ok(stats)) = (eventful.recovery(), eventful.stats()) else { return Ok(()) };
    let gauges = &stats.engine.gauges;
    let (pending, failed) = (gauges.pending(), gauges.records(Status::Failed));
    let is_same = recovery.pending + recovery.failed == pending + failed && recovery.failed <= failed;
    holds(is_same && recovery.records == gauges.records_total() && recovery.paused == stats.paused, || {
        Broken::new("durable", 10, format_args!("{recovery:?} was recovered, but the engine has {gauges:?}"))
    })
}

/// Returns the configuration of a sender that signs.
fn signer() -> Result<Source, Box<dyn std::error::Error>> {
    let text = r#"{"id": "header:x-id", "verify": {"scheme": "hmac", "prefix": "sha256="}}"#;
    let mut config: SourceConfig = serde_json::from_str(text)?;
    // Two secrets are valid, as during a rotation; the sender uses the second.
    config.secrets = ["old", wire::SIGNING_SECRET].map(|text| SecretRef::Given(Secret::new(text))).into();
    Ok(Source::new(SIGNER, &config)?)
}

/// Returns a token for each permission, and one more.
fn access() -> Result<Access, NoSecret> {
    let tokens = |texts: &[&str]| texts.iter().map(|text| SecretRef::Given(Secret::new(text))).collect();
    let mut config = AccessConfig::default();
    config.submit = tokens(&["old", wire::SUBMITTER]);
    config.read = tokens(&[wire::READER]);
    config.operate = tokens(&[wire::OPERATOR]);
    Access::new(&config)
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.header_timeout = Duration::from_millis(250);
    limits.body_timeout = Duration::from_millis(250);
    // Longer than the lines of one window may wait for a slow journal, one after the other: nothing is read meanwhile.
    limits.write_timeout = Duration::from_millis(600);
    limits.close_grace = CLOSE_GRACE;
    limits.buffer_bytes = 8 << 10;
    limits.max_unread_bytes = 2000;
    limits.unread_patience = Duration::from_millis(100);
    limits
}

/// Accepts simulated connections, and notes the process that each belongs to.
struct Ear {
    stage: Arc<RunContext>,
    listener: TcpListener,
}

impl Listener for Ear {
    type Io = Narrow;

    async fn accept(&mut self) -> io::Result<Narrow> {
        let (stream, peer) = self.listener.accept().await?;
        self.stage.with(|notes, _| notes.ledger.accept(peer));
        Ok(Narrow::new(stream, self.stage.windows.of(peer)))
    }
}

/// Carries out the operator's orders, each concurrently.
async fn operate(stage: Arc<RunContext>, eventful: Eventful, mut inbox: UnboundedReceiver<Order>) {
    while let Some(order) = inbox.recv().await {
        match order {
            Order::Shutdown { timeouts, awaited } => {
                tokio::spawn(shut_down(Arc::clone(&stage), eventful.clone(), timeouts, awaited));
            }
            // Both are refused when the engine has stopped, or is broken. Their results may wait for the disk.
            Order::Pause => {
                let asker = Asker::new(&stage, &eventful);
                tokio::spawn(async move { asker.within("a pause", asker.eventful.pause()).await.map(drop) });
            }
            Order::Resume => {
                let asker = Asker::new(&stage, &eventful);
                tokio::spawn(async move { asker.within("a resume", asker.eventful.resume()).await.map(drop) });
            }
            Order::Submit { first, count, patience } => {
                let item = SubmittedItem { key: first, payload: 0 };
                tokio::spawn(embedder::submit_batch(Arc::clone(&stage), eventful.clone(), item));
                for number in 0..count {
                    let item = SubmittedItem { key: first.wrapping_add(number), payload: 0 };
                    tokio::spawn(embedder::submit(Arc::clone(&stage), eventful.clone(), item, patience));
                }
            }
            Order::Ask { until } => drop(tokio::spawn(Asker::new(&stage, &eventful).ask(until))),
        }
    }
}

async fn shut_down(stage: Arc<RunContext>, eventful: Eventful, timeouts: Vec<Duration>, awaited: bool) {
    stage.with(|notes, _| notes.shutdowns_waiting += 1);
    let before = eventful.stats().ok().filter(|stats| given_up(stats).is_none());
    // Read before the calls begin: their duration includes the first poll.
    let since = stage.clock.now();
    let troubles = troubles(&stage);
    let timeout = timeouts.iter().min().copied().unwrap_or_default();
    let calls = begin(&eventful, timeouts).await;
    let report = if awaited {
        all(calls).await
    } else {
        drop(calls);
        Ok(eventful.stopped().await)
    };
    stage.with(|notes, _| notes.shutdowns_waiting -= 1);
    let report = match report {
        Ok(report) => report,
        Err(broken) => return stage.judge(Err(broken)),
    };
    let took = stage.clock.now().since(since);
    let after = eventful.stats().ok().filter(|stats| given_up(stats).is_none());
    let orderly = !stage.with(|notes, _| notes.shutdown_panicked);
    let disk = if before.is_some() { disk(&stage, since, troubles) } else { shutdown::DiskState::Fails };
    let seen = SeenShutdown { timeout, took, before, after, report, orderly, disk };
    stage.judge(shutdown::ended(&seen, eventful.config()));
    stage.judge(stage.with(|notes, _| notes.oracles.durable.reported(report.unsynced)));
    stage.see_facts();
    stage.with(|notes, now| {
        let ShutdownReport { drained, interrupted, left, .. } = report;
        let took_micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        notes.trace.note(now, &NetworkStep::ShutDown { drained, interrupted, left, took_micros });
        if left > 0 {
            notes.coverage.reach("shutdown left events");
        }
    });
}

/// Returns the state of the disk since this time, when its count of faults was `before`.
fn disk(stage: &RunContext, since: Timestamp, before: u64) -> shutdown::DiskState {
    let stalls = stage.with(|notes, _| notes.armed.stalled_until > since || notes.absence.since(since));
    // The disk may have stopped before without any operation that would have noticed.
    let is_stopped = stage.drive.as_ref().is_some_and(|drive| drive.disk().is_stopped());
    match (stage.drive.is_some(), troubles(stage) == before && !stalls && !is_stopped) {
        (false, _) => shutdown::DiskState::None,
        (true, true) => shutdown::DiskState::Works,
        (true, false) => shutdown::DiskState::Fails,
    }
}

/// Returns the number of faults that the disk and the writer have met so far.
fn troubles(stage: &RunContext) -> u64 {
    stage.drive.as_ref().map_or(0, |drive| {
        let (probes, disk) = (drive.probes(), drive.disk());
        let met: u64 = DiskFault::ALL.into_iter().map(|fault| probes.count(fault)).sum();
        met + u64::from(disk.is_stopped()) + stage.with(|notes, _| notes.armed.stalls)
    })
}

type ShutdownCall = Pin<Box<dyn Future<Output = ShutdownReport> + Send>>;

/// Begins calls for a shutdown: intake has stopped when this returns.
async fn begin(eventful: &Eventful, timeouts: Vec<Duration>) -> Vec<ShutdownCall> {
    let call = |timeout| -> ShutdownCall {
        let eventful = eventful.clone();
        Box::pin(async move { eventful.shutdown(Some(timeout)).await })
    };
    let mut calls: Vec<_> = timeouts.into_iter().map(call).collect();
    poll_fn(|cx| {
        // A shutdown takes more than one poll, as other tasks must end first. If one does not, polling it again
        // panics, which is detected.
        for call in &mut calls {
            let _begun = call.as_mut().poll(cx);
        }
        Poll::Ready(())
    })
    .await;
    calls
}

/// Returns the report of all calls, which must be the same.
async fn all(calls: Vec<ShutdownCall>) -> Result<ShutdownReport, Broken> {
    let mut reports = Vec::new();
    for call in calls {
        reports.push(call.await);
    }
    agree(&reports)?;
    reports.pop().ok_or_else(|| Broken::new("shutdown", 6, "a shutdown was ordered without any call"))
}

fn agree(reports: &[ShutdownReport]) -> OracleResult {
    let same = reports.windows(2).all(|two| two[0] == two[1]);
    holds(same, || {
        Broken::new("shutdown", 6, format_args!("two calls of a shutdown have different reports: {reports:?}"))
    })
}
