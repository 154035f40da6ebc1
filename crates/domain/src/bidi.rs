//! Characters that nobody sees and that turn the direction of what stands beside them.

/// Whether a character only tells in which direction others are written (Unicode Standard Annex 9, section 2; the property
/// `Bidi_Control`). In a name it makes an address beside it read as another one.
#[must_use]
pub fn turns_writing(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character takes no room by itself and joins nothing: a name that has it looks like one that has not, or like none.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{180E}' | '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}')
}
