//! The body of an answer: a block, a text, or a CAR that is read while it is
//! sent.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use hyper::body::{Body, Frame as BodyFrame, SizeHint};
use peerage_core::routing::pool::Origin;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    frame::Frame,
    reader::{CarReader, ReadError},
    server::Account,
};
use crate::routing::{Share, SharedPool};

/// What an answer carries.
pub(super) enum Answer {
    /// A text or nothing at all.
    Text(Option<Bytes>),
    /// One block.
    Block(Option<Bytes>, Box<Account>),
    /// A CAR.
    Car(Box<CarBody>),
}

/// A CAR whose blocks are read on other threads: the next piece while one is
/// being sent, if memory allows.
pub(super) struct CarBody {
    state: State,
    /// The piece that was read before the answer began.
    first: Option<Frame>,
    read_ahead: SharedPool,
    origin: Origin,
    account: Account,
}

enum State {
    /// Waiting to be asked.
    Resting(Box<CarReader>),
    /// Another thread reads.
    Reading(JoinHandle<Step>, Option<Share>),
    Ended,
}

/// What a reading thread gives back.
type Step = (Box<CarReader>, Result<Option<Frame>, ReadError>);

impl CarBody {
    pub(super) fn new(
        first: Frame,
        reader: Box<CarReader>,
        (read_ahead, origin): (SharedPool, Origin),
        account: Account,
    ) -> Self {
        Self { state: State::Resting(reader), first: Some(first), read_ahead, origin, account }
    }

    /// Reads on while the piece just given is sent, unless too many answers do
    /// so already.
    fn read_on(&mut self) {
        if let Ok(share) = self.read_ahead.enter(&self.origin, 1) {
            self.start(Some(share));
        }
    }

    fn start(&mut self, permit: Option<Share>) {
        self.state = match mem::replace(&mut self.state, State::Ended) {
            State::Resting(reader) => State::Reading(spawn_blocking(|| reader.step()), permit),
            other => other,
        };
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, ReadError>>> {
        if let Some(first) = self.first.take() {
            self.read_on();
            return Poll::Ready(Some(Ok(first)));
        }
        if let Err(error) = ready!(self.account.poll_turn(cx)) {
            tracing::debug!(%error, "an answer was broken off");
            return Poll::Ready(Some(Err(error)));
        }
        self.start(None);
        let State::Reading(job, _permit) = &mut self.state else { return Poll::Ready(None) };
        let step = ready!(Pin::new(job).poll(cx));
        self.state = State::Ended;
        match step {
            Ok((reader, Ok(Some(frame)))) => {
                self.state = State::Resting(reader);
                self.read_on();
                Poll::Ready(Some(Ok(frame)))
            }
            Ok((_, Ok(None))) => {
                self.account.complete();
                Poll::Ready(None)
            }
            Ok((_, Err(error))) => {
                tracing::debug!(%error, "an answer was broken off");
                Poll::Ready(Some(Err(error)))
            }
            Err(join) if join.is_panic() => std::panic::resume_unwind(join.into_panic()),
            Err(_) => Poll::Ready(Some(Err(ReadError::Stopped))),
        }
    }
}

impl Body for Answer {
    type Data = Frame;
    type Error = ReadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Frame>, ReadError>>> {
        let frame = match &mut *self {
            Self::Text(text) => text.take().map(|text| Ok(text.into())),
            Self::Block(block, account) => block.take().map(|block| {
                account.sent(block.len());
                account.complete();
                Ok(block.into())
            }),
            Self::Car(car) => {
                let frame = ready!(car.poll_next(cx));
                if let Some(Ok(frame)) = &frame {
                    car.account.sent(frame.remaining());
                }
                frame
            }
        };
        Poll::Ready(frame.map(|frame| frame.map(BodyFrame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Text(None) | Self::Block(None, _))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(bytes) | Self::Block(bytes, _) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Car(_) => SizeHint::default(),
        }
    }
}
