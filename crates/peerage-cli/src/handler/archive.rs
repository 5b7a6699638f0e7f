//! `export` and `import`: CAR files.

use std::{
    fs::File,
    io::{self, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use peerage::{
    access::{GuardedStore, Requester},
    data::{
        Block, Cid, car,
        select::{Selection, Walk},
    },
    link::Target,
    store::{OwnerId, OwnerKind, Store},
};

use super::whole;
use crate::{
    context::Context,
    event::Event,
    failure::{Code, Failure},
    host::{Host, store_failure},
};

/// How much of a CAR is read at once, in bytes.
const READ_BYTES: usize = 1 << 20;

/// How many bytes of blocks go into the store in one transaction.
const BATCH_BYTES: usize = 16 << 20;

/// Writes everything below a CID to a CAR file, which appears when whole.
///
/// # Errors
///
/// When a block is missing or damaged, or the file cannot be written.
pub(super) async fn export(
    host: &Host,
    cid: &str,
    output: PathBuf,
    context: &Context,
) -> Result<(), Failure> {
    let target: Target = cid.parse().map_err(|error| bad_cid(&error))?;
    let root = *target.cid();
    let (store, stopped) = (host.session().blocks().clone(), context.clone());
    let event = blocking(move || write(&store, root, &output, &stopped)).await?;
    context.say(event).await;
    Ok(())
}

fn bad_cid(error: &peerage::link::LinkError) -> Failure {
    Failure::of(Code::BadTarget, error)
}

fn write(
    store: &GuardedStore,
    root: Cid,
    output: &Path,
    context: &Context,
) -> Result<Event, Failure> {
    let shown = output.display();
    let failed = |error: io::Error| Failure::writing(&shown, &error);
    let folder = output.parent().unwrap_or(Path::new("."));
    let mut draft =
        tempfile::Builder::new().prefix(".peerage-").tempfile_in(folder).map_err(failed)?;
    let mut writer = BufWriter::with_capacity(READ_BYTES, draft.as_file_mut());
    writer.write_all(&car::header(&[root])).map_err(failed)?;
    let (mut blocks, mut bytes) = (0, 0);
    let mut walk = Walk::new(Selection::all(root));
    while let Some(step) = walk.advance().map_err(|error| Failure::of(Code::Corrupt, &error))? {
        if context.is_cancelled() {
            return Err(Failure::interrupted());
        }
        let data = verified(store, step.cid)?;
        if step.feed {
            walk.feed(&step.cid, &data).map_err(|error| Failure::of(Code::Corrupt, &error))?;
        }
        if !step.repeat {
            let frame = car::frame(&step.cid, data.len());
            writer.write_all(&frame).and_then(|()| writer.write_all(&data)).map_err(failed)?;
            blocks += 1;
            bytes += (frame.len() + data.len()) as u64;
        }
    }
    writer.into_inner().map_err(|error| failed(error.into_error()))?;
    draft.as_file().sync_all().map_err(failed)?;
    draft.persist_noclobber(output).map_err(|error| failed(error.error))?;
    Ok(Event::Exported { cid: root.to_string(), file: shown.to_string(), blocks, bytes })
}

/// A block of the store, as its name says, for the user of this machine.
fn verified(store: &GuardedStore, cid: Cid) -> Result<Bytes, Failure> {
    let data = store
        .get(&Requester::Machine, &cid)
        .map_err(|error| store_failure(&error))?
        .ok_or_else(|| {
            Failure::new(
                Code::NotFound,
                format!("the store does not have {cid}"),
                "add or get it first",
            )
        })?;
    let block = Block::verified(cid, data).map_err(|error| Failure::of(Code::Corrupt, &error))?;
    Ok(block.into_parts().1)
}

/// Reads the blocks of a CAR file into the store.
///
/// # Errors
///
/// When the file is not a whole CAR, or one of its blocks is not what its
/// name says; then nothing of it stays. When blocks below a root are missing: the
/// others stay.
pub(super) async fn import(host: &Host, file: PathBuf, context: &Context) -> Result<(), Failure> {
    let (store, stopped) = (host.session().store().clone(), context.clone());
    let event = blocking(move || read(&store, &file, &stopped)).await?;
    let missing = whole::failure(&event);
    context.say(event).await;
    missing.map_or(Ok(()), Err)
}

fn read(store: &Store, path: &Path, context: &Context) -> Result<Event, Failure> {
    let mut into = Into::new(store);
    let read = read_into(&mut into, path, context);
    if read.is_err() {
        into.forget();
    }
    read
}

fn read_into(into: &mut Into<'_>, path: &Path, context: &Context) -> Result<Event, Failure> {
    let failed = |error: io::Error| Failure::reading(&path.display(), &error);
    let malformed = |error: car::CarError| Failure::of(Code::CannotRead, &error);
    let mut file = File::open(path).map_err(failed)?;
    let mut decoder = car::Decoder::new();
    loop {
        if context.is_cancelled() {
            return Err(Failure::interrupted());
        }
        let mut buffer = Vec::with_capacity(READ_BYTES);
        let read = (&mut file).take(READ_BYTES as u64).read_to_end(&mut buffer).map_err(failed)?;
        decoder.push(buffer.into());
        while let Some((cid, data)) = decoder.next_block().map_err(malformed)? {
            let roots = decoder.roots().map_err(malformed)?.unwrap_or_default();
            into.pin(roots.first().copied().unwrap_or(cid))?;
            into.put(cid, data)?;
        }
        if read == 0 {
            break;
        }
    }
    decoder.finish().map_err(malformed)?;
    into.flush()?;
    let roots = decoder.roots().map_err(malformed)?.unwrap_or_default();
    let (roots, incomplete) = whole::sort(into.store, roots, context)?;
    Ok(Event::Imported { roots, incomplete, blocks: into.blocks, bytes: into.bytes })
}

/// Puts verified blocks into the store, many at once, for one pin: that of the
/// archive's first root, or of its first block when it names none.
struct Into<'a> {
    store: &'a Store,
    pin: Option<OwnerId>,
    /// Whether the pin is of this archive alone.
    is_new: bool,
    waiting: Vec<Block>,
    waiting_bytes: usize,
    blocks: u64,
    bytes: u64,
}

impl<'a> Into<'a> {
    const fn new(store: &'a Store) -> Self {
        Self {
            store,
            pin: None,
            is_new: false,
            waiting: Vec::new(),
            waiting_bytes: 0,
            blocks: 0,
            bytes: 0,
        }
    }

    /// Sees to it that there is a pin; the one of an earlier import serves too.
    fn pin(&mut self, root: Cid) -> Result<(), Failure> {
        if self.pin.is_some() {
            return Ok(());
        }
        let kind = OwnerKind::Pin { root };
        let known = self.store.owners().into_iter().find(|owner| owner.kind == kind);
        self.is_new = known.is_none();
        self.pin = Some(match known {
            Some(owner) => owner.id,
            None => self.store.add_owner(kind).map_err(|error| store_failure(&error))?,
        });
        Ok(())
    }

    fn put(&mut self, cid: Cid, data: Bytes) -> Result<(), Failure> {
        self.blocks += 1;
        self.bytes += data.len() as u64;
        self.waiting_bytes += data.len();
        let block = Block::verified(cid, data);
        self.waiting.push(block.map_err(|error| Failure::of(Code::Corrupt, &error))?);
        if self.waiting_bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if let Some(pin) = self.pin {
            self.store.put(pin, &self.waiting).map_err(|error| store_failure(&error))?;
        }
        self.waiting.clear();
        self.waiting_bytes = 0;
        Ok(())
    }

    /// Forgets what came of an archive that turned out to be bad.
    fn forget(&self) {
        if let Some(pin) = self.pin.filter(|_| self.is_new) {
            // The error that ended the import is the one to report.
            let _ = self.store.remove_owner(pin);
        }
    }
}

/// Runs what blocks on the disk where that does no harm.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
