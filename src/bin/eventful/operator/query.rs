//! The query of a call.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::options::FilterOptions;

/// Names with values, percent-encoded.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(String);

impl Query {
    /// With one more parameter.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        self.0.push_str(name);
        self.0.push('=');
        self.0.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        self
    }

    /// With one more parameter, when it has a value.
    pub(super) fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The query of a filter. The status is written as it is: calls look for its very text.
    pub(super) fn of(filter: &FilterOptions, status: Option<&str>) -> Self {
        let FilterOptions {
            id,
            source,
            event_type,
            error,
            cause,
            accepted_from,
            accepted_until,
            failed_from,
            failed_until,
        } = filter;
        let status = match status {
            // A name that is none is encoded, so that it adds no parameter.
            Some(status) if status.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') => {
                Self(format!("?status={status}"))
            }
            status => Self::default().with_some("status", status),
        };
        status
            .with_some("id", id.as_deref())
            .with_some("source", source.as_deref())
            .with_some("type", event_type.as_deref())
            .with_some("error", error.as_deref())
            .with_some("cause", cause.as_deref())
            .with_some("accepted_from", accepted_from.as_deref())
            .with_some("accepted_until", accepted_until.as_deref())
            .with_some("failed_from", failed_from.as_deref())
            .with_some("failed_until", failed_until.as_deref())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded() {
        let query = Query::default().with("id", "a/b &ä").with_some("x", None).with("source", "");
        assert_eq!(query.as_str(), "?id=a%2Fb%20%26%C3%A4&source=");
        let filter = FilterOptions { event_type: Some("order.paid".into()), ..FilterOptions::default() };
        assert_eq!(Query::of(&filter, Some("failed_retry")).as_str(), "?status=failed_retry&type=order%2Epaid");
        assert_eq!(Query::of(&filter, Some("a&b=c")).as_str(), "?status=a%26b%3Dc&type=order%2Epaid");
    }
}
