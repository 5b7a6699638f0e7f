//! The loop that moves frames between two interfaces, as their lines say.

use std::{io, os::fd::AsFd as _, time::Instant};

use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::{prctl::set_timerslack, time::TimeSpec},
};

use crate::{conditions::Conditions, line::Line, port::Port};

/// Room for one frame: the largest that IP makes, and its header.
const MAX_FRAME: usize = 70_000;

/// How many frames are taken from one side before the other has its turn.
const BATCH: usize = 256;

/// Carries frames between two interfaces until an error ends it.
pub(crate) fn carry(one: &str, other: &str, conditions: Conditions, seed: u64) -> io::Result<()> {
    let ports = [Port::open(one)?, Port::open(other)?];
    // The line at an index starts at the port there, and ends at the other.
    let mut lines = [Line::new(conditions, seed), Line::new(conditions, !seed)];
    // Wakes when asked to, and not up to 50 us later.
    set_timerslack(1)?;
    println!("ready");
    let mut buffer = vec![0; MAX_FRAME];
    loop {
        let now = Instant::now();
        for (line, end) in lines.iter_mut().zip(ports.iter().rev()) {
            while let Some(frame) = line.leave(now) {
                end.send(&frame);
            }
        }
        wait(&ports, lines.iter().filter_map(Line::next_arrival).min())?;
        for (line, start) in lines.iter_mut().zip(&ports) {
            take(start, line, &mut buffer)?;
        }
    }
}

/// Waits for a frame on either port, or for a time.
fn wait(ports: &[Port; 2], until: Option<Instant>) -> io::Result<()> {
    let mut waiting = ports.each_ref().map(|port| PollFd::new(port.as_fd(), PollFlags::POLLIN));
    let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
    ppoll(&mut waiting, timeout.map(TimeSpec::from_duration), None)?;
    Ok(())
}

fn take(start: &Port, line: &mut Line, buffer: &mut [u8]) -> io::Result<()> {
    for _ in 0..BATCH {
        let Some(length) = start.receive(buffer)? else { break };
        line.enter(&buffer[..length], Instant::now());
    }
    Ok(())
}
