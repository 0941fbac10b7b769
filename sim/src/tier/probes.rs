//! Counters of what a run reached.

/// A point that is counted when a run reaches it.
pub trait Countable: Copy {
    /// Returns its number among the probes of its tier.
    fn number(self) -> usize;
}

impl Countable for usize {
    fn number(self) -> usize {
        self
    }
}

/// The counts of a tier's probes, by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probes(Vec<u64>);

impl Probes {
    /// Counts that the run reached the point.
    pub fn fire(&mut self, probe: impl Countable) {
        let number = probe.number();
        if number >= self.0.len() {
            self.0.resize(number + 1, 0);
        }
        self.0[number] += 1;
    }

    /// Returns the count of a probe.
    pub fn count(&self, probe: impl Countable) -> u64 {
        self.0.get(probe.number()).copied().unwrap_or_default()
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(sum, count)| *sum += count);
    }

    /// Returns the numbers of the probes that have fired.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().filter(|(_, count)| **count > 0).map(|(number, _)| number)
    }
}
