//! The numbers, as Prometheus text (format 0.0.4) and as JSON.

use core::fmt::{self, Write as _};
use std::format;
use std::string::{String, ToString as _};
use std::sync::Arc;
use std::vec::Vec;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Map, Value};

use super::families::{MetricFamily, MetricNumbers, families};
use super::front::Front;
use super::problem::Problem;
use super::targets::{TargetState, Targets};
use crate::engine::Histogram;

/// `GET /metrics`
pub(super) async fn metrics(State(front): State<Arc<Front>>) -> Result<impl IntoResponse, Problem> {
    let stats = front.eventful.stats()?;
    let mut text = String::with_capacity(16 << 10);
    let targets = states(&front);
    for family in families(&stats, &targets) {
        // Writing into memory does not fail.
        let _written = write_family(&family, &mut text);
    }
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

/// `GET /v1/stats`: the same numbers under the same names without the prefix, label values as keys.
pub(super) async fn stats(State(front): State<Arc<Front>>) -> Result<impl IntoResponse, Problem> {
    let stats = front.eventful.stats()?;
    let targets = states(&front);
    let body: Map<_, _> =
        families(&stats, &targets).iter().map(|family| (family.name.into(), json(&family.numbers))).collect();
    Ok(([(CONTENT_TYPE, "application/json")], Value::Object(body).to_string()))
}

fn states(front: &Front) -> Vec<TargetState> {
    front.targets.as_ref().map(Targets::states).unwrap_or_default()
}

fn write_family(MetricFamily { name, help, numbers }: &MetricFamily<'_>, out: &mut String) -> fmt::Result {
    let kind = match numbers {
        MetricNumbers::Counter(_) | MetricNumbers::Counters(..) => "counter",
        MetricNumbers::Gauge(_) | MetricNumbers::Gauges(..) => "gauge",
        MetricNumbers::Histogram(_) => "histogram",
    };
    writeln!(out, "# HELP eventful_{name} {help}\n# TYPE eventful_{name} {kind}")?;
    match numbers {
        MetricNumbers::Counter(number) | MetricNumbers::Gauge(number) => writeln!(out, "eventful_{name} {number}"),
        MetricNumbers::Counters(label, rows) | MetricNumbers::Gauges(label, rows) => {
            rows.iter().try_for_each(|(value, number)| writeln!(out, "eventful_{name}{{{label}=\"{value}\"}} {number}"))
        }
        MetricNumbers::Histogram(histogram) => write_histogram(name, histogram, out),
    }
}

fn write_histogram(name: &str, histogram: &Histogram, out: &mut String) -> fmt::Result {
    for (bound, count) in buckets(histogram) {
        writeln!(out, "eventful_{name}_bucket{{le=\"{bound}\"}} {count}")?;
    }
    writeln!(out, "eventful_{name}_sum {}", seconds(micros(histogram)))?;
    writeln!(out, "eventful_{name}_count {}", histogram.count())
}

fn json(numbers: &MetricNumbers<'_>) -> Value {
    match numbers {
        MetricNumbers::Counter(number) | MetricNumbers::Gauge(number) => (*number).into(),
        MetricNumbers::Counters(_, rows) | MetricNumbers::Gauges(_, rows) => {
            rows.iter().map(|(value, number)| (value.to_string(), Value::from(*number))).collect::<Map<_, _>>().into()
        }
        MetricNumbers::Histogram(histogram) => histogram_json(histogram),
    }
}

fn histogram_json(histogram: &Histogram) -> Value {
    let buckets: Map<_, _> = buckets(histogram).map(|(bound, count)| (bound, Value::from(count))).collect();
    serde_json::json!({
        "bucket": buckets,
        // The nearest number to whole microseconds, which is short as text.
        "sum": micros(histogram) as f64 / 1e6,
        "count": histogram.count(),
    })
}

/// Upper bounds in seconds, and how many durations are not longer.
fn buckets(histogram: &Histogram) -> impl Iterator<Item = (String, u64)> {
    let bounds = Histogram::BOUNDS_MICROS.iter().map(|bound| seconds(*bound)).chain(["+Inf".to_string()]);
    let mut sum = 0;
    bounds.zip(histogram.counts()).map(move |(bound, count)| {
        sum += count;
        (bound, sum)
    })
}

fn micros(histogram: &Histogram) -> u64 {
    u64::try_from(histogram.sum().as_micros()).unwrap_or(u64::MAX)
}

/// Microseconds as seconds, exactly: `0.00002`, `5`.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
