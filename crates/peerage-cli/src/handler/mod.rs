//! What the home's node does for a command: the same code for a command in
//! this process and for one behind the control socket.

mod archive;
mod doctor;
mod find;
mod get;
mod invited;
mod pipe;
mod reach;
mod roles;
mod share;
mod splice;
mod whole;

use std::sync::Arc;

use self::share::Wanted;
pub(crate) use self::share::http_of;
use crate::{context::Context, failure::Failure, host::Host, request::Request};

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
        Request::Share { paths, name, metadata, layout, http, .. } => {
            let wanted = Wanted::new(&paths, name, metadata, layout, http.is_some());
            share::serve(host, wanted, &context).await
        }
        Request::Add { paths, metadata, layout } => {
            share::add(host, &paths, metadata, layout, &context).await
        }
        Request::Unshare { cid } => share::unshare(host, &cid, &context).await,
        Request::Get { target, output, peers, max_files, max_size } => {
            let most = get::Most { files: max_files, bytes: max_size };
            get::get(host, &target, &output.path(), &peers, most, &context).await
        }
        Request::Export { cid, output } => {
            archive::export(host, &cid, output.path(), &context).await
        }
        Request::Import { file } => archive::import(host, file.path(), &context).await,
        Request::Roles => roles::roles(host, &context).await,
        Request::Peers => reach::peers(host, &context).await,
        Request::Nearby { wait } => reach::nearby(host, wait, &context).await,
        Request::Doctor => doctor::doctor(host, &context).await,
        Request::Find { key, wait } => find::find(host, &key, wait, &context).await,
        Request::Ping { peer, addresses, count } => {
            reach::ping(host, &peer, &addresses, count, &context).await
        }
        Request::PipeListen { tcp, from, anybody, terminal } => {
            let guests = pipe::guests(&from, anybody)?;
            pipe::listen(host, tcp, guests, terminal, &context).await
        }
        Request::PipeConnect { peer, addresses, tcp, terminal } => {
            pipe::connect(host, &peer, &addresses, tcp, terminal, &context).await
        }
        Request::Up { .. } => reach::up(host, &context).await,
    }
}
