//! Text from others: names of files and peers, which are hostile until they
//! are made safe to show ([`for_terminal`]) or found fit for a path
//! ([`FileName`]).

use std::{borrow::Cow, ffi::OsStr, fmt};

use unicode_width::UnicodeWidthChar as _;

use crate::advice::Advice;
use crate::limits::{MAX_COMBINING_MARKS, MAX_NAME_BYTES};

/// What is shown in the place of a character that must not reach a terminal.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;
const ELLIPSIS: char = '…';
const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// Makes a text safe to show on one line of a terminal, in at most `columns`.
///
/// Control characters (and with them line breaks and every escape sequence),
/// characters that reorder or hide text, and marks piled up beyond reason
/// each become `�`; a text that is too wide loses its middle to `…`, so that
/// a file's extension stays. Ordinary names in any script, and emoji, come
/// back as they are.
///
/// ```
/// use peerage_core::text::for_terminal;
///
/// assert_eq!(for_terminal("夏の写真.jpg", 80), "夏の写真.jpg");
/// assert_eq!(for_terminal("a\u{1b}[2Jb", 80), "a�[2Jb");
/// assert_eq!(for_terminal("a-very-long-name.jpg", 13), "a-very-l….jpg");
/// ```
#[must_use]
pub fn for_terminal(text: &str, columns: usize) -> Cow<'_, str> {
    let clean = if needs_replacement(text) {
        Cow::Owned(replaced(text).collect::<String>())
    } else {
        Cow::Borrowed(text)
    };
    if width(&clean) <= columns { clean } else { Cow::Owned(shortened(&clean, columns)) }
}

/// [`for_terminal`] for a name that may not be UTF-8: each part that is not
/// becomes `�`.
#[must_use]
pub fn bytes_for_terminal(bytes: &[u8], columns: usize) -> String {
    for_terminal(&String::from_utf8_lossy(bytes), columns).into_owned()
}

fn needs_replacement(text: &str) -> bool {
    text.chars().zip(replaced(text)).any(|(character, replaced)| character != replaced)
}

/// The text's characters, with those that are not to be shown replaced.
fn replaced(text: &str) -> impl Iterator<Item = char> {
    let mut before = None;
    let mut marks = 0;
    let mut characters = text.chars().peekable();
    std::iter::from_fn(move || {
        let character = characters.next()?;
        marks = if columns_of(character) == 0 { marks + 1 } else { 0 };
        let shown = marks <= MAX_COMBINING_MARKS
            && match character {
                ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER => {
                    joins(before) && joins(characters.peek().copied())
                }
                character => !is_hidden(character),
            };
        before = Some(character);
        Some(if shown { character } else { REPLACEMENT })
    })
}

/// Joiners shape letters of Persian and Indic scripts, and emoji; beside
/// anything else they are there to deceive.
fn joins(neighbour: Option<char>) -> bool {
    neighbour.is_some_and(|character| {
        !character.is_ascii() && !character.is_whitespace() && !is_hidden(character)
    })
}

/// Whether a character steers the terminal, breaks the line, reorders the
/// text around it, or can't be seen.
const fn is_hidden(character: char) -> bool {
    matches!(character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'            // C0 and C1 controls
        | '\u{ad}' | '\u{34f}'                       // soft hyphen, grapheme joiner
        | '\u{61c}' | '\u{200e}' | '\u{200f}'        // direction marks
        | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
        | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}'                    // zero width
        | '\u{2028}'..='\u{202e}'                    // line breaks, embeddings, overrides
        | '\u{2060}'..='\u{206f}'                    // word joiner, isolates
        | '\u{2800}'                                 // blank Braille pattern
        | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}') // tags and more selectors
}

fn columns_of(character: char) -> usize {
    character.width().unwrap_or(1)
}

fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// The beginning and the end of a text, two to one, with `…` between.
fn shortened(text: &str, columns: usize) -> String {
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let tail_columns = room / 3;
    let head =
        prefix(text.char_indices().map(|(at, c)| (at + c.len_utf8(), c)), room - tail_columns);
    let tail = prefix(text.char_indices().rev(), tail_columns);
    let mut short = text[..head.unwrap_or(0)].to_owned();
    short.push(ELLIPSIS);
    short.push_str(&text[tail.unwrap_or(text.len())..]);
    short
}

/// How far into `characters` (each with the position after or before it) the
/// given number of columns reaches.
fn prefix(characters: impl Iterator<Item = (usize, char)>, columns: usize) -> Option<usize> {
    characters
        .scan(0, |used, (position, character)| {
            *used += columns_of(character);
            (*used <= columns).then_some(position)
        })
        .last()
}

/// Whose rules for file names apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Linux, macOS and the like: any bytes but `/` and NUL.
    Unix,
    /// Windows: Unicode, with reserved characters, endings and device names.
    Windows,
}

impl Platform {
    /// The platform that this program was built for.
    pub const CURRENT: Self = if cfg!(windows) { Self::Windows } else { Self::Unix };
}

/// A file name that is exactly one component of a path: it can't lead
/// outside the folder it is put in.
///
/// The bytes are kept as they came, in any encoding. [`fmt::Display`] shows
/// it safely, at most 80 columns of it.
///
/// ```
/// use peerage_core::text::{FileName, FileNameError, Platform};
///
/// let name = FileName::parse(b"dawn.jpg", Platform::CURRENT)?;
/// assert_eq!(name.as_os_str()?, "dawn.jpg");
/// assert_eq!(FileName::parse(b"../dawn.jpg", Platform::Unix), Err(FileNameError::Separator));
/// # Ok::<(), FileNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Box<[u8]>);

/// Why a name can't be that of one file in a folder.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileNameError {
    /// It is empty.
    #[error("a file name is empty")]
    Empty,
    /// It is `.` or `..`, which name folders around it.
    #[error("`.` and `..` are no file names")]
    Relative,
    /// It contains a `/`, or on Windows a `\`.
    #[error("a file name contains a path separator")]
    Separator,
    /// It contains a NUL byte.
    #[error("a file name contains a NUL byte")]
    Nul,
    /// It is too long.
    #[error("a file name is over {MAX_NAME_BYTES} bytes long")]
    TooLong,
    /// Windows takes Unicode only.
    #[error("a file name is not Unicode, which Windows needs")]
    NotUnicode,
    /// A character that Windows does not allow in file names.
    #[error(
        "a file name contains {}, which Windows does not allow",
        .character.escape_default()
    )]
    Character {
        /// The first such character.
        character: char,
    },
    /// Windows drops a space or a dot at a name's end.
    #[error("a file name ends with a dot or a space, which Windows drops")]
    Ending,
    /// A name that Windows keeps for a device.
    #[error("a file has the name of a Windows device, such as CON")]
    Device,
}

impl Advice for FileNameError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Empty => Some("ask whoever shares it to name the file"),
            Self::Relative
            | Self::Separator
            | Self::Nul
            | Self::NotUnicode
            | Self::Character { .. }
            | Self::Ending
            | Self::Device => Some("ask whoever shares it to rename the file"),
            Self::TooLong => Some("ask whoever shares it to shorten it"),
        }
    }
}

impl FileName {
    /// Takes bytes from others as a file name under a platform's rules. The
    /// rules of Unix are the weakest.
    ///
    /// # Errors
    ///
    /// When the bytes are not one path component there.
    pub fn parse(bytes: &[u8], platform: Platform) -> Result<Self, FileNameError> {
        check_unix(bytes)?;
        if platform == Platform::Windows {
            check_windows(bytes)?;
        } else if bytes.len() > MAX_NAME_BYTES {
            return Err(FileNameError::TooLong);
        }
        Ok(Self(bytes.into()))
    }

    /// The name as one that a listing shows: one that begins with a dot begins
    /// with `_` instead.
    ///
    /// A file whose name somebody else chose alone, put beside what is there,
    /// must not be taken for a setting of its folder: shells and many programs
    /// read such files unasked, and nobody sees that one has come.
    ///
    /// ```
    /// use peerage_core::text::{FileName, Platform};
    ///
    /// let name = FileName::parse(b".bash_profile", Platform::Unix)?;
    /// assert_eq!(name.unhidden().as_bytes(), b"_bash_profile");
    /// # Ok::<(), peerage_core::text::FileNameError>(())
    /// ```
    #[must_use]
    pub fn unhidden(mut self) -> Self {
        if let Some(first) = self.0.first_mut().filter(|first| **first == b'.') {
            *first = b'_';
        }
        self
    }

    /// The name's bytes, as they came.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as this platform's paths take it.
    ///
    /// # Errors
    ///
    /// When it was parsed under another platform's rules and breaks those of
    /// this one.
    pub fn as_os_str(&self) -> Result<&OsStr, FileNameError> {
        Self::parse(&self.0, Platform::CURRENT)?;
        #[cfg(unix)]
        {
            Ok(std::os::unix::ffi::OsStrExt::from_bytes(&self.0))
        }
        #[cfg(not(unix))]
        {
            std::str::from_utf8(&self.0).map(OsStr::new).map_err(|_| FileNameError::NotUnicode)
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const COLUMNS: usize = 80;
        f.pad(&bytes_for_terminal(&self.0, COLUMNS))
    }
}

fn check_unix(bytes: &[u8]) -> Result<(), FileNameError> {
    match bytes {
        b"" => Err(FileNameError::Empty),
        b"." | b".." => Err(FileNameError::Relative),
        _ if bytes.contains(&b'/') => Err(FileNameError::Separator),
        _ if bytes.contains(&0) => Err(FileNameError::Nul),
        _ => Ok(()),
    }
}

/// The rules of [Naming Files, Paths, and Namespaces].
///
/// [Naming Files, Paths, and Namespaces]: https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
fn check_windows(bytes: &[u8]) -> Result<(), FileNameError> {
    let name = std::str::from_utf8(bytes).map_err(|_| FileNameError::NotUnicode)?;
    if name.contains('\\') {
        return Err(FileNameError::Separator);
    }
    let reserved = |c: char| matches!(c, '\0'..='\x1f' | '<' | '>' | ':' | '"' | '|' | '?' | '*');
    if let Some(character) = name.chars().find(|&character| reserved(character)) {
        return Err(FileNameError::Character { character });
    }
    if name.ends_with(['.', ' ']) {
        return Err(FileNameError::Ending);
    }
    if is_windows_device(name) {
        return Err(FileNameError::Device);
    }
    if name.encode_utf16().count() > MAX_NAME_BYTES {
        return Err(FileNameError::TooLong);
    }
    Ok(())
}

/// Whether Windows takes a file name for one of its devices, whatever its
/// extension and case.
pub(crate) fn is_windows_device(name: &str) -> bool {
    let stem = name.split(['.', ':']).next().unwrap_or(name).trim_end_matches(' ');
    let stem = stem.to_ascii_uppercase();
    let numbered =
        |rest: &str| matches!(rest, "¹" | "²" | "³") || matches!(rest.as_bytes(), [b'0'..=b'9']);
    match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        stem => ["COM", "LPT"].iter().any(|device| stem.strip_prefix(device).is_some_and(numbered)),
    }
}

#[cfg(test)]
mod tests;
