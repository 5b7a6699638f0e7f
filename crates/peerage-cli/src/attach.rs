//! One home, one node: use the node that runs on the home, or run one for as
//! long as the command lasts.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    context::Context,
    control::{Attachment, Ended, Server},
    event::Event,
    failure::{Code, Failure},
    handler,
    host::{Host, OpenFailure},
    interrupt,
    limits::MAX_WAITING_EVENTS,
    log,
    output::{Output, Qr},
    request::Request,
    settings::Settings,
};

/// How often to look again while another process starts or ends its node.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How often to look at most: 10 seconds, enough to end a node with many
/// connections.
const LOOKS: u32 = 400;

/// The node to use.
enum Entrance {
    Attached(Attachment),
    Own(Arc<Host>),
}

/// Has `request` done by the home's node.
///
/// # Errors
///
/// What the request fails with, and what keeps a node from running.
pub(crate) fn run(request: &Request, settings: &Settings, qr: Qr) -> Result<(), Failure> {
    log::begin(settings.verbose);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| unexpected(&error))?;
    let outcome = runtime.block_on(async {
        let cancel = interrupt::listen().map_err(|error| unexpected(&error))?;
        let mut output = Output::new(settings, qr);
        let outcome = perform(request, settings, &mut output, &cancel).await;
        output.clear();
        outcome
    });
    // A thread that waits for standard input would hold up the end for ever.
    runtime.shutdown_background();
    outcome
}

fn unexpected(error: &std::io::Error) -> Failure {
    Failure::new(Code::Unexpected, error.to_string(), "try again; report this if it stays")
}

async fn perform(
    request: &Request,
    settings: &Settings,
    output: &mut Output,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    loop {
        let attachment = match enter(settings, handler::http_of(request), cancel).await? {
            Entrance::Own(host) => return own(request, host, output, cancel).await,
            Entrance::Attached(attachment) => attachment,
        };
        check(request, settings, &attachment)?;
        match attachment.perform(request, output, cancel).await {
            Ended::Outcome(outcome) => return outcome,
            Ended::Handover if cancel.is_cancelled() => return Err(Failure::interrupted()),
            Ended::Handover if request.can_start_again() => {}
            Ended::Handover => return Err(left_alone()),
        }
    }
}

/// Finds the node of the home, or becomes it.
async fn enter(
    settings: &Settings,
    http: Option<(SocketAddr, &[String])>,
    cancel: &CancellationToken,
) -> Result<Entrance, Failure> {
    for _ in 0..LOOKS {
        if cancel.is_cancelled() {
            return Err(Failure::interrupted());
        }
        if let Some(attachment) = Attachment::find(settings.home()).await? {
            return Ok(Entrance::Attached(attachment));
        }
        match Host::open(settings, http).await {
            Ok(host) => return Ok(Entrance::Own(Arc::new(host))),
            Err(OpenFailure::InUse) => sleep(LOOK_EVERY).await,
            Err(OpenFailure::Failed(failure)) => return Err(failure),
        }
    }
    Err(Failure::new(
        Code::HomeInUse,
        format!("another process uses {} and does not answer", settings.home().display()),
        "end it and try again, or use --home with another folder",
    ))
}

/// Refuses what the running node cannot do for this command.
fn check(request: &Request, settings: &Settings, attachment: &Attachment) -> Result<(), Failure> {
    let greeting = attachment.greeting();
    if matches!(request, Request::Up { .. }) {
        return Err(Failure::new(
            Code::HomeInUse,
            format!("a node runs on this home already (process {})", greeting.process),
            "use it: other commands attach to it by themselves",
        ));
    }
    match &settings.identity {
        Some(name) if *name != greeting.identity => Err(Failure::new(
            Code::HomeInUse,
            format!("the node of this home runs as {}", greeting.identity),
            format!("end it (process {}) to run as {name}", greeting.process),
        )),
        _ => Ok(()),
    }
}

fn left_alone() -> Failure {
    Failure::new(
        Code::PeerLost,
        "the node that served this command has ended",
        "run the command again",
    )
}

/// Runs the node in this process, for this command and those that attach.
async fn own(
    request: &Request,
    host: Arc<Host>,
    output: &mut Output,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let server = Server::start(Arc::clone(&host))
        .map_err(|error| Failure::writing(&"the control socket", &error))?;
    let (events, received) = mpsc::channel(MAX_WAITING_EVENTS);
    let context = Context::standard(events, cancel.clone());
    let handling = handler::run(request.clone(), &host, context);
    let (outcome, shown) = tokio::join!(handling, show(received, output, cancel));
    output.clear();
    server.stop().await;
    host.close().await;
    shown.and(outcome)
}

/// Shows events until the handler has no more. When nobody reads them, the
/// command is cancelled.
async fn show(
    mut received: mpsc::Receiver<Event>,
    output: &mut Output,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let mut outcome = Ok(());
    while let Some(event) = received.recv().await {
        if outcome.is_ok() {
            outcome = output.show(&event);
            if outcome.is_err() {
                cancel.cancel();
            }
        }
    }
    outcome
}
