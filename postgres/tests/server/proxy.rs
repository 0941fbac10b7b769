//! A proxy before a server, which cuts connections and holds back bytes.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use eventful_postgres::Database;

use crate::start::PostgresServer;

/// A proxy. Its threads end with the connections.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<(Mutex<ProxyState>, Condvar)>,
}

#[derive(Debug, Default)]
struct ProxyState {
    /// Connections whose bytes are held back: the first ones that were made, so many.
    held_requests: usize,
    held_responses: usize,
    connections: Vec<(TcpStream, UnixStream)>,
    /// Connections that were made.
    made: usize,
}

impl Proxy {
    /// A proxy before this server, that passes everything on.
    pub(crate) fn before(server: &PostgresServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let proxy = Self { address, state: Arc::default() };
        let (accepting, socket) = (proxy.clone(), server.socket().join(".s.PGSQL.5432"));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                accepting.connect(client, &socket);
            }
        });
        proxy
    }

    fn connect(&self, client: TcpStream, socket: &PathBuf) {
        let Ok(server) = UnixStream::connect(socket) else { return };
        let copy = || Some((client.try_clone().ok()?, server.try_clone().ok()?));
        let (Some((mut requests, mut to)), Some((mut back, mut responses))) = (copy(), copy()) else { return };
        let (there, here) = (self.clone(), self.clone());
        let number = self.edit(|state| {
            state.connections.push((client, server));
            state.made += 1;
            state.made
        });
        thread::spawn(move || there.pass(&mut requests, &mut to, |state| number <= state.held_requests));
        thread::spawn(move || here.pass(&mut responses, &mut back, |state| number <= state.held_responses));
    }

    /// Copies bytes until an end closes, and waits while they are held back.
    fn pass(&self, from: &mut dyn std::io::Read, to: &mut dyn std::io::Write, holds: impl Fn(&ProxyState) -> bool) {
        let mut bytes = [0; 16 << 10];
        while let Ok(count) = from.read(&mut bytes)
            && count > 0
        {
            let (lock, changed) = &*self.state;
            let state = lock.lock().unwrap_or_else(PoisonError::into_inner);
            drop(changed.wait_while(state, |state| holds(state)));
            if to.write_all(&bytes[..count]).is_err() {
                return;
            }
        }
    }

    fn edit<T>(&self, change: impl FnOnce(&mut ProxyState) -> T) -> T {
        let (lock, changed) = &*self.state;
        let changed_state = change(&mut lock.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
        changed_state
    }

    /// The database, through the proxy.
    pub(crate) fn database(&self) -> Database {
        format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.address.port()).parse().expect("a URL")
    }

    /// Holds back what clients send, of all connections.
    pub(crate) fn hold_requests(&self) {
        self.edit(|state| state.held_requests = usize::MAX);
    }

    /// Holds back what the server sends, of all connections.
    pub(crate) fn hold_responses(&self) {
        self.edit(|state| state.held_responses = usize::MAX);
    }

    /// Holds back what clients send on the connections that there are. New ones pass everything on.
    pub(crate) fn hold_requests_of_made(&self) {
        self.edit(|state| state.held_requests = state.made);
    }

    /// Holds back what the server sends on the connections that there are. New ones pass everything on.
    pub(crate) fn hold_responses_of_made(&self) {
        self.edit(|state| state.held_responses = state.made);
    }

    /// Passes everything on again.
    pub(crate) fn release(&self) {
        self.edit(|state| (state.held_requests, state.held_responses) = (0, 0));
    }

    /// Cuts all connections: what is held back is lost. New ones pass everything on.
    pub(crate) fn cut(&self) {
        let cut = self.edit(|state| std::mem::take(&mut state.connections));
        for (client, server) in cut {
            // One that has ended is cut already.
            let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
        }
        self.release();
    }

    /// Connections that were made so far.
    pub(crate) fn made(&self) -> usize {
        self.edit(|state| state.made)
    }
}
