//! The third step: each verb as a call.

mod hub;
mod identity;
mod paper;
mod transfer;

use std::io::IsTerminal as _;

use crate::{
    args::{PipeVerb, Verb},
    attach, demo,
    failure::Failure,
    output::Qr,
    request::Request,
    settings::Settings,
};

/// Runs a verb to its end.
///
/// # Errors
///
/// What the verb fails with.
pub(crate) fn run(verb: Verb, settings: &Settings) -> Result<(), Failure> {
    let ask = |request| attach::run(&request, settings, Qr::Never);
    match verb {
        Verb::Share(arguments) => transfer::share(arguments, settings),
        Verb::Get(arguments) => ask(transfer::get(&arguments)?),
        Verb::Add(arguments) => ask(transfer::add(&arguments)?),
        Verb::Unshare { cid } => ask(Request::Unshare { cid }),
        Verb::Export(arguments) => ask(transfer::export(&arguments)?),
        Verb::Import(arguments) => ask(transfer::import(&arguments)?),
        Verb::Id { verb } => identity::run(verb, settings),
        Verb::Roles => ask(Request::Roles),
        Verb::Peers { nearby: false, .. } => ask(Request::Peers),
        Verb::Peers { nearby: true, wait } => ask(Request::Nearby { wait }),
        Verb::Find { key, wait } => ask(Request::Find { key, wait }),
        Verb::Doctor => ask(Request::Doctor),
        Verb::Ping { peer, addresses, count } => ask(Request::Ping { peer, addresses, count }),
        Verb::Pipe { verb } => ask(pipe(verb)),
        Verb::Up { http, http_host } => ask(Request::Up { http, http_hosts: http_host }),
        Verb::Hub(arguments) => hub::run(&arguments, settings),
        Verb::Demo => demo::run(settings),
        Verb::Completions { shell } => paper::completions(shell),
        Verb::Man { to } => paper::manual(to.as_deref()),
    }
}

fn pipe(verb: PipeVerb) -> Request {
    // Nobody ends the input of a terminal when the other side has hung up.
    let terminal = std::io::stdin().is_terminal();
    match verb {
        PipeVerb::Listen { tcp, from, anybody } => {
            Request::PipeListen { tcp, from, anybody, terminal }
        }
        PipeVerb::Connect { peer, addresses, tcp } => {
            Request::PipeConnect { peer, addresses, tcp, terminal }
        }
    }
}
