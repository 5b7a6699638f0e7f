//! Pictures made by arithmetic: a sky over water, and Julia sets.

use std::{
    fs::File,
    io::{self, BufWriter},
    path::Path,
};

/// What to paint.
#[derive(Clone, Copy, Debug)]
pub(super) enum Painting {
    /// A sky that glows more or less above water.
    Sky {
        /// How warm the light is.
        warmth: u8,
    },
    /// A Julia set.
    Julia {
        /// Which one.
        seed: u32,
    },
}

/// Saves a painting of `width` pixels, and three quarters as high, as PNG.
///
/// # Errors
///
/// When the file cannot be written.
pub(super) fn save(path: &Path, painting: Painting, width: u32) -> io::Result<()> {
    let height = width * 3 / 4;
    let mut encoder = png::Encoder::new(BufWriter::new(File::create_new(path)?), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 3);
    for row in 0..height {
        for column in 0..width {
            let (x, y) = (portion(column, width), portion(row, height));
            pixels.extend(match painting {
                Painting::Sky { warmth } => sky(x, y, f32::from(warmth)),
                Painting::Julia { seed } => julia(x, y, seed),
            });
        }
    }
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "pictures are some thousand pixels wide")]
fn portion(part: u32, whole: u32) -> f32 {
    part as f32 / whole as f32
}

fn sky(x: f32, y: f32, warmth: f32) -> [u8; 3] {
    let horizon = 0.62;
    let wave = ((x * 90.0 + y * 700.0).sin() + (x * 37.0 - y * 410.0).cos()) * 9.0;
    let height = if y < horizon { y / horizon } else { 1.3 - y };
    let ripple = if y < horizon { wave / 9.0 } else { wave };
    let sun = 120.0 / (1.0 + 90.0 * ((x - 0.6).powi(2) + (y - 0.55).powi(2)));
    let light = height * 90.0 + sun + ripple;
    [warmth.mul_add(0.5, light), 40.0 + light, (120.0 - warmth * 0.3) + light * 0.5].map(shade)
}

fn julia(x: f32, y: f32, seed: u32) -> [u8; 3] {
    let angle = portion(seed * 13 % 63, 10);
    let (real, imaginary) = (0.7885 * angle.cos(), 0.7885 * angle.sin());
    let (mut a, mut b) = (x.mul_add(3.0, -1.5), y.mul_add(2.2, -1.1));
    let mut steps = 0.0_f32;
    while steps < 60.0 && a * a + b * b < 4.0 {
        (a, b) = (a * a - b * b + real, 2.0 * a * b + imaginary);
        steps += 1.0;
    }
    let glow = steps.mul_add(4.0, (a * a + b * b).min(4.0) * 6.0);
    [glow * 0.6, glow, 40.0 + glow * 0.8].map(shade)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what a byte holds"
)]
fn shade(value: f32) -> u8 {
    value.clamp(0.0, 255.0) as u8
}
