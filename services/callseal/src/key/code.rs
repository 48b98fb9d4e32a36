//! QR codes (ISO/IEC 18004) as text and as a drawing.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel};

/// White modules around a code (ISO/IEC 18004 § 9.1).
const MARGIN: usize = 4;

/// A QR code.
pub(super) struct QrCode(qrcode::QrCode);

impl QrCode {
    /// The code of `text`, at most 2953 bytes.
    pub(super) fn of(text: &str) -> Result<Self, qrcode::types::QrError> {
        qrcode::QrCode::with_error_correction_level(text, EcLevel::L).map(Self)
    }

    /// Modules in a row, without margin.
    fn width(&self) -> usize {
        self.0.width()
    }

    /// Whether a module is dark; places count from the margin's corner.
    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = MARGIN..MARGIN + self.width();
        inside.contains(&x) && inside.contains(&y) && self.0[(x - MARGIN, y - MARGIN)] == Color::Dark
    }

    /// Two rows of modules in a line of text, black on white whatever the terminal's colours are.
    pub(super) fn to_terminal(&self) -> String {
        let side = self.width() + 2 * MARGIN;
        let mut text = String::new();
        for y in (0..side).step_by(2) {
            text.push_str("\x1b[30;47m");
            text.extend((0..side).map(|x| match (self.is_dark(x, y), self.is_dark(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            }));
            text.push_str("\x1b[0m\n");
        }
        text
    }

    /// A drawing in SVG, one unit a module; it takes the size that it is given.
    pub(super) fn to_svg(&self) -> String {
        let side = self.width() + 2 * MARGIN;
        let mut path = String::new();
        for y in 0..side {
            for x in (0..side).filter(|x| self.is_dark(*x, y)) {
                let _ = write!(path, "M{x} {y}h1v1h-1z");
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\"><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\
             <path d=\"{path}\" fill=\"#000\"/></svg>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader of another make sees in a picture of these rows of modules.
    fn decoded(dark: &[Vec<bool>]) -> String {
        const PIXELS: usize = 3;
        let side = dark.len() * PIXELS;
        let mut picture = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| {
            if dark[y / PIXELS][x / PIXELS] { 0 } else { 255 }
        });
        let grids = picture.detect_grids();
        assert_eq!(grids.len(), 1, "not one QR code");
        grids[0].decode().unwrap().1
    }

    /// As long as the certificate of an RSA-4096 key.
    fn certificate() -> String {
        (0..30).map(|line| format!("{line:02}{}\n", "AbCdEf+/".repeat(7))).collect()
    }

    #[test]
    fn the_drawing_is_read_back() {
        for text in ["short", &certificate()] {
            let svg = QrCode::of(text).unwrap().to_svg();
            let side: usize =
                svg.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
            let mut dark = vec![vec![false; side]; side];
            let path = svg.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
            for module in path.split('M').skip(1) {
                let (x, y) = module.strip_suffix("h1v1h-1z").unwrap().split_once(' ').unwrap();
                dark[y.parse::<usize>().unwrap()][x.parse::<usize>().unwrap()] = true;
            }
            assert_eq!(decoded(&dark), text);
        }
    }

    #[test]
    fn what_the_terminal_shows_is_read_back() {
        for text in ["short", &certificate()] {
            let shown = QrCode::of(text).unwrap().to_terminal();
            let mut dark = Vec::new();
            for line in shown.lines() {
                let modules = line.strip_prefix("\x1b[30;47m").unwrap().strip_suffix("\x1b[0m").unwrap();
                dark.push(modules.chars().map(|c| matches!(c, '█' | '▀')).collect::<Vec<_>>());
                dark.push(modules.chars().map(|c| matches!(c, '█' | '▄')).collect());
            }
            // The last line shows a row more than there is, white.
            dark.truncate(dark[0].len());
            assert_eq!(decoded(&dark), text);
        }
    }

    #[test]
    fn what_is_too_long_is_no_code() {
        assert!(QrCode::of(&"x".repeat(2954)).is_err());
    }
}
