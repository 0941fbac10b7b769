//! Access for simulators: disturbances of a node, and the hash of its state by which they visit each state once.

use alloc::collections::VecDeque;
use core::hash::{Hash as _, Hasher};

use super::Node;
use super::shutdown::Shutdown;
use crate::engine::Ticket;

impl Node {
    /// Returns the tickets in the channel, to be lost, doubled or delayed; none when the receiver is gone.
    #[doc(hidden)]
    pub const fn tickets_mut(&mut self) -> &mut Option<VecDeque<Ticket>> {
        self.channel.tickets_mut()
    }

    /// Returns the tickets in the channel, in their order.
    #[doc(hidden)]
    pub const fn tickets(&self) -> Option<&VecDeque<Ticket>> {
        self.channel.tickets()
    }

    /// Returns the number of permits that no worker holds.
    #[doc(hidden)]
    pub const fn permits_free(&self) -> usize {
        self.workers.permits_free()
    }

    /// Adds to a hash all that decides the further course of the node. What is only counted, measured or shown is
    /// left out.
    #[doc(hidden)]
    pub fn fingerprint(&self, hasher: &mut impl Hasher) {
        self.engine.fingerprint(hasher);
        self.commits.fingerprint(hasher);
        self.writer.fingerprint(hasher);
        self.workers.fingerprint(hasher);
        self.pace.fingerprint(hasher);
        self.channel.tickets().hash(hasher);
        self.shutdown.as_ref().map(Shutdown::phase).hash(hasher);
        self.queue.fingerprint(hasher);
        (&self.dispatcher, &self.sweeper, self.armed, self.has_moved_deadlines).hash(hasher);
        (self.dispatcher_waits, self.is_broken, self.idle_awaited, self.reported_full).hash(hasher);
    }
}
