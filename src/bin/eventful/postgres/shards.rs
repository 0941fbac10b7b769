//! The journals that a server opens in a database.

use anyhow::bail;
use eventful::cluster::ClusterConfig;
use eventful::journal::OpenError;
use eventful::{Builder, Durability, Eventful};
use eventful_postgres::{Checked, Guarantee, PostgresShards, banner, check};

use super::options::PostgresPlace;

/// A database whose schema and server were found fit.
#[derive(Debug)]
pub(crate) struct PostgresKeeping {
    place: PostgresPlace,
    checked: Checked,
}

impl PostgresKeeping {
    /// Checks the schema and the server.
    ///
    /// # Errors
    ///
    /// A database that is not reached or not fit, or a promise that was not accepted.
    pub(crate) async fn check(place: PostgresPlace) -> anyhow::Result<Self> {
        let checked = check(&place.database).await?;
        let guarantee = &checked.guarantee;
        if let Guarantee::None { .. } = guarantee {
            bail!("{}: the server promises {guarantee}", place.database);
        }
        if *guarantee == Guarantee::OneCopy && !place.takes_one_copy {
            bail!("{}: the server promises {guarantee}, or accept one copy with --one-copy", place.database);
        }
        Ok(Self { place, checked })
    }

    /// A builder of an engine for each shard of the schema.
    pub(crate) fn builder(&self, durability: Durability) -> Builder {
        let PostgresPlace { database, node, takes_one_copy } = self.place.clone();
        let journals = PostgresShards::new(database, node);
        let journals = if takes_one_copy { journals.one_copy() } else { journals };
        Eventful::cluster(ClusterConfig::new(self.checked.shards.unsigned_abs()).journals(journals, durability))
    }

    /// The lines of the start, each as a label and a text.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        banner(&self.place.database, &self.checked)
    }

    /// The name of the database.
    pub(crate) fn name(&self) -> String {
        self.place.database.to_string()
    }
}

/// The advice about an opening that was refused, when there is more than its own.
pub(crate) fn advice(error: &OpenError) -> Option<&'static str> {
    matches!(error, OpenError::InUse { .. }).then_some(
        "a node that died takes its events back when it starts with the same --node; one that never comes back gives them \
         up by UPDATE eventful.shard SET owner = NULL",
    )
}
