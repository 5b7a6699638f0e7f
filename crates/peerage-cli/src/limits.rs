//! Every limit of the command on what comes from outside, with its reason.
//! Those of the library are in `peerage::limits`; `docs/limits.md` lists all.

/// The largest file that is read as a key to import, in bytes; any key is far
/// smaller.
pub(crate) const MAX_KEY_IMPORT_BYTES: u64 = 64 * 1024;

/// How many incomplete roots of one CAR are told; those after them are not
/// looked at, since each costs a walk over the blocks that all may share.
pub(crate) const MAX_INCOMPLETE_ROOTS: usize = 16;

/// How many blocks are looked at to tell whether the roots of a CAR are whole:
/// of a file of 1 MiB chunks, 10 TB.
pub(crate) const MAX_CHECKED_BLOCKS: u64 = 10_000_000;

/// How many TCP connections `pipe` forwards at once; more wait their turn.
pub(crate) const MAX_FORWARDED_CONNECTIONS: usize = 256;

/// How many streams may be open on which the secret of a pipe is still to be
/// said; the one that has been silent longest goes first.
pub(crate) const MAX_PIPE_CLAIMS: usize = 32;

/// How many seconds the secret of a pipe may take after its stream was opened.
pub(crate) const PIPE_CLAIM_SECONDS: u64 = 10;

/// The largest file of a home's settings, in bytes: some thousand lines.
pub(crate) const MAX_SETTINGS_BYTES: u64 = 64 * 1024;

/// The longest text of others that is shown, in columns: a path may be long, a
/// flood may not.
pub(crate) const MAX_SHOWN_COLUMNS: usize = 1000;

/// The longest line of a command on the control socket, in bytes: room for some
/// thousand paths.
pub(crate) const MAX_CONTROL_OPENING_BYTES: usize = 4 * 1024 * 1024;

/// The longest line of a node on the control socket, in bytes: an event with a
/// long list of addresses.
pub(crate) const MAX_CONTROL_EVENT_BYTES: usize = 1024 * 1024;

/// How many commands can be attached at once; each costs two tasks and buffers.
pub(crate) const MAX_ATTACHED_COMMANDS: usize = 64;

/// How many events may wait for a slow terminal before the handler waits too.
pub(crate) const MAX_WAITING_EVENTS: usize = 64;

/// How many seconds the other end of the control socket may take for a line that
/// needs no work, before it counts as stuck.
pub(crate) const CONTROL_ANSWER_SECONDS: u64 = 5;
