//! Frames of a journal, and the facts in them: what is read and written again is the same, and nothing panics.
#![no_main]

use eventful::journal::{frame, wire};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(read) = frame::decode(data) {
        let mut again = Vec::new();
        if read.version == frame::VERSION {
            frame::encode(&read.header, read.body, &mut again).expect("it was short enough before");
            assert_eq!(again, data);
        }
    }
    // Checksums keep most inputs out of the facts, so these are read without them, too.
    let mut rest = data;
    while let Ok((fact, behind)) = wire::decode(rest) {
        let mut again = Vec::new();
        wire::encode(&fact, &mut again);
        let (once_more, _) = wire::decode(&again).expect("what was encoded can be decoded");
        assert_eq!(once_more, fact);
        if behind.len() == rest.len() {
            break;
        }
        rest = behind;
    }
});
