//! Lists of variants, and their names as text.

use std::fmt::Debug;

/// Returns the name of a variant: `TicketLost { .. }` as `ticket_lost`, with this separator.
pub(crate) fn variant(value: &impl Debug, separator: char) -> String {
    let mut name = String::new();
    for letter in format!("{value:?}").chars().take_while(|letter| letter.is_alphanumeric()) {
        if letter.is_uppercase() && !name.is_empty() {
            name.push(separator);
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// Declares an enum whose variants are counted: each has a number and a name, and all of them are listed.
macro_rules! counted {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// All variants.
            pub const ALL: [Self; [$(stringify!($variant)),*].len()] = [$(Self::$variant),*];

            /// Returns the name in snake case.
            pub fn name(self) -> String {
                $crate::spelling::variant(&self, '_')
            }
        }

        impl $crate::tier::Countable for $name {
            fn number(self) -> usize {
                self as usize
            }
        }
    };
}
pub(crate) use counted;
