//! The arguments of the operator's commands.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::moment;
use crate::spans;
use crate::unrepeated::Unrepeated;
use crate::url::HttpUrl;

/// The server, or the directory of one that has stopped.
#[derive(Debug, Args)]
pub(crate) struct BackendOptions {
    /// The server
    #[arg(long, env = "EVENTFUL_TO", default_value = "http://127.0.0.1:8080", value_name = "URL", value_parser = Unrepeated(HttpUrl::parse_base))]
    pub(crate) to: HttpUrl,
    /// Instead of a server, the directory of one that has stopped. It is opened as a server would open it, and handles
    /// nothing
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// A file with the token that the server asks for
    #[arg(long, env = "EVENTFUL_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Print JSON, an object per line
    #[arg(long)]
    pub(crate) json: bool,
}

/// The choice of one event.
#[derive(Debug, Args)]
pub(crate) struct EventOptions {
    /// The id of the event
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The source of the event
    #[arg(long, default_value = "", value_name = "SOURCE")]
    pub(crate) source: String,
}

/// The names of the filters, but for the source: ids that are given have one, too.
const FILTERS: [&str; 8] =
    ["id", "event_type", "error", "cause", "accepted_from", "accepted_until", "failed_from", "failed_until"];

/// The filters of events.
#[derive(Debug, Default, Args)]
pub(crate) struct FilterOptions {
    /// Events with this id, of whichever source
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Events of this source
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,
    /// Events of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) event_type: Option<String>,
    /// Events whose last error has this text in it
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,
    /// Events whose last error has exactly this first line
    #[arg(long, value_name = "LINE")]
    pub(crate) cause: Option<String>,
    /// Events that were accepted at this time or later: 2027-01-31T02:00:00Z, or 02:00Z (the last time that clocks showed
    /// that in UTC), or 90m (so long ago)
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub(crate) accepted_from: Option<String>,
    /// Events that were accepted before this time, in the same forms
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub(crate) accepted_until: Option<String>,
    /// Events that failed at this time or later, in the same forms
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub(crate) failed_from: Option<String>,
    /// Events that failed before this time, in the same forms
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub(crate) failed_until: Option<String>,
}

/// The facts that are shown.
#[derive(Debug, Args)]
pub(crate) struct TailOptions {
    /// Those of this event
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Those of events of this source
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,
    /// Those after this cursor, which `--json` shows with each fact; from now on without it
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
    /// Facts after which it ends
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
}

/// One event, or many.
#[derive(Debug, Args)]
pub(crate) struct BulkOptions {
    /// The ids of events of one source; without any, all that the filters choose
    #[arg(value_name = "ID", conflicts_with_all = FILTERS)]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) filter: FilterOptions,
    /// All events of the status, without ids and filters
    #[arg(long, conflicts_with_all = ["ids", "source"].into_iter().chain(FILTERS))]
    pub(crate) all: bool,
    /// Count them, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask before many are changed
    #[arg(long)]
    pub(crate) yes: bool,
}

/// An operator's command.
#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCall {
    /// Show the numbers of the server
    Stats,
    /// Show one event with its last attempts; exit code 1 when there is none
    Get {
        #[command(flatten)]
        event: EventOptions,
        /// With its payload
        #[arg(long)]
        payload: bool,
    },
    /// List events
    Ls {
        /// Only those of this status: received, processing, failed_retry, completed, failed or discarded
        #[arg(long, value_name = "STATUS")]
        status: Option<String>,
        #[command(flatten)]
        filter: FilterOptions,
        /// Events to list, at most
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
        /// With their payloads and all else, each event as `get` shows it
        #[arg(long)]
        payload: bool,
    },
    /// Say why an event is not running now
    Explain(EventOptions),
    /// Give failed events another life: some by their ids, or all that the filters choose
    Redrive(BulkOptions),
    /// End events without handling them: some by their ids, or all that the filters choose
    Discard {
        #[command(flatten)]
        many: BulkOptions,
        /// The status of those that filters choose: received, processing, failed_retry or failed
        #[arg(long, default_value = "failed", value_name = "STATUS")]
        status: String,
    },
    /// Start no more runs
    Pause,
    /// Start runs again
    Resume,
    /// Show targets and their circuits, or close the circuit of one
    Targets {
        /// The target whose circuit is closed
        #[arg(long, value_name = "NAME")]
        close: Option<String>,
    },
    /// Show a table of the numbers, refreshed until it is stopped
    Watch {
        /// The time between two refreshes
        #[arg(long, value_parser = spans::parse_nonzero, default_value = "1s", value_name = "TIME")]
        every: Duration,
        /// Refreshes after which it ends
        #[arg(long, value_name = "N")]
        times: Option<u64>,
    },
    /// Show facts as they happen, until it is stopped: accepted, started, finished, redriven, discarded and more
    Tail(TailOptions),
    /// Ask whether the server is alive; exit code 1 when it is not
    Health {
        /// Ask whether the server takes events and makes progress, too
        #[arg(long)]
        ready: bool,
    },
    /// Say what is wrong now, and what to do; exit code 1 when there is something
    Doctor,
}
