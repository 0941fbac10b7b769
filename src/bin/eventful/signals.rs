//! Signals that ask for the end.

use std::io;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::Signal as Number;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The signal of a terminal that closes, and of an operator who has changed a file.
const HANGUP: &str = "SIGHUP";

/// The exit code of a program that a second signal ended.
pub(crate) const INTERRUPTED: u8 = 130;

/// The longest time that the program may take to end after the second signal. Then it is ended.
const LAST_RESORT: Duration = Duration::from_secs(2);

/// The signals that ask for the end, from now on: SIGINT, SIGTERM, SIGQUIT and SIGHUP.
///
/// A thread of its own waits for them, so that the second one ends the program whatever holds up the others.
#[derive(Debug)]
pub(crate) struct Signals(UnboundedReceiver<&'static str>);

impl Signals {
    /// With something to reload, SIGHUP asks for that instead.
    pub(crate) fn listen(reload: Option<impl Fn() + Send + 'static>) -> anyhow::Result<Self> {
        let (sender, receiver) = unbounded_channel();
        let listen = || -> io::Result<()> {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let listeners = Listeners::start(&runtime)?;
            thread::Builder::new()
                .name("signals".to_owned())
                .spawn(move || runtime.block_on(listeners.forward(&sender, reload)))?;
            Ok(())
        };
        listen().context("signals cannot be received")?;
        Ok(Self(receiver))
    }

    /// Returns the name of the next signal. Dropping the future loses none.
    pub(crate) async fn next(&mut self) -> &'static str {
        match self.0.recv().await {
            Some(name) => name,
            // The thread ends with the program only.
            None => std::future::pending().await,
        }
    }
}

struct Listeners {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    /// The hangup signal; absent when it was ignored before, as with `nohup`.
    hangup: Option<Signal>,
}

impl Listeners {
    fn start(runtime: &Runtime) -> io::Result<Self> {
        let _context = runtime.enter();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            // A program under `nohup` is to survive the end of its terminal.
            hangup: (!is_ignored(Number::HUP)).then(|| signal(SignalKind::hangup())).transpose()?,
        })
    }

    async fn forward(mut self, to: &UnboundedSender<&'static str>, reload: Option<impl Fn()>) {
        let mut count = 0;
        loop {
            let name = self.next().await;
            if let Some(reload) = reload.as_ref().filter(|_| name == HANGUP) {
                reload();
                continue;
            }
            count += 1;
            // It may have ended already.
            let _sent = to.send(name);
            // The first signal asks for a drain; only the second one sets this limit.
            if count == 2 {
                tokio::time::sleep(LAST_RESORT).await;
                std::process::exit(INTERRUPTED.into());
            }
        }
    }

    async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.quit.recv() => "SIGQUIT",
            _ = hangup => HANGUP,
        }
    }
}

/// Returns whether the program was started with this signal ignored. Only Linux shows that without unsafe code.
fn is_ignored(number: Number) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    let mask = mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0);
    // Bit n − 1 is that of signal n.
    mask >> (number.as_raw() - 1) & 1 == 1
}

/// Lets a write past the limit of file sizes (`ulimit -f`) fail, which by default ends the process. Takes a
/// runtime. A handler is what does it: unlike an ignored signal it is not handed on to commands.
pub(crate) fn survive_file_size_limit() -> anyhow::Result<()> {
    let handled = signal(SignalKind::from_raw(Number::XFSZ.as_raw()));
    // tokio keeps the handler for as long as the process lives.
    handled.map(drop).context("SIGXFSZ cannot be handled")
}
