//! The threads of cards. A message of the outbox says that a request has news for its threads; what they lack is found when it is
//! delivered, so that each line is posted once (docs/decisions.md D31).

use super::Workers;
use super::outbox::LEASE_DURATION;
use super::undelivered::Undelivered;
use crate::app::{RequestRef, WaitingDetails};
use crate::domain::id::RequestId;
use crate::domain::people::Directory;
use crate::domain::request_details::RequestDetails;
use crate::domain::thread::PostedLines;
use crate::slack::api::channels::Audience;
use crate::slack::ui;
use crate::store::Thread;

/// How far the threads of a request are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// They have everything.
    Current,
    /// A card is not posted yet, or another worker posts in its thread.
    Waiting,
}

/// What the threads of a request should have.
struct Content<'a> {
    shown: &'a RequestDetails,
    waiting: Option<&'a WaitingDetails>,
    directory: &'a Directory,
}

impl Content<'_> {
    /// The number of the latest reminder, while the request waits.
    fn reminder(&self) -> u32 {
        self.waiting.map_or(0, |waiting| waiting.done.reminders)
    }

    fn is_in(&self, posted: &PostedLines) -> bool {
        posted
            .missing(&self.shown.decisions, self.directory)
            .is_empty()
            && posted.reminder >= self.reminder()
    }

    /// What a thread lacks, and what it has once that is posted; `None` if it lacks nothing.
    fn beyond(
        &self,
        posted: &PostedLines,
        audience: Audience,
    ) -> Option<(ui::Message, PostedLines)> {
        if self.is_in(posted) {
            return None;
        }
        let missing = posted.missing(&self.shown.decisions, self.directory);
        let waiting = self.waiting.filter(|_| posted.reminder < self.reminder());
        let lines = ui::thread::lines(self.shown, &missing, waiting, audience);
        Some((lines, posted.with(&missing, self.reminder())))
    }
}

impl Workers {
    /// Posts what the threads of a request lack. A thread that fails keeps no other one back.
    pub(super) async fn deliver_threads(
        &self,
        request: &RequestId,
    ) -> Result<Threads, Undelivered> {
        let threads = self.app.threads(request).await?;
        if threads.is_empty() {
            return Ok(Threads::Current);
        }
        let shown = self.app.show(&RequestRef::Id(request.clone())).await?;
        let waiting = self.app.waiting(request).await?;
        let config = self.app.compiled_config().await?;
        let content = Content {
            shown: &shown,
            waiting: waiting.as_ref(),
            directory: config.directory(),
        };
        let (mut state, mut failed) = (Threads::Current, None);
        for thread in &threads {
            match self.post_in(thread, &content).await {
                Ok(Threads::Current) => {}
                Ok(Threads::Waiting) => state = Threads::Waiting,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(state), Err)
    }

    async fn post_in(
        &self,
        thread: &Thread,
        content: &Content<'_>,
    ) -> Result<Threads, Undelivered> {
        let (request, channel) = (&content.shown.request.id, &thread.channel);
        if content.is_in(&thread.posted) {
            return Ok(Threads::Current);
        }
        let Some(ts) = &thread.ts else {
            // a card that was given up has no thread
            let waits = thread.is_due;
            return Ok(if waits {
                Threads::Waiting
            } else {
                Threads::Current
            });
        };
        let audience = self.audience(channel).await?;
        let until = self.app.now().plus(LEASE_DURATION);
        let Some(held) = self.app.hold_thread(request, channel, until).await? else {
            return Ok(Threads::Waiting);
        };
        let (outcome, posted) = match content.beyond(&held.posted, audience) {
            None => (Ok(()), None),
            Some((lines, posted)) => {
                let outcome = self.slack.post_message(channel.as_str(), &lines, Some(ts));
                (outcome.await.map(|_| ()), Some(posted))
            }
        };
        let posted = posted.filter(|_| outcome.is_ok());
        self.app
            .release_thread(request, channel, &held, posted.as_ref())
            .await?;
        match outcome {
            // the card is gone, and its thread with it; a notice is a courtesy
            Err(error) if error.is_without_thread() => Ok(Threads::Current),
            Err(error) if thread.is_of_notice && error.closes_channel() => Ok(Threads::Current),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(Threads::Current),
        }
    }
}
