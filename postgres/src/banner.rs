//! The lines with which a program says where its journals are, and what their server promises.

use crate::database::Database;
use crate::schema::Checked;

/// Returns the lines that a program prints at its start, each as a label and a text: the place of the journals, and
/// what the settings of the server promise about what it has acknowledged. A third line is there when the server commits
/// differently for other sessions than it does for journals.
///
/// ```no_run
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let database = "postgresql://app@db.example/orders".parse()?;
/// for (label, text) in eventful_postgres::banner(&database, &eventful_postgres::check(&database).await?) {
///     println!("{label:<12} {text}");
/// }
/// # Ok(())
/// # }
/// ```
pub fn banner(database: &Database, checked: &Checked) -> Vec<(&'static str, String)> {
    let Checked { shards, guarantee, synchronous_commit, .. } = checked;
    let mut lines = vec![
        ("persistence", format!("{database}, {shards} shards, PostgreSQL {}", checked.version())),
        ("promised", guarantee.to_string()),
    ];
    if synchronous_commit != "on" {
        let text = "at the server, which holds for other sessions: each append sets `on` for itself";
        lines.push(("note", format!("synchronous_commit is `{synchronous_commit}` {text}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Guarantee;

    fn lines(guarantee: Guarantee, synchronous_commit: &str) -> Vec<(&'static str, String)> {
        let database = "postgresql://app:secret@a/orders".parse().expect("a URL");
        let checked = Checked {
            format: 1,
            shards: 16,
            cluster: String::new(),
            server: 150_018,
            guarantee,
            synchronous_commit: synchronous_commit.to_owned(),
        };
        banner(&database, &checked)
    }

    #[test]
    fn banner_names_the_database_and_not_its_password() {
        let lines = lines(Guarantee::OneCopy, "on");
        assert_eq!(lines[0], ("persistence", "database orders at a:5432, 16 shards, PostgreSQL 15.18".to_owned()));
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn banner_says_what_the_settings_promise() {
        let copies = Guarantee::Standbys { names: "ANY 1 (b, c)".to_owned() };
        for (guarantee, begins) in [
            (Guarantee::None { setting: "fsync" }, "nothing: fsync is off at the server"),
            (Guarantee::OneCopy, "one copy: "),
            (
                copies,
                "copies: what was acknowledged is on the disks of the server and of its synchronous standbys (ANY 1 (b, c))",
            ),
        ] {
            let lines = lines(guarantee, "on");
            assert_eq!(lines[1].0, "promised");
            assert!(lines[1].1.starts_with(begins), "{}", lines[1].1);
        }
    }

    #[test]
    fn banner_says_that_the_commits_of_others_do_not_matter() {
        for setting in ["off", "local", "remote_apply"] {
            let (label, text) = lines(Guarantee::OneCopy, setting).pop().expect("a line");
            assert!(
                label == "note" && text.starts_with(&format!("synchronous_commit is `{setting}` at the server")),
                "{text}"
            );
        }
    }
}
