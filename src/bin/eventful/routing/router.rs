//! All targets and routes.

use std::sync::Arc;
use std::time::Duration;

use eventful::clock::SystemClock;
use eventful::http::sources::{QUARANTINED, SecretRef};
use eventful::http::targets::{TargetLimits, Targets};
use eventful::http::{InvalidSigningKey, Signer};
use eventful::{Attempt, Backoff, Config, Event, Failure};
use hyper::header::{HeaderName, HeaderValue};

use super::config::{HeaderSource, RouteConfig, TargetConfig};
use super::route::Route;
use super::target::RoutedTarget;
use super::work::Work;
use crate::brokers::address::DeliveryUrl;
#[cfg(feature = "nats")]
use crate::brokers::publish::Publish;
use crate::deliver::{Deliver, DeliveryForm};
use crate::exec::Exec;
use crate::shell::ShellCommand;

/// The name of the target that flags describe, and that takes what no route is for.
pub(crate) const DEFAULT: &str = "default";

/// All targets and routes.
#[derive(Debug)]
pub(crate) struct EventRouter {
    targets: Vec<RoutedTarget>,
    routes: Vec<Route>,
    /// The target for events that no route fits.
    fallback: Option<usize>,
    states: Targets,
}

/// The target that flags describe.
#[derive(Debug, Default)]
pub(crate) struct DefaultTarget {
    pub(crate) url: Option<DeliveryUrl>,
    /// The form of deliveries, also to other targets that have none of their own.
    pub(crate) form: DeliveryForm,
    pub(crate) exec: Option<ShellCommand>,
}

impl EventRouter {
    /// Makes all targets ready. `signer` signs the deliveries of targets without secrets of their own.
    ///
    /// # Errors
    ///
    /// The first thing that is not possible, and what to write instead.
    pub(crate) fn new(
        default: DefaultTarget,
        (targets, routes): (&std::collections::BTreeMap<String, TargetConfig>, &[RouteConfig]),
        signer: Option<&Signer>,
        config: &Config,
    ) -> anyhow::Result<Self> {
        let mut all = Vec::new();
        for (name, target) in targets {
            anyhow::ensure!(
                name != DEFAULT,
                "targets.{DEFAULT}: this is the name of the target of --deliver and --exec"
            );
            all.push(
                configured(name, target, (signer, default.form), config)
                    .map_err(|why| why.context(format!("targets.{name}")))?,
            );
        }
        let work = match default {
            DefaultTarget { url: Some(url), form, .. } => Some(delivery(url, form, &TargetConfig::default(), signer)?),
            DefaultTarget { exec: Some(command), .. } => Some(Work::Exec(Exec::new(command))),
            // Events that no route fits would seem to be done.
            DefaultTarget { .. } => all.is_empty().then_some(Work::Log),
        };
        let fallback = work.map(|work| {
            let name = DEFAULT.to_owned();
            let limits = TargetLimits::default();
            all.push(RoutedTarget { name, work, limits, timeout: None, max_attempts: None, backoff: None });
            all.len() - 1
        });
        let routes = routes.iter().enumerate().map(|(at, route)| {
            let target = all.iter().position(|target| target.name == route.target);
            let unknown = || anyhow::anyhow!("routes: route {}: there is no [targets.{}]", at + 1, route.target);
            Route::new(route, target.ok_or_else(unknown)?)
                .map_err(|why| anyhow::anyhow!("routes: route {}: {why}", at + 1))
        });
        let routes = routes.collect::<anyhow::Result<_>>()?;
        // A target that only logs never makes an event wait.
        let states = all.iter().filter(|target| !matches!(target.work, Work::Log));
        let states = states.map(|target| (target.name.clone(), target.limits));
        let states = Targets::new(Arc::new(SystemClock::new()), states)?;
        Ok(Self { targets: all, routes, fallback, states })
    }

    /// The descriptors that one run may hold at the same time.
    pub(crate) fn descriptors_of_a_run(&self) -> u64 {
        self.targets.iter().map(|target| target.work.descriptors()).max().unwrap_or(0)
    }

    /// The states of all targets.
    pub(crate) const fn states(&self) -> &Targets {
        &self.states
    }

    /// Returns whether there is a target whose events may have to wait.
    pub(crate) fn has_targets(&self) -> bool {
        self.targets.iter().any(|target| !matches!(target.work, Work::Log))
    }

    /// In words, a line for each target.
    pub(crate) fn describe(&self) -> String {
        match self.targets.as_slice() {
            [only] if self.routes.is_empty() => only.work.describe(),
            several => {
                let each = several.iter().map(|target| format!("{} {}", target.name, target.work.describe()));
                each.collect::<Vec<_>>().join("; ")
            }
        }
    }

    /// Returns targets that no route leads to, and whether there are events that no route fits.
    pub(crate) fn gaps(&self) -> (Vec<&str>, bool) {
        let is_used = |at: usize| self.fallback == Some(at) || self.routes.iter().any(|route| route.target == at);
        let unused = self.targets.iter().enumerate().filter(|(at, _)| !is_used(*at));
        let is_open = self.fallback.is_none() && !self.routes.iter().any(Route::fits_all);
        (unused.map(|(_, target)| target.name.as_str()).collect(), is_open)
    }

    /// Has the target of an event work on it.
    ///
    /// # Errors
    ///
    /// [`Failure`], also when no route fits.
    pub(crate) async fn work(&self, event: &Event, attempt: &Attempt) -> Result<(), Failure> {
        match self.target(event) {
            Some(target) => target.attempt(&self.states, event, attempt).await,
            None => Err(Failure::permanent(format_args!(
                "no route fits source {:?} and type {:?}: add one to [[routes]], then redrive the event",
                event.key().source(),
                event.event_type().unwrap_or_default()
            ))),
        }
    }

    fn target(&self, event: &Event) -> Option<&RoutedTarget> {
        let route = self.routes.iter().find(|route| route.fits(event));
        self.targets.get(route.map(|route| route.target).or(self.fallback)?)
    }
}

/// Fails an event that is in quarantine.
///
/// # Errors
///
/// The event is in quarantine: no handler gets it.
pub(crate) fn refuse_quarantined(event: &Event) -> Result<(), Failure> {
    let Some(id) = event.attributes().value(QUARANTINED) else { return Ok(()) };
    Err(Failure::permanent(format_args!(
        "in quarantine: another payload came under the id {id:?}; discard this one, or submit it under an id of its own"
    )))
}

/// The target of a table.
fn configured(
    name: &str,
    target: &TargetConfig,
    (signer, form): (Option<&Signer>, DeliveryForm),
    config: &Config,
) -> anyhow::Result<RoutedTarget> {
    let work = match (&target.url, &target.exec) {
        (Some(url), None) => {
            let url = DeliveryUrl::parse(url).map_err(|wrong| anyhow::anyhow!("url: {wrong}"))?;
            delivery(url, target.deliver_as.unwrap_or(form), target, signer)?
        }
        (None, Some(_)) if !target.headers.is_empty() || !target.secrets.is_empty() || target.deliver_as.is_some() => {
            anyhow::bail!("headers, secrets and deliver_as are for a url, and this target has exec: leave them out")
        }
        (None, Some(command)) => {
            Work::Exec(Exec::new(ShellCommand::parse(command).map_err(|wrong| anyhow::anyhow!("exec: {wrong}"))?))
        }
        (Some(_), Some(_)) => anyhow::bail!("url and exec are both there: leave one of them out"),
        (None, None) => anyhow::bail!("url or exec is missing: add one of them"),
    };
    let probe_every = target.circuit().probe_every;
    anyhow::ensure!(
        !probe_every.is_zero(),
        "probe_every is 0: a target that is down would be tried without a pause; write 1s or more"
    );
    let mut limits = TargetLimits::default();
    (limits.concurrency, limits.circuit) = (target.concurrency, target.circuit());
    let timeout = at_most("timeout", target.timeout.map(|span| span.time()), ("run_timeout", config.run_timeout))?;
    let max_attempts = target.max_attempts;
    anyhow::ensure!(max_attempts != Some(0), "max_attempts is 0: no event would ever be delivered; write 1 or more");
    if let Some(most) = max_attempts.filter(|most| *most > config.max_attempts) {
        anyhow::bail!("max_attempts is {most}, and max_attempts of all is {}: raise that", config.max_attempts);
    }
    Ok(RoutedTarget { name: name.to_owned(), work, limits, timeout, max_attempts, backoff: backoff(target, config)? })
}

/// The work of a target that is a URL.
fn delivery(
    url: DeliveryUrl,
    form: DeliveryForm,
    target: &TargetConfig,
    signer: Option<&Signer>,
) -> anyhow::Result<Work> {
    let login = (target.user.as_ref(), target.password.as_ref(), target.token.as_ref());
    match url {
        DeliveryUrl::Http(url) => {
            anyhow::ensure!(
                login == (None, None, None),
                "user, password and token are for a subject of NATS: write a header authorization"
            );
            let own = own_signer(&target.secrets)?;
            let deliver = Deliver::new(url, own.or_else(|| signer.cloned()))?.with_headers(headers(target)?);
            Ok(Work::Deliver(Box::new(deliver.with_form(form))))
        }
        DeliveryUrl::Nats(_) if !target.headers.is_empty() || !target.secrets.is_empty() => {
            anyhow::bail!("headers and secrets are for HTTP, and this target is a subject of NATS: leave them out")
        }
        #[cfg(feature = "nats")]
        DeliveryUrl::Nats(url) => Ok(Work::Publish(Box::new(Publish::new(url, form, login)?))),
        #[cfg(not(feature = "nats"))]
        DeliveryUrl::Nats(url) => {
            anyhow::bail!("{url}: this program has no client of NATS: build it with the feature nats")
        }
    }
}

fn own_signer(secrets: &[SecretRef]) -> anyhow::Result<Option<Signer>> {
    let secrets = secrets.iter().map(SecretRef::read).collect::<Result<Vec<_>, _>>()?;
    let signer: Result<_, InvalidSigningKey> = (!secrets.is_empty()).then(|| Signer::new(&secrets)).transpose();
    Ok(signer?)
}

/// The wait of a target, which is at least that of the engine.
fn backoff(target: &TargetConfig, config: &Config) -> anyhow::Result<Option<Backoff>> {
    if target.backoff.is_none() && target.backoff_cap.is_none() {
        return Ok(None);
    }
    let general = config.backoff;
    let base = target.backoff.map_or(general.base, |span| span.time());
    let cap = target.backoff_cap.map_or(general.cap.max(base), |span| span.time());
    anyhow::ensure!(base >= general.base, "backoff is shorter than that of all: lower the setting backoff");
    anyhow::ensure!(cap >= base, "backoff_cap is shorter than backoff: raise it");
    let cap = at_most("backoff_cap", Some(cap), ("max_retry_after", config.max_retry_after))?.unwrap_or(cap);
    Ok(Some(Backoff { base, cap, jitter_percent: general.jitter_percent }))
}

fn at_most(what: &str, own: Option<Duration>, (name, most): (&str, Duration)) -> anyhow::Result<Option<Duration>> {
    if let Some(own) = own.filter(|own| *own > most) {
        let (own, most) = (crate::spans::show(own), crate::spans::show(most));
        anyhow::bail!("{what} is {own}, and {name} is {most}, which ends it before: lower {what} or raise {name}");
    }
    Ok(own)
}

fn headers(target: &TargetConfig) -> anyhow::Result<Vec<(HeaderName, HeaderValue)>> {
    let header = |(name, value): (&String, &HeaderSource)| {
        let known: HeaderName =
            name.parse().map_err(|_| anyhow::anyhow!("headers: {name:?} is no name of a header"))?;
        let value = match value {
            HeaderSource::Text(text) => HeaderValue::try_from(text.as_str()).ok(),
            HeaderSource::Secret(secret) => secret.read()?.header(),
        };
        let odd = || anyhow::anyhow!("headers: the value of {name} has characters that no header may have");
        let value = value.ok_or_else(odd)?;
        let is_ours = known.as_str().starts_with("webhook-") || known.as_str().starts_with("eventful-");
        anyhow::ensure!(
            !is_ours && !["host", "content-length", "transfer-encoding", "connection"].contains(&known.as_str()),
            "headers: {known} is set by this program: leave it out"
        );
        Ok((known, value))
    };
    target.headers.iter().map(header).collect()
}
