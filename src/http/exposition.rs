//! The numbers, as Prometheus text (format 0.0.4), as OpenMetrics text (1.0) and as JSON.

use core::fmt::{self, Write as _};
use std::borrow::Cow;
use std::format;
use std::string::{String, ToString as _};
use std::sync::Arc;
use std::vec::Vec;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::response::IntoResponse;
use serde_json::{Map, Value};

use super::families::{MetricFamily, MetricNumbers, families};
use super::front::Front;
use super::problem::Problem;
use super::targets::{TargetState, Targets};
use crate::broker::IntakeNumbers;
use crate::engine::Histogram;
use crate::node::Stats;

/// `GET /metrics`: as OpenMetrics 1.0 when that is accepted, else as Prometheus text.
pub(super) async fn metrics(State(front): State<Arc<Front>>, headers: HeaderMap) -> Result<impl IntoResponse, Problem> {
    let stats = front.eventful.stats()?;
    let form = if accepts_openmetrics(&headers) { TextForm::OpenMetrics } else { TextForm::Prometheus };
    let mut text = String::with_capacity(16 << 10);
    let (targets, intakes) = (states(&front), intakes(&front));
    for family in families(&stats, &targets, &intakes) {
        // Writing into memory does not fail.
        let _written = write_family(&family, form, &mut text);
    }
    if form == TextForm::OpenMetrics {
        // A text without this end counts as cut off.
        text.push_str("# EOF\n");
    }
    Ok(([(CONTENT_TYPE, form.content_type()), (VARY, "accept")], text))
}

/// The form of numbers as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextForm {
    Prometheus,
    OpenMetrics,
}

impl TextForm {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The upper bound of a bucket, which is a float in OpenMetrics.
    fn bound(self, bound: String) -> String {
        if self == Self::OpenMetrics && bound.bytes().all(|byte| byte.is_ascii_digit()) { bound + ".0" } else { bound }
    }
}

/// Returns whether OpenMetrics 1.0 is among what is accepted, with any weight but zero: a client that names it prefers it.
fn accepts_openmetrics(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/openmetrics-text"));
        let mut parameters = parts.filter_map(|part| part.split_once('='));
        is_named
            && parameters.all(|(name, value)| match name {
                "version" => value.starts_with("1."),
                "q" => value.parse::<f32>().is_ok_and(|weight| weight > 0.0),
                _ => true,
            })
    })
}

/// The numbers as JSON: the same numbers under the same names without the prefix, label values as keys; and the
/// names of the groups that are paused.
pub(super) fn stats_json(front: &Front, stats: &Stats) -> String {
    let (targets, intakes) = (states(front), intakes(front));
    let mut body: Map<_, _> =
        families(stats, &targets, &intakes).iter().map(|family| (family.name.into(), json(&family.numbers))).collect();
    // In no metric: names that come from senders would be labels without end.
    let paused: Map<_, _> = stats.paused_groups.iter().map(|group| (group.to_string(), 1.into())).collect();
    body.insert("paused_groups".into(), paused.into());
    Value::Object(body).to_string()
}

fn states(front: &Front) -> Vec<TargetState> {
    front.targets.as_ref().map(Targets::states).unwrap_or_default()
}

fn intakes(front: &Front) -> Vec<(String, IntakeNumbers)> {
    front.intakes.iter().map(|(name, monitor)| (name.clone(), monitor.numbers())).collect()
}

fn write_family(
    MetricFamily { name, help, numbers }: &MetricFamily<'_>,
    form: TextForm,
    out: &mut String,
) -> fmt::Result {
    let kind = match numbers {
        MetricNumbers::Counter(_) | MetricNumbers::Counters(..) => "counter",
        MetricNumbers::Gauge(_) | MetricNumbers::Gauges(..) => "gauge",
        MetricNumbers::Histogram(_) => "histogram",
    };
    // There the family of a counter is named without what its sample ends with.
    let family = if form == TextForm::OpenMetrics { name.strip_suffix("_total").unwrap_or(name) } else { name };
    writeln!(out, "# HELP eventful_{family} {help}\n# TYPE eventful_{family} {kind}")?;
    match numbers {
        MetricNumbers::Counter(number) | MetricNumbers::Gauge(number) => writeln!(out, "eventful_{name} {number}"),
        MetricNumbers::Counters(label, rows) | MetricNumbers::Gauges(label, rows) => {
            rows.iter().try_for_each(|(value, number)| {
                let value = escaped(value);
                writeln!(out, "eventful_{name}{{{label}=\"{value}\"}} {number}")
            })
        }
        MetricNumbers::Histogram(histogram) => write_histogram(name, histogram, form, out),
    }
}

/// The value of a label as both forms write it.
fn escaped(value: &str) -> Cow<'_, str> {
    match value.contains(['\\', '"', '\n']) {
        true => value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").into(),
        false => value.into(),
    }
}

fn write_histogram(name: &str, histogram: &Histogram, form: TextForm, out: &mut String) -> fmt::Result {
    for (bound, count) in buckets(histogram) {
        let bound = form.bound(bound);
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
