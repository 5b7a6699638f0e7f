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

/// The code for `text`, at most `columns` wide; nothing if it does not fit.
pub(super) fn draw(text: &str, columns: usize) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let quiet_zone = 8;
    if code.width() + quiet_zone > columns {
        return None;
    }
    // Light on dark is what most terminals are; readers take the inverse too.
    Some(
        code.render::<unicode::Dense1x2>()
            .dark_color(unicode::Dense1x2::Dark)
            .light_color(unicode::Dense1x2::Light)
            .build(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_drawn_where_it_fits() {
        let link = "peerage:1/".repeat(12);
        let drawn = draw(&link, 120).unwrap();
        assert!(drawn.lines().all(|line| line.chars().count() <= 120));
        assert_eq!(draw(&link, 20), None);
    }
}
