//! Arithmetic on long numbers, big-endian.

/// `left + right`, one byte longer than the longer of them.
pub(super) fn sum(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut digits = Vec::new();
    for place in 0..=left.len().max(right.len()) {
        let both = digit(left, place) + digit(right, place) + carry;
        digits.push(u8::try_from(both & 0xff).unwrap_or_default());
        carry = both >> 8;
    }
    digits.into_iter().rev().collect()
}

/// `left - right`, as long as `left`, which is not less.
pub(super) fn difference(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut borrowed = 0;
    let mut digits = Vec::new();
    for place in 0..left.len() {
        let rest = 0x100 + digit(left, place) - digit(right, place) - borrowed;
        digits.push(u8::try_from(rest & 0xff).unwrap_or_default());
        borrowed = u16::from(rest < 0x100);
    }
    digits.into_iter().rev().collect()
}

/// A small number in so many bytes.
pub(super) fn small(value: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    bytes.iter_mut().rev().take(1).for_each(|byte| *byte = value);
    bytes
}

fn digit(number: &[u8], place: usize) -> u16 {
    number.iter().rev().nth(place).copied().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_add_up() {
        assert_eq!(sum(&[0xff, 0xff], &[1]), [1, 0, 0]);
        assert_eq!(sum(&[1, 2], &[3, 0xfe]), [0, 5, 0]);
        assert_eq!(difference(&[1, 0, 0], &[1]), [0, 0xff, 0xff]);
        assert_eq!(difference(&[5, 0], &[3, 0xfe]), [1, 2]);
        assert_eq!(small(7, 3), [0, 0, 7]);
    }
}
