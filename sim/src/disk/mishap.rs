//! Faults of files that happen without any call of the process.

use super::fault::DiskFault;
use super::medium::{SimulatedDisk, apply};
use crate::seeded_rng::Stream;

impl SimulatedDisk {
    /// Flips a synced bit. Returns whether there was one.
    pub fn rot(&mut self, stream: &mut Stream) -> bool {
        let files: Vec<u64> = self.names.values().copied().collect();
        let Some(file) = (!files.is_empty()).then(|| stream.pick(&files)) else { return false };
        let has_struck = self.files.get_mut(&file).is_some_and(|file| file.rot(stream));
        if has_struck {
            self.probes.fire(DiskFault::BitRot);
        }
        has_struck
    }

    /// Flips a synced bit of this file. Returns whether there was one.
    pub fn rot_file(&mut self, name: &str, stream: &mut Stream) -> bool {
        let file = self.names.get(name).copied();
        let has_struck = file.and_then(|file| self.files.get_mut(&file)).is_some_and(|file| file.rot(stream));
        if has_struck {
            self.probes.fire(DiskFault::BitRot);
        }
        has_struck
    }

    /// Takes away the name of a file. Returns whether there was one.
    pub fn vanish(&mut self, stream: &mut Stream) -> bool {
        self.settle_names();
        let names = self.list();
        match names.is_empty() {
            true => false,
            false => self.put_name(DiskFault::FileVanishes, &[(names[stream.index(names.len())].clone(), None)]),
        }
    }

    /// Exchanges the names of two files. Returns whether there were two.
    pub fn swap(&mut self, stream: &mut Stream) -> bool {
        self.settle_names();
        let names = self.list();
        let (one, other) = (stream.index(names.len().max(1)), stream.index(names.len().max(1)));
        if one == other {
            return false;
        }
        let file = |at: usize| self.names.get(&names[at]).copied();
        let swapped = [(names[one].clone(), file(other)), (names[other].clone(), file(one))];
        self.put_name(DiskFault::FilesSwapped, &swapped)
    }

    /// Returns a removed file to its name, unless another one has it. Returns whether there was one.
    pub fn bring_back(&mut self, stream: &mut Stream) -> bool {
        self.settle_names();
        let gone: Vec<usize> =
            (0..self.removed.len()).filter(|at| !self.names.contains_key(&self.removed[*at].0)).collect();
        let Some(at) = (!gone.is_empty()).then(|| stream.pick(&gone)) else { return false };
        let (name, file) = self.removed.swap_remove(at);
        let number = self.next_file;
        self.next_file += 1;
        self.files.insert(number, file);
        self.put_name(DiskFault::FileReturns, &[(name, Some(number))])
    }

    /// Changes names without any call of the process.
    fn put_name(&mut self, fault: DiskFault, rename: &[(String, Option<u64>)]) -> bool {
        self.probes.fire(fault);
        apply(&mut self.names, &rename.to_vec());
        self.settle_names();
        true
    }

    /// Keeps a file that is being removed, so that it can return.
    pub(super) fn keep_removed(&mut self, name: &str, file: u64) {
        // A free choice, which bounds memory.
        const KEPT: usize = 8;
        if let Some(file) = self.files.get(&file) {
            self.removed.push((name.to_owned(), file.clone()));
        }
        if self.removed.len() > KEPT {
            self.removed.remove(0);
        }
    }
}
