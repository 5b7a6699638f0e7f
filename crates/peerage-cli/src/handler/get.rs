//! `get`: from peers to the user's files.

use std::path::Path;

use peerage::{
    exchange::download::{GetError, GetEvent, Got as Delivered, Provider},
    link::Target,
    routing::PeerAddresses,
    session::GetOptions,
};
use tokio::sync::mpsc;

use crate::{
    context::Context,
    event::{Event, Got},
    failure::{Code, Failure},
    host::{Host, store_failure},
    limits::MAX_WAITING_EVENTS,
    target::parse_target,
};

/// What the user allows the content to become, where that is said.
#[derive(Clone, Copy)]
pub(super) struct Most {
    /// Files, folders and links.
    pub(super) files: Option<u64>,
    /// Bytes of all files.
    pub(super) bytes: Option<u64>,
}

/// Gets what `text` names into the folder `output`.
///
/// # Errors
///
/// When it does not arrive whole; what has arrived is kept.
pub(super) async fn get(
    host: &Host,
    text: &str,
    output: &Path,
    peers: &[String],
    most: Most,
    context: &Context,
) -> Result<(), Failure> {
    let target: Target = text.parse().map_err(|error| bad_target(&error))?;
    let extra = peers.iter().map(|peer| provider(peer)).collect::<Result<Vec<_>, _>>()?;
    let options = GetOptions { extra, max_files: most.files, max_bytes: most.bytes };
    context.say(found(&target)).await;
    let (events, mut received) = mpsc::channel(MAX_WAITING_EVENTS);
    let stop = context.stop().clone();
    let getting = host.session().get(&target, output.to_path_buf(), options, events, stop);
    let telling = async {
        while let Some(event) = received.recv().await {
            context.say_all(translate(event)).await;
        }
    };
    let (outcome, ()) = tokio::join!(getting, telling);
    match outcome {
        Ok(delivered) => {
            context.say(Event::Got(got(&target, delivered))).await;
            Ok(())
        }
        Err(GetError::Cancelled) => {
            let resume = Some(command(text, output, peers, most));
            context.say(Event::Interrupted { resume }).await;
            Err(Failure::interrupted())
        }
        Err(error) => Err(failure(&error)),
    }
}

fn bad_target(error: &peerage::link::LinkError) -> Failure {
    Failure::of(Code::BadTarget, error)
}

fn provider(text: &str) -> Result<Provider, Failure> {
    let PeerAddresses { peer, addresses } = parse_target(text, &[])?;
    Ok(Provider { peer, addresses })
}

fn found(target: &Target) -> Event {
    let name = target.name().map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
    let name = name.unwrap_or_else(|| target.cid().to_string());
    Event::Found { name, bytes: target.size() }
}

/// The library's event in the command's words.
fn translate(event: GetEvent) -> Option<Event> {
    Some(match event {
        GetEvent::Connecting { peer } => Event::Connecting { peer: peer.to_string() },
        GetEvent::Connected { peer, path, exchange } => {
            Event::Connected { peer: peer.to_string(), path, exchange: exchange.to_owned() }
        }
        GetEvent::ProviderLost { peer, reason, again } => {
            Event::ProviderLost { peer: peer.to_string(), reason, again }
        }
        GetEvent::Resumed { bytes } => Event::Verified { bytes },
        GetEvent::Progress(progress) => Event::Progress {
            bytes: progress.bytes,
            total: progress.total,
            files: progress.files,
            rate: progress.rate,
        },
        GetEvent::TakenOver { from, to } => {
            Event::TakenOver { from: from.to_string(), to: to.to_string() }
        }
        _ => return None,
    })
}

fn got(target: &Target, delivered: Delivered) -> Got {
    Got {
        path: delivered.path.to_string_lossy().into_owned(),
        cid: target.cid().to_string(),
        files: delivered.files,
        bytes: delivered.bytes,
        resumed: delivered.resumed,
        milliseconds: u64::try_from(delivered.elapsed.as_millis()).unwrap_or(u64::MAX),
    }
}

/// The command that continues.
fn command(target: &str, output: &Path, peers: &[String], most: Most) -> String {
    let mut command =
        format!("peerage get {} -o {}", quoted(target), quoted(&output.to_string_lossy()));
    for peer in peers {
        command.push_str(&format!(" --peer {}", quoted(peer)));
    }
    for (flag, number) in [("--max-files", most.files), ("--max-size", most.bytes)] {
        if let Some(number) = number {
            command.push_str(&format!(" {flag} {number}"));
        }
    }
    command
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn failure(error: &GetError) -> Failure {
    let code = match error {
        GetError::OutputExists { .. }
        | GetError::DiskFull { .. }
        | GetError::NoRoom { .. }
        | GetError::Write { .. } => Code::CannotWrite,
        GetError::AlreadyRunning { .. } => Code::HomeInUse,
        GetError::Store(error) => return store_failure(error),
        GetError::NoProvider { .. } | GetError::NotFound { .. } => Code::NotFound,
        GetError::Unreachable { .. } => Code::Unreachable,
        GetError::WrongBytes { .. } | GetError::Malformed { .. } => Code::Corrupt,
        _ => Code::Unexpected,
    };
    Failure::of(code, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_continues_survives_a_shell() {
        let most = Most { files: None, bytes: Some(7) };
        let peers = ["/ip4/1.2.3.4".to_owned()];
        let command = command("peerage:1/x", Path::new("/it's here"), &peers, most);
        let expected =
            r"peerage get 'peerage:1/x' -o '/it'\''s here' --peer '/ip4/1.2.3.4' --max-size 7";
        assert_eq!(command, expected);
    }
}
