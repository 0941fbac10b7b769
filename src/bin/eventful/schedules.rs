//! The schedules of files, and the command that shows their next instants.

use std::collections::BTreeMap;
use std::path::Path;

use eventful::clock::{Clock as _, SystemClock};
use eventful::schedules::{Calendar as _, Schedule};
use eventful::{Config, Timestamp};
use serde_json::json;

use crate::schedule_config::ScheduleConfig;
use crate::settings::file::ConfigFile;
use crate::terminal::say;

/// Instants that the command shows of each schedule.
const SHOWN: usize = 10;

/// Returns the schedules of a configuration, and those of a file of their own.
///
/// # Errors
///
/// The first thing that is not possible.
pub(crate) fn schedules(
    tables: &BTreeMap<String, ScheduleConfig>,
    file: Option<&Path>,
    config: &Config,
) -> anyhow::Result<Vec<Schedule>> {
    let mut found: Vec<_> =
        tables.iter().map(|(name, schedule)| schedule.schedule(name)).collect::<anyhow::Result<_>>()?;
    if let Some(file) = file {
        let (own, others) = read(file)?;
        if let Some(other) = others {
            anyhow::bail!(
                "{}: {other} is no schedule: a file of --schedules has tables [schedules.NAME] alone",
                file.display()
            );
        }
        for (name, schedule) in own {
            found.push(schedule.schedule(&name)?);
        }
    }
    Schedule::validate_all(&found, config)?;
    Ok(found)
}

/// Shows the next instants of each schedule in a file.
///
/// # Errors
///
/// The first thing that is not possible.
pub(crate) fn show(file: &Path, json: bool) -> anyhow::Result<()> {
    let (schedules, _) = read(file)?;
    let now = SystemClock::new().now();
    for (name, schedule) in &schedules {
        schedule.schedule(name)?;
        let cron = schedule.calendar(name)?;
        let next = |at: &Timestamp| cron.after(*at);
        let instants: Vec<_> =
            std::iter::successors(cron.after(now), next).take(SHOWN).map(|at| cron.show(at)).collect();
        if json {
            let (expression, zone) = (cron.expression(), cron.zone());
            say(&json!({ "name": name, "cron": expression, "zone": zone, "next": instants }).to_string());
        } else {
            say(&format!("{name}: {cron}"));
            instants.iter().for_each(|at| say(&format!("    {at}")));
        }
    }
    if schedules.is_empty() {
        say("no schedules: add tables [schedules.NAME], each with cron = \"30 2 * * *\"");
    }
    Ok(())
}

/// Reads the schedules of a file, and names something else that it has.
fn read(path: &Path) -> anyhow::Result<(BTreeMap<String, ScheduleConfig>, Option<String>)> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| anyhow::anyhow!("{name} cannot be read: {error}; correct the path or the file"))?;
    let file = ConfigFile::parse(&name, &text)?;
    Ok((file.tables.schedules.clone(), file.other_than_schedules()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventful::schedules::{Missed, Overlap};
    use std::num::NonZeroUsize;

    fn parsed(text: &str) -> Result<Vec<Schedule>, String> {
        let file = ConfigFile::parse("f", text).map_err(|error| error.to_string())?;
        schedules(&file.tables.schedules, None, &Config::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn table_has_every_part_of_a_schedule() {
        let text = r#"
            [schedules.report]
            cron = "30 2 * * *"
            zone = "Europe/Berlin"
            type = "report"
            payload = "{}"
            content_type = "application/json"
            group = "reports"
            attributes = { tenant = "blue" }
            missed = 3
            catch_up = "12h"
            overlap = "allow"
        "#;
        let schedules = parsed(text).expect("a schedule");
        let [schedule] = &schedules[..] else { panic!("there is one") };
        let event = &schedule.event;
        assert_eq!(
            (event.event_type(), event.group(), event.content_type()),
            (Some("report"), Some("reports"), Some("application/json"))
        );
        assert_eq!((&event.payload()[..], event.attributes().value("tenant")), (&b"{}"[..], Some("blue")));
        assert_eq!(
            (schedule.missed, schedule.overlap),
            (Missed::All(NonZeroUsize::MIN.saturating_add(2)), Overlap::Allow)
        );
        assert_eq!((schedule.name.as_str(), schedule.catch_up.as_secs()), ("report", 12 * 3600));
        let plain = parsed("[schedules.a]\ncron = \"@daily\"\nmissed = \"none\"").expect("a schedule");
        assert_eq!((plain[0].missed, plain[0].overlap), (Missed::None, Overlap::Skip));
    }

    #[test]
    fn schedule_that_is_none_says_what_is_wrong() {
        for (text, words) in [
            ("[schedules.a]", "schedules.a: a cron expression has 5 fields"),
            ("[schedules.a]\ncron = \"0 0 30 2 *\"", "schedules.a: no date fits"),
            ("[schedules.a]\ncron = \"@daily\"\nzone = \"Mars\"", "there is no time zone \"Mars\""),
            ("[schedules.\"a b\"]\ncron = \"@daily\"", "is no name of a schedule"),
            ("[schedules.a]\ncrn = \"@daily\"", "f:2:1: unknown field `crn`"),
            ("[schedules.a]\ncron = \"@daily\"\nmissed = 2", "lets no two overlap: allow that"),
            ("[schedules.a]\ncron = \"@daily\"\nmissed = \"some\"", "missed is \"latest\", \"none\" or a number"),
            (
                "[schedules.a]\ncron = \"@daily\"\ntype = \"a\\u0007\"",
                "schedules.a: the type holds a control character",
            ),
        ] {
            let refused = parsed(text).expect_err(text);
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }
}
