//! Shows records once they are durable, or marked when that takes too long.

use std::string::String;
use std::vec::Vec;

use super::handle::Eventful;
use super::shared::Shared;
use crate::engine::{Cursor, Filter, Key, Page, RecordView, Status, Thresholds, Timestamp};
use crate::node::{Node, Observed, ShownWhen, Unavailable, Unsynced};
use crate::sync::consume_budget;

impl Eventful {
    /// Returns the record of an event. With a journal, a record that is durable is shown at once, also while the
    /// journal is stuck, being opened again, or down. Any other is shown when it has become durable, or after the
    /// journal's `answer_timeout` as not [`durable`](field@RecordView::durable).
    ///
    /// # Errors
    ///
    /// [`Unavailable`]; [`Unavailable::Unknown`] too when there is no such event and whether that is
    /// durable is not known in time.
    pub async fn get(&self, key: &Key) -> Result<Option<RecordView>, Unavailable> {
        Ok(self.shards.of(key).show(key, |_, _| ()).await?.0)
    }

    /// Returns one page of events: all, or those with this status. `limit` is the largest number of events in it. With
    /// a journal, it waits until all is durable, at most the journal's `answer_timeout`; then, and at once while the
    /// journal is known not to respond, what is not [`durable`](field@RecordView::durable) is marked.
    ///
    /// # Errors
    ///
    /// [`Unavailable`]
    pub async fn list(&self, status: Option<Status>, after: Cursor, limit: usize) -> Result<Page, Unavailable> {
        self.find(&status.map_or_else(Filter::default, Filter::of), after, limit).await
    }

    /// Returns why an event is not running now, in one sentence; none when there is no such event. It waits like
    /// [`Eventful::get`], and says so when that is not durable.
    ///
    /// # Errors
    ///
    /// See [`Eventful::get`].
    pub async fn explain(&self, key: &Key) -> Result<Option<String>, Unavailable> {
        let (record, sentence) = self.shards.of(key).show(key, |node, now| node.explain(now, key)).await?;
        let is_durable = record.is_none_or(|record| record.durable);
        let rest = if is_durable { "" } else { " This is not durable yet, as the journal does not respond." };
        Ok(sentence.map(|sentence| sentence + rest))
    }
}

impl Shared {
    /// Returns a record, and what `also` reads beside it: at once when the record is durable, else when it is, or
    /// marked after the `answer_timeout`.
    pub(super) async fn show<T>(
        &self,
        key: &Key,
        also: impl FnOnce(&Node, Timestamp) -> T,
    ) -> Result<(Option<RecordView>, T), Unavailable> {
        let (seen, beside) = self.read(|node, now| (node.see(now, key), also(node, now)));
        let Observed { value, wait } = seen?;
        match (self.until_settled(wait).await, value) {
            (Ok(()), value) => Ok((value, beside)),
            (Err(Unsynced::Late), Some(mut record)) => {
                record.durable = false;
                Ok((Some(record), beside))
            }
            // An absence cannot be marked as not durable, as a record can.
            (Err(Unsynced::Late), None) | (Err(Unsynced::Lost), _) => Err(Unavailable::Unknown),
        }
    }

    /// Returns a page: when all of it is durable, or marked after the `answer_timeout`.
    pub(super) async fn show_page(&self, filter: &Filter, after: Cursor, limit: usize) -> Result<Page, Unavailable> {
        let (mut page, waits) = self.collect_page(filter, after, limit).await?;
        // Each part waits on its own: what it showed may have been abandoned before a later one was read.
        for wait in waits {
            match self.until_settled(wait).await {
                Ok(()) => {}
                Err(Unsynced::Late) => return Ok(page),
                Err(Unsynced::Lost) => return Err(Unavailable::Unknown),
            }
        }
        page.records.iter_mut().for_each(|record| record.durable = true);
        Ok(page)
    }

    /// Collects a page in several short holds of the lock, between which other callers have their turn.
    async fn collect_page(
        &self,
        filter: &Filter,
        after: Cursor,
        limit: usize,
    ) -> Result<(Page, Vec<ShownWhen>), Unavailable> {
        let (mut page, mut waits) = (Page { records: Vec::new(), next: Some(after) }, Vec::new());
        let Thresholds { views, holds, .. } = *self.config.thresholds();
        for _ in 0..holds {
            let left = limit.max(1) - page.records.len();
            let Some(cursor) = page.next.filter(|_| left > 0) else { break };
            let Observed { value, wait } =
                self.read(|node, now| node.see_page(now, filter, cursor, left.min(views)))?;
            page.records.extend(value.records);
            page.next = value.next;
            // Parts that follow each other often wait for the same LSN, and one wait is enough for it.
            if waits.last() != Some(&wait) {
                waits.push(wait);
            }
            consume_budget().await;
        }
        Ok((page, waits))
    }

    async fn until_settled(&self, wait: ShownWhen) -> Result<(), Unsynced> {
        match wait {
            ShownWhen::None => Ok(()),
            ShownWhen::TooLong => Err(Unsynced::Late),
            ShownWhen::For(lsn) => self.settled(Some(lsn), false).await,
        }
    }
}
