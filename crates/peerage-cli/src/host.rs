//! The home's node while this process runs it.

use std::{
    fmt,
    fs::{File, TryLockError},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
};

use peerage::{
    discovery::{Events, NearbyPeer, StaticList},
    exchange::Hosts,
    home::{Home, IdentityError},
    identity::{IdentityName, KeyKind, Keypair},
    node::{ConnectError, Connection, Node, NodeConfig, SpawnError},
    presets,
    routing::{PeerAddresses, is_loopback},
    session::{OpenError, ReachError, Session, SessionOptions},
    store::StoreError,
};

use crate::{
    event::Event,
    failure::{Code, Failure},
    passphrase,
    settings::Settings,
    target::{parse_address, reaching},
};

/// The node of a home, with all that belongs to it.
pub(crate) struct Host {
    home: Home,
    identity: IdentityName,
    key_kind: Option<KeyKind>,
    session: Session,
    /// Held so that nobody else begins on this home.
    _lock: File,
}

/// Why a home's node does not run in this process.
#[derive(Debug)]
pub(crate) enum OpenFailure {
    /// Another process has the home.
    InUse,
    /// Something else.
    Failed(Failure),
}

impl fmt::Debug for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Host").field("home", &self.home).finish_non_exhaustive()
    }
}

impl From<Failure> for OpenFailure {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Host {
    /// Takes the home's lock and starts its node, with the gateway at `http`
    /// over plain HTTP.
    ///
    /// # Errors
    ///
    /// [`OpenFailure::InUse`] when another process has it.
    pub(crate) async fn open(
        settings: &Settings,
        http: Option<(SocketAddr, &[String])>,
    ) -> Result<Self, OpenFailure> {
        let home =
            Home::open(settings.home()).map_err(|error| Failure::of(Code::CannotWrite, &error))?;
        let lock = lock(&home)?;
        let (identity, keypair) = unlock(&home, settings)?;
        let key_kind = KeyKind::of(&keypair.public());
        let mut options = SessionOptions::new(config(keypair, settings)?);
        options.name = machine_name();
        options.lan = settings.discovery;
        if let Some((address, names)) = http {
            options.http = Some(address);
            options.http_hosts = Hosts::new(names.iter().cloned());
        }
        options.wide = settings.reach.wide()?;
        if let Some(file) = &settings.peers {
            let list = StaticList::from_file(file);
            let list = list.map_err(|error| Failure::of(Code::CannotRead, &error))?;
            options.ways.push(Arc::new(list));
        }
        let session = Session::open(&home, options).await.map_err(|error| open_failure(&error))?;
        Ok(Self { home, identity, key_kind, session, _lock: lock })
    }

    /// The session.
    pub(crate) const fn session(&self) -> &Session {
        &self.session
    }

    /// The home folder.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The node.
    pub(crate) fn node(&self) -> &Node {
        self.session.node()
    }

    /// The node's peer id.
    pub(crate) fn peer(&self) -> String {
        self.node().peer_id().to_string()
    }

    /// The name of its identity.
    pub(crate) fn identity(&self) -> String {
        self.identity.to_string()
    }

    /// The kind of its key, if it is one that Peerage makes.
    pub(crate) const fn key_kind(&self) -> Option<KeyKind> {
        self.key_kind
    }

    /// Where it listens, as an event.
    pub(crate) fn listening(&self) -> Event {
        let addresses = self.node().listen_addresses();
        Event::Listening {
            peer: self.peer(),
            addresses: addresses.iter().map(ToString::to_string).collect(),
            http: self.session.http().map(|address| address.to_string()),
        }
    }

    /// One address with the peer at its end, for somebody to type: one that
    /// other machines can use, if there is one.
    pub(crate) fn dialable(&self) -> String {
        let addresses = self.node().listen_addresses();
        let elsewhere = addresses.iter().find(|address| !is_loopback(address));
        match elsewhere.or(addresses.first()) {
            Some(address) => format!("{address}/p2p/{}", self.peer()),
            None => self.peer(),
        }
    }

    /// Connects to a peer, where it was said to be or where any way finds it,
    /// and says over which path.
    ///
    /// # Errors
    ///
    /// When it is not found or does not answer.
    pub(crate) async fn reach(&self, target: &PeerAddresses) -> Result<String, Failure> {
        let connected = self.session.connect_with(target.peer, &reaching(target)).await;
        connected.map(|connection| path(&connection)).map_err(|error| unreachable(&error))
    }

    /// The peers that announce themselves, and who comes after; nothing when
    /// discovery is off.
    pub(crate) async fn nearby(&self) -> Option<(Events, Vec<NearbyPeer>)> {
        let lan = self.session.lan().await?;
        Some((lan.subscribe(), lan.nearby()))
    }

    /// Says goodbye and ends the node.
    pub(crate) async fn close(&self) {
        self.session.close().await;
    }
}

/// The identity to run as, its key opened.
///
/// # Errors
///
/// When there is no such identity, or its passphrase is another.
pub(crate) fn unlock(home: &Home, settings: &Settings) -> Result<(IdentityName, Keypair), Failure> {
    let wanted = settings
        .identity
        .as_deref()
        .map(|name| name.parse().map_err(IdentityError::Name))
        .transpose()
        .map_err(Failure::identity)?;
    let (name, file) =
        home.identities().load_or_make(wanted.as_ref()).map_err(Failure::identity)?;
    let passphrase = if file.is_sealed() { Some(passphrase::ask(name.as_str())?) } else { None };
    let keypair =
        file.open(passphrase.as_deref()).map_err(|error| Failure::of(Code::Identity, &error))?;
    Ok((name, keypair))
}

fn config(keypair: Keypair, settings: &Settings) -> Result<NodeConfig, Failure> {
    let mut config = if settings.listen.is_empty() {
        let map_ports = !settings.reach.no_port_mapping;
        NodeConfig { map_ports, ..presets::local_with(keypair) }
    } else {
        let listen: Result<_, _> = settings.listen.iter().map(|text| parse_address(text)).collect();
        NodeConfig { listen: listen?, ..NodeConfig::new(keypair) }
    };
    settings.reach.apply(&mut config)?;
    Ok(config)
}

fn machine_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The home's lock, held until the file is dropped.
///
/// # Errors
///
/// [`OpenFailure::InUse`] when another process has it.
pub(crate) fn lock(home: &Home) -> Result<File, OpenFailure> {
    let failed = |error| Failure::writing(&"the home's lock", &error);
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.open(home.path().join("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenFailure::InUse),
        Err(TryLockError::Error(error)) => Err(failed(error).into()),
    }
}

fn open_failure(error: &OpenError) -> OpenFailure {
    match error {
        OpenError::Store(StoreError::InUse { .. }) => OpenFailure::InUse,
        OpenError::Store(error) => store_failure(error).into(),
        OpenError::Http { .. } | OpenError::Node(SpawnError::Listen { .. }) => {
            Failure::of(Code::CannotWrite, error).into()
        }
        error => Failure::of(Code::Unexpected, error).into(),
    }
}

/// The failure that an error of the store is.
pub(crate) fn store_failure(error: &StoreError) -> Failure {
    let code = match error {
        StoreError::InUse { .. } => Code::HomeInUse,
        StoreError::Damaged { .. } => Code::Corrupt,
        error if error.file().is_some() => Code::CannotRead,
        _ => Code::CannotWrite,
    };
    Failure::of(code, error)
}

/// A connection for people: what it is made of, and where to.
pub(crate) fn path(connection: &Connection) -> String {
    format!("{} {}", connection.path, connection.address)
}

/// The failure that a search for a peer is. Its hint names the ways that were
/// asked, by our own names for them: what others say is in the cause alone.
pub(crate) fn unreachable(error: &ReachError) -> Failure {
    let code = match error.dialled() {
        Some(ConnectError::OwnPeer(_)) => Code::BadTarget,
        Some(ConnectError::WrongPeer { .. }) => Code::PeerLost,
        _ => Code::Unreachable,
    };
    let failure = Failure::of(code, error);
    let asked: Vec<String> = error.asked().iter().map(|one| one.source.to_string()).collect();
    if asked.is_empty() {
        return failure;
    }
    let hint = failure.hint.iter().map(|hint| format!("; {hint}")).collect::<String>();
    Failure { hint: Some(format!("asked were {}{hint}", asked.join(", "))), ..failure }
}
