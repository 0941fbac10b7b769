//! Output that never holds up its writer.

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes that wait to be written, at most: some thousand lines of a log, and little beside an engine.
const MAX_WAITING_BYTES: usize = 1 << 20;
/// The pause before another try where a stream does not wait itself, such as a terminal shared with a program
/// that has made it non-blocking.
const PAUSE: Duration = Duration::from_millis(10);

/// A stream that a thread of its own writes to. When its reader is slower than the writers, lines are dropped and
/// counted; a line says how many, as soon as there is room for it.
#[derive(Debug, Clone)]
pub(crate) struct Outlet(Arc<OutletState>);

#[derive(Debug, Default)]
struct OutletState {
    queue: Mutex<OutletQueue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct OutletQueue {
    waiting: Vec<u8>,
    /// True while the thread has lines that are not written yet.
    is_writing: bool,
    /// The lines that were dropped and not reported yet.
    unsaid: u64,
    dropped: u64,
    /// The first error but for a reader that is gone.
    error: Option<ErrorKind>,
}

impl Outlet {
    /// Starts the thread, which ends with the process.
    pub(crate) fn start(name: &str, stream: impl Write + Send + 'static) -> io::Result<Self> {
        let outlet = Self(Arc::default());
        let shared = Arc::clone(&outlet.0);
        thread::Builder::new().name(name.to_owned()).spawn(move || shared.write_all(stream))?;
        Ok(outlet)
    }

    /// Adds lines, or drops them when too much waits.
    pub(crate) fn push(&self, lines: &[u8]) {
        let mut queue = self.0.lock();
        // A line is dropped whole, so that no reader gets half a line.
        if queue.waiting.len() + lines.len() > MAX_WAITING_BYTES {
            queue.drop_lines(lines);
        } else {
            queue.waiting.extend_from_slice(lines);
            self.0.changed.notify_all();
        }
    }

    /// Waits until everything is written, at most this long.
    pub(crate) fn flush(&self, timeout: Duration) {
        let is_busy = |queue: &mut OutletQueue| queue.is_writing || !queue.waiting.is_empty();
        // What is left then stays unwritten.
        let _waited = self.0.changed.wait_timeout_while(self.0.lock(), timeout, is_busy);
    }

    /// Returns the number of lines that were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.lock().dropped
    }

    /// Returns the first error. A reader that is gone is no error.
    pub(crate) fn error(&self) -> Option<ErrorKind> {
        self.0.lock().error
    }
}

impl OutletState {
    /// Writes what waits, for ever. The lock is not held meanwhile.
    fn write_all(&self, mut stream: impl Write) {
        loop {
            let lines = self.next();
            let written = write_whole(&mut stream, &lines);
            let mut queue = self.lock();
            queue.is_writing = false;
            if let Err(error) = written {
                queue.drop_lines(&lines);
                // The first error is the reason; a reader that is gone has read enough.
                queue.error = queue.error.or(Some(error.kind()).filter(|kind| *kind != ErrorKind::BrokenPipe));
            }
            drop(queue);
            self.changed.notify_all();
        }
    }

    /// Takes the next lines as soon as there are any.
    fn next(&self) -> Vec<u8> {
        let waited = self.changed.wait_while(self.lock(), |queue| queue.waiting.is_empty());
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        queue.is_writing = true;
        let mut lines = std::mem::take(&mut queue.waiting);
        if queue.unsaid > 0 {
            lines.extend(format!("{} lines were dropped: they were not read in time\n", queue.unsaid).into_bytes());
            queue.unsaid = 0;
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, OutletQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OutletQueue {
    fn drop_lines(&mut self, lines: &[u8]) {
        // At least one, so that text without a line break is counted, too.
        let count = lines.iter().filter(|byte| **byte == b'\n').count().max(1) as u64;
        self.unsaid += count;
        self.dropped += count;
    }
}

fn write_whole(stream: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::park_timeout(PAUSE),
            Err(error) => return Err(error),
        }
    }
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, pipe};

    /// A last resort against hanging.
    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn reader_that_does_not_read_holds_up_no_writer() {
        let (reader, writer) = pipe().expect("a pipe");
        let outlet = Outlet::start("test", writer).expect("a thread");
        let line = [&[b'x'; 1023][..], b"\n"].concat();

        (0..5000).for_each(|_| outlet.push(&line));
        outlet.flush(Duration::ZERO);

        let dropped = outlet.dropped();
        // The pipe and the thread each hold less than the queue does.
        assert!((2000..4900).contains(&dropped), "{dropped}");
        drop(reader);
    }

    #[test]
    fn dropped_lines_are_said_once_there_is_room() {
        let (reader, writer) = pipe().expect("a pipe");
        let outlet = Outlet::start("test", writer).expect("a thread");
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        (0..5000).for_each(|_| outlet.push(&line));

        let (mut whole, mut said) = (0, 0);
        for line in BufReader::new(reader).lines().map(|line| line.expect("text")) {
            match line.strip_suffix(" lines were dropped: they were not read in time") {
                Some(count) => said += count.parse::<u64>().expect("a number"),
                None => whole += u64::from(line.len() == 1023),
            }
            if whole + said == 5000 {
                break;
            }
        }
        assert_eq!(said, outlet.dropped());
    }

    #[test]
    fn flush_waits_until_all_is_written() {
        let (reader, writer) = pipe().expect("a pipe");
        let outlet = Outlet::start("test", writer).expect("a thread");
        outlet.push(b"a\n");
        outlet.push(b"b\n");
        outlet.flush(LIMIT);
        let lines = BufReader::new(reader).lines().take(2).map(|line| line.expect("text"));
        assert_eq!((lines.collect::<Vec<_>>().concat(), outlet.dropped(), outlet.error()), ("ab".to_owned(), 0, None));
    }

    #[test]
    fn reader_that_is_gone_is_no_error_and_a_full_disk_is_one() {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let full = std::fs::File::options().write(true).open("/dev/full").expect("a device");
        let outlets = [Outlet::start("gone", writer), Outlet::start("full", full)].map(|outlet| {
            let outlet = outlet.expect("a thread");
            outlet.push(b"a\nb\n");
            outlet.flush(LIMIT);
            (outlet.error(), outlet.dropped())
        });
        assert_eq!(outlets, [(None, 2), (Some(ErrorKind::StorageFull), 2)]);
    }

    #[test]
    fn stream_that_would_block_is_tried_again() {
        struct Hesitant(Vec<u8>, bool);
        impl Write for Hesitant {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 = !self.1;
                if self.1 {
                    return Err(ErrorKind::WouldBlock.into());
                }
                self.0.push(bytes[0]);
                Ok(1)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut stream = Hesitant(Vec::new(), false);
        write_whole(&mut stream, b"abc\n").expect("it is written");
        assert_eq!(stream.0, b"abc\n");
    }
}
