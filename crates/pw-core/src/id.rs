//! Names that reach refs, folders and scripts: parsed once, valid for ever.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a name may be: an allow-list, because git itself would accept `$(id)` in a branch.
pub const NAME_RULE: &str = "use 1 to 32 of a-z 0-9 _ -, beginning with a letter or digit";
/// What a workflow may be called.
pub const SLUG_RULE: &str = "use 1 to 32 of a-z 0-9 -, beginning with a letter or digit; not `history`, where finished runs are kept";
/// The names of refs beside those of workflows.
const RESERVED: [&str; 1] = ["history"];

/// A name that is not on the allow-list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadName;

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME_RULE)
    }
}

impl std::error::Error for BadName {}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $extra:expr, $reserved:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Returns the name as it was parsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
                let allowed = text.starts_with(plain)
                    && text.len() <= 32
                    && text.chars().all(|c| plain(c) || $extra.contains(&c))
                    && !$reserved.contains(&text);
                if allowed { Ok(Self(text.to_owned())) } else { Err(BadName) }
            }
        }

        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse().map_err(|_: BadName| format!("`{text}` is not a valid name"))
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A workflow's name, as in `integration/rest-api`.
    Slug,
    ['-'],
    RESERVED
);
name!(
    /// A worker's id, as in `[NEEDS:task-1/UserModel]`; also the form of a worker's name.
    WorkerId,
    ['-', '_'],
    [""; 0]
);
name!(
    /// What one gate of a plan is called.
    GateName,
    ['-', '_'],
    [""; 0]
);

/// A full object id, SHA-1 or SHA-256.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Oid(String);

impl Oid {
    /// Returns all hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first 10 digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..10]
    }
}

impl FromStr for Oid {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hex && matches!(text.len(), 40 | 64) { Ok(Self(text.to_owned())) } else { Err(BadName) }
    }
}

impl TryFrom<String> for Oid {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|_: BadName| format!("`{text}` is not an object id"))
    }
}

impl From<Oid> for String {
    fn from(oid: Oid) -> Self {
        oid.0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_names_pass() {
        for good in ["task-1", "a", "0", "t_1", "users-api"] {
            assert!(good.parse::<WorkerId>().is_ok(), "{good}");
        }
        let long = "a".repeat(33);
        for bad in
            ["", "-a", "_a", "A", "a b", "$(id)", "a;b", "`id`", "a/b", "..", "a\n", "é", &long]
        {
            assert!(bad.parse::<WorkerId>().is_err(), "{bad}");
        }
        assert!("a_b".parse::<Slug>().is_err());
    }
}
