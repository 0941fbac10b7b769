//! The journal: what is written is read, what is damaged is found, and what facts made comes back.

mod absent;
mod backup;
mod bounds;
mod conformance;
mod disk;
mod format;
mod golden_disk;
mod image;
mod intercept;
mod marker;
mod newer;
mod order;
mod recovery;
mod rot;
mod salvage;
mod script;
mod sharded;
mod snapshots;
mod steps;
mod watched;
