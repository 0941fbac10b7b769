//! The state that all calls share.

use std::collections::BTreeMap;
use std::string::{String, ToString as _};
use std::sync::Arc;
use std::vec::Vec;

use super::access::Access;
use super::budget::Budget;
use super::envelope::OVERHEAD_BYTES;
use super::fact_log::FactLog;
use super::front_config::FrontConfig;
use super::last_event::LastEvent;
use super::limits::Limits;
use super::request_spans::RequestTracer;
use super::sources::Source;
use super::targets::Targets;
use crate::broker::IntakeMonitor;
use crate::runtime::{Eventful, LeaseDesk};

/// The state that all calls share.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) eventful: Eventful,
    pub(super) limits: Limits,
    /// By their names.
    pub(super) sources: BTreeMap<String, Source>,
    /// To say what a token allows: the door checks each call.
    pub(super) access: Access,
    pub(super) targets: Option<Targets>,
    /// By their names.
    pub(super) intakes: Vec<(String, IntakeMonitor)>,
    /// Absent when no worker takes events.
    pub(super) leases: Option<LeaseDesk>,
    /// For those who follow.
    pub(super) facts: FactLog,
    /// For requests, and for responses that wait for their client.
    pub(super) budget: Arc<Budget>,
    /// For all streams of numbers.
    pub(super) last_stats: LastEvent,
    pub(super) tracer: Option<Arc<dyn RequestTracer>>,
    pub(super) has_page: bool,
}

impl Front {
    pub(super) fn new(eventful: Eventful, config: FrontConfig) -> Self {
        let FrontConfig {
            limits,
            sources,
            targets,
            intakes,
            leases,
            access,
            cors_origins: _,
            trusted_proxies: _,
            tracer,
            ui,
        } = config;
        let facts = FactLog::new(eventful.wall());
        // The largest event that is allowed must be possible.
        let largest = eventful.config().max_event_bytes.saturating_add(OVERHEAD_BYTES);
        let budget = Budget::new(limits.max_inflight_bytes.max(largest));
        let sources = sources.into_iter().map(|source| (source.name().to_string(), source)).collect();
        let last_stats = LastEvent::default();
        let has_page = ui;
        Self {
            eventful,
            limits,
            sources,
            access,
            targets,
            intakes,
            leases,
            facts,
            budget,
            last_stats,
            tracer,
            has_page,
        }
    }
}
