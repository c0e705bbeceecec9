//! A QR code (ISO/IEC 18004) as a picture made of one path, for pages that may load and run nothing.

use std::fmt;

use qrcode::{Color, QrCode};

/// How many modules stay light around the code, so that a camera finds its edge.
const QUIET: usize = 4;

/// The picture. It is dark on light whatever the page's colours are: cameras expect that.
pub(super) struct Qr {
    side: usize,
    path: String,
}

impl askama::filters::HtmlSafe for Qr {}

impl fmt::Display for Qr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, path } = self;
        write!(
            f,
            "<svg class=\"qr\" viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"The same secret as a QR code, for an \
             app on another device\" shape-rendering=\"crispEdges\"><rect class=\"light\" width=\"{side}\" height=\"{side}\"/>\
             <path class=\"dark\" d=\"{path}\"/></svg>"
        )
    }
}

impl Qr {
    /// The code of a text; none when the text is too long for one.
    pub(super) fn of(text: &str) -> Option<Self> {
        let code = QrCode::new(text).ok()?;
        let (width, colors) = (code.width(), code.to_colors());
        let mut path = String::new();
        for (y, row) in colors.chunks(width).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|a, b| a == b) {
                if run.first() == Some(&Color::Dark) {
                    let (left, top, long) = (x + QUIET, y + QUIET, run.len());
                    path.push_str(&format!("M{left} {top}h{long}v1h-{long}z"));
                }
                x += run.len();
            }
        }
        Some(Self { side: width + 2 * QUIET, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_three_corners_and_a_light_edge() {
        let qr = Qr::of("otpauth://totp/Remit%20acme:bob?secret=GEZDGNBVGY3TQOJQ").expect("a code");
        // The upper edges of the three finder patterns: seven dark modules each.
        let last = qr.side - QUIET - 7;
        for corner in [(QUIET, QUIET), (last, QUIET), (QUIET, last)] {
            assert!(qr.path.contains(&format!("M{} {}h7v1h-7z", corner.0, corner.1)), "{corner:?}: {}", qr.path);
        }
        assert!(
            qr.path.split('M').skip(1).all(|run| run.split(' ').next().is_some_and(|x| x != "0")),
            "the edge is light"
        );
        assert!(Qr::of(&"x".repeat(5_000)).is_none());
    }
}
