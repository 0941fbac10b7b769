//! A queue in memory that keeps the rules of clients, or breaks one of them. Its waits are in virtual time: each test pauses the
//! clock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use eventful::broker::conformance::BrokerBench;
use eventful::broker::{
    BrokerSink, BrokerSource, DeadLetter, DeliveryTag, Message, Partition, Received, Room, SourceError, Terms, Unfit,
    UnfitMessage, key_of_message_id,
};
use eventful::clock::{Clock as _, SystemClock};
use eventful::{Attempt, Event, Failure, Timestamp};

/// A mistake of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientLapse {
    AcknowledgesNothing,
    AcknowledgesForOthers,
    LosesWhatIsNotAcknowledged,
    IgnoresRoomForMessages,
    IgnoresRoomForBytes,
    LosesWhenDropped,
    GivesBackAtOnce,
    IgnoresExtensions,
    GivesRandomIds,
    ReusesTags,
    LosesLetters,
    RemovesBuried,
    CountsNoDeliveries,
    ConfirmsUnseen,
    LosesSource,
    HidesWhatIsGone,
}

/// A queue that any number of clients share.
#[derive(Debug, Clone)]
pub(crate) struct MemoryQueue {
    state: Arc<Mutex<QueueState>>,
    clock: Arc<SystemClock>,
    lapse: Option<ClientLapse>,
    terms: Terms,
}

#[derive(Debug, Default)]
struct QueueState {
    messages: BTreeMap<u64, QueuedMessage>,
    letters: Vec<(Vec<u8>, String, DeadLetter)>,
    /// The message of each delivery that there ever was.
    history: BTreeMap<DeliveryTag, u64>,
    next: u64,
    tags: u64,
    consumer: u64,
    is_down: bool,
    /// True while acknowledgements wait.
    holds_acknowledgements: bool,
    /// The most messages that were delivered and not acknowledged at once.
    most_delivered: usize,
    receives: u64,
}

#[derive(Debug, Clone)]
struct QueuedMessage {
    id: Option<String>,
    event_type: Option<String>,
    payload: Bytes,
    deliveries: u32,
    visible_at: Timestamp,
    /// The delivery that is under way, and its consumer.
    delivery: Option<(DeliveryTag, u64)>,
}

const ACK_WAIT: Duration = Duration::from_secs(4);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl MemoryQueue {
    pub(crate) fn new(lapse: Option<ClientLapse>) -> Self {
        let terms = Terms::Queue { ack_wait: Some(ACK_WAIT) };
        Self { state: Arc::default(), clock: Arc::new(SystemClock::new()), lapse, terms }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().expect("no panic in a test's broker")
    }

    fn has(&self, lapse: ClientLapse) -> bool {
        self.lapse == Some(lapse)
    }

    pub(crate) fn put(&self, id: Option<&str>, event_type: Option<&str>, payload: &[u8]) {
        let (mut state, now) = (self.lock(), self.clock.now());
        let number = state.next;
        state.next += 1;
        let message = QueuedMessage {
            id: id.map(str::to_owned),
            event_type: event_type.map(str::to_owned),
            payload: Bytes::copy_from_slice(payload),
            deliveries: 0,
            visible_at: now,
            delivery: None,
        };
        state.messages.insert(number, message);
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().messages.len()
    }

    pub(crate) fn letters(&self) -> Vec<DeadLetter> {
        self.lock().letters.iter().map(|(_, _, letter)| letter.clone()).collect()
    }

    pub(crate) fn most_delivered(&self) -> usize {
        self.lock().most_delivered
    }

    pub(crate) fn receives(&self) -> u64 {
        self.lock().receives
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.lock().is_down = is_down;
    }

    pub(crate) fn hold_acknowledgements(&self, holds: bool) {
        self.lock().holds_acknowledgements = holds;
    }

    /// A queue whose deliveries end with their connection, and not with time.
    pub(crate) fn without_ack_wait() -> Self {
        Self { terms: Terms::Queue { ack_wait: None }, ..Self::new(None) }
    }

    /// Ends the connection of all consumers: what they were given comes again.
    pub(crate) fn lose_connections(&self) {
        let now = self.clock.now();
        for message in self.lock().messages.values_mut() {
            (message.delivery, message.visible_at) = (None, now);
        }
    }

    pub(crate) fn connect(&self) -> QueueClient {
        let mut state = self.lock();
        state.consumer += 1;
        QueueClient { queue: self.clone(), number: state.consumer }
    }

    /// Returns the message of a delivery that is still that of its consumer.
    fn delivered<'s>(
        &self,
        state: &'s mut QueueState,
        tag: DeliveryTag,
        consumer: u64,
    ) -> Result<(u64, &'s mut QueuedMessage), SourceError> {
        if state.is_down {
            return Err(SourceError::temporary("the broker is down"));
        }
        let number = state.history.get(&tag).copied();
        let found = number.and_then(|number| Some((number, state.messages.get_mut(&number)?)));
        let is_ours = |message: &QueuedMessage| message.delivery == Some((tag, consumer));
        let found = found.filter(|(_, message)| is_ours(message) || self.has(ClientLapse::AcknowledgesForOthers));
        let is_hidden = self.has(ClientLapse::HidesWhatIsGone);
        let gone = if is_hidden { SourceError::temporary } else { SourceError::gone };
        found.ok_or_else(|| gone("no such delivery"))
    }
}

/// One consumer or publisher.
#[derive(Debug)]
pub(crate) struct QueueClient {
    queue: MemoryQueue,
    number: u64,
}

impl QueueClient {
    fn take(&self, room: Room) -> Result<Vec<Message>, SourceError> {
        let (queue, now) = (&self.queue, self.queue.clock.now());
        let mut state = queue.lock();
        if state.is_down {
            return Err(SourceError::temporary("the broker is down"));
        }
        let (mut taken, mut bytes) = (Vec::new(), 0);
        let visible: Vec<u64> =
            state.messages.iter().filter(|(_, message)| message.visible_at <= now).map(|(number, _)| *number).collect();
        for number in visible {
            let Some(mut message) = state.messages.get(&number).cloned() else { continue };
            if message.delivery.is_some() && queue.has(ClientLapse::LosesWhatIsNotAcknowledged) {
                state.messages.remove(&number);
                continue;
            }
            let is_full = taken.len() >= room.messages && !queue.has(ClientLapse::IgnoresRoomForMessages);
            let size = queue.message(DeliveryTag::new(state.tags), &message).size_bytes();
            bytes += size;
            let is_large = bytes > room.bytes && !taken.is_empty() && !queue.has(ClientLapse::IgnoresRoomForBytes);
            if is_full || is_large {
                break;
            }
            if !queue.has(ClientLapse::ReusesTags) || state.tags == 0 {
                state.tags += 1;
            }
            let tag = DeliveryTag::new(state.tags);
            message.deliveries += u32::from(!(queue.has(ClientLapse::CountsNoDeliveries) && message.deliveries > 0));
            message.delivery = Some((tag, self.number));
            state.history.insert(tag, number);
            message.visible_at = queue.terms.ack_wait().map_or(Timestamp::MAX, |wait| now + wait);
            taken.push(queue.message(tag, &message));
            state.messages.insert(number, message);
        }
        let delivered = state.messages.values().filter(|message| message.delivery.is_some()).count();
        state.most_delivered = state.most_delivered.max(delivered);
        Ok(taken)
    }

    fn change(&self, tag: DeliveryTag, change: impl FnOnce(&mut QueuedMessage, Timestamp)) -> Result<(), SourceError> {
        let now = self.queue.clock.now();
        let mut state = self.queue.lock();
        let (_, message) = self.queue.delivered(&mut state, tag, self.number)?;
        change(message, now);
        Ok(())
    }
}

impl MemoryQueue {
    fn message(&self, tag: DeliveryTag, message: &QueuedMessage) -> Message {
        static RANDOM: AtomicU64 = AtomicU64::new(0);
        let random = format!("random-{}", RANDOM.fetch_add(1, Ordering::Relaxed));
        let id = message.id.clone().or_else(|| self.has(ClientLapse::GivesRandomIds).then_some(random));
        let unfit = |reason| UnfitMessage { reason, payload: message.payload.clone() };
        let content = match id {
            None => Err(unfit(Unfit::WithoutId)),
            Some(id) => key_of_message_id(&id)
                .map(|key| Event::new(key, message.payload.clone()))
                .map_err(|error| unfit(Unfit::invalid(error))),
        };
        let content = content.and_then(|event| match &message.event_type {
            Some(text) => event.with_type(text).map_err(|error| unfit(Unfit::invalid(error))),
            None => Ok(event),
        });
        Message { tag, partition: Partition::default(), deliveries: message.deliveries, content }
    }
}

impl BrokerSource for QueueClient {
    fn terms(&self) -> Terms {
        self.queue.terms
    }

    async fn receive(&self, room: Room) -> Result<Received, SourceError> {
        self.queue.lock().receives += 1;
        loop {
            let taken = self.take(room)?;
            if self.queue.has(ClientLapse::LosesWhenDropped) {
                // Dropped here, what was taken is known to no one.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if !taken.is_empty() {
                return Ok(Received::Messages(taken));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn acknowledge(&self, tag: DeliveryTag) -> Result<(), SourceError> {
        while self.queue.lock().holds_acknowledgements {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let mut state = self.queue.lock();
        let (number, _) = self.queue.delivered(&mut state, tag, self.number)?;
        if !self.queue.has(ClientLapse::AcknowledgesNothing) {
            state.messages.remove(&number);
        }
        Ok(())
    }

    async fn give_back(&self, tag: DeliveryTag, delay: Duration) -> Result<(), SourceError> {
        let is_at_once = self.queue.has(ClientLapse::GivesBackAtOnce);
        self.change(tag, |message, now| message.visible_at = if is_at_once { now } else { now + delay })
    }

    async fn extend(&self, tag: DeliveryTag) -> Result<(), SourceError> {
        let ignores = self.queue.has(ClientLapse::IgnoresExtensions);
        self.change(tag, |message, now| {
            if !ignores {
                message.visible_at = now + ACK_WAIT;
            }
        })
    }

    async fn bury(&self, tag: DeliveryTag, letter: DeadLetter) -> Result<(), SourceError> {
        self.change(tag, |_, _| {})?;
        let mut state = self.queue.lock();
        if !self.queue.has(ClientLapse::LosesLetters) {
            state.letters.push((letter.payload.to_vec(), letter.reason.word().to_owned(), letter));
        }
        if self.queue.has(ClientLapse::RemovesBuried) {
            state.messages.retain(|_, message| message.delivery.is_none_or(|(of, _)| of != tag));
        }
        Ok(())
    }

    fn abandon(&self, _: DeliveryTag) {}
}

impl BrokerSink for QueueClient {
    async fn publish(&self, id: &str, event: &Event, _: &Attempt) -> Result<(), Failure> {
        let is_down = self.queue.lock().is_down;
        if is_down && self.queue.has(ClientLapse::ConfirmsUnseen) {
            return Ok(());
        }
        if is_down {
            return Err(Failure::retry("the broker is down"));
        }
        let text = event.key().id().to_string();
        let id = if self.queue.has(ClientLapse::LosesSource) { &text } else { id };
        self.queue.put(Some(id), event.event_type(), event.payload());
        Ok(())
    }
}

impl BrokerBench for MemoryQueue {
    type Source = QueueClient;
    type Sink = QueueClient;

    async fn source(&mut self) -> QueueClient {
        self.connect()
    }

    async fn sink(&mut self) -> QueueClient {
        self.connect()
    }

    async fn publish(&mut self, id: Option<&str>, payload: &[u8]) {
        self.put(id, None, payload);
    }

    async fn dead_letters(&mut self) -> Vec<(Vec<u8>, String)> {
        self.lock().letters.iter().map(|(payload, word, _)| (payload.clone(), word.clone())).collect()
    }

    async fn pass(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn set_running(&mut self, running: bool) -> bool {
        self.set_down(!running);
        true
    }
}
