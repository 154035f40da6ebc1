//! The one colour of pages that an operator chooses.

use std::fmt::Write as _;

/// The least contrast of text with what is behind it (WCAG 2.2, success criterion 1.4.3).
const LEAST: f64 = 4.5;
/// What the accent is lightened to where pages are dark: more than the least, since light on dark is read less well.
const IN_THE_DARK: f64 = 6.5;
/// What is behind text in light pages where they are darkest, and in dark pages where they are lightest; as in `pages.css`.
const PAPER: Accent = Accent([0xf6, 0xf6, 0xf3]);
const NIGHT: Accent = Accent([0x1d, 0x20, 0x23]);
/// What stands on the accent in dark pages.
const INK: Accent = Accent([0x13, 0x15, 0x17]);
const BLACK: Accent = Accent([0; 3]);
const WHITE: Accent = Accent([0xff; 3]);
/// Into so many steps the way to black or white is cut.
const STEPS: u32 = 64;

/// A colour of sRGB that can be read on light pages; dark ones have a lighter one of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accent([u8; 3]);

impl Default for Accent {
    fn default() -> Self {
        Self([0x1f, 0x5f, 0xa8])
    }
}

impl Accent {
    /// Reads `#1f5fa8`.
    ///
    /// # Errors
    /// What is wrong with it; empty if it is no colour at all.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii()).ok_or("")?;
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+')).ok_or("")?;
        let [_, red, green, blue] = number.to_be_bytes();
        let colour = Self([red, green, blue]);
        let contrast = colour.contrast(PAPER);
        if contrast >= LEAST {
            return Ok(colour);
        }
        Err(format!(
            "it has a contrast of {contrast:.1}:1 with the light pages, and {LEAST}:1 is needed to be read (WCAG 2.2, 1.4.3): \
             take a darker one such as {}",
            colour.until(BLACK, |darker| darker.contrast(PAPER) >= LEAST).hex()
        ))
    }

    /// The style sheet's variables: the accent, and what stands on it, in light and in dark pages.
    pub(super) fn variables(self) -> String {
        let lighter = self.until(WHITE, |lighter| lighter.contrast(NIGHT) >= IN_THE_DARK);
        format!(
            ":root{{--accent:{};--on-accent:{}}}@media (prefers-color-scheme:dark){{:root{{--accent:{};--on-accent:{}}}}}\n",
            self.hex(),
            WHITE.hex(),
            lighter.hex(),
            INK.hex(),
        )
    }

    fn hex(self) -> String {
        self.0.iter().fold("#".to_owned(), |mut hex, part| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{part:02x}");
            hex
        })
    }

    /// The first on the way from here to `end` that will do.
    fn until(self, end: Self, will_do: impl Fn(Self) -> bool) -> Self {
        (0..STEPS).map(|step| self.mixed(end, step)).find(|colour| will_do(*colour)).unwrap_or(end)
    }

    fn mixed(self, end: Self, step: u32) -> Self {
        let [red, green, blue] = self.0;
        let [to_red, to_green, to_blue] = end.0;
        let part = |from: u8, to: u8| {
            let mixed = (u32::from(from) * (STEPS - step) + u32::from(to) * step) / STEPS;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        Self([part(red, to_red), part(green, to_green), part(blue, to_blue)])
    }

    /// WCAG 2.2, "contrast ratio": from 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// WCAG 2.2, "relative luminance": from 0 to 1.
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_measured_as_wcag_has_it() {
        assert!((BLACK.contrast(WHITE) - 21.0).abs() < 0.001);
        assert!((Accent([0x77; 3]).contrast(WHITE) - 4.478).abs() < 0.001);
        assert!((WHITE.contrast(WHITE) - 1.0).abs() < 0.001);
    }

    #[test]
    fn a_colour_that_cannot_be_read_is_refused_with_one_that_can() {
        for good in ["#1f5fa8", "#000000", "#A3271C", "#1d6b3f"] {
            assert!(Accent::parse(good).is_ok(), "{good}");
        }
        let wrong = Accent::parse("#ffcc00").unwrap_err();
        let (_, other) = wrong.rsplit_once(' ').unwrap();
        assert!(wrong.contains("1.4:1") && Accent::parse(other).is_ok(), "{wrong}");
        for nonsense in ["", "1f5fa8", "#1f5", "#1f5fa", "#+f5fa8", "#ñ5fa8", "blue", "#1f5fa80", "#gggggg"] {
            assert_eq!(Accent::parse(nonsense), Err(String::new()), "{nonsense}");
        }
    }

    #[test]
    fn whatever_is_chosen_is_read_in_dark_pages_too() {
        for chosen in ["#1f5fa8", "#000000", "#5b2d8e", "#7a1010", "#006a4e"] {
            let chosen = Accent::parse(chosen).unwrap();
            let variables = chosen.variables();
            let (_, dark) = variables.split_once("dark").unwrap();
            let number = u32::from_str_radix(dark.split('#').nth(1).unwrap().get(..6).unwrap(), 16).unwrap();
            let [_, red, green, blue] = number.to_be_bytes();
            let lighter = Accent([red, green, blue]);
            assert!(lighter.contrast(NIGHT) >= LEAST && lighter.contrast(INK) >= LEAST, "{chosen:?}");
        }
        assert!(Accent::default().contrast(PAPER) >= LEAST, "also of the one that nobody chose");
    }
}
