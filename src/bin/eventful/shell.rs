//! The shell command of a handler.

use std::fmt;

/// A command for `sh -c`. Its text forms show its first word only: the rest may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ShellCommand(String);

impl ShellCommand {
    /// Takes a command that is not blank: a blank one would succeed without doing anything.
    ///
    /// # Errors
    ///
    /// What to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.trim().is_empty() {
            true => Err("the command is empty; write one such as './handle.sh'".to_owned()),
            false => Ok(Self(text.to_owned())),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShellCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
        let mut words = self.0.split_ascii_whitespace();
        match words.next() {
            Some(word) if word.bytes().all(plain) => {
                write!(f, "`{word}{}`", if words.next().is_some() { " …" } else { "" })
            }
            // A quoted word, an assignment, an expansion: where it ends is the shell's knowledge.
            _ => f.write_str("a shell command"),
        }
    }
}

impl fmt::Debug for ShellCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_command_is_refused() {
        for text in ["", " ", "\t\n"] {
            assert!(ShellCommand::parse(text).is_err_and(|error| error.contains("empty")), "{text:?}");
        }
    }

    #[test]
    fn command_shows_its_first_word_only() {
        for (text, shown) in [
            ("true", "`true`"),
            ("  ./a-b.sh ", "`./a-b.sh`"),
            ("curl -H 'Authorization: hunter2' http://h/", "`curl …`"),
            ("TOKEN=hunter2 curl http://h/", "a shell command"),
            ("'hunter 2' x", "a shell command"),
            ("echo|hunter2", "a shell command"),
        ] {
            let command = ShellCommand::parse(text).expect(text);
            let texts = (command.to_string(), format!("{command:?}"), command.as_str());
            assert_eq!(texts, (shown.to_owned(), shown.to_owned(), text));
        }
    }
}
