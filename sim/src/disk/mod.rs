//! A simulated disk, journals on it, and the promises that a journal must keep under each fault.
//!
//! A [`SimulatedDisk`] has files of sectors. Writes go to a cache; a sync makes them persistent. After a power cut
//! each unsynced sector has the new bytes, the old ones, some of each, or garbage in the written part. Lengths behave
//! like sectors. Names become persistent by a sync of the directory, and in order. When only the process dies, the
//! cache stays.
//!
//! | fault | what a correct store promises |
//! |---|---|
//! | power cut; sectors lost, torn, garbage, out of order; length without data, data without length; names lost | opened again, every acknowledged group is there, and of the others at most the last one, as a whole |
//! | kill | the same, and unsynced bytes are synced before any later write depends on them |
//! | short write | no effect |
//! | write fails | `Unknown`: the journal takes no more calls, and after an opening the promise of a power cut holds |
//! | no space | `Full`: nothing was written and the journal continues, or `Unknown` as above |
//! | read fails | the call fails with the place, and another opening succeeds |
//! | sync fails | `Unknown`, as for a write |
//! | sync fails and drops the unsynced bytes | `Unknown`; an opening reads the medium and not the cache, so no later write depends on lost bytes |
//! | sync stalls | the call takes that long, and no fault follows |
//! | bit rot | found and refused with its place, wherever it is read: never another fact. In the last frame, as long as nothing follows it, rot looks like a torn tail, and the frame is cut |
//! | misdirected write | what it destroyed is rot; the missing bytes are refused as soon as something follows them |
//! | misdirected read, stale read | refused with the place; another opening succeeds. A tail is cut only when two reads agree; two that go wrong alike can take the last frame away |
//! | allocation of space fails, or finds a full disk in the midst | `Full` or `Unknown`: nothing of the group was written; what was taken is given back |
//! | a file vanishes, two change places | refused with its name, unless nothing needs it |
//! | a file that was removed is back | no effect: it is removed again |
//! | sync lies | *nothing*: what was acknowledged may be lost, and the oracle says so |
//!
//! ```
//! use eventful::journal::{JournalStore as _, Owner, Sequence};
//! use eventful_sim::disk::{DiskFamily, DiskFault, DriveStore, SharedDisk, SimulatedDisk};
//! use eventful_sim::seeded_rng::SeededRng;
//!
//! let rng = SeededRng::of(7);
//! let trouble = DiskFamily::Failures.draw(&mut rng.stream("rates"), rng.stream("strikes"));
//! let drive = SharedDisk::new(SimulatedDisk::new(64 << 20, trouble));
//! let mut store = DriveStore::new(drive.clone());
//!
//! if let Ok(mut journal) = store.open(&Owner::new("an example")) {
//!     drive.disk().trouble().arm(DiskFault::SyncFails);
//!     assert!(journal.append(Sequence::FIRST, b"a frame").is_err());
//! }
//! drive.power_cut(&mut rng.stream("power"));
//! assert_eq!(drive.probes().count(DiskFault::PowerCut), 1);
//! ```
//!
//! | file | part |
//! |---|---|
//! | `sector`, `file`, `medium`, `calls` | the disk: sectors, files, names and power cuts, calls |
//! | `mishap` | faults of files that happen without any call |
//! | `fault` | kinds of faults, their source and their counts |
//! | `ailment` | faults of single calls, as scenarios name them |
//! | `shared_disk` | a disk that a store and the simulation share |
//! | `volume`, `store` | the disk behind the product's `Volume`, and the product's journal on it |
//! | `damaged` | a store that does not detect damage |
//! | `history` | an engine for its facts |
//! | `expected_log`, `shared` | acknowledged groups, compared with those of a journal |
//! | `crash` | a crash before and after each change |
//! | `random_faults` | runs under random faults |
//! | `scenario` | the disk tier: all of that as scenarios |

mod ailment;
mod calls;
mod crash;
mod damaged;
mod expected_log;
mod fault;
mod file;
mod history;
mod medium;
mod mishap;
mod random_faults;
mod scenario;
mod sector;
mod shared;
mod shared_disk;
mod store;
mod volume;

pub use ailment::Ailment;
pub use crash::{Effort, Maker, Tried, crash_everywhere};
pub use damaged::{Damage, DamagedStore};
pub use expected_log::{ExpectedLog, JournaledEngine, LostGroups, ReplayedJournal, open};
pub use fault::{DiskFault, FaultInjector};
pub use history::{BusyEngine, Length};
pub use medium::{DiskError, DiskHandle, DiskImage, DiskLife, Rest, SimulatedDisk, UnsyncedLoss};
pub use random_faults::{DiskFamily, RandomFaultRun, RunVerdict, run};
pub use scenario::{DiskScenario, DiskSetup, DiskTier, FaultProfile, Never, Survived};
pub use sector::SECTOR_BYTES;
pub use shared_disk::SharedDisk;
pub use store::DriveStore;
pub use volume::DriveVolume;
