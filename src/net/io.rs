//! The bridge between tokio's byte streams and hyper's, for clients and servers: written with safe
//! code only, at the price of one copy.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::ReadBufCursor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is read from the socket at once, in bytes.
const CHUNK: usize = 16 * 1024;

/// A tokio stream that hyper can drive.
pub struct Io<T> {
    stream: T,
    scratch: Box<[u8]>,
}

impl<T> Io<T> {
    /// The same stream, with a buffer of 16 KiB.
    pub fn new(stream: T) -> Self {
        Self {
            stream,
            scratch: vec![0; CHUNK].into_boxed_slice(),
        }
    }
}

impl<T: AsyncRead + Unpin> hyper::rt::Read for Io<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, scratch } = &mut *self;
        let room = cursor.remaining().min(scratch.len());
        let (window, _) = scratch.split_at_mut(room);
        let mut read = ReadBuf::new(window);
        ready!(Pin::new(stream).poll_read(cx, &mut read))?;
        cursor.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> hyper::rt::Write for Io<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
