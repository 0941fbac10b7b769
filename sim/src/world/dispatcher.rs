//! The dispatcher: takes a permit, then a ticket, and starts a worker.

use eventful::{Answer, Command, EnqueueFailure, Phase, Ticket};

use super::World;
use super::agenda::Task;
use crate::failure::Broken;
use crate::oracle::Said;
use crate::scenario::FaultKind;

/// The dispatcher, and the permits.
#[derive(Debug)]
pub(super) struct Dispatcher {
    /// Permits that no worker holds, that of the idle dispatcher among them.
    pub(super) free: usize,
    held: Vec<bool>,
    pub(super) is_alive: bool,
    pub(super) stalled_until: u64,
    /// The next ticket that is presented is presented twice.
    pub(super) presents_twice: bool,
    /// How late the next ticket that is taken is presented, and whether it must be a marker.
    pub(super) presents_late: Option<(u64, bool)>,
    /// A ticket was taken and is not presented yet: no other is taken before.
    holds_ticket: bool,
    /// The next marker that is sent gets lost.
    pub(super) loses_marker: bool,
}

impl Dispatcher {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            free: limit,
            held: vec![false; limit],
            is_alive: true,
            stalled_until: 0,
            presents_twice: false,
            presents_late: None,
            holds_ticket: false,
            loses_marker: false,
        }
    }

    /// Takes a permit for a worker.
    pub(super) fn take_permit(&mut self) -> u16 {
        let permit = self.held.iter().position(|held| !held).unwrap_or_default();
        self.held[permit] = true;
        self.free = self.free.saturating_sub(1);
        u16::try_from(permit).unwrap_or(u16::MAX)
    }

    /// The ticket that was taken and not presented is gone.
    pub(super) const fn let_go(&mut self) {
        self.holds_ticket = false;
    }

    /// A worker gives its permit back.
    pub(super) fn give_back(&mut self, permit: u16) {
        self.held[usize::from(permit)] = false;
        self.free += 1;
    }
}

impl World<'_> {
    /// While nothing may start, tickets stay where they are and keep their order.
    fn wants_ticket(&self) -> bool {
        self.is_serving()
            && self.dispatcher.is_alive
            && self.dispatcher.free > 0
            && !self.dispatcher.holds_ticket
            && !self.channel.is_empty()
            && self.engine.phase() == Phase::Running
            && !self.engine.is_paused()
    }

    pub(super) fn may_dispatch(&self) -> bool {
        self.now >= self.dispatcher.stalled_until && self.wants_ticket()
    }

    /// When the stalled dispatcher goes on.
    pub(super) fn dispatch_time(&self) -> Option<u64> {
        (self.dispatcher.stalled_until > self.now && self.wants_ticket()).then_some(self.dispatcher.stalled_until)
    }

    pub(super) fn dispatch(&mut self) -> Result<(), Broken> {
        let Some(ticket) = self.channel.take() else { return Ok(()) };
        self.note_take(ticket);
        if std::mem::take(&mut self.dispatcher.presents_twice) {
            self.probes.fault(FaultKind::TicketTwice);
            self.agenda.now(Task::PresentAgain(ticket));
        }
        if let Some((by, marker)) = self.dispatcher.presents_late
            && (!marker || self.is_marker(ticket))
        {
            self.dispatcher.presents_late = None;
            self.probes.fault(FaultKind::TicketLate);
            self.dispatcher.holds_ticket = true;
            self.agenda.at(self.now + by, Task::PresentLate(ticket));
            return Ok(());
        }
        self.present(ticket)
    }

    /// What was taken is presented, whatever has happened since.
    pub(super) fn present_late(&mut self, ticket: Ticket) -> Result<(), Broken> {
        self.dispatcher.holds_ticket = false;
        self.present(ticket)
    }

    pub(super) fn present(&mut self, ticket: Ticket) -> Result<(), Broken> {
        if !self.is_serving() {
            return Ok(());
        }
        if let Answer::Running(run) = self.tell(Command::Start(ticket), Said::Start(ticket))? {
            self.start_worker(&run);
        }
        Ok(())
    }

    pub(super) fn send(&mut self, ticket: Ticket) -> Result<(), EnqueueFailure> {
        let sent = self.channel.send(self.now, ticket);
        self.note_send(ticket, sent);
        sent?;
        let is_marker = self.dispatcher.loses_marker && self.is_marker(ticket);
        let before = self.tickets_seen();
        if is_marker && self.channel.lose_ticket(ticket) {
            self.dispatcher.loses_marker = false;
            self.probes.fault(FaultKind::MarkerLost);
            self.note_lost(before);
        }
        Ok(())
    }

    /// Whether no record has this ticket. Looks at all that wait: only for a fault that waits for one.
    fn is_marker(&self, ticket: Ticket) -> bool {
        if !self.oracles.may_have_empty_ticket() {
            return false;
        }
        let queued = |event: u16| {
            let view = self.engine.get(self.told, self.roster.key(event));
            view.is_some_and(|view| view.place == Some(eventful::Place::Queued(ticket)))
        };
        let mut waiting = self.oracles.book.all().filter(|(_, known)| known.stage.eligible_at().is_some());
        !waiting.any(|(event, _)| queued(event))
    }

    /// The dispatcher dies, and its channel with it. Its permit comes back.
    pub(super) fn kill_dispatcher(&mut self, lasts: u64) {
        self.dispatcher.is_alive = false;
        let before = self.tickets_seen();
        self.channel.drop_receiver();
        self.note_lost(before);
        self.agenda.at(self.now + lasts, Task::ReplaceChannel(self.channel.number));
    }

    /// A new channel and a new dispatcher take the places of the old ones.
    pub(super) fn replace_channel(&mut self, number: u32) -> Result<(), Broken> {
        if number != self.channel.number || !self.is_serving() {
            return Ok(());
        }
        let before = self.tickets_seen();
        self.channel.replace();
        self.note_lost(before);
        self.note_world("a new channel and dispatcher take the places of the old ones");
        (self.dispatcher.is_alive, self.dispatcher.stalled_until) = (true, 0);
        self.dispatcher.holds_ticket = false;
        if let Some(journal) = &mut self.journal {
            journal.forget_tickets();
        }
        self.tell(Command::ChannelLost, Said::ChannelLost).map(drop)
    }
}
