//! The version of HTTP that a client speaks, by the first bytes that it sends.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IoSlice};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// The bytes with which a client begins that speaks HTTP/2 (RFC 9113, section 3.4), after TLS or without.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The version that a connection is served in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    Http1,
    Http2,
}

/// Reads as many bytes as it takes to know the version: one byte for most clients.
///
/// # Errors
///
/// Those of the connection.
pub(super) async fn detect<Io: AsyncRead + Unpin>(mut io: Io) -> io::Result<(Spoken, Replayed<Io>)> {
    let (mut begin, mut len) = ([0; PREFACE.len()], 0);
    // Until a byte differs, and no longer: a client of HTTP/1 may send less than a preface, and then wait.
    while len < begin.len() && begin[..len] == PREFACE[..len] {
        match io.read(&mut begin[len..]).await? {
            0 => break,
            read => len += read,
        }
    }
    let spoken = if begin[..len] == PREFACE[..] { Spoken::Http2 } else { Spoken::Http1 };
    Ok((spoken, Replayed { io, begin, at: 0, len }))
}

/// A connection whose first bytes were read, and are there to be read again.
#[derive(Debug)]
pub(super) struct Replayed<Io> {
    io: Io,
    begin: [u8; PREFACE.len()],
    at: usize,
    len: usize,
}

impl<Io: AsyncRead + Unpin> AsyncRead for Replayed<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.at == this.len {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let part = (this.len - this.at).min(buf.remaining());
        buf.put_slice(&this.begin[this.at..this.at + part]);
        this.at += part;
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Replayed<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
    use std::vec::Vec;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test]
    async fn version_is_known_by_the_preface_and_all_bytes_are_read_again() {
        let later = [&PREFACE[..], b"SETTINGS"].concat();
        for (sent, expected) in [
            (&later[..], Spoken::Http2),
            (PREFACE, Spoken::Http2),
            (&PREFACE[..23], Spoken::Http1),
            (b"", Spoken::Http1),
            (b"P", Spoken::Http1),
            (b"POST / HTTP/1.1\r\n", Spoken::Http1),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", Spoken::Http1),
        ] {
            // One byte at a time.
            let (mut client, server) = tokio::io::duplex(1);
            let (_, (spoken, read)) = tokio::join!(
                async move {
                    client.write_all(sent).await.expect("it is taken");
                    client.shutdown().await.expect("it ends");
                },
                async {
                    let (spoken, mut replayed) = detect(server).await.expect("it is read");
                    let mut read = Vec::new();
                    replayed.read_to_end(&mut read).await.expect("it is read");
                    (spoken, read)
                }
            );
            assert_eq!(spoken, expected, "{sent:?}");
            assert_eq!(read, sent);
        }
    }
}
