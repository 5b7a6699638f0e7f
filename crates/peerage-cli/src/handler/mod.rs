//! What the home's node does for a command: the same code for a command in
//! this process and for one behind the control socket.

mod frames;
mod pipe;
mod reach;
mod splice;

use std::sync::Arc;

use crate::{
    context::Context,
    failure::{Code, Failure},
    host::Host,
    request::Request,
};

/// Does what a command asks, and says through `context` what happens.
///
/// # Errors
///
/// What keeps it from being done.
pub(crate) async fn run(
    request: Request,
    host: &Arc<Host>,
    context: Context,
) -> Result<(), Failure> {
    match request {
        Request::Share { .. }
        | Request::Get { .. }
        | Request::Add { .. }
        | Request::Export { .. }
        | Request::Import { .. } => {
            Err(Failure { code: Code::Unexpected, cause: "not yet".into(), hint: None })
        }
        Request::Peers => reach::peers(host, &context).await,
        Request::Nearby { wait } => reach::nearby(host, wait, &context).await,
        Request::Ping { peer, addresses, count } => {
            reach::ping(host, &peer, &addresses, count, &context).await
        }
        Request::PipeListen { tcp, from, terminal } => {
            pipe::listen(host, tcp, &from, terminal, &context).await
        }
        Request::PipeConnect { peer, addresses, tcp, terminal } => {
            pipe::connect(host, &peer, &addresses, tcp, terminal, &context).await
        }
        Request::Up { .. } => reach::up(host, &context).await,
    }
}
