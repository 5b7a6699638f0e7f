//! `peerage hub`: helps peers that cannot be reached, until it is stopped.

use std::{fs, path::Path};

use peerage::{
    home::Home,
    hub::{DEFAULT_CONFIG, Hub, HubConfig, HubError},
    node::SpawnError,
};
use tokio_util::sync::CancellationToken;

use crate::{
    args::HubArgs,
    event::{Event, HubLine},
    failure::{Code, Failure},
    host::{OpenFailure, lock, unlock},
    interrupt, log,
    output::{self, Output, Qr},
    settings::Settings,
};

/// The file in the home that is read if none is named.
const CONFIG_FILE: &str = "hub.toml";

/// Runs a hub until a signal ends it, which is no failure.
///
/// # Errors
///
/// When its settings are wrong, another process has the home, or it cannot
/// listen.
pub(super) fn run(arguments: &HubArgs, settings: &Settings) -> Result<(), Failure> {
    if arguments.print_config {
        return output::print(DEFAULT_CONFIG);
    }
    log::begin(settings.verbose);
    let config = read(arguments.config.as_deref(), settings.home())?;
    let home =
        Home::open(settings.home()).map_err(|error| Failure::of(Code::CannotWrite, &error))?;
    let _lock = lock(&home).map_err(|failure| in_use(failure, settings.home()))?;
    let (_, keypair) = unlock(&home, settings)?;
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| unexpected(&error))?;
    runtime.block_on(async {
        let cancel = interrupt::listen().map_err(|error| unexpected(&error))?;
        let hub = Hub::start(keypair, &config, Some(home.path()));
        let hub = hub.await.map_err(|error| failure(&error))?;
        let shown = serve(&hub, settings, &cancel).await;
        let ended = hub.shutdown().await;
        let saved = ended.map_err(|error| Failure::writing(&"the hub's registry", &error));
        shown.and(saved)
    })
}

/// Says where it is, and waits.
async fn serve(hub: &Hub, settings: &Settings, cancel: &CancellationToken) -> Result<(), Failure> {
    let line = HubLine {
        peer: hub.peer_id().to_string(),
        addresses: hub.addresses().iter().map(ToString::to_string).collect(),
        relay: hub.relay().iter().map(ToString::to_string).collect(),
        zone: hub.zone().iter().map(ToString::to_string).collect(),
        metrics: hub.metrics().map(|place| place.to_string()),
    };
    Output::new(settings, Qr::Never).show(&Event::Hub(line))?;
    cancel.cancelled().await;
    Ok(())
}

fn read(file: Option<&Path>, home: &Path) -> Result<HubConfig, Failure> {
    let usual = home.join(CONFIG_FILE);
    let path = match file {
        Some(file) => file,
        None if usual.exists() => &usual,
        None => return Ok(HubConfig::default()),
    };
    let text =
        fs::read_to_string(path).map_err(|error| Failure::reading(&path.display(), &error))?;
    text.parse().map_err(|error: HubError| failure(&error))
}

fn in_use(failure: OpenFailure, home: &Path) -> Failure {
    match failure {
        OpenFailure::Failed(failure) => failure,
        OpenFailure::InUse => Failure::new(
            Code::HomeInUse,
            format!("another process uses {}", home.display()),
            "end it, or give the hub a home of its own with --home",
        ),
    }
}

fn failure(error: &HubError) -> Failure {
    let code = match error {
        HubError::Config { .. } | HubError::BootNode(_) => Code::Usage,
        HubError::Node(SpawnError::Listen { .. })
        | HubError::Privileged(_)
        | HubError::Relay(_)
        | HubError::Zone(_)
        | HubError::Metrics(..) => Code::CannotWrite,
        _ => Code::Unexpected,
    };
    Failure::of(code, error)
}

fn unexpected(error: &std::io::Error) -> Failure {
    Failure::new(Code::Unexpected, error.to_string(), "try again; report this if it stays")
}

/// Takes as many open files as the system gives: each connection is one, and
/// many systems give 1024 unless asked.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the number of open files stays");
    }
}
