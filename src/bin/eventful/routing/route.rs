//! The patterns of a route.

use eventful::Event;

use super::config::RouteConfig;

/// A route, with the place of its target among all.
#[derive(Debug)]
pub(super) struct Route {
    source: Pattern,
    event_type: Pattern,
    pub(super) target: usize,
}

/// A text, a beginning of texts, or any text.
#[derive(Debug, PartialEq, Eq)]
enum Pattern {
    Any,
    Exactly(String),
    Beginning(String),
}

impl Route {
    /// # Errors
    ///
    /// A pattern with a `*` that is not its end.
    pub(super) fn new(config: &RouteConfig, target: usize) -> Result<Self, String> {
        let source = Pattern::parse(config.source.as_deref())?;
        Ok(Self { source, event_type: Pattern::parse(config.event_type.as_deref())?, target })
    }

    pub(super) fn fits(&self, event: &Event) -> bool {
        self.source.fits(event.key().source()) && self.event_type.fits(event.event_type().unwrap_or_default())
    }

    /// Returns whether every event fits.
    pub(super) fn fits_all(&self) -> bool {
        self.source == Pattern::Any && self.event_type == Pattern::Any
    }
}

impl Pattern {
    fn parse(text: Option<&str>) -> Result<Self, String> {
        match text.map(|text| text.strip_suffix('*').ok_or(text)) {
            None | Some(Ok("")) => Ok(Self::Any),
            Some(Ok(text) | Err(text)) if text.contains('*') => {
                Err(format!("{text:?}: a * is the end of a pattern, such as order.*"))
            }
            Some(Ok(beginning)) => Ok(Self::Beginning(beginning.to_owned())),
            Some(Err(text)) => Ok(Self::Exactly(text.to_owned())),
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(whole) => text == whole,
            Self::Beginning(beginning) => text.starts_with(beginning),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventful::Key;

    #[test]
    fn route_fits_by_source_and_type() {
        let event = |source: &str, event_type: &str| {
            let event = Event::new(Key::new(source, "a").expect("a key"), "x");
            if event_type.is_empty() { event } else { event.with_type(event_type).expect("a type") }
        };
        for (source, event_type, fitting) in [
            (None, None, [true, true, true, true]),
            (Some("shop"), None, [true, true, false, false]),
            (Some(""), None, [false, false, false, true]),
            (None, Some("order.*"), [true, false, true, false]),
            (Some("sh*"), Some("order.paid"), [true, false, true, false]),
            (Some("*"), Some("*"), [true, true, true, true]),
            (None, Some(""), [false, true, false, true]),
        ] {
            let route = route(source, event_type).expect("a route");
            let events = [("shop", "order.paid"), ("shop", ""), ("shoe", "order.paid"), ("", "")];
            let fits = events.map(|(source, event_type)| route.fits(&event(source, event_type)));
            assert_eq!(fits, fitting, "{source:?} {event_type:?}");
            assert_eq!(route.fits_all(), fitting == [true; 4]);
        }
        assert!(route(None, Some("*.paid")).is_err() && route(Some("a*b"), None).is_err());
    }

    fn route(source: Option<&str>, event_type: Option<&str>) -> Result<Route, String> {
        let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
        let config = RouteConfig { source: owned(source), event_type: owned(event_type), target: "t".to_owned() };
        Route::new(&config, 0)
    }
}
