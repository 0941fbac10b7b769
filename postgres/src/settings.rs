//! The settings of a server, and what they promise about a commit.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_postgres::Row;

/// The columns from which [`ServerSettings`] are read, for a `SELECT`.
macro_rules! settings_columns {
    () => {
        "current_setting('fsync') = 'on' AS fsync, current_setting('full_page_writes') = 'on' AS full_page_writes, \
         current_setting('synchronous_standby_names') AS standbys"
    };
}
pub(crate) use settings_columns;

/// The settings of a server on which the durability of a commit depends. `synchronous_commit` is not
/// among them: each statement that writes sets it for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerSettings {
    /// Commits are on the disk before they are acknowledged.
    pub fsync: bool,
    /// A page that a power cut has torn can be repaired.
    pub full_page_writes: bool,
    /// The standbys for which a commit waits, as `synchronous_standby_names` has them.
    pub synchronous_standby_names: String,
}

/// The promise of a server about a commit that it has acknowledged. Each is shown in words for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Guarantee {
    /// A crash of the machine can lose it, or damage the database.
    None {
        /// The setting that is off.
        setting: &'static str,
    },
    /// One server has it on its disk.
    OneCopy,
    /// The synchronous standbys have it on their disks, too.
    Standbys {
        /// As `synchronous_standby_names` has them.
        names: String,
    },
}

impl ServerSettings {
    /// Reads them from a row with the columns that `settings_columns` names.
    pub(crate) fn of(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            fsync: row.try_get("fsync")?,
            full_page_writes: row.try_get("full_page_writes")?,
            synchronous_standby_names: row.try_get("standbys")?,
        })
    }

    /// Returns what they promise.
    pub fn guarantee(&self) -> Guarantee {
        let names = self.synchronous_standby_names.trim();
        match (self.fsync, self.full_page_writes) {
            (false, _) => Guarantee::None { setting: "fsync" },
            (true, false) => Guarantee::None { setting: "full_page_writes" },
            (true, true) if names.is_empty() => Guarantee::OneCopy,
            (true, true) => Guarantee::Standbys { names: names.to_owned() },
        }
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None { setting } => write!(
                f,
                "nothing: {setting} is off at the server, so a crash of its machine can lose what was acknowledged, or \
                 damage the database; set {setting} = on"
            ),
            Self::OneCopy => f.write_str(
                "one copy: what was acknowledged survives a crash of the server and of its machine, and is lost with \
                 its disk or by a fail-over to a standby; set synchronous_standby_names for more",
            ),
            Self::Standbys { names } => write!(
                f,
                "copies: what was acknowledged is on the disks of the server and of its synchronous standbys ({names}), \
                 and survives a fail-over to one of them; while too few of them are there, nothing is acknowledged"
            ),
        }
    }
}

/// The current promise of a server about the commits of a journal, as the last statement has found it.
#[derive(Debug, Clone, Default)]
pub struct CurrentGuarantee(Arc<Mutex<Option<Guarantee>>>);

impl CurrentGuarantee {
    /// Returns it; nothing before the first opening.
    pub fn read(&self) -> Option<Guarantee> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes another one. Returns whether it differs from the one before.
    pub(crate) fn note(&self, guarantee: &Guarantee) -> bool {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref() == Some(guarantee) {
            return false;
        }
        current.replace(guarantee.clone()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarantee(fsync: bool, full_page_writes: bool, names: &str) -> Guarantee {
        ServerSettings { fsync, full_page_writes, synchronous_standby_names: names.to_owned() }.guarantee()
    }

    #[test]
    fn guarantee_is_none_without_fsync_or_full_page_writes() {
        assert_eq!(guarantee(false, true, "a"), Guarantee::None { setting: "fsync" });
        assert_eq!(guarantee(true, false, "a"), Guarantee::None { setting: "full_page_writes" });
        assert!(guarantee(false, false, "").to_string().contains("set fsync = on"));
    }

    #[test]
    fn guarantee_of_copies_needs_names_of_standbys() {
        assert_eq!(guarantee(true, true, "  "), Guarantee::OneCopy);
        assert_eq!(guarantee(true, true, "ANY 1 (a, b)"), Guarantee::Standbys { names: "ANY 1 (a, b)".to_owned() });
        assert!(guarantee(true, true, "").to_string().contains("set synchronous_standby_names"));
        assert!(guarantee(true, true, "ANY 1 (a, b)").to_string().contains("ANY 1 (a, b)"));
    }

    #[test]
    fn guarantee_that_changes_is_news_once() {
        let current = CurrentGuarantee::default();
        let copies = Guarantee::Standbys { names: "*".to_owned() };
        assert_eq!(current.read(), None);
        assert!(!current.note(&copies), "the first one is none before");
        assert!(!current.note(&copies));
        assert!(current.note(&Guarantee::OneCopy));
        assert_eq!(current.read(), Some(Guarantee::OneCopy));
    }
}
