//! The faults of a disk.

use crate::seeded_rng::Stream;
use crate::spelling::counted;

counted! {
/// A kind of fault, as it is drawn, armed and counted. The table of the [module](super) has what a journal must do
/// about each.
pub enum DiskFault {
    /// A write takes fewer bytes than given, and returns how many.
    ShortWrite,
    /// A write, or another change, fails with an I/O error. A part of it may be done.
    WriteFails,
    /// There is no space left. A part of the write may be done.
    NoSpace,
    /// An allocation of space fails with an I/O error, or finds the disk full when a part is done.
    AllocateFails,
    /// A write goes to another place of its file, and returns success.
    MisdirectedWrite,
    /// A read fails with an I/O error.
    ReadFails,
    /// A read returns the bytes of another place of its file.
    MisdirectedRead,
    /// A read returns bytes from before the last write.
    StaleRead,
    /// A sync fails; the unsynced bytes stay in the cache, and can be synced again.
    SyncFails,
    /// A sync fails and drops the unsynced bytes: the cache still shows them and the next sync succeeds, but they are
    /// never on the medium.
    SyncDrops,
    /// A sync takes long.
    SyncStalls,
    /// A sync returns success without doing anything.
    SyncLies,
    /// A bit on the medium flips.
    BitRot,
    /// A file loses its name.
    FileVanishes,
    /// Two files exchange their names.
    FilesSwapped,
    /// A file that was removed returns under its name.
    FileReturns,
    /// The process dies; its writes stay in the cache.
    Kill,
    /// The power fails; unsynced bytes survive in part.
    PowerCut,
    /// After a power cut, an unsynced sector has its old bytes.
    SectorLost,
    /// After a power cut, an unsynced sector has new bytes in one part and old ones in the other.
    SectorTorn,
    /// After a power cut, the unsynced bytes of a sector are garbage.
    SectorGarbage,
    /// After a power cut, a sector is written and one that was written before it is not.
    OutOfOrder,
    /// After a power cut, a file has its new length, but not all bytes.
    LengthWithoutData,
    /// After a power cut, bytes behind the old end of a file are written, but it does not have its new length.
    DataWithoutLength,
    /// After a power cut, a change of a name is lost, as the directory was not synced.
    NameLost,
}
}

/// The number of kinds.
const KINDS: usize = DiskFault::ALL.len();

/// The number of operations to which rates refer.
const RATE_WHOLE: u64 = 100_000;

impl DiskFault {
    /// The faults that strike a write.
    pub const OF_WRITES: [Self; 4] = [Self::ShortWrite, Self::WriteFails, Self::NoSpace, Self::MisdirectedWrite];
    /// The faults that strike a change of a length or a name.
    pub const OF_CHANGES: [Self; 2] = [Self::WriteFails, Self::NoSpace];
    /// The faults that strike an allocation of space.
    pub const OF_ALLOCATIONS: [Self; 1] = [Self::AllocateFails];
    /// The faults that strike a read.
    pub const OF_READS: [Self; 3] = [Self::ReadFails, Self::MisdirectedRead, Self::StaleRead];
    /// The faults that strike a sync.
    pub const OF_SYNCS: [Self; 4] = [Self::SyncFails, Self::SyncDrops, Self::SyncStalls, Self::SyncLies];

    /// Returns whether a correct store keeps all of its promises under this fault, or at least stops until it has
    /// ended.
    pub const fn is_survivable(self) -> bool {
        let damages = matches!(self, Self::MisdirectedWrite | Self::MisdirectedRead | Self::StaleRead)
            || matches!(self, Self::BitRot | Self::FileVanishes | Self::FilesSwapped | Self::FileReturns);
        !damages && !matches!(self, Self::SyncLies)
    }
}

/// The source of faults of single operations: a rate for each kind, and those that are armed.
#[derive(Debug, Clone)]
pub struct FaultInjector {
    /// The rate of each kind in 100,000 operations that it can strike.
    rates: [u32; KINDS],
    armed: Vec<DiskFault>,
    stream: Stream,
}

impl FaultInjector {
    /// Creates a source that only injects faults that are armed.
    pub const fn none(stream: Stream) -> Self {
        Self { rates: [0; KINDS], armed: Vec::new(), stream }
    }

    /// Sets the rate of a kind in 100,000 operations.
    #[must_use]
    pub const fn with(mut self, fault: DiskFault, per_100_000: u32) -> Self {
        self.rates[fault as usize] = per_100_000;
        self
    }

    /// Arms a fault for the next operation that it can strike.
    pub fn arm(&mut self, fault: DiskFault) {
        self.armed.push(fault);
    }

    /// Ends all faults.
    pub fn end(&mut self) {
        self.rates = [0; KINDS];
        self.armed.clear();
    }

    /// Returns which of these faults strikes now, if one does.
    pub(super) fn draw(&mut self, of: &[DiskFault]) -> Option<DiskFault> {
        if let Some(at) = self.armed.iter().position(|armed| of.contains(armed)) {
            return Some(self.armed.remove(at));
        }
        of.iter().copied().find(|fault| {
            let rate = u64::from(self.rates[*fault as usize]);
            rate > 0 && self.stream.below(RATE_WHOLE) < rate
        })
    }

    /// Returns the source of randomness for the way in which a fault strikes.
    pub(super) const fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }
}
