//! Which passwords are accepted.
/// What is wrong with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFlaw { /** under 8 characters */ TooShort, /** over 256 */ TooLong, /** composition: no upper-case letter */ NoUpperCase, /** composition: no digit */ NoDigit, /** common, or a context word */ Common }
/// Words that are no password here: product, host, name, local part.
pub struct Context<'a> { pub words: &'a [&'a str] }
