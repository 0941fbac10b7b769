//! Runs of the disk tier.

use eventful_sim::disk::{DiskProbes, Ordeal};

use crate::played::Played;

/// Goes through it. What has struck is added to `probes`, unless a promise is broken.
pub(crate) fn play(ordeal: &Ordeal, probes: &mut DiskProbes) -> Played {
    let (broken, hash) = match ordeal.run() {
        Ok(survived) => {
            probes.add(survived.probes());
            (None, survived.hash())
        }
        Err(broken) => (Some(broken), 0),
    };
    Played { broken, hash, steps: None, virtual_micros: 0 }
}

/// What came of it, in a sentence.
pub(crate) fn told(ordeal: &Ordeal) -> String {
    match ordeal.run() {
        Ok(survived) => format!("{:?}, {:?}: {survived}", ordeal.keeper, ordeal.strikes),
        Err(broken) => format!("BROKEN  {broken}"),
    }
}
