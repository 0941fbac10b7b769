//! Clients that do harm, by the thousand: afterwards the server serves as before, in as much memory.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::process::{ServerChild, spawn_under};

/// Connections that are open at the same time and send nothing.
const IDLE: usize = 10_000;

/// Connections of each other kind, one after the other.
const EACH: usize = 500;

/// Attacks until memory has settled, and those after which it must not have grown.
const SETTLING: usize = 4;
const ATTACKS: usize = 4;

/// The least loss of each connection that counts: the least object of a connection has more, and what the allocator keeps
/// differed by 144 bytes of each in the worst of eleven runs.
const LEAK_BYTES: u64 = 512;

/// Bytes that begin a connection and then leave the server waiting, or are no request.
const SENT: [&[u8]; 8] = [
    b"POST /v1/ev",
    b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\nidempotency-key: a\r\ncontent-length: 1000000\r\n\r\nx",
    b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\nidempotency-key: a\r\ntransfer-encoding: chunked\r\n\r\nffff\r\nx",
    b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n{",
    b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n\0\0\0\0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x10\x01\0\0\0\0\x01\x82",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nHTTP/2 is something else",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
];

#[tokio::test]
async fn connections_of_an_attack_leave_no_memory_behind() {
    let idle = raise_limit();
    // One arena, whose free end is given back: how much several keep depends on how threads were scheduled.
    let allocator = "export MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=65536";
    let server = ServerChild::of(spawn_under(allocator, &["--max-connections", "11000"])).await;
    // The allocator keeps what an attack needed at its height, which differs from one to the next.
    let mut settled = 0;
    for _ in 0..SETTLING {
        attack(&server, idle).await;
        settled = memory_kib(&server).max(settled);
    }
    for _ in 0..ATTACKS {
        attack(&server, idle).await;
    }
    let (after, connections) = (memory_kib(&server), ATTACKS * (idle + SENT.len() * EACH));
    let lost = after.saturating_sub(settled) * 1024 / connections as u64;
    assert!(lost < LEAK_BYTES, "{settled} KiB, then {after} KiB after {connections} more connections");
    let stats = server.send("GET", "/v1/stats", "", "").await;
    assert!(stats.contains("\"events_accepted_total\":0"), "nothing was taken: {stats}");
    let taken = server.send("POST", "/v1/events", "idempotency-key: after\r\n", "x").await;
    assert!(taken.contains("accepted"), "{taken}");
}

async fn attack(server: &ServerChild, connections: usize) {
    let own = server.open_files();
    let mut idle = Vec::new();
    for _ in 0..connections {
        idle.push(TcpStream::connect(&server.address).await.expect("a connection"));
    }
    assert!(server.send("GET", "/livez", "", "").await.contains("200 OK"), "it serves beside them");
    drop(idle);
    let mut halves = Vec::new();
    for sent in SENT {
        for _ in 0..EACH {
            let mut client = TcpStream::connect(&server.address).await.expect("a connection");
            client.write_all(sent).await.expect("it is taken");
            halves.push(client);
        }
    }
    drop(halves);
    // Each call takes a while, in which connections end.
    for _ in 0..100_000 {
        server.send("GET", "/livez", "", "").await;
        if server.open_files() <= own + 16 {
            return;
        }
    }
    panic!("{} files are open, {own} were before", server.open_files());
}

/// The memory of the server that is in use.
fn memory_kib(server: &ServerChild) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Lets this process open as many files as the connections need, and returns how many of these there can be.
fn raise_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("a higher limit");
    // Half is left to the tests beside this one.
    let most = maximum.and_then(|most| usize::try_from(most / 2).ok());
    most.map_or(IDLE, |most| most.min(IDLE))
}
