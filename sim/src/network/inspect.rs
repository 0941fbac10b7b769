//! The inspector, a last client: checks all that the front shows once no work is left, acts on the events, and checks
//! again.

use std::sync::Arc;
use std::time::Duration;

use eventful::http::webhook;
use eventful::{Cursor, Digest, Eventful, Filter, Page, RecordView, Status, metrics::Stats};
use tokio::time::timeout;

use super::client::ClientLine;
use super::connection_owners::{attributes, key, not_before, number};
use super::leave::leave;
use super::oracle::front::{self, BulkAnswer, Look};
use super::oracle::{OracleResult, exposed, holds};
use super::run_context::RunContext;
use super::scenario::{KeyNumber, SubmittedItem};
use super::step::{INSPECTOR_NUMBER, NetworkStep};
use super::wire::{self, HttpResponse};
use crate::failure::Broken;

/// The name of the inspector's host.
pub(super) const INSPECTOR: &str = "inspector";

/// The longest time that the whole inspection may take. Without faults it takes far less, so reaching it means a hang.
pub(super) const INSPECTION: Duration = Duration::from_secs(5);

/// The timeout of each response: nothing can delay one any more.
const PATIENCE: Duration = Duration::from_millis(100);

/// The number of records that are requested one by one. A free choice: more take longer.
const SINGLE: usize = 3;

/// Checks that the front shows what the adapter has.
pub(super) async fn live(stage: Arc<RunContext>, eventful: Eventful) -> turmoil::Result {
    // Written as a client, so that the whole path through HTTP is compared with the library's.
    let mut inspector = Inspector { line: ClientLine::new(&stage, INSPECTOR_NUMBER), eventful, asked: 0 };
    let verdict = inspector.look().await;
    stage.judge(verdict);
    let left = leave(&stage).await;
    stage.judge(left);
    Ok(())
}

/// A page size greater than the number of records.
const MANY: usize = 5000;

/// The number of times that a comparison is repeated while the numbers change in between.
const LOOKS: usize = 5;

/// A check of shown numbers against those before and after the request.
type Judge = fn(&[u8], [&Stats; 2]) -> OracleResult;

pub(super) struct Inspector {
    pub(super) line: ClientLine,
    eventful: Eventful,
    /// The number of requests so far.
    asked: usize,
}

impl Inspector {
    async fn look(&mut self) -> OracleResult {
        front::alive(&self.get("/livez").await?)?;
        self.try_tokens().await?;
        self.compare_numbers(false).await?;
        let shown = self.compare_records().await?;
        // What may be gone by now may have been gone already when the page was made.
        front::owed(&shown, &self.line.stage.owed())?;
        front::done(&self.post("/v1/pause").await?)?;
        self.submit_known(&shown).await?;
        self.forward_known(&shown).await?;
        self.send_signed(&shown).await?;
        self.send_cloud_event(&shown).await?;
        self.redrive().await?;
        self.compare_numbers(true).await?;
        self.compare_records().await?;
        self.compare_failed(&shown).await?;
        for status in [Status::Received, Status::Failed] {
            let mut filter = Filter::default();
            filter.status = Some(status);
            self.list(&format!("&status={}", status.as_str()), &filter, 2, false).await?;
            self.discard(status).await?;
        }
        front::done(&self.post("/v1/resume").await?)?;
        self.compare_numbers(false).await
    }

    /// Compares health and numbers with those of the adapter.
    async fn compare_numbers(&mut self, is_paused: bool) -> OracleResult {
        front::ready(&self.get("/readyz").await?, is_paused)?;
        self.compare_samples("/v1/stats", front::JSON, exposed::as_json).await?;
        self.compare_samples("/metrics", front::SAMPLES, exposed::as_text).await
    }

    /// Compares numbers with those before and after the request. Records may be forgotten meanwhile, so a difference
    /// is checked again.
    async fn compare_samples(&mut self, path: &str, content_type: &str, judge: Judge) -> OracleResult {
        let mut verdict = Ok(());
        for _ in 0..LOOKS {
            let before = self.stats()?;
            let shown = self.get(path).await?;
            front::is_of(&shown, 200, content_type)?;
            verdict = judge(&shown.body, [&before, &self.stats()?]);
            if verdict.is_ok() {
                break;
            }
        }
        verdict
    }

    /// Compares all records with those of the adapter, and returns them.
    async fn compare_records(&mut self) -> Result<Vec<RecordView>, Broken> {
        let shown = self.list("", &Filter::default(), MANY, true).await?;
        for view in shown.iter().filter(|view| !matches!(view.status, Status::Completed | Status::Discarded)) {
            let due = number(&view.key).map(attributes).unwrap_or_default();
            let given = due.iter().map(|(name, value)| (*name, &**value));
            let not_before = number(&view.key).and_then(|number| not_before(number, view.accepted_at));
            holds(view.not_before == not_before, || unlike(format_args!("{view:?} should wait until {not_before:?}")))?;
            holds(view.attributes.iter().eq(given), || unlike(format_args!("{view:?} should have {due:?}")))?;
        }
        for view in shown.iter().take(SINGLE) {
            let known = number(&view.key).ok_or_else(|| unlike(format_args!("{} is the key of no event", view.key)))?;
            self.compare_record(known).await?;
        }
        Ok(shown)
    }

    /// Compares one record, with its payload when its key has an even number.
    async fn compare_record(&mut self, number: KeyNumber) -> OracleResult {
        let before = self.known(number).await?;
        let payload = number.is_multiple_of(2);
        let shown = self.ask(&wire::look(number, payload), "a record").await?;
        // The record may have changed between the two reads, so either is right.
        let looks: Vec<_> = before.into_iter().chain(self.known(number).await?).collect();
        // The record may have been forgotten meanwhile.
        if looks.len() < 2 && shown.status == 404 { Ok(()) } else { front::record(&shown, payload, &looks) }
    }

    /// Compares a list of records that failed since a time, which is given in another time zone.
    async fn compare_failed(&mut self, shown: &[RecordView]) -> OracleResult {
        let Some(from) = shown.iter().find(|view| view.status == Status::Failed).and_then(|view| view.terminal_at)
        else {
            return Ok(());
        };
        let mut filter = Filter::default();
        filter.failed_from = Some(from);
        let hour = Duration::from_secs(3600);
        for (text, zone) in [(from + hour, "%2B01:00"), (from, "Z")] {
            let time = front::rfc3339(text).replace('Z', zone);
            self.list(&format!("&failed_from={time}"), &filter, MANY, false).await?;
        }
        Ok(())
    }

    async fn known(&self, number: KeyNumber) -> Result<Option<Look>, Broken> {
        let unavailable = |why| unlike(format_args!("a record is not there at rest: {why}"));
        let view = self.eventful.get(key(number)).await.map_err(unavailable)?;
        let explanation = self.eventful.explain(key(number)).await.map_err(unavailable)?;
        Ok(view.zip(explanation).map(|(view, explanation)| Look { view, explanation }))
    }

    /// Compares a list, page by page, each with that of the adapter.
    async fn list(
        &mut self,
        query: &str,
        filter: &Filter,
        limit: usize,
        payload: bool,
    ) -> Result<Vec<RecordView>, Broken> {
        let (mut records, mut next, mut after) = (Vec::new(), Some(Cursor::START), String::new());
        while let Some(cursor) = next {
            let path = format!("/v1/events?limit={limit}&payload={payload}{query}{after}");
            let page = self.compare_page(&path, filter, cursor, limit, payload).await?;
            after = page.next.map(|cursor| format!("&after={}", cursor.number())).unwrap_or_default();
            records.extend(page.records);
            next = page.next;
        }
        Ok(records)
    }

    /// Compares a page with that of the adapter, and returns it. Records may be forgotten meanwhile, so a difference
    /// is checked again.
    async fn compare_page(
        &mut self,
        path: &str,
        filter: &Filter,
        after: Cursor,
        limit: usize,
        payload: bool,
    ) -> Result<Page, Broken> {
        let mut verdict = Ok(());
        for _ in 0..LOOKS {
            let shown = self.get(path).await?;
            // The front cuts pages at the same threshold.
            let most = limit.min(self.eventful.config().thresholds().listed);
            let page = self.eventful.find(filter, after, most).await;
            let page = page.map_err(|why| unlike(format_args!("a page is not there at rest: {why}")))?;
            verdict = front::page(&shown, payload, &page);
            if verdict.is_ok() {
                return Ok(page);
            }
        }
        verdict.and_then(|()| Err(unlike("no page was compared")))
    }

    /// Submits a batch of known events, invalid lines and blank lines. The last line has no line feed.
    async fn submit_known(&mut self, shown: &[RecordView]) -> OracleResult {
        if self.forgets_meanwhile() {
            // A forgotten event would be new.
            return Ok(());
        }
        let Some(item) = self.owed_of(shown).first().copied() else { return Ok(()) };
        let other = SubmittedItem { payload: item.payload.wrapping_add(1), ..item };
        // Two of the lines are blank, and one is no JSON: all count in the line numbers.
        let lines = ["", "{\"id\":", &wire::envelope(item), " ", &wire::envelope(other)].join("\n");
        let answer = self.ask(&wire::batch(&lines), "a batch").await?;
        let due = [(2, "invalid"), (3, "duplicate"), (5, "conflict")];
        front::lines(&answer, &due)
    }

    /// Returns the events among these records that were accepted, with their payloads.
    pub(super) fn owed_of(&self, shown: &[RecordView]) -> Vec<SubmittedItem> {
        let mut owed = self.line.stage.owed().items;
        owed.retain(|item| shown.iter().any(|view| view.key == *key(item.key)));
        owed
    }

    /// Submits a known event as another server forwards it, and an event with two ids.
    async fn forward_known(&mut self, shown: &[RecordView]) -> OracleResult {
        for view in shown {
            let due = number(&view.key).map(wire::webhook_id).unwrap_or_default();
            let is_same = webhook::id(&view.key) == due && webhook::key(&due).as_ref() == Ok(&view.key);
            holds(is_same, || unlike(format_args!("{due} identifies {}, but not for a receiver", view.key)))?;
        }
        let known = self.owed_of(shown);
        if let Some(item) = known.first() {
            front::refused_as(&self.ask(&wire::with_ids(*item, ["one", "another"]), "two ids").await?, "invalid")?;
        }
        if self.forgets_meanwhile() {
            return Ok(());
        }
        if let Some(item) = known.first() {
            // The payload has four bytes.
            let answer = self.ask(&wire::with_null(item.key), "a null").await?;
            front::refused_as(&answer, "conflict")?;
            front::received(&answer, &Digest::of(b"null"))?;
        }
        // Other events than above, if there are enough.
        for item in known.into_iter().rev().take(SINGLE) {
            let answer = self.ask(&wire::forwarded(item), "an event sent on").await?;
            front::is_of(&answer, 200, front::JSON)?;
            front::taken(&answer.body, item.key, None)?;
        }
        Ok(())
    }

    /// Redrives all failed events, part by part, as far as there is room.
    async fn redrive(&mut self) -> OracleResult {
        let failed = self.counted(Status::Failed)?;
        self.expect_matching("/v1/redrive?status=failed&dry_run=true", failed).await?;
        let (mut after, mut redriven) = (String::new(), 0);
        loop {
            let answer = self.post(&format!("/v1/redrive?status=failed{after}")).await?;
            if front::is_overload(&answer) {
                front::problem(&answer)?;
                return holds(self.counted(Status::Failed)? > 0, || unlike("there is no room to redrive nothing"));
            }
            let BulkAnswer { matching: None, redriven: Some(count), discarded: None, left: Some(left), next, detail } =
                front::many(&answer)?
            else {
                return Err(unlike(format_args!("a redrive of many responds {answer:?}")));
            };
            redriven += count;
            let (here, waiting) = (self.counted(Status::Failed)?, self.counted(Status::Received)?);
            // Failed events may be forgotten meanwhile.
            holds(redriven == waiting && left >= here, || {
                unlike(format_args!(
                    "{redriven} are redriven and {left} left, and {waiting} wait and {here} have failed"
                ))
            })?;
            let again = match &next {
                Some(next) => format!("POST /v1/redrive?status=failed&after={next}"),
                None => "begin again with POST /v1/redrive?status=failed".to_owned(),
            };
            let due = (left > 0).then(|| format!("{left} failed events are left: {again}"));
            holds(detail == due, || unlike(format_args!("a redrive of many has the detail {detail:?}, not {due:?}")))?;
            let Some(next) = next else {
                return holds(left == 0 || self.forgets_meanwhile(), || {
                    unlike(format_args!("{left} failed events are left, but no next page"))
                });
            };
            after = format!("&after={next}");
        }
    }

    /// Discards all events of this status, part by part.
    async fn discard(&mut self, status: Status) -> OracleResult {
        let call = format!("/v1/discard?status={}", status.as_str());
        self.expect_matching(&format!("{call}&dry_run=true"), self.counted(status)?).await?;
        let mut after = String::new();
        loop {
            let (before, ended) = (self.counted(status)?, self.counted(Status::Discarded)?);
            let answer = self.post(&format!("{call}{after}")).await?;
            let BulkAnswer {
                matching: None,
                redriven: None,
                discarded: Some(count),
                left: Some(left),
                next,
                detail: None,
            } = front::many(&answer)?
            else {
                return Err(unlike(format_args!("a discard of many responds {answer:?}")));
            };
            let (here, over) = (self.counted(status)?, self.counted(Status::Discarded)?);
            // Terminal events may be forgotten meanwhile.
            holds(left >= here && over <= ended + count && left + count <= before, || {
                unlike(format_args!("of {before} events {count} are discarded and {left} left, and there are {here}"))
            })?;
            let Some(next) = next else {
                return holds(left == 0 || self.forgets_meanwhile(), || {
                    unlike(format_args!("{left} events are left, but no next page"))
                });
            };
            after = format!("&after={next}");
        }
    }

    /// Returns whether a retention is so short that it may end during the inspection. An expired record may be counted
    /// then, although no page shows it.
    pub(super) fn forgets_meanwhile(&self) -> bool {
        let config = self.eventful.config();
        config.retention.min(config.failed_retention.unwrap_or(Duration::MAX)) < INSPECTION
    }

    async fn expect_matching(&mut self, path: &str, due: u64) -> OracleResult {
        let answer = self.post(path).await?;
        let many = front::many(&answer)?;
        // Some events may have been forgotten meanwhile.
        holds(many.matching.is_some_and(|matching| matching <= due), || {
            unlike(format_args!("{due} events match, but the response is {many:?}"))
        })
    }

    fn counted(&self, status: Status) -> Result<u64, Broken> {
        Ok(self.stats()?.engine.gauges.records(status))
    }

    fn stats(&self) -> Result<Stats, Broken> {
        self.eventful.stats().map_err(|why| unlike(format_args!("stats are refused at rest: {why}")))
    }

    async fn get(&mut self, path: &str) -> Result<HttpResponse, Broken> {
        self.ask(&wire::without_body("GET", path), path).await
    }

    async fn post(&mut self, path: &str) -> Result<HttpResponse, Broken> {
        self.ask(&wire::without_body("POST", path), path).await
    }

    pub(super) async fn ask(&mut self, bytes: &[u8], what: &str) -> Result<HttpResponse, Broken> {
        self.asked += 1;
        let answer = timeout(PATIENCE, self.line.exchange(bytes)).await;
        let (generation, response) = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(front::silent(&format!("{what}: {error}"))),
            Err(_) => return Err(front::silent(what)),
        };
        if !response.reusable {
            self.line.hang_up();
        }
        let HttpResponse { status, body, .. } = &response;
        let step =
            NetworkStep::Answered { client: INSPECTOR_NUMBER, request: self.asked, generation, status: *status, body };
        self.line.stage.note(&step);
        Ok(response)
    }
}

fn unlike(what: impl std::fmt::Display) -> Broken {
    Broken::new("front", 7, what)
}
