//! The buffers behind payloads.

use bytes::Bytes;

/// The most bytes that a buffer may have beside its payload without the payload being copied: less than a header of
/// the allocator and a cache line cost.
const SLACK_BYTES: usize = 64;

/// The payload in a buffer of about its size, so that what an event is charged is what it keeps in memory.
///
/// Bytes that are the only ones of their buffer are copied when most of it would be kept for nothing. Bytes that share
/// their buffer with others stay as they are: they do not show how large it is.
pub(super) fn fitted(payload: Bytes) -> Bytes {
    let mut own = match payload.try_into_mut() {
        Ok(own) => own,
        Err(shared) => return shared,
    };
    // Asks for more than there is behind the payload: where there is more before it, the payload moves to the front.
    let behind = own.capacity() - own.len();
    let _moved = own.try_reclaim(behind + 1);
    if own.capacity() > own.len() * 2 + SLACK_BYTES { Bytes::copy_from_slice(&own) } else { own.freeze() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn small_payload_leaves_the_large_buffer_that_it_came_in() {
        for (from, to) in [(0, 10), (500, 510), (990, 1000), (985, 995)] {
            let payload = Bytes::from(vec![7; 1000]).slice(from..to);
            assert_eq!(room_of(fitted(payload)), (10, 10), "{from}");
        }
        let mut loose = Vec::with_capacity(1000);
        loose.extend_from_slice(&[7; 10]);
        assert_eq!(room_of(fitted(loose.into())), (10, 10));
    }

    #[test]
    fn payload_that_fills_its_buffer_is_not_copied() {
        let whole = Bytes::from(vec![7; 1000]);
        let at = whole.as_ptr();
        assert_eq!(fitted(whole).as_ptr(), at);
        let most = Bytes::from(vec![7; 1000]).slice(..600);
        let at = most.as_ptr();
        assert_eq!(fitted(most).as_ptr(), at);
    }

    #[test]
    fn payload_that_others_use_too_stays_where_it_is() {
        let buffer = Bytes::from(vec![7; 1000]);
        let payload = buffer.slice(..10);
        let at = payload.as_ptr();
        assert_eq!(fitted(payload).as_ptr(), at);
        assert_eq!(fitted(Bytes::from_static(b"abc")), "abc");
        assert!(fitted(Bytes::new()).is_empty());
    }

    /// Bytes of the payload, and of its buffer.
    fn room_of(payload: Bytes) -> (usize, usize) {
        let own = payload.try_into_mut().expect("no one else has it");
        (own.len(), own.capacity())
    }
}
