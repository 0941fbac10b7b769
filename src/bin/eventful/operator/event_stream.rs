//! Server-sent events, as a client reads them: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

/// Bytes of an event that has not ended: facts are far shorter, and what never ends must not fill the memory.
const MAX_BYTES: usize = 16 << 20;

/// An event of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SentEvent {
    /// The cursor after which the next one follows; empty without one.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) data: String,
}

/// The reader of a stream, part by part.
#[derive(Debug, Default)]
pub(super) struct EventStream {
    /// The beginning of a line that has not ended.
    rest: Vec<u8>,
    /// The beginning of an event that has not ended.
    open: SentEvent,
}

impl EventStream {
    /// Reads a part, and returns the events that end in it.
    ///
    /// # Errors
    ///
    /// An event that is too long.
    pub(super) fn read(&mut self, part: &[u8]) -> anyhow::Result<Vec<SentEvent>> {
        let mut ended = Vec::new();
        for line in part.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(line);
            let is_short = self.rest.len() + self.open.data.len() <= MAX_BYTES;
            anyhow::ensure!(is_short, "the server sends an event of more than {MAX_BYTES} bytes: is it an eventful?");
            if line.ends_with(b"\n") {
                let line = std::mem::take(&mut self.rest);
                ended.extend(self.line(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n'])));
            }
        }
        Ok(ended)
    }

    /// Reads a line. Returns the event that an empty one ends, also one that has nothing but a cursor.
    fn line(&mut self, line: &str) -> Option<SentEvent> {
        if line.is_empty() {
            let ended = std::mem::take(&mut self.open);
            // Comments keep the connection, and are no events.
            return (!ended.data.is_empty() || !ended.id.is_empty()).then_some(ended);
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => value.clone_into(&mut self.open.id),
            "event" => value.clone_into(&mut self.open.name),
            "data" if self.open.data.is_empty() => value.clone_into(&mut self.open.data),
            "data" => self.open.data.extend(["\n", value]),
            // Comments, whose name is empty, and fields that are of no use here.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_from_parts_of_any_length() {
        let text = ": no facts\n\nid: 7.0\n\nid: 7.1\nevent: accepted\r\ndata: {\"id\":\"ä\"}\n\ndata:a\ndata: b\nretry: 5\nodd\n\n";
        let event =
            |id: &str, name: &str, data: &str| SentEvent { id: id.into(), name: name.into(), data: data.into() };
        let wanted = [event("7.0", "", ""), event("7.1", "accepted", "{\"id\":\"ä\"}"), event("", "", "a\nb")];
        for length in 1..text.len() {
            let mut stream = EventStream::default();
            let parts = text.as_bytes().chunks(length).map(|part| stream.read(part).expect("short"));
            assert_eq!(parts.collect::<Vec<_>>().concat(), wanted, "parts of {length} bytes");
        }
    }

    #[test]
    fn event_without_an_end_is_refused() {
        let mut stream = EventStream::default();
        let part = [b'x'; 1 << 20];
        let refused = (0..17).find_map(|_| stream.read(&part).err()).expect("it is too long");
        assert!(refused.to_string().contains("more than 16777216 bytes"), "{refused}");
    }
}
