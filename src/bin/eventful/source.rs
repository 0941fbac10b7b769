//! The source of the lines to send.

use std::fs::File;
use std::io::{BufRead, BufReader};

use anyhow::Context as _;

/// The most lines that are sent together: a chunk is one request, whose results come back line by line.
const CHUNK_LINES: usize = 500;
/// Bytes after which a chunk is sent, however few lines it has.
const CHUNK_BYTES: usize = 1 << 20;

/// The byte order mark of UTF-8, with which some editors begin a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file or standard input, read in chunks of lines.
pub(crate) struct LineSource {
    reader: Box<dyn BufRead>,
    total_bytes: Option<u64>,
    read_bytes: u64,
    number: u64,
}

/// A line and its number in the source, from 1.
#[derive(Debug)]
pub(crate) struct SourceLine {
    pub(crate) number: u64,
    pub(crate) text: Vec<u8>,
}

impl LineSource {
    /// Opens the file of this name; standard input for `-`.
    pub(crate) fn open(name: &str) -> anyhow::Result<Self> {
        if name == "-" {
            return Ok(Self::new(Box::new(std::io::stdin().lock()), None));
        }
        let file = File::open(name)
            .map_err(|error| anyhow::anyhow!("cannot read {name}: {error}; name a file, or - for standard input"))?;
        // A pipe has no length that could be compared.
        let total_bytes = file.metadata().ok().filter(|meta| meta.is_file()).map(|meta| meta.len());
        Ok(Self::new(Box::new(BufReader::new(file)), total_bytes))
    }

    fn new(reader: Box<dyn BufRead>, total_bytes: Option<u64>) -> Self {
        Self { reader, total_bytes, read_bytes: 0, number: 0 }
    }

    /// Returns the next lines, without blank ones; none at the end.
    pub(crate) fn chunk(&mut self) -> anyhow::Result<Vec<SourceLine>> {
        let mut lines = Vec::new();
        let mut bytes = 0;
        while lines.len() < CHUNK_LINES && bytes < CHUNK_BYTES {
            let mut text = Vec::new();
            let read = self.reader.read_until(b'\n', &mut text).context("cannot read the input")?;
            if read == 0 {
                break;
            }
            self.number += 1;
            self.read_bytes += read as u64;
            bytes += read;
            // The mark of UTF-16 stands at the beginning only.
            if self.number == 1 {
                refuse_utf16(&text)?;
            }
            // In any line: files that were joined have one where the next begins.
            let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).trim_ascii();
            if !text.is_empty() {
                lines.push(SourceLine { number: self.number, text: text.to_vec() });
            }
        }
        Ok(lines)
    }

    /// Returns how much of it was read, in percent, when its size is known.
    pub(crate) fn percent(&self) -> Option<u64> {
        let total = self.total_bytes?;
        // A file may have grown since it was opened.
        (self.read_bytes.min(total) * 100).checked_div(total)
    }
}

/// Refuses UTF-16: each line of such a file would be refused for a reason of its own.
fn refuse_utf16(start: &[u8]) -> anyhow::Result<()> {
    if matches!(start, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        anyhow::bail!("the input is UTF-16: convert it to UTF-8, with iconv -f UTF-16 -t UTF-8 for example");
    }
    Ok(())
}
