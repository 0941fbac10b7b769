//! Connections in TLS. Certificates and keys of `certificates/` are for these tests alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eventful::http::{InvalidTls, Limits, Tls, TlsFiles, serve};
use eventful::{Attempt, Event, Eventful, Failure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

#[tokio::test]
async fn event_is_accepted_in_tls_in_both_versions() {
    let server = TlsServer::start("first").await;
    let mut stream = server.connect("first", b"http/1.1").await.expect("a handshake");
    let request = "POST /v1/events HTTP/1.1\r\nhost: localhost\r\nidempotency-key: a\r\nconnection: close\r\n\
                   content-length: 1\r\n\r\nx";
    stream.write_all(request.as_bytes()).await.expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer that ends in order");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");

    let stream = server.connect("first", b"h2").await.expect("a handshake");
    let (mut client, connection) = h2::client::handshake(stream).await.expect("a connection");
    let connection = tokio::spawn(connection);
    let request = http::Request::get("https://localhost/v1/events/a").body(()).expect("a request");
    let (response, _) = client.send_request(request, true).expect("it is sent");
    assert_eq!(response.await.expect("an answer").status(), 200);
    drop(client);
    connection.await.expect("no panic").expect("it ends in order");
}

#[tokio::test]
async fn new_connections_see_files_that_were_read_again() {
    let server = TlsServer::start("first").await;
    let before = server.connect("first", b"http/1.1").await.expect("a handshake");
    server.put("second", "second");
    assert!(server.connect("first", b"http/1.1").await.is_ok(), "they are read when that is asked for");
    server.tls.reload().expect("they go together");
    assert!(server.connect("first", b"http/1.1").await.is_err());
    assert!(server.connect("second", b"http/1.1").await.is_ok());
    assert_eq!(get(before).await, 200, "open connections stay");
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_ones_from_before() {
    let server = TlsServer::start("first").await;
    server.put("first", "second");
    let error = server.tls.reload().expect_err("they do not go together");
    assert!(matches!(error, InvalidTls::Pair { .. }) && error.to_string().contains("give the key"), "{error}");
    for (file, text) in [("crt", ""), ("crt", "no certificate"), ("key", "no key")] {
        server.put("first", "first");
        std::fs::write(server.directory.path().join(file), text).expect("a file");
        let error = server.tls.reload().expect_err("it is none").to_string();
        assert!(error.contains(&format!("/{file} cannot be used")) && error.contains("give a file in PEM"), "{error}");
    }
    std::fs::remove_file(server.directory.path().join("key")).expect("it is there");
    assert!(server.tls.reload().is_err());
    assert!(server.connect("first", b"http/1.1").await.is_ok());
}

#[tokio::test]
async fn clients_that_speak_no_tls_or_wait_hold_up_no_other() {
    let server = TlsServer::start("first").await;
    let mut silent = TcpStream::connect(server.address).await.expect("a connection");
    let mut plain = TcpStream::connect(server.address).await.expect("a connection");
    plain.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("it is taken");
    let mut rest = Vec::new();
    // What comes, an alert, is no HTTP.
    let _ended = plain.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"HTTP"));
    assert_eq!(get(server.connect("first", b"http/1.1").await.expect("a handshake")).await, 200);
    // Half a handshake is bounded as a head is.
    let _ended = silent.read_to_end(&mut rest).await;
}

struct TlsServer {
    tls: Tls,
    directory: tempfile::TempDir,
    address: std::net::SocketAddr,
}

impl TlsServer {
    async fn start(name: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        put(directory.path(), name, name);
        let files = TlsFiles { certificates: directory.path().join("crt"), key: directory.path().join("key") };
        let tls = Tls::new(files).expect("they go together");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let eventful = Eventful::builder().start(succeed).expect("it starts");
        let mut limits = Limits::default();
        limits.header_timeout = Duration::from_secs(1);
        tokio::spawn(serve(tls.listener(listener), eventful, limits, std::future::pending()));
        Self { tls, directory, address }
    }

    fn put(&self, certificate: &str, key: &str) {
        put(self.directory.path(), certificate, key);
    }

    /// A connection of a client that believes this certificate.
    async fn connect(&self, believed: &str, version: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(certificates().join(format!("{believed}.crt")));
        roots.add(certificate.expect("a certificate")).expect("it can be believed");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![version.to_vec()];
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(version));
        Ok(stream)
    }
}

async fn succeed(_: Event, _: Attempt) -> Result<(), Failure> {
    Ok(())
}

async fn get(mut stream: TlsStream<TcpStream>) -> u16 {
    let request = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

fn put(directory: &Path, certificate: &str, key: &str) {
    for (from, to) in [(format!("{certificate}.crt"), "crt"), (format!("{key}.key"), "key")] {
        std::fs::copy(certificates().join(from), directory.join(to)).expect("a copy");
    }
}

fn certificates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates")
}
