//! Access: the tokens of callers, and what each of them allows.

use std::format;
use std::vec::Vec;

use axum::http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};

use super::problem::{Problem, ProblemKind};
use super::sources::{NoSecret, Secret, SecretRef, credentials};

/// The files or texts of the tokens that calls need, by what they allow. Each is sent as `Authorization: Bearer
/// TOKEN`.
///
/// Without any token every call is open to all who reach the server. Health, the description and sources, which verify
/// their senders themselves, need none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AccessConfig {
    /// Tokens that submit events.
    pub submit: Vec<SecretRef>,
    /// Tokens that read events and numbers.
    pub read: Vec<SecretRef>,
    /// Tokens of workers, which take events, with their payloads, and settle them. To submit events that follow, in `then`
    /// of a settle, a token must be one of `submit`, too.
    pub work: Vec<SecretRef>,
    /// Tokens that do everything.
    pub operate: Vec<SecretRef>,
}

/// Access: the tokens of callers, by what they allow. Without any token every call is open.
#[derive(Debug, Clone, Default)]
pub struct Access {
    tokens: [Vec<Secret>; 4],
}

/// The role that a token gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Submit,
    Read,
    Work,
    Operate,
}

impl Access {
    /// Reads the tokens.
    ///
    /// # Errors
    ///
    /// [`NoSecret`] when one cannot be read.
    pub fn new(config: &AccessConfig) -> Result<Self, NoSecret> {
        let read = |tokens: &[SecretRef]| tokens.iter().map(SecretRef::read).collect::<Result<Vec<_>, _>>();
        Ok(Self { tokens: [read(&config.submit)?, read(&config.read)?, read(&config.work)?, read(&config.operate)?] })
    }

    /// Returns whether every call is open to all.
    pub fn is_open(&self) -> bool {
        self.tokens.iter().all(Vec::is_empty)
    }

    /// Returns the names of the roles of a caller: all when every call is open.
    ///
    /// # Errors
    ///
    /// There is no token, or an unknown one, where one is needed.
    pub(super) fn roles(&self, headers: &HeaderMap) -> Result<Vec<&'static str>, Problem> {
        let known = if self.is_open() { [true; 4] } else { self.known(headers)? };
        let has = |role: &Role| known[*role as usize] || known[Role::Operate as usize];
        Ok(Role::ALL.into_iter().filter(has).map(Role::name).collect())
    }

    /// Returns which roles the token of a request gives.
    fn known(&self, headers: &HeaderMap) -> Result<[bool; 4], Problem> {
        let Some(token) = credentials(headers, "bearer") else {
            let detail = "this call needs a token: send it as Authorization: Bearer TOKEN";
            return Err(Problem::new(ProblemKind::Unauthorized, detail).closing());
        };
        // All are compared, so that the time says nothing of which one it was.
        let known =
            self.tokens.each_ref().map(|tokens| tokens.iter().fold(false, |is, one| one.is(token.as_bytes()) | is));
        if known == [false; 4] {
            // Unknown and insufficient are different mistakes, with different remedies.
            return Err(Problem::new(ProblemKind::Unauthorized, "the token is not known: send another one").closing());
        }
        Ok(known)
    }

    /// Returns whether a caller, whose call was let in, may submit events with it.
    pub(super) fn may_submit(&self, headers: &HeaderMap) -> bool {
        self.is_open()
            || self.known(headers).is_ok_and(|known| known[Role::Submit as usize] || known[Role::Operate as usize])
    }

    /// # Errors
    ///
    /// The call needs a token, and there is none, an unknown one, or one that does not allow it.
    pub(super) fn check(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Problem> {
        // Without any token in the configuration, every caller may make every call.
        let Some(needed) = role_for(method, path).filter(|_| !self.is_open()) else { return Ok(()) };
        let known = self.known(headers)?;
        // Operators may do everything.
        if known[needed as usize] || known[Role::Operate as usize] {
            return Ok(());
        }
        let detail = format!("the token does not allow it: send one that may {}", needed.name());
        Err(Problem::new(ProblemKind::Forbidden, detail).closing())
    }
}

impl Role {
    const ALL: [Self; 4] = [Self::Submit, Self::Read, Self::Work, Self::Operate];

    const fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Work => "work",
            Self::Operate => "operate",
        }
    }
}

/// Returns the role that a call needs; `None` for those that all may make. A call that is not known needs the
/// operator's.
fn role_for(method: &Method, path: &str) -> Option<Role> {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    match path {
        "/livez" | "/readyz" | "/openapi.json" => None,
        // The page is text without data, and every token may ask what it allows.
        "/ui" | "/v1/access" if is_read => None,
        _ if is_read && path.starts_with("/ui/") => None,
        // Sources have signatures of their own.
        _ if path.starts_with("/in/") => None,
        "/v1/events" | "/v1/events/batch" if *method == Method::POST => Some(Role::Submit),
        "/v1/lease" => Some(Role::Work),
        _ if path.starts_with("/v1/runs/") => Some(Role::Work),
        _ if is_read => Some(Role::Read),
        _ => Some(Role::Operate),
    }
}
