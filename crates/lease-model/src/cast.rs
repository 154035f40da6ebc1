//! Who takes part.

/// The node that ends the session, with one or two others that hold leases. The first holds none: it could not be told from
/// one of the others.
#[derive(Clone, Copy, Debug)]
pub enum Cast {
    /// One holder, which can join anew while its old row still stands, and all that can go wrong.
    OneHolder,
    /// Two holders, of which either can crash; but the database does not, no connection is lost, nothing is given back, and
    /// clocks keep pace.
    TwoHolders,
}

impl Cast {
    /// By node: the names that it can have at the same time.
    pub(crate) fn names(self) -> &'static [&'static [u8]] {
        match self {
            Self::OneHolder => &[&[], &[0, 1]],
            Self::TwoHolders => &[&[], &[0], &[1]],
        }
    }

    pub(crate) fn has_all_troubles(self) -> bool {
        matches!(self, Self::OneHolder)
    }
}
