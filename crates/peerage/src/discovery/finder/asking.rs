//! One look-up by all ways at once, or a watch of many.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::limits::MAX_FINDINGS_PER_LOOK_UP;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use peerage_core::discovery::{Finding, Findings, Key, Outcome};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    super::{Way, WayError, WayName},
    Answer, Entry, Finder, Found, LOOK_UP_TIME,
    status::Tally,
};

/// How often a way is asked again that cannot tell of news by itself.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// How many answers wait to be put together; the ways wait when there are more.
const WAITING_ANSWERS: usize = 64;

/// A look-up or a watch that runs.
pub(super) struct Asking {
    finder: Finder,
    key: Key,
    /// What this look-up has found so far.
    merged: Findings,
    answers: mpsc::Receiver<Said>,
    /// One for each way; ended when this is dropped.
    _tasks: JoinSet<()>,
}

/// What a way says, and when.
struct Said {
    way: WayName,
    tally: Arc<Tally>,
    took: Duration,
    what: What,
}

enum What {
    Found(Finding),
    Failed(WayError),
    Ended(usize),
}

impl Asking {
    pub(super) fn once(finder: &Finder, key: &Key) -> Self {
        Self::begin(finder, key, |way, key, teller| async move { ask(&way, &key, &teller).await })
    }

    pub(super) fn for_long(finder: &Finder, key: &Key) -> Self {
        Self::begin(finder, key, |way, key, teller| async move {
            loop {
                tokio::join!(ask(&way, &key, &teller), listen(&way, &key, &teller));
                sleep(ASK_AGAIN).await;
            }
        })
    }

    fn begin<F>(finder: &Finder, key: &Key, run: impl Fn(Arc<dyn Way>, Key, Teller) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        finder.sweep();
        let (sender, answers) = mpsc::channel(WAITING_ANSWERS);
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for Entry { way, tally } in finder.entries() {
            let teller = Teller { way: way.name(), tally, began, sender: sender.clone() };
            tasks.spawn(run(way, key.clone(), teller));
        }
        let (finder, key) = (finder.clone(), key.clone());
        Self { finder, key, merged: Findings::default(), answers, _tasks: tasks }
    }

    pub(super) fn into_stream(self) -> BoxStream<'static, Answer> {
        let next = |mut asking: Self| async move {
            let answer = asking.next().await?;
            Some((answer, asking))
        };
        stream::unfold(self, next).boxed()
    }

    async fn next(&mut self) -> Option<Answer> {
        let stop = self.finder.inner.stop.clone();
        loop {
            let said = tokio::select! {
                said = self.answers.recv() => said?,
                () = stop.cancelled() => return None,
            };
            if let Some(answer) = self.judge(said) {
                return Some(answer);
            }
        }
    }

    /// What there is to tell of something that a way says.
    fn judge(&mut self, said: Said) -> Option<Answer> {
        let Said { way, tally, took, what } = said;
        match what {
            What::Found(finding) => self.found(way, &tally, took, finding).map(Answer::Found),
            What::Failed(error) => {
                tally.failed(&error);
                Some(Answer::Failed { way, error, took })
            }
            What::Ended(findings) => Some(Answer::Ended { way, findings, took }),
        }
    }

    fn found(
        &mut self,
        way: WayName,
        tally: &Tally,
        took: Duration,
        finding: Finding,
    ) -> Option<Found> {
        if finding.peer == self.finder.inner.own {
            return None;
        }
        tally.found();
        let outcome = self.outcome(way, &finding);
        match outcome {
            Outcome::Unchanged => return None,
            Outcome::Refused(_) => {
                tracing::debug!(%way, peer = %finding.peer, ?outcome, "a finding was refused");
                tally.refused();
                return None;
            }
            _ => {}
        }
        let Finding { peer, addresses, record } = finding;
        let suggested = suggests(way, &self.key);
        let found = Found { way, took, peer, addresses, record, outcome, suggested };
        if !found.addresses.is_empty() {
            (self.finder.inner.learn)(&found);
        }
        Some(found)
    }

    fn outcome(&mut self, way: WayName, finding: &Finding) -> Outcome {
        if matches!(self.key, Key::Peer(wanted) if wanted != finding.peer) {
            return Outcome::Refused(peerage_core::discovery::Refusal::AnotherPeer);
        }
        match self.finder.note(way, finding) {
            Ok(()) => self.merged.take(way, finding, self.finder.inner.began.elapsed()),
            Err(refusal) => Outcome::Refused(refusal),
        }
    }
}

/// Whether a way knows only who is there, and not who has what.
const fn suggests(way: WayName, key: &Key) -> bool {
    matches!((way, key), (WayName::Lan | WayName::Static, Key::Content(_)))
}

/// Where a way's answers go.
struct Teller {
    way: WayName,
    tally: Arc<Tally>,
    began: Instant,
    sender: mpsc::Sender<Said>,
}

impl Teller {
    async fn tell(&self, what: What) {
        let (tally, took) = (Arc::clone(&self.tally), self.began.elapsed());
        // Nobody listens any more when this fails, and the task is ended soon.
        drop(self.sender.send(Said { way: self.way, tally, took, what }).await);
    }
}

/// Asks a way once, within the bounds of time and number.
async fn ask(way: &Arc<dyn Way>, key: &Key, teller: &Teller) {
    let mut findings = 0;
    let answering = async {
        let mut answers = way.look_up(key).take(MAX_FINDINGS_PER_LOOK_UP);
        while let Some(answer) = answers.next().await {
            findings += usize::from(answer.is_ok());
            teller.tell(answer.map_or_else(What::Failed, What::Found)).await;
        }
    };
    if timeout(LOOK_UP_TIME, answering).await.is_err() {
        teller.tell(What::Failed(WayError::TimedOut(LOOK_UP_TIME))).await;
    }
    teller.tell(What::Ended(findings)).await;
}

/// Passes on a way's news, if it has any.
async fn listen(way: &Arc<dyn Way>, key: &Key, teller: &Teller) {
    let Some(mut news) = way.watch(key) else { return };
    while let Some(finding) = news.next().await {
        teller.tell(What::Found(finding)).await;
    }
}
