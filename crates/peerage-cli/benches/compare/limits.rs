//! What the machine can do at most: the same data without a protocol.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use peerage::data::HashKind;

use crate::{
    data::{DataSet, Stage, files},
    process::{Measured, Usage},
    report::Row,
};

/// How much is read or written at once.
const CHUNK: usize = 1 << 20;

/// A copy by `cp`.
pub(crate) fn copy(stage: &Stage, _set: &DataSet, source: &Path) -> io::Result<Row> {
    let output = stage.folder("output")?;
    let copy = Measured::start(Command::new("cp").arg("-a").arg(source).arg(&output))?;
    let receiver = copy.finish()?;
    stage.remove(&output)?;
    Ok(Row { receive: receiver.wall, receiver, ..Row::default() })
}

/// SHA-256 of all chunks by our own code, on all cores.
pub(crate) fn hash(_set: &DataSet, source: &Path) -> io::Result<Row> {
    let files = files(source)?;
    alone(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let workers: Vec<_> =
                (0..cores).map(|_| scope.spawn(|| hash_chunks(&files, &next))).collect();
            workers.into_iter().try_for_each(|worker| {
                worker.join().map_err(|_| io::Error::other("a worker panicked"))?
            })
        })
    })
}

/// Hashes every chunk that no other worker has taken.
fn hash_chunks(files: &[PathBuf], next: &AtomicUsize) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;

    let mut buffer = vec![0; CHUNK];
    let mut number = 0;
    let mut mine = next.fetch_add(1, Ordering::Relaxed);
    for path in files {
        let file = File::open(path)?;
        let chunks = usize::try_from(file.metadata()?.len().div_ceil(CHUNK as u64))
            .map_err(io::Error::other)?;
        while mine < number + chunks {
            let offset = (mine - number) * CHUNK;
            let read = file.read_at(&mut buffer, offset as u64)?;
            std::hint::black_box(HashKind::Sha2_256.digest(&buffer[..read]));
            mine = next.fetch_add(1, Ordering::Relaxed);
        }
        number += chunks;
    }
    Ok(())
}

/// All bytes over one plain TCP connection, read from files and written nowhere.
pub(crate) fn tcp(set: &DataSet, source: &Path) -> io::Result<Row> {
    let files = files(source)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    alone(|| {
        let sender = std::thread::spawn(move || {
            let mut socket = TcpStream::connect(address)?;
            files.iter().try_for_each(|path| socket.write_all(&fs::read(path)?))
        });
        let (mut socket, _) = listener.accept()?;
        let mut buffer = vec![0; CHUNK];
        let mut received = 0;
        loop {
            match socket.read(&mut buffer)? {
                0 => break,
                read => received += read as u64,
            }
        }
        sender.join().map_err(|_| io::Error::other("the sender panicked"))??;
        if received == set.bytes() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    })
}

/// Measures work of this process.
fn alone(work: impl FnOnce() -> io::Result<()>) -> io::Result<Row> {
    let (started, before) = (Instant::now(), own_cpu()?);
    work()?;
    let wall = started.elapsed().as_secs_f64();
    let receiver = Usage { wall, cpu: own_cpu()? - before, memory: 0 };
    Ok(Row { receive: wall, receiver, ..Row::default() })
}

fn own_cpu() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u32 = fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(f64::from(ticks) / 100.0)
}
