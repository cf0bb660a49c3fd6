//! Bodies that end as they should, and bodies that do not.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// When all of it has come.
    Whole,
    /// With the connection, before all of it has come.
    Cut,
    /// Not at all, and nothing more comes.
    Never,
    /// Not at all: it comes again and again.
    Repeats,
}

/// Some bytes, and an end.
pub(super) struct Scripted {
    bytes: Bytes,
    end: End,
    step: Step,
}

#[derive(PartialEq, Eq)]
enum Step {
    Begin,
    Sent,
    Flushed,
}

impl Scripted {
    /// A body that repeats itself repeats a kibibyte, whatever `bytes` are.
    pub(super) fn new(bytes: Vec<u8>, end: End) -> Self {
        let bytes = match end {
            End::Repeats => Bytes::from(vec![b'x'; 1024]),
            _ => Bytes::from(bytes),
        };
        Self {
            bytes,
            end,
            step: Step::Begin,
        }
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.step == Step::Begin && !self.bytes.is_empty() {
            if self.end != End::Repeats {
                self.step = Step::Sent;
            }
            return Poll::Ready(Some(Ok(Frame::data(self.bytes.clone()))));
        }
        match self.end {
            End::Whole | End::Repeats => Poll::Ready(None),
            End::Never => Poll::Pending,
            // What was sent reaches the wire while this waits for its next turn.
            End::Cut if self.step != Step::Flushed => {
                self.step = Step::Flushed;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            End::Cut => Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.end == End::Whole && (self.step != Step::Begin || self.bytes.is_empty())
    }

    /// The Content-Length comes from this: one byte more than there is where not all comes, none
    /// where there is no end.
    fn size_hint(&self) -> SizeHint {
        let length = u64::try_from(self.bytes.len()).unwrap();
        match self.end {
            End::Whole => SizeHint::with_exact(length),
            End::Cut | End::Never => SizeHint::with_exact(length + 1),
            End::Repeats => SizeHint::new(),
        }
    }
}

/// An answer cannot fail to be made: what goes wrong goes wrong on its way.
pub(super) type Answer = Result<hyper::Response<Scripted>, Infallible>;
