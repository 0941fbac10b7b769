//! Named points at which a simulator can disturb the adapter (feature `sim`).

use core::time::Duration;
#[cfg(feature = "sim")]
use std::sync::Arc;

/// A place in the adapter that can be disturbed.
///
/// *Locked* points are inside the core's lock: they honour [`Action::Panic`] by poisoning it, and
/// cannot yield. *Open* points are between awaits: they honour [`Action::Yield`],
/// [`Action::Stall`] and [`Action::Panic`]. What a point does not honour counts as [`Action::Continue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(not(feature = "sim"), allow(unreachable_pub, reason = "public with feature sim only"))]
pub enum Point {
    /// Locked: a ticket is about to be sent. `Fail`: the channel counts as full. `DropReceiver`:
    /// its receiver is gone.
    Enqueue,
    /// Locked: a ticket was taken and is about to be presented. `Fail`: the ticket is lost.
    /// `DropReceiver`: so is the channel.
    Present,
    /// Open: the dispatcher has a permit, and looks for a ticket.
    Dispatch,
    /// Open: a worker has a run, and has not called the handler.
    WorkerStart,
    /// Open: the handler has ended, and its outcome is not told yet.
    BeforeSettle,
    /// Open: the outcome is told, and the worker may hold its next run.
    AfterSettle,
    /// Open: the sweeper is awake.
    Sweep,
    /// Open: shutdown is about to wait for the runs in flight.
    Drain,
    /// Open: a group may be about to be written to a journal that does not block.
    #[cfg_attr(not(feature = "durable"), allow(dead_code, reason = "only a journal is written"))]
    Write,
}

/// What is to happen at a [`Point`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(not(feature = "sim"), allow(unreachable_pub, dead_code, reason = "public with feature sim only"))]
pub enum Action {
    /// Nothing unusual.
    Continue,
    /// Other tasks run first.
    Yield,
    /// The step takes so long.
    Stall(Duration),
    /// The step fails, as the point describes.
    Fail,
    /// The task panics.
    Panic,
    /// The channel's receiver is dropped.
    DropReceiver,
}

/// What a simulator does at the points that the adapter passes.
#[cfg(feature = "sim")]
pub trait Hooks: Send + Sync + 'static {
    /// Called at each pass of `point`. Must not call the adapter: some points are locked.
    fn at(&self, point: Point) -> Action;
}

/// The hooks of one adapter. Nothing at all without feature `sim`.
#[derive(Clone, Default)]
pub(super) struct Probe {
    #[cfg(feature = "sim")]
    hooks: Option<Arc<dyn Hooks>>,
}

#[cfg(feature = "sim")]
impl Probe {
    pub(super) fn new(hooks: Arc<dyn Hooks>) -> Self {
        Self { hooks: Some(hooks) }
    }

    fn at(&self, point: Point) -> Action {
        self.hooks.as_ref().map_or(Action::Continue, |hooks| hooks.at(point))
    }

    /// Passes a locked point.
    pub(super) fn locked(&self, point: Point) -> Action {
        let action = self.at(point);
        assert!(action != Action::Panic, "panic at {point:?}, as the hooks asked");
        action
    }

    /// Passes an open point.
    pub(super) async fn open(&self, point: Point) {
        match self.at(point) {
            Action::Yield => tokio::task::yield_now().await,
            Action::Stall(duration) => tokio::time::sleep(duration).await,
            Action::Panic => panic!("panic at {point:?}, as the hooks asked"),
            Action::Continue | Action::Fail | Action::DropReceiver => {}
        }
    }
}

#[cfg(not(feature = "sim"))]
impl Probe {
    #[inline(always)]
    pub(super) fn locked(&self, _: Point) -> Action {
        Action::Continue
    }

    #[inline(always)]
    pub(super) async fn open(&self, _: Point) {}
}

impl core::fmt::Debug for Probe {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Probe")
    }
}
