//! The data that is moved, and the folder where everything happens.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// What is moved.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DataSet {
    /// One file of so many bytes.
    File(usize),
    /// So many files of so many bytes each, a hundred to a folder.
    Files(usize, usize),
}

impl DataSet {
    /// The three sets; a tenth of each when it should be quick.
    pub(crate) fn all(quick: bool) -> [Self; 3] {
        let part = if quick { 10 } else { 1 };
        [
            Self::File((1 << 30) / part),
            Self::Files(10_000 / part, 10 << 10),
            Self::Files(500 / part, 3 << 20),
        ]
    }

    /// What to call it on the command line.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Files(_, size) if *size < 1 << 20 => "small",
            Self::Files(..) => "photos",
        }
    }

    /// What to call it in the table.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::File(size) => format!("1 file of {} MiB", size >> 20),
            Self::Files(count, size) if *size < 1 << 20 => {
                format!("{count} files of {} KiB", size >> 10)
            }
            Self::Files(count, size) => format!("{count} files of {} MiB", size >> 20),
        }
    }

    /// How many bytes it has.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::File(size) => *size as u64,
            Self::Files(count, size) => (count * size) as u64,
        }
    }
}

/// The folder where everything happens; removed in the end.
pub(crate) struct Stage(tempfile::TempDir);

impl Stage {
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        tempfile::Builder::new().prefix("peerage-bench-").tempdir_in(folder).map(Self)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// An empty folder.
    pub(crate) fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path(name);
        self.remove(&path)?;
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Makes a set, in the folder `source/data`, which it returns.
    pub(crate) fn make(&self, set: &DataSet) -> io::Result<PathBuf> {
        let folder = self.folder("source")?.join("data");
        fs::create_dir(&folder)?;
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        match set {
            DataSet::File(size) => fill(&folder.join("one.bin"), *size, &mut random)?,
            DataSet::Files(count, size) => {
                for number in 0..*count {
                    let folder = folder.join(format!("{:03}", number / 100));
                    fs::create_dir_all(&folder)?;
                    fill(&folder.join(format!("{number:05}.bin")), *size, &mut random)?;
                }
            }
        }
        Ok(folder)
    }
}

/// Numbers that do not compress (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn fill(path: &Path, size: usize, random: &mut Random) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut left = size;
    let mut buffer = vec![0; 1 << 20];
    while left > 0 {
        let length = left.min(buffer.len());
        for word in buffer[..length].chunks_mut(8) {
            let bytes = random.next().to_le_bytes();
            word.copy_from_slice(&bytes[..word.len()]);
        }
        file.write_all(&buffer[..length])?;
        left -= length;
    }
    Ok(())
}

/// Whether two folders have the same files with the same bytes.
pub(crate) fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let files = files(one)?;
    if self::files(other)?.len() != files.len() {
        return Ok(false);
    }
    for file in files {
        let name = file.strip_prefix(one).map_err(io::Error::other)?;
        if !same_bytes(&file, &other.join(name))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut first, mut second) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    loop {
        let read = one.read(&mut first)?;
        other.read_exact(&mut second[..read])?;
        if read == 0 || first[..read] != second[..read] {
            return Ok(read == 0);
        }
    }
}

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let list = if entry.file_type()?.is_dir() { &mut folders } else { &mut files };
            list.push(entry.path());
        }
    }
    Ok(files)
}

/// The bytes that a folder takes on the disk.
pub(crate) fn on_disk(folder: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;

    let sizes = files(folder)?.into_iter().map(|path| Ok(fs::metadata(path)?.blocks() * 512));
    sizes.sum()
}
