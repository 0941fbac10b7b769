//! The way in which this server shows a broker who it is.

use anyhow::Context as _;
use eventful::http::sources::SecretRef;
use eventful_nats::async_nats::{Client, ConnectOptions, Event};

use super::address::NatsUrl;

/// A user with a password, a token, or neither.
#[derive(Clone, Default)]
pub(super) struct Login {
    user: Option<(String, String)>,
    token: Option<String>,
}

impl Login {
    /// Reads the secrets.
    ///
    /// # Errors
    ///
    /// A secret that cannot be read, or two ways at once.
    pub(super) fn read(
        user: Option<&String>,
        password: Option<&SecretRef>,
        token: Option<&SecretRef>,
    ) -> anyhow::Result<Self> {
        let user = match (user, password) {
            (Some(user), Some(password)) => Some((user.clone(), text(password)?)),
            (None, None) => None,
            (Some(_), None) => anyhow::bail!("user has no password: add password = {{ file = \"PATH\" }}"),
            (None, Some(_)) => anyhow::bail!("password has no user: add user"),
        };
        anyhow::ensure!(user.is_none() || token.is_none(), "user and token are both there: leave one of them out");
        Ok(Self { user, token: token.map(text).transpose()? })
    }

    /// Connects to the servers of a URL. The client connects again by itself when the connection ends.
    pub(super) async fn connect(&self, url: &NatsUrl) -> anyhow::Result<Client> {
        let mut options = ConnectOptions::new().name("eventful").require_tls(url.scheme == "tls");
        let shown = url.to_string();
        options = options.event_callback(move |event| {
            let shown = shown.clone();
            async move {
                if event == Event::Connected {
                    tracing::info!("connected to {shown}");
                } else {
                    tracing::warn!("the connection to {shown}: {event}");
                }
            }
        });
        if let Some((user, password)) = &self.user {
            options = options.user_and_password(user.clone(), password.clone());
        }
        if let Some(token) = &self.token {
            options = options.token(token.clone());
        }
        let servers: Vec<_> = url.hosts.iter().map(|host| format!("nats://{host}")).collect();
        // In a box, as it is large and is needed once.
        Box::pin(options.connect(servers)).await.with_context(|| format!("there is no connection to {url}"))
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

fn text(secret: &SecretRef) -> anyhow::Result<String> {
    let header = secret.read()?.header();
    let text = header.as_ref().and_then(|value| value.to_str().ok());
    text.map(str::to_owned).context("the secret has characters other than printable ASCII: choose another")
}
