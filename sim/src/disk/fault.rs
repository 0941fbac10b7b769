//! What goes wrong with a disk.

use crate::seeded_rng::Stream;
use crate::spelling::counted;

counted! {
/// A kind of fault, as it is drawn, armed and counted. The table of the [module](super) says what
/// is promised of each.
pub enum DiskFault {
    /// A write takes fewer bytes than it was given, and says so.
    ShortWrite,
    /// A write, or another change, fails with an I/O error. Some of it may be there.
    WriteFails,
    /// There is no space left. Some of the write may be there.
    NoSpace,
    /// Space for a file is asked for, and that fails with an I/O error, or the disk is full when a part of it is taken.
    AllocateFails,
    /// A write goes to another place of its file, and says that it is done.
    MisdirectedWrite,
    /// A read fails with an I/O error.
    ReadFails,
    /// A read answers what stands in another place of its file.
    MisdirectedRead,
    /// A read answers what stood there before.
    StaleRead,
    /// A sync fails; what was to be written is still in the cache, and can be synced again.
    SyncFails,
    /// A sync fails and drops what was to be written: the cache shows it, the next sync succeeds,
    /// and it is nowhere.
    SyncDrops,
    /// A sync takes its time.
    SyncStalls,
    /// A sync says that it is done, and has done nothing.
    SyncLies,
    /// A bit on the medium is another one from now on.
    BitRot,
    /// A file that has a name has none any more.
    FileVanishes,
    /// Two files have each other's names.
    FilesSwapped,
    /// A file that was removed is back under its name.
    FileReturns,
    /// The process dies; what it wrote is in the cache.
    Kill,
    /// The power fails; what was not synced is there in part.
    PowerCut,
    /// After a power cut, a sector that was not synced is as it was before.
    SectorLost,
    /// After a power cut, a sector that was not synced is new in one part and old in the other.
    SectorTorn,
    /// After a power cut, what was written into a sector and not synced is garbage.
    SectorGarbage,
    /// After a power cut, a sector is there and one that was written before it is not.
    OutOfOrder,
    /// After a power cut, a file has its new length, and not all that was written into it.
    LengthWithoutData,
    /// After a power cut, what was written behind the end of a file is there, and its new length is not.
    DataWithoutLength,
    /// After a power cut, a name that was given or taken away is not, as nobody synced the directory.
    NameLost,
}
}

/// How many kinds there are.
const KINDS: usize = DiskFault::ALL.len();

/// The parts of one whole in which rates are told.
const RATE_WHOLE: u64 = 100_000;

impl DiskFault {
    /// Those that strike a write.
    pub const OF_WRITES: [Self; 4] = [Self::ShortWrite, Self::WriteFails, Self::NoSpace, Self::MisdirectedWrite];
    /// Those that strike a change of a length or a name.
    pub const OF_CHANGES: [Self; 2] = [Self::WriteFails, Self::NoSpace];
    /// Those that strike an allocation of space.
    pub const OF_ALLOCATIONS: [Self; 1] = [Self::AllocateFails];
    /// Those that strike a read.
    pub const OF_READS: [Self; 3] = [Self::ReadFails, Self::MisdirectedRead, Self::StaleRead];
    /// Those that strike a sync.
    pub const OF_SYNCS: [Self; 4] = [Self::SyncFails, Self::SyncDrops, Self::SyncStalls, Self::SyncLies];

    /// Whether a sound store keeps all of its promises through it, or stands still until it is over.
    pub const fn is_survivable(self) -> bool {
        let damages = matches!(self, Self::MisdirectedWrite | Self::MisdirectedRead | Self::StaleRead)
            || matches!(self, Self::BitRot | Self::FileVanishes | Self::FilesSwapped | Self::FileReturns);
        !damages && !matches!(self, Self::SyncLies)
    }
}

/// Where faults of single operations come from: a rate for each kind, and those that are armed.
#[derive(Debug, Clone)]
pub struct FaultInjector {
    /// Strikes in 100,000 operations that this kind can strike.
    rates: [u32; KINDS],
    armed: Vec<DiskFault>,
    stream: Stream,
}

impl FaultInjector {
    /// No trouble but what is armed.
    pub const fn none(stream: Stream) -> Self {
        Self { rates: [0; KINDS], armed: Vec::new(), stream }
    }

    /// With a kind that strikes so often in 100,000 operations.
    #[must_use]
    pub const fn with(mut self, fault: DiskFault, per_100_000: u32) -> Self {
        self.rates[fault as usize] = per_100_000;
        self
    }

    /// Lets the next operation be struck by this, of those that can be.
    pub fn arm(&mut self, fault: DiskFault) {
        self.armed.push(fault);
    }

    /// No trouble any more.
    pub fn end(&mut self) {
        self.rates = [0; KINDS];
        self.armed.clear();
    }

    /// Which of these strikes now, if any does.
    pub(super) fn draw(&mut self, of: &[DiskFault]) -> Option<DiskFault> {
        if let Some(at) = self.armed.iter().position(|armed| of.contains(armed)) {
            return Some(self.armed.remove(at));
        }
        of.iter().copied().find(|fault| {
            let rate = u64::from(self.rates[*fault as usize]);
            rate > 0 && self.stream.below(RATE_WHOLE) < rate
        })
    }

    /// The source of chance for how a fault strikes.
    pub(super) const fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }
}
