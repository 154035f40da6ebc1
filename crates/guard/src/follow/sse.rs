//! Server-sent events, taken apart as they come (HTML standard, section 9.2.6), within a bound.

use super::Fault;

/// The largest event that is read, in bytes.
pub const LARGEST_EVENT: usize = 4 * 1024 * 1024;

const MARK: &[u8] = "\u{feff}".as_bytes();

/// One event. Its data is any bytes yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// `event`; empty if it has none.
    pub name: String,
    /// `id` of this very event.
    pub id: Option<String>,
    /// The `data` lines, with a line feed between them.
    pub data: Vec<u8>,
}

/// Takes a stream of events apart.
#[derive(Debug, Default)]
pub struct EventParser {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    /// Whether the last byte was a carriage return, so that a line feed belongs to it.
    after_return: bool,
    begun: bool,
}

impl EventParser {
    /// A parser at the begin of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The events that these bytes complete. What is not complete yet is kept, at most [`LARGEST_EVENT`] bytes of it.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<Event>, Fault> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_return) {
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (text, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or((bytes, &[]));
            if self.line.len().saturating_add(self.size()).saturating_add(text.len()) > LARGEST_EVENT {
                return Err(Fault::TooLarge);
            }
            self.line.extend_from_slice(text);
            let Some((ending, rest)) = rest.split_first() else { break };
            self.after_return = *ending == b'\r';
            bytes = rest;
            events.extend(self.end_line());
        }
        Ok(events)
    }

    fn size(&self) -> usize {
        self.event.data.len() + self.event.name.len() + self.event.id.as_ref().map_or(0, String::len)
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(MARK).unwrap_or(line);
        }
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let field = halves.next().unwrap_or_default();
        let value = halves.next().unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => self.event.name = String::from_utf8_lossy(value).into_owned(),
            b"id" if !value.contains(&0) => self.event.id = Some(String::from_utf8_lossy(value).into_owned()),
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push(b'\n');
                }
                self.event.data.extend_from_slice(value);
            }
            // Comments (an empty field name), `retry`, and whatever later versions add.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<Event> {
        EventParser::new().push(text.as_bytes()).unwrap()
    }

    fn event(name: &str, id: Option<&str>, data: &str) -> Event {
        Event { name: name.to_owned(), id: id.map(str::to_owned), data: data.as_bytes().to_vec() }
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        assert_eq!(parse("event: a\nid: 7\ndata: {}\n\n"), [event("a", Some("7"), "{}")]);
        assert_eq!(parse("event:a\r\ndata:1\r\ndata\r\ndata:  2\r\n\r\n"), [event("a", None, "1\n\n 2")]);
        assert_eq!(parse("\u{feff}data: x\r\revent: b\r: a comment\rdata: y\r\r").len(), 2);
        assert_eq!(parse("event: a\n\ndata: x\n\n"), [event("", None, "x")], "without data there is no event");
        assert_eq!(parse("data: x\nid: a\0b\nretry: 5\nwhat: ever\n\n"), [event("", None, "x")]);
        assert_eq!(parse("id: 1\ndata: x\n\ndata: y\n\n"), [event("", Some("1"), "x"), event("", None, "y")]);
        assert_eq!(parse("data: cut off\n"), []);
    }

    #[test]
    fn an_event_larger_than_allowed_is_refused_however_it_comes() {
        let line = "a".repeat(LARGEST_EVENT);
        assert_eq!(EventParser::new().push(format!("data: {line}\n\n").as_bytes()), Err(Fault::TooLarge));
        let mut parser = EventParser::new();
        let many = format!("data: {}\n", "b".repeat(1023)).repeat(5000);
        assert_eq!(parser.push(many.as_bytes()), Err(Fault::TooLarge));
        let mut parser = EventParser::new();
        assert_eq!(parser.push(line.as_bytes()), Ok(Vec::new()));
        assert_eq!(parser.push(b"a"), Err(Fault::TooLarge));
        let mut parser = EventParser::new();
        for _ in 0..5000 {
            parser.push(b": a comment that takes no room\n").unwrap();
            parser.push(&[b'\n'; 1000]).unwrap();
        }
    }
}
