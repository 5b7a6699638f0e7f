//! The folder that the demonstration shares.

use std::{
    fs::{self, File},
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use super::painting::{self, Painting};

/// How much the folder holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Album {
    /// How many pictures.
    pub(super) files: u64,
    /// How many bytes they have.
    pub(super) bytes: u64,
}

/// The pictures: names with spaces, of other scripts, and in a folder below.
const PICTURES: [(&str, Painting, u32); 6] = [
    ("Dawn.png", Painting::Sky { warmth: 200 }, 1024),
    ("Dusk over the bay.png", Painting::Sky { warmth: 90 }, 1024),
    ("Küste – Ärmelkanal.png", Painting::Sky { warmth: 20 }, 800),
    ("夏の写真.png", Painting::Julia { seed: 3 }, 900),
    ("hikes/Fern.png", Painting::Julia { seed: 7 }, 1200),
    ("hikes/Snow & ice.png", Painting::Julia { seed: 11 }, 700),
];

/// Paints the pictures into the new folder `folder`.
///
/// # Errors
///
/// When the folder cannot be written.
pub(super) fn make(folder: &Path) -> io::Result<Album> {
    fs::create_dir_all(folder.join("hikes"))?;
    fs::create_dir(folder.join("to be sorted"))?;
    let mut album = Album::default();
    for ((name, painting, side), age) in PICTURES.iter().zip(1..) {
        let path = folder.join(name);
        painting::save(&path, *painting, *side)?;
        let taken = SystemTime::now() - Duration::from_secs(86_400 * age) + Duration::from_nanos(7);
        File::options().append(true).open(&path)?.set_modified(taken)?;
        album.files += 1;
        album.bytes += fs::metadata(&path)?.len();
    }
    std::os::unix::fs::symlink("hikes/Fern.png", folder.join("favourite.png"))?;
    Ok(album)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pictures_are_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let album = make(&folder.path().join("summer")).unwrap();
        assert_eq!(album.files, 6);
        assert!(album.bytes > 1_000_000, "{album:?}");
        let file = File::open(folder.path().join("summer/hikes/Fern.png")).unwrap();
        let mut reader = png::Decoder::new(io::BufReader::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((frame.width, frame.height), (1200, 900));
    }
}
