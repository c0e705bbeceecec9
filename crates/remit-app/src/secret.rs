//! A credential in memory. It exists from `unlock` to `forward` only.

use zeroize::Zeroizing;

/// A credential of an upstream.
///
/// It has no `Debug`, `Clone`, `Display` or `Serialize`, is zeroed on drop, and gives its text only
/// through [`Secret::expose`], whose callers are few and can be listed with one search.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of a credential.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Only the code that writes it to the upstream's connection, or gives it to a
    /// token as its PIN, may call this.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}
