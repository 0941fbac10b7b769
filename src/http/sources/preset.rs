//! Senders that are known by name.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A sender whose requests are known. What a configuration says wins over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Preset {
    /// Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    StandardWebhooks,
    /// GitHub: `X-Hub-Signature-256` over the body, `X-GitHub-Delivery`, `X-GitHub-Event`.
    Github,
    /// Stripe: `Stripe-Signature` over time and body. `pending_webhooks` changes with each delivery, and does not count.
    Stripe,
    /// Slack's Events API: `X-Slack-Signature` over time and body. Responds to `url_verification`.
    Slack,
    /// Shopify: `X-Shopify-Hmac-Sha256` over the body, `X-Shopify-Webhook-Id`, `X-Shopify-Topic`.
    Shopify,
    /// Twilio: `X-Twilio-Signature` over URL and form, `I-Twilio-Idempotency-Token`. It needs `url`, and responds with 204.
    Twilio,
    /// Meta (WhatsApp, Messenger, Instagram): `X-Hub-Signature-256` over the body, which has no id, so its digest is the
    /// id. Responds to `hub.challenge` when there is a `verify_token`.
    Meta,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::StandardWebhooks, Self::Github, Self::Stripe, Self::Slack, Self::Shopify, Self::Twilio, Self::Meta];

    /// The longest time after which this sender sends an event again, by its documentation; absent when it names none.
    /// An event that is forgotten before is handled again.
    pub const fn retry_horizon(self) -> Option<Duration> {
        let hours: u64 = match self {
            // The schedule that its specification recommends ends after 75 h 35 min.
            Self::StandardWebhooks => 76,
            // By hand only: the last three days can be chosen from.
            Self::Github => 72,
            Self::Stripe => 72,
            // Three times within minutes, and with delayed events hourly for a day.
            Self::Slack => 24,
            Self::Shopify => 4,
            Self::Twilio => return None,
            // WhatsApp; others end after 36 h.
            Self::Meta => 7 * 24,
        };
        Some(Duration::from_secs(hours * 3600))
    }
}
