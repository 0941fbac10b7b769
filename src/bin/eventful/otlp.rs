//! Spans of requests and attempts, sent to a collector of OpenTelemetry (OTLP over HTTP, protobuf).
//!
//! The span of a request is a child of its sender's, by `traceparent`; its own context is kept with the events that it brings.
//! An attempt is a child of that, and its context is what a delivery has as `traceparent`.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use eventful::handler::FailureKind;
use eventful::http::{FrontConfig, RequestRoute, RequestSpan, RequestTracer};
use eventful::{Attempt, Event, Failure, Handler};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::http::HeaderMap;
use hyper::{Request, Response, StatusCode};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HeaderExtractor, HeaderInjector, HttpClient as CollectorClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;

use crate::client::{self, HttpClient};
use crate::unrepeated::Unrepeated;
use crate::url::HttpUrl;

/// The longest time for one export, as the specification has it by default.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time in which the last spans are sent before the program ends: a collector that is gone must not hold up a
/// deployment.
const LAST_EXPORT: Duration = Duration::from_secs(5);

/// Bytes of a collector's response that are read: it is empty, or names spans that were refused.
const MAX_RESPONSE_BYTES: usize = 64 << 10;

/// The options of spans.
#[derive(Debug, Args)]
pub(crate) struct OtlpOptions {
    /// Send a span of each request that brings events, and of each attempt, to this collector of OpenTelemetry, by OTLP over
    /// HTTP, such as http://127.0.0.1:4318. The variables OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and
    /// OTEL_EXPORTER_OTLP_HEADERS count
    #[arg(long, env = "EVENTFUL_OTLP", value_name = "COLLECTOR", value_parser = Unrepeated(HttpUrl::parse_base))]
    otlp: Option<HttpUrl>,
}

impl OtlpOptions {
    /// Returns the handler with spans of its attempts, and sets the tracer of requests, if there is a collector for them.
    /// Called in the runtime that sends them.
    pub(crate) fn trace<H>(&self, handler: H, front: &mut FrontConfig) -> anyhow::Result<(Traced<H>, Option<Spans>)> {
        let spans = self.otlp.as_ref().map(Spans::new).transpose()?;
        if let Some(spans) = &spans {
            front.tracer = Some(Arc::new(spans.clone()));
        }
        Ok((Traced { handler, spans: spans.clone() }, spans))
    }
}

/// Begins spans, and sends those that have ended.
#[derive(Debug, Clone)]
pub(crate) struct Spans {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// The span of an attempt. Dropped before its end, as when the attempt is cut off, it says so.
#[derive(Debug)]
pub(crate) struct AttemptSpan(Context);

impl Spans {
    fn new(collector: &HttpUrl) -> anyhow::Result<Self> {
        let url = collector.join("/v1/traces")?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(url.to_string())
            .with_timeout(EXPORT_TIMEOUT)
            .with_http_client(Collector::new(&url)?)
            .build()?;
        let resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        // Named by its own name, unless a variable names it otherwise.
        let resource = match std::env::var_os("OTEL_SERVICE_NAME") {
            Some(_) => resource,
            None => resource.with_service_name("eventful"),
        };
        let provider =
            SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build();
        Ok(Self { tracer: provider.tracer("eventful"), provider })
    }

    /// Begins the span of an attempt. Returns the event with its context, so that the handler passes it on.
    pub(crate) fn begin_attempt(&self, event: Event, attempt: &Attempt) -> (Event, AttemptSpan) {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &AttributesExtractor(&event));
        let mut attributes = vec![
            KeyValue::new("messaging.system", "eventful"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.message.body.size", i64::try_from(event.payload().len()).unwrap_or(i64::MAX)),
            KeyValue::new("cloudevents.event_id", event.key().id().to_string()),
            KeyValue::new("eventful.attempt", i64::from(attempt.number())),
        ];
        let source = event.key().source();
        if !source.is_empty() {
            attributes.push(KeyValue::new("cloudevents.event_source", source.to_owned()));
        }
        if let Some(event_type) = event.event_type() {
            attributes.push(KeyValue::new("cloudevents.event_type", event_type.to_string()));
        }
        let builder = self.tracer.span_builder("attempt").with_kind(SpanKind::Consumer).with_attributes(attributes);
        let context = parent.with_span(builder.start_with_context(&self.tracer, &parent));
        let mut injected = AttributesInjector(event);
        TraceContextPropagator::new().inject_context(&context, &mut injected);
        (injected.0, AttemptSpan(context))
    }

    /// Sends what has not been sent, and returns once that has ended or has taken long enough.
    pub(crate) async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(LAST_EXPORT)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!("the last spans were not sent: {error}");
        }
    }
}

impl AttemptSpan {
    /// Ends it with the result of the handler.
    pub(crate) fn end(self, result: &Result<(), Failure>) {
        let span = self.0.span();
        if let Err(failure) = result {
            let kind = match failure.kind() {
                FailureKind::Permanent => "permanent",
                FailureKind::Snooze => "snooze",
                FailureKind::Retry | _ => "retry",
            };
            span.set_attribute(KeyValue::new("eventful.failure", kind));
            // Only the first line: further ones, such as the response of a target, may hold a payload.
            let error = failure.error().and_then(|error| error.lines().next()).unwrap_or_default();
            if failure.kind() != FailureKind::Snooze {
                span.set_status(Status::error(error.to_owned()));
            }
        }
        span.end();
    }
}

impl Drop for AttemptSpan {
    fn drop(&mut self) {
        let span = self.0.span();
        // One that has ended already takes nothing more.
        span.set_status(Status::error("the attempt was cut off"));
        span.end();
    }
}

impl RequestTracer for Spans {
    fn begin(&self, route: RequestRoute, headers: &mut HeaderMap) -> Box<dyn RequestSpan> {
        let propagator = TraceContextPropagator::new();
        let parent = propagator.extract_with_context(&Context::new(), &HeaderExtractor(headers));
        let attributes = [KeyValue::new("http.request.method", "POST"), KeyValue::new("http.route", route.path())];
        let name = format!("POST {}", route.path());
        let builder = self.tracer.span_builder(name).with_kind(SpanKind::Server).with_attributes(attributes);
        let context = parent.with_span(builder.start_with_context(&self.tracer, &parent));
        propagator.inject_context(&context, &mut HeaderInjector(headers));
        Box::new(ServerSpan(context))
    }
}

/// The span of a request.
struct ServerSpan(Context);

impl RequestSpan for ServerSpan {
    fn end(self: Box<Self>, status: StatusCode) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        // A refusal of the client's mistake is no error of the server.
        if status.is_server_error() {
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

/// A handler whose attempts have spans, if there is a collector for them.
#[derive(Debug)]
pub(crate) struct Traced<H> {
    handler: H,
    spans: Option<Spans>,
}

impl<H: Handler> Handler for Traced<H> {
    fn waits_to_be_asked(&self) -> bool {
        self.handler.waits_to_be_asked()
    }

    async fn handle(&self, event: Event, attempt: Attempt) -> Result<(), Failure> {
        let Some(spans) = &self.spans else { return self.handler.handle(event, attempt).await };
        let (event, span) = spans.begin_attempt(event, &attempt);
        let result = self.handler.handle(event, attempt).await;
        span.end(&result);
        result
    }
}

/// The trace of an event, in its attributes.
struct AttributesExtractor<'a>(&'a Event);

impl Extractor for AttributesExtractor<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.attributes().value(key)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.attributes().iter().map(|(name, _)| name).collect()
    }
}

struct AttributesInjector(Event);

impl Injector for AttributesInjector {
    fn set(&mut self, key: &str, value: String) {
        // An empty state of vendors is none, and an event without room for a trace stays as it is.
        if !value.is_empty()
            && let Ok(event) = self.0.clone().with_attribute(key, &value)
        {
            self.0 = event;
        }
    }
}

/// The way to the collector.
///
/// The exporter runs on a thread of its own, which has no runtime: requests are made on the program's.
#[derive(Debug)]
struct Collector {
    client: HttpClient,
    runtime: Handle,
    state: Arc<CollectorState>,
}

#[derive(Debug)]
struct CollectorState {
    url: String,
    /// So that the log has a line for each change, and not for each export.
    is_lost: AtomicBool,
}

impl Collector {
    fn new(url: &hyper::Uri) -> anyhow::Result<Self> {
        let state = Arc::new(CollectorState { url: url.to_string(), is_lost: AtomicBool::new(false) });
        Ok(Self { client: HttpClient::new(url)?, runtime: Handle::try_current()?, state })
    }
}

impl CollectorState {
    fn reached(&self) {
        if self.is_lost.swap(false, Ordering::Relaxed) {
            tracing::info!("the collector at {} takes spans again", self.url);
        }
    }

    fn lost(&self, why: &str) {
        if !self.is_lost.swap(true, Ordering::Relaxed) {
            tracing::warn!("the collector at {} takes no spans: {why}; spans are dropped until it does", self.url);
        }
    }
}

type Sent<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl CollectorClient for Collector {
    // As the macro async_trait would write it.
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Sent<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let (client, state) = (self.client.clone(), Arc::clone(&self.state));
        let sent = self.runtime.spawn(async move {
            let sent = tokio::time::timeout(EXPORT_TIMEOUT, send(&client, request)).await;
            let sent = sent.unwrap_or_else(|_| Err(format!("no response within {EXPORT_TIMEOUT:?}")));
            match &sent {
                Ok(response) if response.status().is_success() => state.reached(),
                Ok(response) => state.lost(&format!("it responds {}", response.status())),
                Err(error) => state.lost(error),
            }
            sent
        });
        Box::pin(async move { Ok(sent.await??) })
    }
}

async fn send(client: &HttpClient, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
    let response = client.request(request.map(Full::new)).await.map_err(|error| client::explain(&error))?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_RESPONSE_BYTES)
        .collect()
        .await
        .map_err(|error: Box<dyn Error + Send + Sync>| format!("its response breaks off: {error}"))?;
    Ok(Response::from_parts(head, body.to_bytes()))
}
