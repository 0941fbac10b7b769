//! Connections that know whether they were used before, and whether an answer has begun.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::Uri;
use hyper::http::Extensions;
use hyper_util::client::legacy::Error;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_service::Service;

/// A connector whose connections are watched, with the real connector inside.
#[derive(Debug, Clone)]
pub(crate) struct WatchedConnector<C>(pub(crate) C);

/// The activity of a connection, also after its end.
#[derive(Debug, Clone, Default)]
struct Sight(Arc<ConnectionActivity>);

#[derive(Debug, Default)]
struct ConnectionActivity {
    /// True if a response came and another request was written after it.
    is_reused: AtomicBool,
    /// True if anything was read since a request was last written.
    is_answering: AtomicBool,
}

/// Returns whether a request failed because its connection, used before, was closed without a byte of an
/// answer: most likely it was closed before the request arrived.
pub(crate) fn is_stale(error: &Error) -> bool {
    let mut extensions = Extensions::new();
    error.connect_info().into_iter().for_each(|info| info.get_extras(&mut extensions));
    extensions.get::<Sight>().is_some_and(Sight::is_stale)
}

impl Sight {
    fn is_stale(&self) -> bool {
        // Both, since a server that has begun to answer has taken the request.
        self.0.is_reused.load(Ordering::Acquire) && !self.0.is_answering.load(Ordering::Acquire)
    }

    fn note_read(&self) {
        self.0.is_answering.store(true, Ordering::Release);
    }

    /// HTTP/1.1 without pipelining: bytes that are written after a response are another request.
    fn note_written(&self) {
        // A write after a read begins the next request on the same connection.
        if self.0.is_answering.swap(false, Ordering::AcqRel) {
            self.0.is_reused.store(true, Ordering::Release);
        }
    }
}

impl<C> Service<Uri> for WatchedConnector<C>
where
    C: Service<Uri>,
    C::Response: hyper::rt::Read + hyper::rt::Write + Connection + Unpin,
    C::Future: Send + 'static,
{
    type Response = TokioIo<WatchedConnection<TokioIo<C::Response>>>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            let io = TokioIo::new(connecting.await?);
            Ok(TokioIo::new(WatchedConnection { io, sight: Sight::default() }))
        })
    }
}

/// A connection that is watched.
#[derive(Debug)]
pub(crate) struct WatchedConnection<Io> {
    io: Io,
    sight: Sight,
}

impl<Io: Connection> Connection for WatchedConnection<TokioIo<Io>> {
    fn connected(&self) -> Connected {
        self.io.inner().connected().extra(self.sight.clone())
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for WatchedConnection<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        // The end of the stream is read, too, as zero bytes: that is no answer.
        if buf.filled().len() > before {
            self.sight.note_read();
        }
        read
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for WatchedConnection<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.sight.note_written();
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.sight.note_written();
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_is_stale_when_used_before_and_silent() {
        let sight = Sight::default();
        let mut stale = vec![sight.is_stale()];
        for written in [true, false, true, false] {
            if written {
                sight.note_written()
            } else {
                sight.note_read()
            }
            stale.push(sight.is_stale());
        }
        assert_eq!(stale, [false, false, false, true, false]);
    }
}
