//! The page that `eventful config` prints.

use clap::{Arg, ArgAction, Command};

use super::apply::{key, settable};

/// The width of comments.
const WIDTH: usize = 110;

/// A configuration file with each setting, its default and its purpose. Read again, it changes nothing.
pub(crate) fn page(program: &Command) -> String {
    let mut page = String::from(BEGINNING);
    for flag in settable(program) {
        page.push('\n');
        let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
        comment(&help, &mut page);
        page.push_str(&setting(flag));
    }
    page.push_str(TABLES);
    if cfg!(feature = "nats") {
        page.push_str(BROKERS);
    }
    page
}

const BEGINNING: &str = "\
# Settings of `eventful serve --config FILE`, with their defaults. Each is a flag and a variable, too: max_pending
# is --max-pending and EVENTFUL_MAX_PENDING. A flag beats a variable, and a variable beats this file. Durations are
# such as \"500ms\", \"5s\", \"2m\" or \"1h30m\". `eventful check FILE` finds what contradicts itself.
";

const TABLES: &str = r#"
# Events at the times of cron expressions. The id of each is its time in UTC, its source schedule:NAME. `eventful
# schedules FILE` shows the next times.
# [schedules.nightly-report]
# cron = "30 2 * * *"
# zone = "Europe/Berlin"
# type = "report"
# payload = "{}"
# missed = "latest"
# catch_up = "24h"
# overlap = "skip"

# Who may call what: tokens, each in a file or a variable of the environment. With any token, every call needs one,
# but health and sources. A list may have several, while one replaces another.
# [access]
# submit = [{ file = "/run/secrets/submit" }]
# read = [{ env = "READ_TOKEN" }]
# work = [{ file = "/run/secrets/work" }]
# operate = [{ file = "/run/secrets/operate" }]

# What signs deliveries as Standard Webhooks has it: whsec_ and base64. All secrets sign.
# [signing]
# secrets = [{ file = "/run/secrets/signing" }]

# Targets, and which events go to which. The first route that fits decides; a * is the end of a pattern. Where there are
# targets, and neither deliver nor exec, an event that no route fits fails.
# [targets.billing]
# url = "https://billing.example/hook"
# deliver_as = "cloudevents-binary"
# concurrency = 8
# timeout = "10s"
# max_attempts = 5
# backoff = "1s"
# backoff_cap = "5m"
# headers = { x-team = "billing", authorization = { env = "BILLING_AUTHORIZATION" } }
# secrets = [{ file = "/run/secrets/signing" }]
# open_after = "1m"
# probe_every = "30s"
# [targets.archive]
# exec = "./archive.sh"
# [[routes]]
# source = "shop"
# type = "order.*"
# target = "billing"
# [[routes]]
# target = "archive"

# A sender of webhooks, received from at /in/github. docs/senders.md has all presets and keys.
# [sources.github]
# preset = "github"
# secrets = [{ file = "/run/secrets/github" }]
# conflict = "quarantine"
"#;

const BROKERS: &str = r#"
# A stream of NATS JetStream, whose messages become events; a stream must keep the subject of dead letters.
# [sources.orders]
# kind = "jetstream"
# url = "nats://127.0.0.1:4222/ORDERS"
# consumer = "eventful"
# dead_letters = "dead.ORDERS"
# user = "eventful"
# password = { file = "/run/secrets/nats" }
"#;

/// A line that sets the default; a comment with an example when there is none.
fn setting(flag: &Arg) -> String {
    let (name, values) = (key(flag), flag.get_default_values());
    match values {
        [value] => format!("{name} = {}\n", toml_value(&value.to_string_lossy())),
        _ if matches!(flag.get_action(), ArgAction::SetTrue) => format!("{name} = false\n"),
        _ => {
            let kind = flag.get_value_names().and_then(|names| names.first()).map_or("", |kind| kind.as_str());
            let example = toml_value(example(kind));
            let is_list = matches!(flag.get_action(), ArgAction::Append);
            if is_list { format!("# {name} = [{example}]\n") } else { format!("# {name} = {example}\n") }
        }
    }
}

/// A value by what the help calls it.
fn example(kind: &str) -> &'static str {
    match kind {
        "N" => "1000000",
        "TIME" => "96h",
        "DIR" => "/var/lib/eventful",
        "STREAM" => "nats://127.0.0.1:4222/ORDERS",
        "URL" => "http://127.0.0.1:9000/hook",
        "COLLECTOR" => "http://127.0.0.1:4318",
        "CMD" => "./handle.sh",
        "DATABASE" => "postgresql://eventful@db.example/eventful",
        "UUID" => "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "HOST" => "events.example",
        "NET" => "10.0.0.0/8",
        "ORIGIN" => "https://app.example",
        "PATTERN:SETTINGS" => "order.*:concurrency=8",
        _ => "/etc/eventful/file",
    }
}

/// A number or a truth value as it is, anything else in quotes.
fn toml_value(value: &str) -> String {
    let is_plain = ["true", "false"].contains(&value) || value.parse::<i64>().is_ok();
    if is_plain { value.to_owned() } else { format!("{value:?}") }
}

fn comment(text: &str, page: &mut String) {
    let mut width = 0;
    for word in text.split_whitespace() {
        if width == 0 || width + word.len() > WIDTH {
            page.push_str(if width == 0 { "#" } else { "\n#" });
            width = 1;
        }
        page.push(' ');
        page.push_str(word);
        width += word.len() + 1;
    }
    page.push('\n');
}
