//! A configuration file, read with the place of each of its settings.

use serde::de::{DeserializeOwned, IntoDeserializer as _};
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::place::{InvalidFile, Mistakes};
use super::tables::FileTables;

/// A configuration file.
#[derive(Debug)]
pub(crate) struct ConfigFile<'a> {
    name: &'a str,
    text: &'a str,
    /// Settings that are flags, too.
    pub(crate) settings: Vec<FileSetting>,
    pub(crate) tables: FileTables,
    /// The names of all settings and tables but schedules.
    others: Vec<String>,
}

/// A setting, as the flag of its name would have it.
#[derive(Debug)]
pub(crate) struct FileSetting {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
    pub(crate) name_at: usize,
    pub(crate) value_at: usize,
}

impl<'a> ConfigFile<'a> {
    /// Reads a text, which is that of the file of this name.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its place.
    pub(crate) fn parse(name: &'a str, text: &'a str) -> Result<Self, InvalidFile> {
        let mut file = Self { name, text, settings: Vec::new(), tables: FileTables::default(), others: Vec::new() };
        let mut mistakes = file.no_mistakes();
        match DeTable::parse(text) {
            Ok(root) => {
                for (key, value) in root.into_inner() {
                    file.take(&key, value, &mut mistakes);
                }
            }
            Err(error) => mistakes.add(start(&error, 0), error.message()),
        }
        mistakes.finish()?;
        file.settings.sort_by_key(|setting| setting.name_at);
        Ok(file)
    }

    /// A list of mistakes in it, to be added to.
    pub(crate) const fn no_mistakes(&self) -> Mistakes<'a> {
        Mistakes::none(self.name, self.text)
    }

    /// Returns the name of a setting or table in it that is no schedule, if there is one.
    pub(crate) fn other_than_schedules(&self) -> Option<String> {
        self.others.first().cloned()
    }

    fn take(&mut self, key: &Spanned<impl AsRef<str>>, value: Spanned<DeValue<'_>>, mistakes: &mut Mistakes<'_>) {
        let (name, name_at, value_at) = (key.get_ref().as_ref(), key.span().start, value.span().start);
        if name != "schedules" {
            self.others.push(name.to_owned());
        }
        match name {
            "sources" => {
                let (brokers, webhooks) = parted(value);
                self.tables.sources = table(webhooks, mistakes);
                self.tables.brokers = table(brokers, mistakes);
            }
            "access" => self.tables.access = table(value, mistakes),
            "targets" => self.tables.targets = table(value, mistakes),
            "routes" => self.tables.routes = table(value, mistakes),
            "schedules" => self.tables.schedules = table(value, mistakes),
            "signing" => self.tables.signing = table(value, mistakes),
            _ => match texts(value.get_ref()) {
                Ok(values) => self.settings.push(FileSetting { name: name.to_owned(), values, name_at, value_at }),
                Err(Unreadable::Table) => {
                    let known = FileTables::NAMES.join("], [");
                    mistakes.add(name_at, format!("unknown table {name:?}: the tables are [{known}]"));
                }
                Err(Unreadable::Kind(kind)) => {
                    mistakes.add(value_at, format!("{name} is a {kind}: write a number, a text in quotes, or true"));
                }
            },
        }
    }
}

/// The tables of sources that have a `kind`, and the others.
fn parted(value: Spanned<DeValue<'_>>) -> (Spanned<DeValue<'_>>, Spanned<DeValue<'_>>) {
    let span = value.span();
    let (mut brokers, mut webhooks) = (DeTable::new(), DeTable::new());
    let DeValue::Table(tables) = value.get_ref() else { return (Spanned::new(span, DeValue::Table(brokers)), value) };
    for (name, table) in tables.clone() {
        let is_broker = matches!(table.get_ref(), DeValue::Table(keys) if keys.contains_key("kind"));
        if is_broker { &mut brokers } else { &mut webhooks }.insert(name, table);
    }
    (Spanned::new(span.clone(), DeValue::Table(brokers)), Spanned::new(span, DeValue::Table(webhooks)))
}

/// The reason why a value is none of a setting.
enum Unreadable {
    Table,
    Kind(&'static str),
}

/// The values of a setting as texts: each of a list, or the one.
fn texts(value: &DeValue<'_>) -> Result<Vec<String>, Unreadable> {
    Ok(vec![match value {
        DeValue::String(text) => text.clone().into_owned(),
        // Without underscores already, and of a radix that few have reason to use.
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| number.as_str().to_owned(), |number| number.to_string()),
        DeValue::Boolean(is) => is.to_string(),
        DeValue::Array(list) => {
            let each: Result<Vec<_>, _> = list.iter().map(|value| texts(value.get_ref())).collect();
            return Ok(each?.concat());
        }
        DeValue::Table(_) => return Err(Unreadable::Table),
        DeValue::Float(_) => return Err(Unreadable::Kind("number with a point")),
        DeValue::Datetime(_) => return Err(Unreadable::Kind("date")),
    }])
}

/// Reads a table. One that cannot be read is noted, and is the default.
fn table<T: DeserializeOwned + Default>(value: Spanned<DeValue<'_>>, mistakes: &mut Mistakes<'_>) -> T {
    let (whole, fallback) = (value.clone(), value.span().start);
    T::deserialize(value.into_deserializer()).unwrap_or_else(|error| {
        let at = start(&error, fallback);
        // A table whose kind depends on one of its keys is read as a whole, and says no more than where it begins.
        let unknown = error.message().strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        let key_at = unknown.and_then(|name| place_of_key(whole.get_ref(), name, at));
        mistakes.add(key_at.unwrap_or(at), error.message());
        // Never used, as the mistake ends the start.
        T::default()
    })
}

fn start(error: &Error, fallback: usize) -> usize {
    error.span().map_or(fallback, |span| span.start)
}

/// The first key of this name at the byte `from` or behind it.
fn place_of_key(value: &DeValue<'_>, name: &str, from: usize) -> Option<usize> {
    let inside: Vec<Option<usize>> = match value {
        DeValue::Table(table) => {
            let own = |key: &Spanned<_>| key.span().start;
            let here = table.iter().filter(|(key, _)| key.get_ref().as_ref() as &str == name).map(|(key, _)| own(key));
            let below = table.iter().filter_map(|(_, value)| place_of_key(value.get_ref(), name, from));
            here.chain(below).map(Some).collect()
        }
        DeValue::Array(list) => list.iter().map(|value| place_of_key(value.get_ref(), name, from)).collect(),
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            Vec::new()
        }
    };
    inside.into_iter().flatten().filter(|at| *at >= from).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> String {
        ConfigFile::parse("f", text).expect_err("a mistake").to_string()
    }

    #[test]
    fn settings_are_read_as_flags_have_them() {
        let text = "a = 1_000\nb = \"5s\"\nc = true\nd = [\"x\", \"y\"]\ne = 0x10\n";
        let file = ConfigFile::parse("f", text).expect("a file");
        let read: Vec<_> = file.settings.iter().map(|s| (s.name.as_str(), s.values.join(","))).collect();
        let expected = [("a", "1000"), ("b", "5s"), ("c", "true"), ("d", "x,y"), ("e", "16")];
        assert_eq!(read, expected.map(|(name, values)| (name, values.to_owned())));
        assert_eq!((file.settings[1].name_at, file.settings[1].value_at), (10, 14));
    }

    #[test]
    fn what_is_no_toml_is_refused_with_its_place() {
        assert!(mistakes("a = 1\nb = = 2\n").starts_with("f:2:5: "), "{}", mistakes("a = 1\nb = = 2\n"));
        assert!(mistakes("a = 1\na = 2\n").starts_with("f:2:1: duplicate key"), "{}", mistakes("a = 1\na = 2\n"));
    }

    #[test]
    fn every_mistake_is_named_once_and_in_order() {
        let text = "[surces.a]\n[access]\nread = [{ flie = \"x\" }]\n[signing]\nsecret = 1\n";
        let text = mistakes(text);
        let lines: Vec<_> = text.lines().map(|line| line.split_inclusive(": ").take(2).collect::<String>()).collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(text.starts_with("f:1:2: unknown table \"surces\": the tables are [sources], [access]"), "{text}");
        assert!(text.contains("f:3:11: ") && text.contains("`flie`"), "{text}");
        assert!(text.contains("f:5:1: unknown field `secret`, expected `secrets`"), "{text}");
    }

    #[test]
    fn unknown_key_in_a_table_of_several_kinds_has_its_place() {
        let text = "[sources.a]\nid = \"json:/id\"\n[sources.a.verify]\nscheme = \"hmac\"\nheadr = \"x\"\n";
        assert!(mistakes(text).starts_with("f:5:1: unknown field `headr`"), "{}", mistakes(text));
    }

    #[test]
    fn dates_and_points_are_refused() {
        assert_eq!(mistakes("a = 1.5"), "f:1:5: a is a number with a point: write a number, a text in quotes, or true");
        assert!(mistakes("a = 2020-01-01").contains("a is a date"));
    }
}
