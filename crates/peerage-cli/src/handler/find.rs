//! `find`: which way finds what, and how long it takes.

use std::time::Duration;

use futures::StreamExt as _;
use peerage::discovery::{Answer, Found, Key, KeyError, Outcome};
use tokio::time::sleep;

use crate::{
    context::Context,
    event::{Event, FindingLine},
    failure::{Code, Failure},
    host::Host,
};

/// Looks for what `text` names by every way, for `wait` seconds or until every
/// way has answered.
///
/// # Errors
///
/// When it names nothing, there is no way, or nobody is found.
pub(super) async fn find(
    host: &Host,
    text: &str,
    wait: Option<u64>,
    context: &Context,
) -> Result<(), Failure> {
    let key = text.parse().map_err(|error| bad_key(text, &error))?;
    if key == Key::Peer(host.node().peer_id()) {
        let cause = "this peer id is that of this home itself";
        return Err(Failure::new(Code::BadTarget, cause, "look for another one"));
    }
    let finder = host.session().finder();
    if finder.is_empty() {
        return Err(nowhere());
    }
    let mut answers = match wait {
        None => finder.look_up(&key),
        Some(seconds) => finder.watch(&key).take_until(sleep(Duration::from_secs(seconds))).boxed(),
    };
    let mut found = false;
    loop {
        let next = async { Ok(answers.next().await) };
        let Some(answer) = context.unless_stopped(next).await? else { break };
        found |= matches!(answer, Answer::Found(_));
        context.say_all(event(answer)).await;
    }
    if found { Ok(()) } else { Err(nobody(text)) }
}

fn event(answer: Answer) -> Option<Event> {
    Some(match answer {
        Answer::Found(found) => Event::Finding(line(found)),
        Answer::Failed { way, error, took } => Event::WayFailed {
            way: way.to_string(),
            reason: error.to_string(),
            milliseconds: milliseconds(took),
        },
        Answer::Ended { way, findings, took } => {
            Event::WayEnded { way: way.to_string(), findings, milliseconds: milliseconds(took) }
        }
        _ => return None,
    })
}

fn line(found: Found) -> FindingLine {
    let outcome = match found.outcome {
        Outcome::New => "new",
        Outcome::Changed => "changed",
        _ => "confirmed",
    };
    FindingLine {
        peer: found.peer.to_string(),
        way: found.way.to_string(),
        milliseconds: milliseconds(found.took),
        outcome: outcome.to_owned(),
        addresses: found.addresses.iter().map(ToString::to_string).collect(),
        signed: found.record.is_some(),
        suggested: found.suggested,
    }
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

fn bad_key(text: &str, error: &KeyError) -> Failure {
    let cause = format!("{text:?} cannot be looked for: {error}");
    Failure { cause, ..Failure::of(Code::BadTarget, error) }
}

fn nowhere() -> Failure {
    Failure::new(
        Code::Usage,
        "this node has no way of finding peers",
        "leave out --no-discovery, or name a list of peers with --peers",
    )
}

fn nobody(text: &str) -> Failure {
    Failure::new(
        Code::NotFound,
        format!("no way has found {text:?}"),
        "check that the peer runs and that one way reaches both, or go on longer with --wait",
    )
}
