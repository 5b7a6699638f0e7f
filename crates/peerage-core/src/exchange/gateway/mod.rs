//! Requests of the
//! [IPFS trustless gateway](https://specs.ipfs.tech/http-gateways/trustless-gateway/):
//! reading them from an HTTP request's method, target and `Accept` header, and
//! writing them as such.
//!
//! A gateway gives one block as it is ([`Format::Raw`]), or the blocks of a
//! file or folder one after another in a CAR ([`Format::Car`]), so that the
//! client verifies all it gets. Nothing else is served.

mod accept;
mod error;
mod path;
mod range;

use std::fmt::Write as _;

use bytes::Bytes;

pub use self::error::RequestError;
pub use crate::data::{DagScope, EntityBytes};
use crate::{
    data::{Cid, HashKind, select::Selection},
    limits::{MAX_GATEWAY_FILENAME_BYTES, MAX_GATEWAY_TARGET_BYTES},
};

/// The path under which a peer says which HTTP protocols it serves, by the
/// [libp2p+HTTP specification](https://github.com/libp2p/specs/blob/master/http/README.md).
pub const PROTOCOLS_PATH: &str = "/.well-known/libp2p/protocols";

/// What is served under [`PROTOCOLS_PATH`]: a gateway, at the root.
pub const PROTOCOLS_JSON: &str = r#"{"protocols":{"/ipfs/gateway":{"path":"/"}}}"#;

/// The empty block, inlined in its own CID. Asking for it tells whether
/// something is a trustless gateway.
pub const PROBE_CID: &str = "bafkqaaa";

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The list of HTTP protocols: [`PROTOCOLS_JSON`].
    Protocols,
    /// Blocks.
    Content(GatewayRequest),
}

/// What the blocks are wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One block, as it is: `application/vnd.ipld.raw`.
    Raw,
    /// Any number of blocks: `application/vnd.ipld.car`, version 1, in
    /// depth-first order.
    Car,
}

/// A request for blocks.
///
/// ```
/// use peerage_core::exchange::gateway::{DagScope, EntityBytes, GatewayRequest, Route};
///
/// let root = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e".parse()?;
/// let request = GatewayRequest::car(root)
///     .below([b"a folder".as_slice(), b"file"])
///     .bytes(EntityBytes { from: 0, to: Some(99) });
/// let target = request.target();
/// assert!(target.ends_with("/a%20folder/file?format=car&dag-scope=entity&entity-bytes=0:99&car-dups=n"));
/// assert_eq!(Route::parse("GET", &target, Some(&request.accept()))?, Route::Content(request));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayRequest {
    /// Where the path begins.
    pub root: Cid,
    /// The names to follow down from the root, as bytes. Empty for
    /// [`Format::Raw`].
    pub path: Vec<Bytes>,
    /// What the blocks are wrapped in.
    pub format: Format,
    /// How much is wanted. Of no meaning for [`Format::Raw`].
    pub scope: DagScope,
    /// Which bytes of the file at the path's end are wanted; all when `None`.
    pub range: Option<EntityBytes>,
    /// Whether a block that occurs several times is sent each time.
    pub duplicates: bool,
    /// The file name that the answer should suggest to a browser.
    pub filename: Option<String>,
}

impl Route {
    /// Reads an HTTP request: its method, its path and query, and its `Accept`
    /// header if there is one.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which knows the HTTP status to answer with.
    pub fn parse(method: &str, target: &str, accept: Option<&str>) -> Result<Self, RequestError> {
        if !matches!(method, "GET" | "HEAD") {
            return Err(RequestError::Method);
        }
        if target.len() > MAX_GATEWAY_TARGET_BYTES {
            return Err(RequestError::TooLong { bytes: target.len() });
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path == PROTOCOLS_PATH {
            return Ok(Self::Protocols);
        }
        if path == "/ipns" || path.starts_with("/ipns/") {
            return Err(RequestError::Ipns);
        }
        let content = path.strip_prefix("/ipfs/").ok_or(RequestError::UnknownPath)?;
        GatewayRequest::parse(content, &Query::parse(query), accept.unwrap_or(""))
            .map(Self::Content)
    }
}

impl GatewayRequest {
    /// The block of `cid` as it is.
    #[must_use]
    pub fn raw(cid: Cid) -> Self {
        Self { format: Format::Raw, scope: DagScope::Block, ..Self::car(cid) }
    }

    /// Everything below `root`, each block once, as a CAR.
    #[must_use]
    pub const fn car(root: Cid) -> Self {
        Self {
            root,
            path: Vec::new(),
            format: Format::Car,
            scope: DagScope::All,
            range: None,
            duplicates: false,
            filename: None,
        }
    }

    /// Follows these names down from the root.
    #[must_use]
    pub fn below<'a>(mut self, names: impl IntoIterator<Item = &'a [u8]>) -> Self {
        self.path.extend(names.into_iter().map(Bytes::copy_from_slice));
        self
    }

    /// Wants this much of what is at the path's end.
    #[must_use]
    pub const fn scope(mut self, scope: DagScope) -> Self {
        self.scope = scope;
        self
    }

    /// Wants these bytes of the file at the path's end.
    #[must_use]
    pub const fn bytes(mut self, range: EntityBytes) -> Self {
        self.scope = DagScope::Entity;
        self.range = Some(range);
        self
    }

    /// Wants blocks that occur several times sent each time.
    #[must_use]
    pub const fn duplicates(mut self, duplicates: bool) -> Self {
        self.duplicates = duplicates;
        self
    }

    /// The blocks that answer it, for a [`Walk`](crate::data::select::Walk)
    /// over them.
    #[must_use]
    pub fn selection(&self) -> Selection {
        Selection {
            root: self.root,
            path: self.path.clone(),
            scope: self.scope,
            range: self.range,
            duplicates: self.duplicates,
        }
    }

    fn parse(content: &str, query: &Query<'_>, accept: &str) -> Result<Self, RequestError> {
        let (cid, path) = content.split_once('/').unwrap_or((content, ""));
        let root =
            Cid::try_from(cid).map_err(|error| RequestError::Cid { reason: error.to_string() })?;
        let path = path::decode(path)?;
        let (format, duplicates) = query.format(accept)?;
        if format == Format::Raw {
            let filename = query.filename()?;
            return match path.is_empty() {
                true => Ok(Self { filename, ..Self::raw(root) }),
                false => Err(RequestError::RawPath),
            };
        }
        query.check_car_kind()?;
        let range = query.entity_bytes.map(str::parse).transpose()?;
        Ok(Self {
            root,
            path,
            format,
            scope: query.scope(range.is_some())?,
            range,
            duplicates: query.duplicates()?.or(duplicates).unwrap_or(false),
            filename: query.filename()?,
        })
    }

    /// The path and query to ask for.
    #[must_use]
    pub fn target(&self) -> String {
        let mut target = format!("/ipfs/{}", self.root);
        for name in &self.path {
            target.push('/');
            path::encode(name, &mut target);
        }
        match self.format {
            Format::Raw => target.push_str("?format=raw"),
            Format::Car => {
                target.push_str("?format=car&dag-scope=");
                target.push_str(self.scope.name());
                if let Some(range) = self.range {
                    let _ = write!(target, "&entity-bytes={range}");
                }
                let _ = write!(target, "&car-dups={}", self.dups());
            }
        }
        if let Some(filename) = &self.filename {
            target.push_str("&filename=");
            path::encode(filename.as_bytes(), &mut target);
        }
        target
    }

    /// The `Accept` header to ask with.
    #[must_use]
    pub const fn accept(&self) -> &'static str {
        self.content_type()
    }

    /// The `Content-Type` of the answer.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match (self.format, self.duplicates) {
            (Format::Raw, _) => "application/vnd.ipld.raw",
            (Format::Car, true) => "application/vnd.ipld.car; version=1; order=dfs; dups=y",
            (Format::Car, false) => "application/vnd.ipld.car; version=1; order=dfs; dups=n",
        }
    }

    /// The answer's `Etag`: the same for the same request, another for any
    /// other. That of a CAR is a weak one, as the blocks' order is a matter of
    /// this software's version.
    #[must_use]
    pub fn etag(&self) -> String {
        if self.format == Format::Raw {
            return format!("\"{}.raw\"", self.root);
        }
        let mut etag = format!("W/\"{}.car.{}.dups-{}", self.root, self.scope.name(), self.dups());
        if let Some(range) = self.range {
            let _ = write!(etag, ".{range}");
        }
        if !self.path.is_empty() {
            let digest = HashKind::Sha2_256.digest(path::join(&self.path).as_bytes());
            etag.push_str(".path-");
            for byte in &digest[..16] {
                let _ = write!(etag, "{byte:02x}");
            }
        }
        etag.push('"');
        etag
    }

    /// The name under which a browser should keep the answer.
    #[must_use]
    pub fn file_name(&self) -> String {
        match (&self.filename, self.format) {
            (Some(name), _) => name.clone(),
            (None, Format::Raw) => format!("{}.bin", self.root),
            (None, Format::Car) => format!("{}.car", self.root),
        }
    }

    /// The `Content-Disposition` of the answer: to be kept, never shown, under
    /// [`Self::file_name`].
    #[must_use]
    pub fn content_disposition(&self) -> String {
        let name = self.file_name();
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '/') || c == ' ';
        let ascii: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
        let mut header = format!("attachment; filename=\"{ascii}\"");
        if ascii != name {
            header.push_str("; filename*=UTF-8''");
            path::encode(name.as_bytes(), &mut header);
        }
        header
    }

    const fn dups(&self) -> char {
        if self.duplicates { 'y' } else { 'n' }
    }
}

impl DagScope {
    /// As it is written in a query.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Entity => "entity",
            Self::All => "all",
        }
    }
}

/// The query parameters that mean something here, as they came.
#[derive(Default)]
struct Query<'a> {
    format: Option<&'a str>,
    dag_scope: Option<&'a str>,
    entity_bytes: Option<&'a str>,
    car_version: Option<&'a str>,
    car_order: Option<&'a str>,
    car_dups: Option<&'a str>,
    filename: Option<&'a str>,
}

impl<'a> Query<'a> {
    /// Where a parameter comes twice the first counts.
    fn parse(query: &'a str) -> Self {
        let mut parsed = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let slot = match name {
                "format" => &mut parsed.format,
                "dag-scope" => &mut parsed.dag_scope,
                "entity-bytes" => &mut parsed.entity_bytes,
                "car-version" => &mut parsed.car_version,
                "car-order" => &mut parsed.car_order,
                "car-dups" => &mut parsed.car_dups,
                "filename" => &mut parsed.filename,
                _ => continue,
            };
            slot.get_or_insert(value);
        }
        parsed
    }

    /// The format, and whether the `Accept` header wants duplicates.
    fn format(&self, accept: &str) -> Result<(Format, Option<bool>), RequestError> {
        match self.format {
            Some("raw") => Ok((Format::Raw, None)),
            Some("car") => Ok((Format::Car, accept::duplicates(accept))),
            Some(_) => Err(RequestError::Format),
            None => {
                let wanted = accept::negotiate(accept)?.ok_or(RequestError::NoFormat)?;
                Ok((wanted.format, wanted.duplicates))
            }
        }
    }

    fn check_car_kind(&self) -> Result<(), RequestError> {
        let version = self.car_version.is_none_or(|version| version == "1");
        let order = self.car_order.is_none_or(|order| matches!(order, "dfs" | "unk" | ""));
        if version && order { Ok(()) } else { Err(RequestError::CarKind) }
    }

    /// A range is only for an entity, so it stands above what is said here.
    fn scope(&self, ranged: bool) -> Result<DagScope, RequestError> {
        match self.dag_scope {
            _ if ranged => Ok(DagScope::Entity),
            None | Some("all") => Ok(DagScope::All),
            Some("entity") => Ok(DagScope::Entity),
            Some("block") => Ok(DagScope::Block),
            Some(_) => {
                Err(RequestError::Parameter { name: "dag-scope", expected: "block, entity or all" })
            }
        }
    }

    fn duplicates(&self) -> Result<Option<bool>, RequestError> {
        const WRONG: RequestError =
            RequestError::Parameter { name: "car-dups", expected: "y or n" };
        self.car_dups.map(|value| accept::yes_or_no(value).ok_or(WRONG)).transpose()
    }

    fn filename(&self) -> Result<Option<String>, RequestError> {
        let Some(text) = self.filename else { return Ok(None) };
        let bytes = path::percent_decode(text)?;
        if bytes.len() > MAX_GATEWAY_FILENAME_BYTES {
            return Err(RequestError::FilenameTooLong { bytes: bytes.len() });
        }
        match String::from_utf8(bytes.into()) {
            Ok(name) => Ok(Some(name)),
            Err(_) => Err(RequestError::Parameter { name: "filename", expected: "UTF-8" }),
        }
    }
}

#[cfg(test)]
mod tests;
