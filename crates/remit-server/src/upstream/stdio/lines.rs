//! Lines of bounded length.

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// How much is kept of each end of a line that is too long, in bytes.
const END_BYTES: usize = 256;

/// How much memory is kept from one line to the next, in bytes.
const KEPT_BYTES: usize = 64 * 1024;

/// Reads lines.
pub(super) struct Lines<R> {
    from: R,
    line: Vec<u8>,
    bytes_max: usize,
}

/// One line, without its line feed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// The whole line.
    Whole(&'a [u8]),
    /// The two ends of a line that is longer than the limit.
    TooLong(&'a [u8], &'a [u8]),
    /// There are no more lines; a last one without a line feed is none.
    End,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// Reads lines of at most `bytes_max` bytes, which is at least two ends.
    pub const fn new(from: R, bytes_max: usize) -> Self {
        Self { from, line: Vec::new(), bytes_max }
    }

    /// The next line. Not safe to drop half-way.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn next(&mut self) -> std::io::Result<Line<'_>> {
        self.line.clear();
        self.line.shrink_to(KEPT_BYTES);
        let mut too_long = false;
        loop {
            let buffer = self.from.fill_buf().await?;
            if buffer.is_empty() {
                return Ok(Line::End);
            }
            let (part, used, whole) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(end) => (&buffer[..end], end + 1, true),
                None => (buffer, buffer.len(), false),
            };
            self.line.extend_from_slice(part);
            self.from.consume(used);
            if self.line.len() > self.bytes_max || (too_long && self.line.len() > 2 * END_BYTES) {
                // From here on only the ends are kept, so a line of any length costs the same.
                too_long = true;
                let surplus = END_BYTES..self.line.len() - END_BYTES;
                self.line.drain(surplus);
                self.line.shrink_to(KEPT_BYTES);
            }
            if whole {
                let middle = self.line.len().min(END_BYTES);
                return Ok(match too_long {
                    true => Line::TooLong(&self.line[..middle], &self.line[middle..]),
                    false => Line::Whole(&self.line),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_bounded_and_end_with_a_line_feed() {
        let long = "x".repeat(100_000);
        let text = format!("one\n\nhead{long}tail\n{}\nlast", "y".repeat(600));
        let mut lines = Lines::new(text.as_bytes(), 600);
        assert_eq!(lines.next().await.expect("read"), Line::Whole(b"one"));
        assert_eq!(lines.next().await.expect("read"), Line::Whole(b""));
        let Line::TooLong(head, tail) = lines.next().await.expect("read") else { unreachable!("a long line") };
        assert!(head.starts_with(b"head") && tail.ends_with(b"tail") && tail.len() <= 2 * END_BYTES);
        assert_eq!(lines.next().await.expect("read"), Line::Whole("y".repeat(600).as_bytes()));
        assert_eq!(lines.next().await.expect("read"), Line::End);
    }
}
