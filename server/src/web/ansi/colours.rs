//! Any colour of a terminal as one of the sixteen that the theme knows.

/// 0 to 7 are black, red, green, yellow, blue, magenta, cyan, white; 8 to 15 the bright ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colour(pub(super) u8);

impl Colour {
    pub(super) fn basic(index: u16) -> Self {
        Self(u8::try_from(index.min(15)).unwrap_or(15))
    }

    /// The parameters after 38 or 48: `5;n`, `2;r;g;b`, or the same in one parameter with colons.
    pub(super) fn extended<'a>(param: &[u16], rest: &mut impl Iterator<Item = &'a [u16]>) -> Option<Self> {
        if param.len() > 1 {
            return match param[1..] {
                [5, index] => Some(Self::indexed(index)),
                // With colons there may be a colour space before the three values.
                [2, r, g, b] | [2, _, r, g, b] => Some(Self::rgb(r, g, b)),
                _ => None,
            };
        }
        let mut next = || rest.next().and_then(|p| p.first()).copied();
        match next()? {
            5 => Some(Self::indexed(next()?)),
            2 => Some(Self::rgb(next()?, next()?, next()?)),
            _ => None,
        }
    }

    fn indexed(index: u16) -> Self {
        match index {
            0..=15 => Self::basic(index),
            16..=231 => {
                let cube = index - 16;
                let level = |n: u16| if n == 0 { 0 } else { 55 + 40 * n };
                Self::rgb(level(cube / 36), level(cube / 6 % 6), level(cube % 6))
            }
            _ => {
                let grey = 8 + 10 * (index.min(255) - 232);
                Self::rgb(grey, grey, grey)
            }
        }
    }

    fn rgb(r: u16, g: u16, b: u16) -> Self {
        let (r, g, b) = (r.min(255), g.min(255), b.min(255));
        let (high, low) = (r.max(g).max(b), r.min(g).min(b));
        if high - low < 32 {
            return Self(match high {
                0..=63 => 0,
                64..=143 => 8,
                144..=223 => 7,
                _ => 15,
            });
        }
        // A channel counts when it lies in the upper half between the weakest and the strongest.
        let on = |channel: u16, bit: u8| if channel * 2 > high + low { bit } else { 0 };
        let bright = if high > 223 && low > 63 { 8 } else { 0 };
        Self(on(r, 1) | on(g, 2) | on(b, 4) | bright)
    }
}
