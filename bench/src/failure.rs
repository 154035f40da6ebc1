//! Why there is no figure: a text is all that anybody needs of it.

/// What went wrong.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

/// The result of everything here.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// A failure with this text.
pub(crate) fn fail<T>(text: impl Into<String>) -> Outcome<T> {
    Err(Failure(text.into()))
}
