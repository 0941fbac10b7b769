//! The configurations of known senders, by name.

use std::string::String;
use std::vec::Vec;

use axum::http::HeaderName;

use super::config::{ConflictPolicy, SourceConfig, SuccessStatus};
use super::pick::Pick;
use super::preset::Preset;
use super::scheme::{
    HmacAlgorithm, HmacScheme, KeyForm, SignatureEncoding, SignedPart, SignedText, TimestampPlace, Verification,
};

impl Preset {
    /// The configuration of this name, without a secret.
    pub fn config(self) -> SourceConfig {
        let mut config = SourceConfig { preset: Some(self), ..SourceConfig::default() };
        config.verify = Some(Verification::Hmac(self.scheme()));
        config.success = Some(SuccessStatus::Accepted);
        config.conflict = Some(ConflictPolicy::Reject);
        match self {
            Self::StandardWebhooks => {
                config.id = header("webhook-id");
                config.event_type = json("/type");
            }
            Self::Github => {
                config.id = header("x-github-delivery");
                config.event_type = header("x-github-event");
                config.headers = names(&["x-github-event", "x-github-delivery", "x-github-hook-id"]);
            }
            Self::Stripe => {
                (config.id, config.event_type, config.time) = (json("/id"), json("/type"), json("/created"));
                // Stripe updates this number between deliveries of one event: with it, a redelivery would be a
                // conflict.
                config.exclude = "/pending_webhooks".parse().ok().map(|place| Vec::from([place]));
            }
            Self::Slack => {
                (config.id, config.event_type) = (json("/event_id"), json("/event/type"));
                config.time = json("/event_time");
                config.success = Some(SuccessStatus::Ok);
            }
            Self::Shopify => {
                config.id = header("x-shopify-webhook-id");
                config.event_type = header("x-shopify-topic");
                config.time = header("x-shopify-triggered-at");
                let kept = ["x-shopify-topic", "x-shopify-shop-domain", "x-shopify-api-version", "x-shopify-event-id"];
                config.headers = names(&kept);
                config.success = Some(SuccessStatus::Ok);
            }
            Self::Twilio => {
                // This token stays the same when Twilio repeats a request.
                config.id = header("i-twilio-idempotency-token");
                config.success = Some(SuccessStatus::NoContent);
            }
            Self::Meta => {
                // A delivery of Meta has no id: the same bytes are the same event.
                (config.id, config.event_type) = (Some(Pick::BodySha256), json("/object"));
                config.success = Some(SuccessStatus::Ok);
            }
        }
        config
    }

    fn scheme(self) -> HmacScheme {
        let scheme = HmacScheme::default();
        let header = |name: &str| Some(TimestampPlace::Header(HeaderName::from_bytes(name.as_bytes()).ok()?));
        let dot = || SignedPart::Text(String::from("."));
        match self {
            Self::StandardWebhooks => HmacScheme {
                header: "webhook-signature".into(),
                encoding: SignatureEncoding::Base64,
                prefix: "v1,".into(),
                // One header may carry several signatures, during a change of keys for example.
                separator: Some(" ".into()),
                signed: SignedText(Vec::from([
                    SignedPart::Header(HeaderName::from_static("webhook-id")),
                    dot(),
                    SignedPart::Timestamp,
                    dot(),
                    SignedPart::Body,
                ])),
                timestamp: header("webhook-timestamp"),
                key: KeyForm::Base64,
                ..scheme
            },
            Self::Github | Self::Meta => {
                HmacScheme { header: "x-hub-signature-256".into(), prefix: "sha256=".into(), ..scheme }
            }
            Self::Stripe => HmacScheme {
                header: "stripe-signature".into(),
                prefix: "v1=".into(),
                separator: Some(",".into()),
                signed: SignedText(Vec::from([SignedPart::Timestamp, dot(), SignedPart::Body])),
                timestamp: Some(TimestampPlace::Signature("t=".into())),
                ..scheme
            },
            Self::Slack => HmacScheme {
                header: "x-slack-signature".into(),
                prefix: "v0=".into(),
                signed: SignedText(Vec::from([
                    SignedPart::Text("v0:".into()),
                    SignedPart::Timestamp,
                    SignedPart::Text(":".into()),
                    SignedPart::Body,
                ])),
                timestamp: header("x-slack-request-timestamp"),
                ..scheme
            },
            Self::Shopify => {
                HmacScheme { header: "x-shopify-hmac-sha256".into(), encoding: SignatureEncoding::Base64, ..scheme }
            }
            Self::Twilio => HmacScheme {
                // Twilio signs with SHA-1 only.
                algorithm: HmacAlgorithm::Sha1,
                header: "x-twilio-signature".into(),
                encoding: SignatureEncoding::Base64,
                signed: SignedText(Vec::from([SignedPart::Url, SignedPart::Form])),
                ..scheme
            },
        }
    }
}

impl SourceConfig {
    /// Returns this configuration with what it lacks taken from its preset.
    pub(super) fn whole(&self) -> Self {
        let base = self.preset.map(Preset::config).unwrap_or_default();
        let given = self.clone();
        Self {
            preset: given.preset,
            id: given.id.or(base.id),
            event_type: given.event_type.or(base.event_type),
            time: given.time.or(base.time),
            exclude: given.exclude.or(base.exclude),
            headers: given.headers.or(base.headers),
            success: given.success.or(base.success),
            conflict: given.conflict.or(base.conflict),
            // No preset can know these: they belong to the installation.
            max_body_bytes: given.max_body_bytes,
            url: given.url,
            verify_token: given.verify_token,
            secrets: given.secrets,
            verify: given.verify.or(base.verify),
        }
    }
}

fn header(name: &'static str) -> Option<Pick> {
    Some(Pick::Header(HeaderName::from_static(name)))
}

fn json(place: &str) -> Option<Pick> {
    place.parse().ok().map(Pick::Json)
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().copied().map(String::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Event, Timestamp};
    use crate::http::sources::pick::ReceivedRequest;
    use crate::http::sources::secret::{Secret, SecretRef};
    use crate::http::sources::source::{Source, forwarded_headers};
    use axum::http::{HeaderMap, Uri};
    use bytes::Bytes;
    use core::time::Duration;

    /// A request as a sender makes it. Signatures were computed by another implementation of HMAC, from the
    /// documentation of each sender; those of Standard Webhooks, Slack's form, Twilio's form and GitHub's greeting
    /// are the documentation's own.
    struct Sent<'a> {
        preset: Preset,
        secret: &'a str,
        url: Option<&'a str>,
        target: &'a str,
        headers: &'a [(&'a str, &'a str)],
        body: &'a str,
        at: u64,
    }

    const GITHUB: Sent<'_> = Sent {
        preset: Preset::Github,
        secret: "It's a Secret to Everybody",
        url: None,
        target: "/in/github",
        headers: &[
            ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
            ("x-github-event", "issues"),
            ("content-type", "application/json"),
            ("x-hub-signature-256", "sha256=c37006681c2142fa1bf832d1637f60401a8699e9a05596e4c35e3403af676bee"),
        ],
        body: r#"{"action":"opened","issue":{"number":1347},"repository":{"full_name":"octo-org/octo-repo"}}"#,
        at: 0,
    };

    const STRIPE: Sent<'_> = Sent {
        preset: Preset::Stripe,
        secret: "whsec_test",
        url: None,
        target: "/in/stripe",
        headers: &[(
            "stripe-signature",
            "t=1686089971,v1=26f8daec019be8b9cbd0cbce4c33401e189a4ef5d31664fec89eb40a68c81040,v0=6ffbb59b2300aae6",
        )],
        body: r#"{"id":"evt_1NG8Du2eZvKYlo2C","object":"event","created":1686089970,"data":{"object":{"id":"seti_1NG8Du"}},"pending_webhooks":1,"type":"setup_intent.created"}"#,
        at: 1_686_089_975,
    };

    /// An hour later, signed again, and with less that is pending.
    const STRIPE_AGAIN: Sent<'_> = Sent {
        headers: &[(
            "stripe-signature",
            "t=1686093571,v1=b341cdec53bb6c9bf48be7a57b7dd3fe182ea53f4839b00633eb00e0ecc10727",
        )],
        body: r#"{"id":"evt_1NG8Du2eZvKYlo2C","object":"event","created":1686089970,"data":{"object":{"id":"seti_1NG8Du"}},"pending_webhooks":0,"type":"setup_intent.created"}"#,
        at: 1_686_093_571,
        ..STRIPE
    };

    const SLACK: Sent<'_> = Sent {
        preset: Preset::Slack,
        secret: "8f742231b10e8888abcd99yyyzzz85a5",
        url: None,
        target: "/in/slack",
        headers: &[
            ("x-slack-request-timestamp", "1531420618"),
            ("x-slack-signature", "v0=404b9bff7d015e1da534ab69bd06bb55209a771241932a68489e3f9c650a85b8"),
        ],
        body: r#"{"token":"XXYYZZ","team_id":"T123","event":{"type":"app_mention","text":"hi"},"type":"event_callback","event_id":"Ev123","event_time":1531420617}"#,
        at: 1_531_420_700,
    };

    const SHOPIFY: Sent<'_> = Sent {
        preset: Preset::Shopify,
        secret: "hush",
        url: None,
        target: "/in/shopify",
        headers: &[
            ("x-shopify-topic", "orders/create"),
            ("x-shopify-webhook-id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"),
            ("x-shopify-triggered-at", "2023-03-29T18:00:27.877041743Z"),
            ("x-shopify-hmac-sha256", "FXdQBXO3Fg9x0ftkayHjJqNBgP6vFW6oRbRLHYMDJXc="),
        ],
        body: r##"{"id":549755813,"name":"#1001","total_price":"49.00"}"##,
        at: 0,
    };

    const TWILIO: Sent<'_> = Sent {
        preset: Preset::Twilio,
        secret: "12345",
        url: Some("https://mycompany.com/myapp.php"),
        target: "/in/twilio?foo=1&bar=2",
        headers: &[
            ("x-twilio-signature", "GvWf1cFY/Q7PnoempGyD5oXAezc="),
            ("i-twilio-idempotency-token", "1f0f4b3e"),
            ("content-type", "application/x-www-form-urlencoded"),
        ],
        body: "Digits=1234&To=%2B18005551212&From=%2B14158675310&Caller=%2B14158675310&CallSid=CA1234567890ABCDE",
        at: 0,
    };

    const TWILIO_JSON: Sent<'_> = Sent {
        target: "/in/twilio?bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
        headers: &[("x-twilio-signature", "y77kIzt2vzLz71DgmJGsen2scGs="), ("i-twilio-idempotency-token", "2")],
        body: r#"{"property": "value", "boolean": true}"#,
        ..TWILIO
    };

    const STANDARD: Sent<'_> = Sent {
        preset: Preset::StandardWebhooks,
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        url: None,
        target: "/in/standard",
        headers: &[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1a,AAAA v1,BBBB v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ],
        body: r#"{"test": 2432232314}"#,
        at: 1_614_265_030,
    };

    const META: Sent<'_> = Sent {
        preset: Preset::Meta,
        secret: "app secret",
        url: None,
        target: "/in/meta",
        headers: &[("x-hub-signature-256", "sha256=f7ed3d52ac2f0367c7cc420b438b338408edae9eeefa19a1da9c2becbbe81e47")],
        body: r#"{"object":"whatsapp_business_account","entry":[{"id":"1"}]}"#,
        at: 0,
    };

    const ALL: [Sent<'_>; 9] = [GITHUB, STRIPE, STRIPE_AGAIN, SLACK, SHOPIFY, TWILIO, TWILIO_JSON, STANDARD, META];

    #[test]
    fn request_of_each_sender_is_verified_and_makes_its_event() {
        let triple = |sent: &Sent<'_>| {
            let event = sent.event(sent.secret, sent.at).expect("it is verified");
            let text = |text: Option<&str>| text.map(String::from).unwrap_or_default();
            [String::from(&*event.key().id()), text(event.event_type()), text(event.attributes().value("time"))]
        };
        let shown: Vec<_> = ALL.iter().map(triple).collect();
        let meta = "b35bbfb5c1335dd5f3271a5be6eba44fc9d6aedbc49736b1a711e6a2cc04d806";
        let due = [
            ["72d3162e-cc78-11e3-81ab-4c9367dc0958", "issues", ""],
            ["evt_1NG8Du2eZvKYlo2C", "setup_intent.created", "1686089970"],
            ["evt_1NG8Du2eZvKYlo2C", "setup_intent.created", "1686089970"],
            ["Ev123", "app_mention", "1531420617"],
            ["b54557e4-bdd9-4b37-8a5f-bf7d70bcd043", "orders/create", "2023-03-29T18:00:27.877041743Z"],
            ["1f0f4b3e", "", ""],
            ["2", "", ""],
            ["msg_p5jXN8AQM9LWM0D4loKWxJek", "", ""],
            [meta, "whatsapp_business_account", ""],
        ];
        assert_eq!(shown, due);
    }

    #[test]
    fn wrong_secret_body_or_time_is_refused_for_each_sender() {
        for sent in ALL {
            let other = if sent.preset == Preset::StandardWebhooks { "whsec_AAAA" } else { "another" };
            assert!(sent.event(other, sent.at).is_err(), "{:?}", sent.preset);
            let body = sent.body.replacen('1', "7", 1).replacen("2432", "2433", 1).replacen("value", "other", 1);
            assert_ne!(body, sent.body);
            assert!(Sent { body: &body, ..sent }.event(sent.secret, sent.at).is_err(), "{:?}", sent.preset);
            assert!(Sent { headers: &[], ..sent }.event(sent.secret, sent.at).is_err(), "{:?}", sent.preset);
            let is_timed = sent.at > 0;
            for away in [301, 3600] {
                assert_eq!(sent.event(sent.secret, sent.at + away + 300).is_err(), is_timed, "{:?}", sent.preset);
            }
        }
    }

    #[test]
    fn fields_that_stripe_changes_at_a_redelivery_do_not_count() {
        let [one, again] = [STRIPE, STRIPE_AGAIN].map(|sent| sent.event(sent.secret, sent.at).expect("an event"));
        assert_eq!((one.key(), one.digest()), (again.key(), again.digest()));
        assert_ne!(one.payload(), again.payload());
    }

    #[test]
    fn headers_that_are_kept_are_sent_on() {
        let event = SHOPIFY.event(SHOPIFY.secret, 0).expect("an event");
        let forwarded: Vec<_> = forwarded_headers(&event).collect();
        assert_eq!(forwarded, [(HeaderName::from_static("x-shopify-topic"), "orders/create")]);
        for name in ["header:host", "header:authorization", "header:eventful-type", "header:webhook-signature"] {
            let forged = event.clone().with_attribute(name, "forged").expect("an attribute");
            assert_eq!(forwarded_headers(&forged).count(), 1, "{name}");
        }
    }

    #[test]
    fn published_signatures_of_slack_and_github_are_right() {
        let slack = Sent {
            headers: &[
                ("x-slack-request-timestamp", "1531420618"),
                ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
            ],
            body: "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
                   channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
                   response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F\
                   96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
            ..SLACK
        };
        assert!(slack.verify(slack.secret, slack.at));
        let github = Sent {
            headers: &[(
                "x-hub-signature-256",
                "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            )],
            body: "Hello, World!",
            ..GITHUB
        };
        assert!(github.verify(github.secret, 0));
    }

    #[test]
    fn each_preset_alone_lacks_secrets_only() {
        for preset in Preset::ALL {
            let refused = Source::new("a", &preset.config()).expect_err("there is no secret");
            assert!(std::format!("{refused}").contains("no secret"), "{refused}");
        }
    }

    impl Sent<'_> {
        fn source(&self, secret: &str) -> Source {
            let mut config = SourceConfig { preset: Some(self.preset), ..SourceConfig::default() };
            config.url = self.url.map(String::from);
            // The right one is the second of two, as it is while secrets are replaced.
            config.secrets = ["b2xk", secret].map(|secret| SecretRef::Given(Secret::new(secret))).into();
            Source::new("sender", &config).expect("a source")
        }

        fn with_request<T>(&self, act: impl FnOnce(&ReceivedRequest<'_>) -> T) -> T {
            let uri: Uri = self.target.parse().expect("a target");
            let pair = |(name, value): &(&str, &str)| {
                Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value.parse().ok()?))
            };
            let headers: HeaderMap = self.headers.iter().map(|header| pair(header).expect("a header")).collect();
            act(&ReceivedRequest { uri: &uri, headers: &headers, body: self.body.as_bytes() })
        }

        fn verify(&self, secret: &str, at: u64) -> bool {
            let wall = Timestamp::EPOCH + Duration::from_secs(at);
            self.with_request(|request| self.source(secret).verify(request, wall).is_ok())
        }

        fn event(&self, secret: &str, at: u64) -> Result<Event, String> {
            if !self.verify(secret, at) {
                return Err(String::from("unverified"));
            }
            let body = Bytes::copy_from_slice(self.body.as_bytes());
            let made = self.with_request(|request| self.source(secret).event(request, body, None));
            made.map_err(|error| std::format!("{error}"))
        }
    }
}
