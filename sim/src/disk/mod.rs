//! A simulated disk, journals on it, and what must be true of them whatever the disk does.
//!
//! A [`SimulatedDisk`] has files of sectors. What is written is in a cache; a sync makes it persistent. A
//! power cut leaves of each sector that was not synced what it likes: the new bytes, the old ones,
//! some of each, or garbage in what was written. Lengths are as fickle as sectors. Names become
//! persistent by a sync of the directory, and in order. When only the process dies, the cache stays.
//!
//! | fault | what a sound store promises |
//! |---|---|
//! | power cut; sectors lost, torn, garbage, out of order; length without data, data without length; names lost | opened again, all that was acknowledged is there and nothing half: at most the one group that was not acknowledged, and that one whole |
//! | kill | the same, and what was written and not synced is synced before anything builds on it |
//! | short write | nothing is noticed |
//! | write fails | `Unknown`: the journal takes no more calls, and opened again keeps the promise of a power cut |
//! | no space | `Full`: nothing was written and the journal goes on, or `Unknown` as above |
//! | read fails | the call fails with the place, and opening again goes on |
//! | sync fails | `Unknown`, as for a write |
//! | sync fails and drops what it was to write | `Unknown`; opened again, the medium is read and not the cache, so nothing builds on what is nowhere |
//! | sync stalls | the call takes so long, and no fault follows |
//! | bit rot | found and refused with its place, wherever it is read: never another fact. In the last frame, as long as nothing follows it, rot looks like a torn tail, and the frame is cut |
//! | misdirected write | what it destroyed is rot; what it should have written is missing, which is refused as soon as something follows it |
//! | misdirected read, stale read | refused with the place; opened again all is well. A tail is cut only when two reads agree; two that go wrong alike can take the last frame away |
//! | allocation of space fails, or finds a full disk in the midst | `Full` or `Unknown`: nothing of the group was written; what was taken is given back |
//! | a file vanishes, two change places | refused with its name, unless nothing needs it |
//! | a file that was removed is back | of no matter: it is removed again |
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
//! | `sector`, `file`, `medium`, `calls` | the disk: sectors, files, names and power, what is asked of it |
//! | `mishap` | what happens to its files behind the back of the process |
//! | `fault` | kinds of faults, where they come from, and what has struck |
//! | `ailment` | one call that goes wrong, as a scenario says it |
//! | `shared_disk` | a disk that a store and the world share |
//! | `volume`, `store` | the drive as the journal that ships wants it, and that journal |
//! | `damaged` | a store that does not notice that something is damaged |
//! | `history` | an engine for its facts |
//! | `expected_log`, `shared` | what was acknowledged, and what a journal makes of it |
//! | `crash` | a crash before and after each change |
//! | `random_faults` | random faults, and what is promised of them |
//! | `scenario` | all of that as the scenarios of a tier |

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
