//! A front for all targets, and requests to it in this process.

use std::sync::OnceLock;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use eventful::http::sources::{Secret, SecretRef, Source, SourceConfig};
use eventful::http::{FrontConfig, router};
use eventful::{Attempt, Config, Event, Eventful, Failure};
use tokio::runtime::Runtime;
use tower_service::Service as _;

/// A front that lives as long as the process. Its engine is bounded, so memory is.
struct Fixture {
    runtime: Runtime,
    eventful: Eventful,
    router: Router,
}

fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (mut config, mut front) = (Config::default(), FrontConfig::default());
        (config.max_records, config.max_pending) = (1000, 1000);
        for (name, preset) in
            ["standard-webhooks", "github", "stripe", "slack", "shopify", "meta"].iter().enumerate()
        {
            let text = format!(r#"{{"preset": "{preset}"}}"#);
            let mut source: SourceConfig = serde_json::from_str(&text).expect("a preset");
            source.secrets.push(SecretRef::Given(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")));
            front.sources.push(Source::new(&format!("s{name}"), &source).expect("a source"));
        }
        let handler = |_: Event, _: Attempt| async { Ok::<_, Failure>(()) };
        let eventful = runtime.block_on(async { Eventful::builder().config(config).start(handler) }).expect("it starts");
        Fixture { router: router(eventful.clone(), front), runtime, eventful }
    })
}

/// Makes a request, and checks what holds of every response.
///
/// # Panics
///
/// The response is a 5xx other than 503, or a number does not add up.
pub fn call(request: Request<Body>) -> Response<Body> {
    let Fixture { runtime, eventful, router } = fixture();
    let response = runtime.block_on(async { router.clone().call(request).await }).expect("it does not fail");
    let status = response.status().as_u16();
    assert!(status < 500 || status == 503, "{status}");
    let stats = eventful.stats().expect("it is not broken");
    let (facts, gauges) = (&stats.engine.facts, &stats.engine.gauges);
    assert!(facts.accepted >= gauges.pending(), "more are pending than were accepted");
    response
}
