//! Large answers are counted while they are sent: many slow readers together cannot take more memory than is set aside for them.

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Smaller answers are not counted: the server's own buffer takes them at once.
const SMALL: usize = 64 * 1024;
/// Memory is counted in units of this many bytes.
const UNIT: usize = 1024;

/// Memory that is set aside.
#[derive(Debug)]
pub struct Memory(Arc<Semaphore>);

impl Memory {
    /// So many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    /// Takes so many bytes until the permit is dropped; none while there is not enough.
    pub fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes / UNIT).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(units).ok()
    }
}

/// The answer, counted until the server has buffered its last part; none where there is no memory for it.
pub fn bounded(answer: Response, memory: &Memory) -> Option<Response> {
    let Some(size) = counted_size(&answer) else {
        return Some(answer);
    };
    let permit = memory.take(size)?;
    Some(in_parts(answer, Some(permit)))
}

/// The answer, counted as [`bounded`] does where there is memory for it, and sent all the same where there is none.
pub fn always_sent(answer: Response, memory: &Memory) -> Response {
    match counted_size(&answer) {
        Some(size) => in_parts(answer, memory.take(size)),
        None => answer,
    }
}

/// The size of an answer that is large enough to be counted.
fn counted_size(answer: &Response) -> Option<usize> {
    let size = answer.body().size_hint().exact()?;
    let size = usize::try_from(size).ok()?;
    (size > SMALL).then_some(size)
}

/// The answer, which keeps the permit until its last part is wanted.
fn in_parts(answer: Response, permit: Option<OwnedSemaphorePermit>) -> Response {
    answer.map(|body| {
        Body::new(Parts {
            body,
            rest: Bytes::new(),
            _permit: permit,
        })
    })
}

/// A body that is given in small parts, so that it is held until the last one is wanted.
struct Parts {
    body: Body,
    rest: Bytes,
    _permit: Option<OwnedSemaphorePermit>,
}

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else {
                return Poll::Ready(None);
            };
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => self.rest = data,
                Ok(Err(other)) => return Poll::Ready(Some(Ok(other))),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        let size = self.rest.len().min(SMALL);
        let part = self.rest.split_to(size); // shares the memory
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        let body = self.body.size_hint();
        let mut both = SizeHint::new();
        both.set_lower(rest.saturating_add(body.lower()));
        if let Some(upper) = body.upper() {
            both.set_upper(rest.saturating_add(upper));
        }
        both
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse as _;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn large_answers_take_memory_until_they_are_sent_r16() {
        let memory = Memory::new(200 * 1024);
        let text = "0123456789".repeat(15 * 1024);
        let answer = || text.clone().into_response();
        let first = bounded(answer(), &memory).expect("there is memory");
        assert_eq!(first.body().size_hint().exact(), Some(150 * 1024));
        assert!(bounded(answer(), &memory).is_none());
        assert!(bounded("small".into_response(), &memory).is_some());
        let mut body = first.into_body();
        let mut parts = Vec::new();
        while let Some(part) = body.frame().await {
            parts.push(part.expect("no error").into_data().expect("data"));
        }
        assert_eq!(parts.len(), 3);
        assert_eq!(parts.concat(), text.as_bytes());
        drop(body);
        assert!(bounded(answer(), &memory).is_some());
    }

    #[tokio::test]
    async fn the_answer_to_a_change_is_sent_although_there_is_no_memory_r16() {
        let memory = Memory::new(200 * 1024);
        let text = "0123456789".repeat(15 * 1024);
        let first = always_sent(text.clone().into_response(), &memory);
        assert!(
            bounded(text.clone().into_response(), &memory).is_none(),
            "the first one is counted"
        );
        let second = always_sent(text.clone().into_response(), &memory);
        let second = second.into_body().collect().await.expect("no error");
        assert_eq!(second.to_bytes(), text.as_bytes());
        drop(first);
        assert!(bounded(text.into_response(), &memory).is_some());
    }
}
