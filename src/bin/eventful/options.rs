//! The command line, and the variables of the environment.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use eventful::http::{FrontConfig, Host, Limits, Network, Origin};
use eventful::{
    Config, Durability,
    engine::{FailedOverflow, InvalidPolicy},
};

use crate::access::AccessOptions;
use crate::brokers::address::DeliveryUrl;
use crate::deliver::DeliveryForm;
use crate::groups::GroupFlag;
use crate::journal::options::{BackupOptions, JournalOptions};
use crate::log::{LogFormat, LogLevels};
use crate::operator::options::{BackendOptions, OperatorCall};
use crate::schedule_config::SchedulesOptions;
use crate::settings::tables::FileTables;
use crate::shell::ShellCommand;
use crate::spans;
use crate::tuning::TuningOptions;
use crate::types::TypeOptions;
use crate::unrepeated::Unrepeated;
use crate::url::HttpUrl;

/// Accepts events, remembers them by id, handles each, retries what fails, and never loses one.
#[derive(Debug, Parser)]
#[command(name = "eventful", version, max_term_width = 100)]
pub(crate) struct Options {
    /// The least level that is logged to standard error: off, error, warn, info, debug or trace; with one for a part of
    /// the program: info,eventful::http=debug
    #[arg(long, global = true, env = "EVENTFUL_LOG", default_value = "info", value_name = "LEVEL", value_parser = LogLevels::parse)]
    log: LogLevels,
    /// The form of the log
    #[arg(long, global = true, env = "EVENTFUL_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, value_name = "FORM")]
    log_format: LogFormat,
    /// Set when a command is not a server, and no level was chosen: its output is its result, and the log has warnings.
    #[arg(skip)]
    pub(crate) is_quiet: bool,
    #[command(subcommand)]
    pub(crate) call: ProgramCall,
    /// The server of an operator's command.
    #[arg(skip)]
    pub(crate) backend: Option<BackendOptions>,
}

/// The command of the program.
#[derive(Debug, Subcommand)]
pub(crate) enum ProgramCall {
    /// Take events in over HTTP and handle them; without any option, log them
    Serve(Box<ServeOptions>),
    /// Send events, a JSON envelope per line, to a server
    Send(SendOptions),
    /// Print a configuration file with all settings of `serve`, their defaults, and what they are for
    Config,
    /// Read a configuration file as `serve` would, and find contradictions in it; exit code 1 when there are any, 2 when
    /// it cannot be used at all
    Check(CheckOptions),
    /// Show the next ten times of each schedule in a file
    Schedules(SchedulesOptions),
    /// Make or check the schema of a database that keeps events, or print the rights of a role
    #[cfg(feature = "postgres")]
    Postgres(crate::postgres::schema::SchemaOptions),
    #[command(flatten)]
    Operate(Box<OperatorCall>),
    /// Copy the journal in a directory as it is now into a new one, also while a server writes it
    Backup(BackupOptions),
    /// Print the completions for a shell
    Completions {
        /// The shell
        #[arg(value_name = "SHELL", value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write a manual page for the program and each of its commands
    Manual {
        /// The directory of the pages, which is made
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Read, copy or mend the journal in a directory; exit code 2 when a newer program wrote it
    Journal(JournalOptions),
}

/// The arguments of `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckOptions {
    /// The configuration file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print JSON, one object
    #[arg(long)]
    pub(crate) json: bool,
}

/// The options of `serve`. Durations are such as 500ms, 5s, 2m or 1h30m.
#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// Read settings from this file; a flag or a variable beats it. `eventful config` prints one to begin with
    #[arg(long, env = "EVENTFUL_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The address to listen on
    #[arg(long, env = "EVENTFUL_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDR", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// Keep everything in this directory, so that it survives a crash; without it, in memory
    #[arg(long, env = "EVENTFUL_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    #[cfg(feature = "postgres")]
    #[command(flatten)]
    pub(crate) postgres: crate::postgres::options::PostgresOptions,
    /// Bytes of journal after which the next snapshot is made: fewer start faster, and write more
    #[arg(long, env = "EVENTFUL_SNAPSHOT_AFTER", default_value_t = Durability::default().snapshot_after_bytes, value_name = "N", value_parser = at_least_one)]
    snapshot_after: u64,
    #[cfg(feature = "nats")]
    #[command(flatten)]
    pub(crate) brokers: crate::brokers::config::BrokerOptions,
    /// Handle each event by an HTTP POST to this URL, or publish it to a subject of NATS, nats://HOST:4222/SUBJECT
    #[arg(long, env = "EVENTFUL_DELIVER", value_name = "URL", value_parser = Unrepeated(DeliveryUrl::parse), conflicts_with = "exec")]
    pub(crate) deliver: Option<DeliveryUrl>,
    /// The form of deliveries
    #[arg(long, env = "EVENTFUL_DELIVER_AS", value_enum, default_value_t = DeliveryForm::default(), value_name = "FORM")]
    pub(crate) deliver_as: DeliveryForm,
    /// Handle each event by this shell command, with the payload on its standard input
    #[arg(long, env = "EVENTFUL_EXEC", value_name = "CMD", value_parser = Unrepeated(ShellCommand::parse))]
    pub(crate) exec: Option<ShellCommand>,
    /// Give each event to a worker that asks for it, by POST /v1/lease
    #[arg(long, env = "EVENTFUL_PULL", conflicts_with_all = ["deliver", "exec"])]
    pub(crate) pull: bool,
    /// Events that are handled at the same time
    #[arg(long, env = "EVENTFUL_CONCURRENCY", default_value_t = Config::default().concurrency, value_name = "N")]
    concurrency: NonZeroUsize,
    /// Events that are queued for a handler
    #[arg(long, env = "EVENTFUL_CHANNEL_CAPACITY", default_value_t = Config::default().channel_capacity, value_name = "N")]
    channel_capacity: NonZeroUsize,
    /// Attempts after which an event has failed
    #[arg(long, env = "EVENTFUL_MAX_ATTEMPTS", default_value_t = Config::default().max_attempts, value_name = "N")]
    max_attempts: u32,
    /// The wait after the first attempt; it doubles with each further one
    #[arg(long, env = "EVENTFUL_BACKOFF", value_parser = spans::parse, default_value = spans::show(Config::default().backoff.base), value_name = "TIME")]
    backoff: Duration,
    /// The longest wait between attempts
    #[arg(long, env = "EVENTFUL_BACKOFF_CAP", value_parser = spans::parse, default_value = spans::show(Config::default().backoff.cap), value_name = "TIME")]
    backoff_cap: Duration,
    /// The longest time for an attempt
    #[arg(long, env = "EVENTFUL_RUN_TIMEOUT", value_parser = spans::parse, default_value = spans::show(Config::default().run_timeout), value_name = "TIME")]
    run_timeout: Duration,
    #[command(flatten)]
    pub(crate) types: TypeOptions,
    /// Accept events at the times of cron expressions: those of the tables [schedules.NAME] in this file
    #[arg(long, env = "EVENTFUL_SCHEDULES", value_name = "FILE")]
    pub(crate) schedules: Option<PathBuf>,
    /// A policy for the groups that a pattern fits, 'account/*:order=fifo' or 'tenant/*:concurrency=4'. Can be given more than
    /// once
    #[arg(long = "group", env = "EVENTFUL_GROUPS", value_delimiter = ';', value_parser = GroupFlag::parse, value_name = "PATTERN:SETTINGS")]
    groups: Vec<GroupFlag>,
    /// The longest time that a shutdown waits for attempts in flight
    #[arg(long, env = "EVENTFUL_DRAIN_TIMEOUT", value_parser = spans::parse, default_value = spans::show(Config::default().drain_timeout), value_name = "TIME")]
    drain_timeout: Duration,
    /// The time for which an event that has ended is remembered [default: 1h, with --data 96h]
    #[arg(long, env = "EVENTFUL_RETENTION", value_parser = spans::parse, value_name = "TIME")]
    retention: Option<Duration>,
    /// The time for which a failed event is kept that is neither redriven nor discarded [default: for ever]
    #[arg(long, env = "EVENTFUL_FAILED_RETENTION", value_parser = spans::parse, value_name = "TIME")]
    failed_retention: Option<Duration>,
    /// Events that have not ended, at most
    #[arg(long, env = "EVENTFUL_MAX_PENDING", default_value_t = Config::default().max_pending, value_name = "N")]
    max_pending: usize,
    /// The time that a sender is asked to wait when there are as many
    #[arg(long, env = "EVENTFUL_OVERLOAD_RETRY_AFTER", value_parser = spans::parse, default_value = spans::show(Config::default().overload_retry_after), value_name = "TIME")]
    overload_retry_after: Duration,
    /// Events that are remembered, at most; one that has ended takes about 100 bytes of memory with a UUID, 160
    /// with another id of 36 bytes [default: 1000000, with --data 10000000]
    #[arg(long, env = "EVENTFUL_MAX_RECORDS", value_name = "N")]
    max_records: Option<usize>,
    /// Bytes of the events that are kept to be handled, at most
    #[arg(long, env = "EVENTFUL_MAX_BYTES", default_value_t = Config::default().max_bytes, value_name = "N")]
    max_bytes: usize,
    /// Bytes of the failed events, with their errors, at most
    #[arg(long, env = "EVENTFUL_MAX_FAILED_BYTES", default_value_t = Config::default().max_failed_bytes, value_name = "N")]
    max_failed_bytes: usize,
    /// The reaction when failed events have more
    #[arg(long, env = "EVENTFUL_FAILED_OVERFLOW", value_enum, default_value_t = Overflow::Refuse, value_name = "WHAT")]
    failed_overflow: Overflow,
    /// Bytes of one event, at most
    #[arg(long, env = "EVENTFUL_MAX_EVENT_BYTES", default_value_t = Config::default().max_event_bytes, value_name = "N")]
    max_event_bytes: usize,
    /// Bytes of requests on their way and of responses that are not read, at most
    #[arg(long, env = "EVENTFUL_MAX_INFLIGHT_BYTES", default_value_t = Limits::default().max_inflight_bytes, value_name = "N")]
    max_inflight_bytes: usize,
    /// The longest time that a connection may be idle before a request, and that the head of the request may take
    #[arg(long, env = "EVENTFUL_KEEP_ALIVE", value_parser = spans::parse_nonzero, default_value = spans::show(Limits::default().header_timeout), value_name = "TIME")]
    keep_alive: Duration,
    /// The longest time in which nothing of a request's body arrives
    #[arg(long, env = "EVENTFUL_BODY_TIMEOUT", value_parser = spans::parse_nonzero, default_value = spans::show(Limits::default().body_timeout), value_name = "TIME")]
    body_timeout: Duration,
    /// A host that requests may be for, such as events.example; may be repeated. On a loopback address others than
    /// localhost are refused, elsewhere when there is one here
    #[arg(long, env = "EVENTFUL_ALLOW_HOST", value_delimiter = ',', value_name = "HOST")]
    allow_host: Vec<Host>,
    #[command(flatten)]
    pub(crate) access: AccessOptions,
    /// A proxy, or a network of them such as 10.0.0.0/8, whose X-Forwarded-Host and X-Forwarded-For are believed; may be
    /// repeated
    #[arg(long, env = "EVENTFUL_TRUSTED_PROXY", value_delimiter = ',', value_name = "NET")]
    trusted_proxy: Vec<Network>,
    /// A site whose pages may call, such as https://app.example (CORS); may be repeated
    #[arg(long, env = "EVENTFUL_CORS_ORIGIN", value_delimiter = ',', value_name = "ORIGIN")]
    cors_origin: Vec<Origin>,
    /// Serve the page for operators at /ui/: text without data, which calls the server with the token of its reader
    #[arg(long, env = "EVENTFUL_UI", default_value_t = true, action = ArgAction::Set, value_name = "BOOL")]
    pub(crate) ui: bool,
    #[cfg(feature = "tls")]
    #[command(flatten)]
    pub(crate) tls: crate::tls::TlsOptions,
    #[cfg(feature = "otlp")]
    #[command(flatten)]
    pub(crate) otlp: crate::otlp::OtlpOptions,
    #[command(flatten)]
    tuning: TuningOptions,
    /// The tables of the file.
    #[arg(skip)]
    pub(crate) tables: FileTables,
}

/// The reaction when failed events have more than `max_failed_bytes`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Overflow {
    /// No new event is taken until failed ones are redriven or discarded
    Refuse,
    /// The events that failed first are forgotten, with a line in the log each
    DropOldest,
}

impl From<Overflow> for FailedOverflow {
    fn from(overflow: Overflow) -> Self {
        match overflow {
            Overflow::Refuse => Self::Refuse,
            Overflow::DropOldest => Self::DropOldest,
        }
    }
}

/// The options of `send`.
#[derive(Debug, Args)]
pub(crate) struct SendOptions {
    /// A file with a JSON envelope per line, {"id", "source"?, "type"?, "attributes"?, "not_before"? | "delay"?, "payload"?}; - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// The server
    #[arg(long, env = "EVENTFUL_TO", default_value = "http://127.0.0.1:8080", value_name = "URL", value_parser = Unrepeated(HttpUrl::parse_base))]
    pub(crate) to: HttpUrl,
    /// The number of times in a row that lines are sent again when the server has no room for any or cannot be reached
    #[arg(long, env = "EVENTFUL_RETRIES", default_value_t = 10, value_name = "N")]
    pub(crate) retries: u32,
    /// A file with the token that the server asks for
    #[arg(long, env = "EVENTFUL_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

impl Options {
    /// Logs to standard error from now on.
    pub(crate) fn start_log(&self) {
        self.log_format.start(if self.is_quiet { LogLevels::warnings() } else { self.log.clone() });
    }
}

impl ServeOptions {
    /// The configuration of the engine, still to be validated; fails when two policies fit one type.
    pub(crate) fn config(&self) -> Result<Config, InvalidPolicy> {
        let mut config = if self.is_durable() { Config::durable() } else { Config::default() };
        config.concurrency = self.concurrency;
        config.channel_capacity = self.channel_capacity;
        config.max_attempts = self.max_attempts;
        config.backoff.base = self.backoff;
        config.backoff.cap = self.backoff_cap;
        config.run_timeout = self.run_timeout;
        config.drain_timeout = self.drain_timeout;
        config.retention = self.retention.unwrap_or(config.retention);
        config.failed_retention = self.failed_retention;
        config.max_pending = self.max_pending;
        config.overload_retry_after = self.overload_retry_after;
        config.max_records = self.max_records.unwrap_or(config.max_records);
        config.max_bytes = self.max_bytes;
        config.max_failed_bytes = self.max_failed_bytes;
        config.failed_overflow = self.failed_overflow.into();
        config.max_event_bytes = self.max_event_bytes;
        let has_targets = self.deliver.is_some() || self.exec.is_some() || !self.tables.targets.is_empty();
        self.tuning.set(&mut config, has_targets);
        self.types.policies.iter().try_for_each(|flag| flag.add_to(&mut config))?;
        self.groups.iter().try_for_each(|flag| flag.add_to(&mut config))?;
        Ok(config)
    }

    /// Returns whether events are kept beyond the life of the process.
    fn is_durable(&self) -> bool {
        #[cfg(feature = "postgres")]
        if self.postgres.postgres.is_some() {
            return true;
        }
        self.data.is_some()
    }

    /// Returns the settings of which one excludes the others, by name, with whether each is set.
    pub(crate) fn choices(&self) -> [Vec<(&'static str, bool)>; 2] {
        let handlers = vec![("deliver", self.deliver.is_some()), ("exec", self.exec.is_some()), ("pull", self.pull)];
        let places = vec![
            ("data", self.data.is_some()),
            #[cfg(feature = "postgres")]
            ("postgres", self.postgres.postgres.is_some()),
        ];
        [handlers, places]
    }

    /// Returns the configuration of the front, without tokens.
    pub(crate) fn front(&self) -> FrontConfig {
        let mut front = FrontConfig::from(self.limits());
        front.trusted_proxies.clone_from(&self.trusted_proxy);
        front.cors_origins.clone_from(&self.cors_origin);
        front.ui = self.ui;
        front
    }

    /// Returns the limits on clients.
    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        limits.max_inflight_bytes = self.max_inflight_bytes;
        limits.header_timeout = self.keep_alive;
        limits.body_timeout = self.body_timeout;
        limits.allowed_hosts.clone_from(&self.allow_host);
        self.tuning.limit(&mut limits);
        limits
    }

    /// Returns the settings of the journal.
    pub(crate) fn durability(&self) -> Durability {
        let mut durability = Durability::default();
        durability.snapshot_after_bytes = self.snapshot_after;
        durability
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address: write an IP address and a port, such as 127.0.0.1:8080"))
}

/// Parses a number that is not zero.
fn at_least_one(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("{text:?} is not possible: write a whole number from 1 to {}", u64::MAX))
}
