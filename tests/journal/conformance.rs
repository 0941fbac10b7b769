//! Every journal keeps what journals must keep.

use eventful::journal::{DiskStore, MemoryStore, conformance};

use crate::image::Image;

#[test]
fn a_journal_in_memory_conforms() {
    conformance::check(&mut || Box::new(MemoryStore::new()));
    conformance::check_bounded(1 << 20, &mut |max_bytes| Box::new(MemoryStore::bounded(max_bytes)));
}

#[test]
fn a_journal_on_disk_conforms() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journals = 0..;
    let mut store = || DiskStore::new(directory.path().join(journals.next().unwrap_or(0).to_string()));
    conformance::check(&mut || Box::new(store()));
    conformance::check_bounded(2 << 20, &mut |max_bytes| Box::new(store().max_bytes(max_bytes)));
}

#[test]
fn a_journal_on_a_backend_of_others_conforms() {
    conformance::check(&mut || Box::new(Image::default().store()));
    conformance::check_bounded(2 << 20, &mut |max_bytes| Box::new(Image::default().store().max_bytes(max_bytes)));
}
