//! `eventful send`

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use serde::Deserialize;

use crate::access;
use crate::client::{self, HttpClient};
use crate::options::SendOptions;
use crate::progress::SendProgress;
use crate::source::{LineSource, SourceLine};

/// The wait before lines are sent again, when the server names none; it doubles. Any short time would do: most
/// shortages pass within a second.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait, whatever the server asks for: a person may be waiting.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// The longest time for which the server may take to respond to a chunk. It waits for its journal for 4 s at most; the
/// rest is for slow networks.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(60);

/// Sends all lines. Success when the server has every one of them.
pub(crate) async fn send(options: SendOptions) -> anyhow::Result<ExitCode> {
    let mut source = LineSource::open(&options.file)?;
    let mut sender = Sender::new(&options)?;
    loop {
        let lines = source.chunk()?;
        if lines.is_empty() {
            break;
        }
        if !sender.send(lines).await {
            break;
        }
        sender.progress.show(&source);
    }
    sender.progress.summarize();
    Ok(ExitCode::from(u8::from(sender.progress.counts.bad() > 0)))
}

struct Sender {
    client: HttpClient,
    url: Uri,
    retries: u32,
    authorization: Option<HeaderValue>,
    progress: SendProgress,
}

/// The server's result for a line.
#[derive(Deserialize)]
struct LineResult {
    line: usize,
    outcome: String,
    #[serde(default)]
    problem: ProblemBody,
}

#[derive(Deserialize, Default)]
struct ProblemBody {
    #[serde(default)]
    detail: String,
    retry_after_ms: Option<u64>,
}

/// The lines to send again, the reason, and the time to wait.
struct Again {
    lines: Vec<SourceLine>,
    why: String,
    after: Option<Duration>,
    hopeless: bool,
}

/// The reason why there are no results.
struct NoResponse {
    why: String,
    /// True if another try cannot help.
    hopeless: bool,
}

impl From<String> for NoResponse {
    fn from(why: String) -> Self {
        Self { why, hopeless: false }
    }
}

impl Sender {
    fn new(options: &SendOptions) -> anyhow::Result<Self> {
        let url = options.to.join("/v1/events/batch")?;
        let authorization = options.token_file.as_deref().map(access::authorization).transpose()?;
        let client = HttpClient::new(&url)?;
        Ok(Self { client, url, retries: options.retries, authorization, progress: SendProgress::start() })
    }

    /// Sends lines until the server has decided each, or the retries are used up. A try that makes progress renews
    /// them. Returns false when there is no use in continuing.
    async fn send(&mut self, mut lines: Vec<SourceLine>) -> bool {
        let (mut wait, mut retries) = (FIRST_WAIT, self.retries);
        loop {
            let count = lines.len();
            let again = self.attempt(lines).await;
            if again.lines.is_empty() {
                return true;
            }
            // Some lines were decided: the server works, so the tries begin again.
            if again.lines.len() < count {
                (wait, retries) = (FIRST_WAIT, self.retries);
            }
            let Some(left) = retries.checked_sub(1).filter(|_| !again.hopeless) else {
                self.abandon(&again);
                return false;
            };
            retries = left;
            // The server knows best when it has room.
            let pause = again.after.unwrap_or(wait).min(MAX_WAIT);
            self.progress.print(&format!("{} lines to be sent again in {pause:?}: {}", again.lines.len(), again.why));
            tokio::time::sleep(pause).await;
            wait = (wait * 2).min(MAX_WAIT);
            lines = again.lines;
        }
    }

    async fn attempt(&mut self, lines: Vec<SourceLine>) -> Again {
        let exchange = tokio::time::timeout(CHUNK_TIMEOUT, self.exchange(&lines)).await;
        let (results, unanswered) = match exchange {
            Ok(Ok(results)) => (results, "the answer was cut off".to_owned().into()),
            Ok(Err(unanswered)) => (Vec::new(), unanswered),
            Err(_) => (Vec::new(), format!("no answer within {CHUNK_TIMEOUT:?}").into()),
        };
        self.sort(lines, results, unanswered)
    }

    /// Counts the results. All other lines, also those without a result, are to be sent again: one that was accepted
    /// after all is a duplicate then.
    fn sort(&mut self, lines: Vec<SourceLine>, results: Vec<LineResult>, unanswered: NoResponse) -> Again {
        let NoResponse { why, hopeless } = unanswered;
        let mut again = Again { lines: Vec::new(), why, after: None, hopeless };
        let mut results = results.into_iter().peekable();
        for (at, line) in lines.into_iter().enumerate() {
            // Results come in the order of lines; one that is missing belongs to a line that was not decided.
            let answer = results.next_if(|answer| answer.line == at + 1);
            if !answer.as_ref().is_some_and(|answer| self.count(&line, answer)) {
                if let Some(LineResult { problem, .. }) = answer {
                    // The longest of the times that the server asks for.
                    again.after = again.after.max(problem.retry_after_ms.map(Duration::from_millis));
                    again.why = problem.detail;
                }
                again.lines.push(line);
            }
        }
        again
    }

    /// Counts a result. Returns whether it is final.
    fn count(&mut self, line: &SourceLine, answer: &LineResult) -> bool {
        let counts = &mut self.progress.counts;
        match answer.outcome.as_str() {
            "accepted" => counts.accepted += 1,
            "duplicate" => counts.duplicate += 1,
            "conflict" => counts.conflict += 1,
            "invalid" | "too_large" => counts.invalid += 1,
            // Overloaded, unread or unavailable: the line is sent again.
            _ => return false,
        }
        if !matches!(answer.outcome.as_str(), "accepted" | "duplicate") {
            self.progress.complain(&format!("line {}: {}: {}", line.number, answer.outcome, answer.problem.detail));
        }
        true
    }

    fn abandon(&mut self, again: &Again) {
        self.progress.counts.failed += again.lines.len() as u64;
        let first = again.lines.first().map_or(0, |line| line.number);
        self.progress.print(&format!("gave up at line {first}: {}", again.why));
        self.progress
            .print("lines from there on are not sent: send all again, what the server has is a duplicate then");
    }

    /// Returns the server's results, or why there are none.
    async fn exchange(&self, lines: &[SourceLine]) -> Result<Vec<LineResult>, NoResponse> {
        let answer = self.client.request(self.request(lines)).await;
        let answer = answer.map_err(|error| format!("{}: is the server running?", client::explain(&error)))?;
        if !answer.status().is_success() {
            let status = answer.status();
            let hint = match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "give a token that submits, with --token-file",
                _ => "is it an eventful server?",
            };
            let why = format!("the server answered {status}: {hint}");
            // The same request would get the same refusal.
            return Err(NoResponse { why, hopeless: status.is_client_error() });
        }
        let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        let texts = body.split(|byte| *byte == b'\n').filter(|text| !text.is_empty());
        let odd = |error| NoResponse::from(format!("an odd answer: {error}"));
        texts.map(|text| serde_json::from_slice(text).map_err(odd)).collect()
    }

    fn request(&self, lines: &[SourceLine]) -> Request<Full<Bytes>> {
        let mut body = Vec::with_capacity(lines.iter().map(|line| line.text.len() + 1).sum());
        for line in lines {
            body.extend_from_slice(&line.text);
            body.push(b'\n');
        }
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&self.url);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        request.headers_mut().extend(self.authorization.clone().map(|value| (AUTHORIZATION, value)));
        request
    }
}
