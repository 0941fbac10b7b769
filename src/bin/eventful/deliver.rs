//! The handler that posts each event to a URL.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use clap::ValueEnum;
use eventful::cloud_events;
use eventful::http::sources::forwarded_headers;
use eventful::http::{Signer, webhook};
use eventful::{Attempt, Event, Failure};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, InvalidHeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::http::response::Parts;
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;

use crate::client::{self, HttpClient};
use crate::excerpt;
use crate::shortage::{Shortage, Shortages};
use crate::spans;
use crate::url::HttpUrl;

/// The form of a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DeliveryForm {
    /// The payload, with headers that say which event it is
    #[default]
    Webhook,
    /// The same, and the headers ce-… of CloudEvents 1.0 in binary mode
    CloudeventsBinary,
    /// A JSON object with event and payload, as CloudEvents 1.0 has it in structured mode
    CloudeventsStructured,
}

/// Posts each event to one URL.
///
/// 2xx is success; 408, 425, 429, 5xx and broken connections are tried again, not before the time
/// that `Retry-After` names; anything else, redirects too, is permanent.
#[derive(Debug)]
pub(crate) struct Deliver {
    url: HttpUrl,
    /// Signs deliveries, when there is a secret.
    signer: Option<Signer>,
    /// Headers of each delivery.
    headers: Vec<(HeaderName, HeaderValue)>,
    form: DeliveryForm,
    client: HttpClient,
    shortages: Shortages,
}

/// A delivery that did not succeed.
#[derive(Debug)]
pub(crate) struct Undelivered {
    pub(crate) failure: Failure,
    pub(crate) contact: Contact,
}

/// The part that the target had in a failed delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contact {
    /// The event cannot be sent, so its target does not know of it.
    Untried,
    /// There was no connection, so that the event had no part in it.
    Unreachable,
    /// The target had the event.
    Reached,
}

impl From<Failure> for Undelivered {
    fn from(failure: Failure) -> Self {
        Self { failure, contact: Contact::Reached }
    }
}

/// Bytes of a response that are read, so that its connection can be used again. A longer body costs more than a new
/// connection.
const MAX_ANSWER_BYTES: u64 = 64 << 10;

impl Deliver {
    pub(crate) fn new(url: HttpUrl, signer: Option<Signer>) -> anyhow::Result<Self> {
        let client = HttpClient::new(url.uri())?;
        let (headers, form) = (Vec::new(), DeliveryForm::default());
        Ok(Self { client, url, signer, headers, form, shortages: Shortages::new() })
    }

    /// With these headers in each delivery. They replace headers that events bring.
    pub(crate) fn with_headers(self, headers: Vec<(HeaderName, HeaderValue)>) -> Self {
        Self { headers, ..self }
    }

    /// In this form.
    pub(crate) fn with_form(self, form: DeliveryForm) -> Self {
        Self { form, ..self }
    }

    pub(crate) const fn url(&self) -> &HttpUrl {
        &self.url
    }

    /// Posts the event. Waits for a response within `time`, and ends before the run's time does: a timeout that is found
    /// here says more than one that the engine finds.
    pub(crate) async fn post(&self, event: &Event, attempt: &Attempt, time: Duration) -> Result<(), Undelivered> {
        let request = self.request(event, attempt, spans::since_epoch());
        let untried = |error| Undelivered { failure: Failure::permanent(error), contact: Contact::Untried };
        let request = request.map_err(untried)?;
        // A tenth of the run's time is left for the body of the response and for the outcome.
        let left = attempt.remaining();
        let timeout = time.min(left - left / 10);
        let answer = tokio::time::timeout(timeout, self.client.request(request)).await;
        // Such a target counts as reached, since it may have the event.
        let answer = answer.map_err(|_| Failure::retry(format_args!("no answer within {timeout:.1?}")))?;
        let (head, body) = answer.map_err(|error| self.unanswered(&error, attempt))?.into_parts();
        let mut said = Vec::new();
        // The answer counts whether or not its body comes to an end.
        let _read = tokio::time::timeout(left / 20, read_away(body, &mut said)).await;
        Ok(judge(&head, &said, spans::since_epoch())?)
    }

    fn unanswered(&self, error: &client::Error, attempt: &Attempt) -> Undelivered {
        // Only a connection that was not made can be a shortage here; later failures are the target's.
        let shortage = if error.is_connect() { Shortage::of_connect(error) } else { None };
        match shortage {
            Some(shortage) => self.shortages.failure(shortage, attempt.number()).into(),
            None => {
                let contact = if error.is_connect() { Contact::Unreachable } else { Contact::Reached };
                Undelivered { failure: Failure::retry(client::explain(error)), contact }
            }
        }
    }

    fn request(
        &self,
        event: &Event,
        attempt: &Attempt,
        now: Duration,
    ) -> Result<Request<Full<Bytes>>, InvalidHeaderValue> {
        let body = match self.form {
            DeliveryForm::Webhook | DeliveryForm::CloudeventsBinary => event.payload().clone(),
            DeliveryForm::CloudeventsStructured => cloud_events::structured(event).into(),
        };
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(self.url.uri());
        let headers = request.headers_mut();
        // First, so that none of them replaces one of ours.
        for (name, value) in forwarded_headers(event) {
            headers.insert(name, value.try_into()?);
        }
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("eventful/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        let id = webhook::id(event.key());
        if let Some(signer) = &self.signer {
            headers.insert("webhook-signature", signer.header(&id, now.as_secs(), &body).try_into()?);
        }
        headers.insert("webhook-id", id.try_into()?);
        headers.insert("webhook-timestamp", now.as_secs().into());
        headers.insert("eventful-attempt", attempt.number().into());
        headers.insert("eventful-source", webhook::text(event.key().source()).try_into()?);
        if let Some(event_type) = event.event_type() {
            headers.insert("eventful-type", webhook::text(event_type).try_into()?);
        }
        if let Some(group) = event.group() {
            headers.insert("eventful-group", webhook::text(group).try_into()?);
        }
        if let Some(attributes) = webhook::attributes(event) {
            headers.insert("eventful-attributes", attributes.try_into()?);
        }
        for (name, value) in webhook::trace(event) {
            headers.insert(name, value.try_into()?);
        }
        if let Some(scheduled_for) = webhook::scheduled_for(event) {
            headers.insert("eventful-scheduled-for", scheduled_for.try_into()?);
        }
        if self.form == DeliveryForm::CloudeventsStructured {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(cloud_events::CONTENT_TYPE));
            return Ok(request);
        }
        if self.form == DeliveryForm::CloudeventsBinary {
            for (name, value) in cloud_events::headers(event) {
                // The name of an attribute is lower-case letters and digits, so that only its length can be too much.
                let Ok(name) = HeaderName::try_from(name) else { continue };
                headers.insert(name, value.try_into()?);
            }
        }
        if let Some(content_type) = event.content_type() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_bytes(content_type.as_bytes())?);
        }
        if let Some(encoding) = event.content_encoding() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_bytes(encoding.as_bytes())?);
        }
        Ok(request)
    }
}

/// Reads a short body to its end, and keeps its beginning.
async fn read_away(mut body: Incoming, beginning: &mut Vec<u8>) {
    let mut left = MAX_ANSWER_BYTES;
    while !body.is_end_stream()
        && let Some(Ok(frame)) = body.frame().await
    {
        let Some(data) = frame.data_ref() else { continue };
        // The beginning never has more than these bytes, so the difference is not negative.
        beginning.extend(data.iter().take(excerpt::BYTES - beginning.len()));
        left = left.saturating_sub(data.len() as u64);
        if left == 0 {
            break;
        }
    }
}

/// Returns what a response, with a body that begins like this, means for the event.
fn judge(answer: &Parts, said: &[u8], now: Duration) -> Result<(), Failure> {
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    let error = excerpt::with_beginning(&format!("the target answered {status}"), said);
    // 408, 425 and 429 ask for another attempt; other 4xx would be refused again.
    let again = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    if !again.contains(&status) && !status.is_server_error() {
        return Err(Failure::permanent(error));
    }
    let after = answer.headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
    Err(match after {
        Some(after) => Failure::retry_after(error, after),
        None => Failure::retry(error),
    })
}

/// Parses `Retry-After` as RFC 9110 has it: seconds, or a date, to be compared with `now` (since the Unix epoch).
pub(crate) fn retry_after(value: &str, now: Duration) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    let since_epoch = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    // A date in the past means at once.
    Some(since_epoch.saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Response;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Duration::from_secs(784_111_770);
        let seconds = |value| retry_after(value, now).map(|after| after.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(7));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:00 GMT"), Some(0));
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds("-1"), None);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let verdict = |status: u16| {
            let mut answer = Response::new(()).into_parts().0;
            answer.status = StatusCode::from_u16(status).expect("a status");
            judge(&answer, b"", Duration::ZERO)
        };
        let error = |status: &str| format!("the target answered {status}");
        assert_eq!(verdict(204), Ok(()));
        assert_eq!(verdict(302), Err(Failure::permanent(error("302 Found"))));
        assert_eq!(verdict(410), Err(Failure::permanent(error("410 Gone"))));
        assert_eq!(verdict(425), Err(Failure::retry(error("425 Too Early"))));
        assert_eq!(verdict(500), Err(Failure::retry(error("500 Internal Server Error"))));
    }
}
