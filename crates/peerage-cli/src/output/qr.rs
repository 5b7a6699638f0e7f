//! A link as a QR code made of half blocks.

use qrcode::{EcLevel, QrCode, render::unicode};

/// When to print QR codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Qr {
    /// Where standard output is a terminal wide enough.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Black on white, whatever the terminal's own colours are.
const PAPER: &str = "\x1b[38;5;16;48;5;231m";

/// The code for `text`, at most `columns` wide; nothing if it does not fit.
/// Without `colours` the terminal is taken to write light on dark.
pub(super) fn draw(text: &str, columns: usize, colours: bool) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let quiet_zone = 8;
    if code.width() + quiet_zone > columns {
        return None;
    }
    let (dark, light) = if colours {
        (unicode::Dense1x2::Dark, unicode::Dense1x2::Light)
    } else {
        (unicode::Dense1x2::Light, unicode::Dense1x2::Dark)
    };
    let drawn = code.render::<unicode::Dense1x2>().dark_color(dark).light_color(light).build();
    if !colours {
        return Some(drawn);
    }
    Some(drawn.lines().map(|line| format!("{PAPER}{line}\x1b[0m\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_drawn_where_it_fits() {
        let link = "peerage:1/".repeat(12);
        let drawn = draw(&link, 120, false).unwrap();
        assert!(drawn.lines().all(|line| line.chars().count() <= 120));
        assert!(draw(&link, 120, true).unwrap().lines().all(|line| line.starts_with(PAPER)));
        assert_eq!(draw(&link, 20, false), None);
    }
}
