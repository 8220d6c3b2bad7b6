//! One line of terminal output as HTML: colours and weights survive, everything else that a terminal obeys does not.
//!
//! The style carries over line ends, so a log keeps one `Style` for each step. Text is escaped before any mark is added.
//! Colours become classes `a0` to `a15` (the theme's sixteen), because the CSP refuses `style` and the theme must keep the contrast.

mod colours;
mod html;

use colours::Colour;
use std::fmt::Write;
use vte::{Params, Parser, Perform};

/// Characters of a line that are shown; the raw log has all of it.
pub const SHOWN: usize = 10_000;

/// What Select Graphic Rendition switched on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a terminal switches each of them alone")]
pub struct Style {
    colour: Option<Colour>,
    bold: bool,
    dim: bool,
    underline: bool,
    inverse: bool,
    background: bool,
}

/// Text from outside in one line of the page: what cannot be seen, or turns text around, is written out.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\t' && (c.is_control() || html::is_hidden(c)) {
            write!(out, "‹U+{:04X}›", u32::from(c)).expect("a string takes any text");
        } else {
            out.push(c);
        }
    }
    out
}

impl Style {
    /// The line as HTML, in the style that earlier lines left; this line's last style stays for the next.
    pub fn html(&mut self, line: &[u8]) -> String {
        html::write(&self.screen(line))
    }

    /// The line as a terminal would show it, without any mark, and not yet escaped. Also advances the style.
    pub fn text(&mut self, line: &[u8]) -> String {
        self.screen(line).cells.iter().map(|cell| cell.0).collect()
    }

    fn screen(&mut self, line: &[u8]) -> Screen {
        let mut screen = Screen { style: *self, ..Screen::default() };
        // A new parser for each line: an escape sequence without an end must not swallow the lines after it.
        Parser::new().advance(&mut screen, line);
        *self = screen.style;
        screen
    }
}

/// One row of characters, each with the style it was printed in.
#[derive(Default)]
struct Screen {
    cells: Vec<(char, Style)>,
    at: usize,
    /// Characters beyond `SHOWN`.
    cut: usize,
    style: Style,
}

impl Perform for Screen {
    fn print(&mut self, c: char) {
        if self.at >= SHOWN {
            self.cut += 1;
            return;
        }
        match self.cells.get_mut(self.at) {
            Some(cell) => *cell = (c, self.style),
            None => self.cells.push((c, self.style)),
        }
        self.at += 1;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\t' => self.print('\t'),
            // Progress bars write one line over and over.
            b'\r' => {
                self.at = 0;
                self.cut = 0;
            }
            8 => self.at = self.at.saturating_sub(1),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _: bool, action: char) {
        let first = params.iter().next().and_then(|p| p.first()).copied();
        match action {
            'm' if intermediates.is_empty() => self.style.select(params),
            'K' if first == Some(2) => self.cells.clear(),
            'K' if first.unwrap_or(0) == 0 => self.cells.truncate(self.at),
            _ => {}
        }
        // Clearing a line leaves the cursor where it was; printing goes on at the end of what is left.
        self.at = self.at.min(self.cells.len());
    }
}

impl Style {
    fn select(&mut self, params: &Params) {
        let mut params = params.iter();
        while let Some(param) = params.next() {
            match param[0] {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                4 => self.underline = param.get(1) != Some(&0),
                7 => self.inverse = true,
                22 => (self.bold, self.dim) = (false, false),
                24 => self.underline = false,
                27 => self.inverse = false,
                n @ 30..=37 => self.colour = Some(Colour::basic(n - 30)),
                n @ 90..=97 => self.colour = Some(Colour::basic(n - 82)),
                38 => self.colour = Colour::extended(param, &mut params),
                39 => self.colour = None,
                // A background keeps no colour of its own: sixteen on sixteen cannot all be read.
                48 => self.background = Colour::extended(param, &mut params).is_some(),
                40..=47 | 100..=107 => self.background = true,
                49 => self.background = false,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
