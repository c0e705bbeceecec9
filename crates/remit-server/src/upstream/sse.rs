//! Server-sent events, as far as MCP uses them (WHATWG HTML, 9.2.6, "Interpreting an event stream").

use std::collections::VecDeque;

/// Puts events together from pieces of a stream.
#[derive(Debug)]
pub(crate) struct Events {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The data of the event that has not ended yet; every line of it ends with a line feed.
    data: Vec<u8>,
    /// Whether the event is of another type than `message`.
    foreign: bool,
    /// The last piece ended with a carriage return; a line feed that follows belongs to it.
    after_return: bool,
    /// Nothing was read yet, so a byte order mark may come.
    at_start: bool,
    whole: VecDeque<Vec<u8>>,
    bytes_max: usize,
}

/// An event, or a line of it, is longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Events {
    /// Reads events of at most `bytes_max` bytes of data.
    pub const fn new(bytes_max: usize) -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            foreign: false,
            after_return: false,
            at_start: true,
            whole: VecDeque::new(),
            bytes_max,
        }
    }

    /// Takes the next piece of the stream.
    ///
    /// # Errors
    /// When what is held back for an unfinished event would grow past the limit.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), TooLarge> {
        while let Some(first) = piece.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                piece = &piece[1..];
                continue;
            }
            let Some(end) = piece.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                return self.hold(piece);
            };
            self.hold(&piece[..end])?;
            self.after_return = piece[end] == b'\r';
            piece = &piece[end + 1..];
            let line = std::mem::take(&mut self.line);
            self.take_line(&line);
            // Keeps the allocation for the next line.
            self.line = line;
            self.line.clear();
        }
        Ok(())
    }

    /// The data of the next whole event of type `message`.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        self.whole.pop_front()
    }

    fn hold(&mut self, part: &[u8]) -> Result<(), TooLarge> {
        if self.line.len() + self.data.len() + part.len() > self.bytes_max {
            return Err(TooLarge);
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn take_line(&mut self, line: &[u8]) {
        let line = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if self.at_start => rest,
            _ => line,
        };
        self.at_start = false;
        if line.is_empty() {
            return self.end_event();
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[..0]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"event" => self.foreign = !value.is_empty() && value != b"message",
            // Ids and retry times serve resumption, which ended with the legacy era. A line that
            // begins with a colon is a comment.
            _ => {}
        }
    }

    fn end_event(&mut self) {
        let mut data = std::mem::take(&mut self.data);
        let foreign = std::mem::take(&mut self.foreign);
        data.pop();
        if !data.is_empty() && !foreign {
            self.whole.push_back(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stream: &[u8], expected: &[&str]) {
        // However the stream is cut into pieces, its events are the same.
        for size in 1..=stream.len() {
            let mut events = Events::new(64);
            let mut found = Vec::new();
            for piece in stream.chunks(size) {
                events.push(piece).expect("small");
                while let Some(event) = events.next() {
                    found.push(String::from_utf8(event).expect("text"));
                }
            }
            assert_eq!(found, expected, "pieces of {size}");
        }
    }

    #[test]
    fn events_are_found_however_the_stream_is_cut() {
        check(b"data: {}\n\n", &["{}"]);
        check(b"\xef\xbb\xbfdata:a\r\ndata: b\r\n\r\n", &["a\nb"]);
        check(b"data:  a\r\rdata\rid: 7\r\rdata: b\n\n", &[" a", "b"]);
        check(b": alive\n\nevent: message\nid: 1\ndata: x\n\n", &["x"]);
        check(b"event: endpoint\ndata: /there\n\ndata: y\n\n", &["y"]);
        check(b"id: 3\nretry: 5\ndata:\n\ndata: z\n\n", &["z"]);
        // What the stream's end cuts off is no event.
        check(b"data: a\n\ndata: b\n", &["a"]);
    }

    #[test]
    fn no_event_outgrows_the_limit() {
        let mut events = Events::new(16);
        assert_eq!(events.push(&[b'x'; 17]), Err(TooLarge));
        let mut events = Events::new(16);
        let pushed = (0..10).try_for_each(|_| events.push(b"data: 123\n"));
        assert_eq!(pushed, Err(TooLarge));
        let mut events = Events::new(16);
        for _ in 0..1000 {
            events.push(b"data: 12345\n\n").expect("each is small");
            assert!(events.next().is_some());
        }
    }
}
