//! The place where a server keeps its events.

use std::path::PathBuf;

use eventful::durability::Recovery;
use eventful::journal::{DiskStore, OpenError, RecoveryProgress};
use eventful::{Builder, Eventful};

use crate::options::ServeOptions;
#[cfg(feature = "postgres")]
use crate::postgres::shards::{PostgresKeeping, advice};

/// The place where a server keeps its events.
#[derive(Debug)]
pub(crate) enum Keeping {
    Memory,
    Directory(PathBuf),
    #[cfg(feature = "postgres")]
    Postgres(Box<PostgresKeeping>),
}

impl Keeping {
    /// Returns the place that was chosen. A database is asked whether it is fit.
    pub(crate) async fn of(options: &ServeOptions) -> anyhow::Result<Self> {
        #[cfg(feature = "postgres")]
        if let Some(place) = options.postgres.place()? {
            return Ok(Self::Postgres(Box::new(PostgresKeeping::check(place).await?)));
        }
        Ok(options.data.clone().map_or(Self::Memory, Self::Directory))
    }

    /// Returns a builder of an engine that keeps its events there, with a callback for the progress of its opening.
    pub(crate) fn builder(
        &self,
        options: &ServeOptions,
        progress: impl FnMut(RecoveryProgress) + Send + 'static,
    ) -> Builder {
        let builder = match self {
            Self::Memory => return Eventful::builder(),
            Self::Directory(directory) => Eventful::builder().journal(DiskStore::new(directory), options.durability()),
            #[cfg(feature = "postgres")]
            Self::Postgres(keeping) => keeping.builder(options.durability()),
        };
        builder.on_recovery(progress)
    }

    /// Returns the lines about it at the start, each as a label and a text. The first one ends with what was found.
    pub(crate) fn lines(
        &self,
        recovery: Option<&Recovery>,
        found: impl Fn(&Recovery) -> String,
    ) -> Vec<(&'static str, String)> {
        let mut lines = match self {
            Self::Memory => {
                vec![("persistence", "memory: events that have not ended are lost when this program ends".to_owned())]
            }
            Self::Directory(directory) => vec![("persistence", directory.display().to_string())],
            #[cfg(feature = "postgres")]
            Self::Postgres(keeping) => keeping.lines(),
        };
        if let (Some(recovery), Some((_, first))) = (recovery, lines.first_mut()) {
            *first = format!("{first}, {}", found(recovery));
        }
        lines
    }

    /// Returns the name of the place where events are when the program has ended; none when they are gone.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::Memory => None,
            Self::Directory(directory) => Some(directory.display().to_string()),
            #[cfg(feature = "postgres")]
            Self::Postgres(keeping) => Some(keeping.name()),
        }
    }

    /// Returns an opening that was refused with what to do about it.
    pub(crate) fn refused(&self, error: OpenError) -> anyhow::Error {
        let context = "the journal was not opened";
        #[cfg(feature = "postgres")]
        if let (Self::Postgres(_), Some(advice)) = (self, advice(&error)) {
            return anyhow::anyhow!("{context}: {error}; {advice}");
        }
        anyhow::Error::from(error).context(context)
    }
}
