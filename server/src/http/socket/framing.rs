//! Where a head ends, and the body behind it. Requests that come at once are handed on one at a time: actix-http would
//! take in all that it is given, and a request of twenty bytes costs it some kilobytes.
//!
//! actix-http reads heads and bodies itself; where it reads them otherwise, less or more is handed on at once.

use actix_web::http::header::{self, HeaderMap};

/// The lines of a head, as far as they have come.
#[derive(Default)]
pub(super) struct Lines {
    is_empty: bool,
}

impl Lines {
    /// How many of the bytes go to the end of the head, and whether it is there.
    pub(super) fn until_end(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' if self.is_empty => {
                    self.is_empty = false;
                    return (at + 1, true);
                }
                b'\n' => self.is_empty = true,
                b'\r' => {}
                _ => self.is_empty = false,
            }
        }
        (bytes.len(), false)
    }
}

/// What is still to come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Framing {
    Length(u64),
    Chunked(Chunk),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Chunk {
    Size { size: u64, is_extension: bool },
    Data(u64),
    DataEnd,
    Trailer { is_empty: bool },
    End,
}

impl Default for Framing {
    fn default() -> Self {
        Self::Length(0)
    }
}

impl Framing {
    pub(in crate::http) fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(header::TRANSFER_ENCODING) {
            return Self::Chunked(Chunk::Size { size: 0, is_extension: false });
        }
        let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse().ok());
        Self::Length(length.unwrap_or(0))
    }

    /// How many bytes belong to the body whatever they are, if that is known.
    pub(super) fn length(self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(left),
            Self::Chunked(Chunk::End) => Some(0),
            Self::Chunked(_) => None,
        }
    }

    /// How many of the bytes belong to the body.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                taken
            }
            Self::Chunked(chunk) => chunk.take(bytes),
        }
    }
}

impl Chunk {
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && *self != Self::End {
            if let Self::Data(left) = *self {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += taken;
                let left = left - taken as u64;
                *self = if left == 0 { Self::DataEnd } else { Self::Data(left) };
            } else {
                *self = self.after(bytes[at]);
                at += 1;
            }
        }
        at
    }

    /// RFC 9112, section 7.1.
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Size { size: 0, .. }, b'\n') => Self::Trailer { is_empty: true },
            (Self::Size { size, .. }, b'\n') => Self::Data(size),
            (Self::Size { size, is_extension }, _) => match char::from(byte).to_digit(16).filter(|_| !is_extension) {
                Some(digit) => Self::Size { size: size.saturating_mul(16).saturating_add(digit.into()), is_extension },
                None => Self::Size { size, is_extension: true },
            },
            (Self::DataEnd, b'\n') => Self::Size { size: 0, is_extension: false },
            (Self::Trailer { is_empty: true }, b'\n') => Self::End,
            (Self::Trailer { .. }, b'\n') => Self::Trailer { is_empty: true },
            (Self::Trailer { is_empty }, b'\r') => Self::Trailer { is_empty },
            (Self::Trailer { .. }, _) => Self::Trailer { is_empty: false },
            (other, _) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_its_empty_line() {
        for (text, end) in [
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", true),
            ("GET / HTTP/1.1\nHost: x\n\n", true),
            ("\r\nGET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nHost: x\r\n", false),
        ] {
            let all = text.to_owned() + if end { "GET /next" } else { "" };
            assert_eq!(Lines::default().until_end(all.as_bytes()), (text.len(), end), "{text:?}");
            // However it comes.
            let mut lines = Lines::default();
            let bytes: Vec<_> = all.bytes().map(|byte| lines.until_end(&[byte]).1).collect();
            assert_eq!(bytes.iter().position(|is_end| *is_end), end.then(|| text.len() - 1), "{text:?}");
        }
    }

    #[test]
    fn a_chunked_body_ends_with_its_trailers() {
        let chunked = Framing::Chunked(Chunk::Size { size: 0, is_extension: false });
        for text in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "1A;a=b\r\nabcdefghijklmnopqrstuvwxyz\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n",
            "2\r\n\r\n\r\n0\r\nX-Sum: 1\r\n\r\n",
        ] {
            let all = text.to_owned() + "GET / HTTP/1.1\r\n\r\n";
            let mut framing = chunked;
            assert_eq!(framing.take(all.as_bytes()), text.len(), "{text:?}");
            assert_eq!(framing.length(), Some(0));
            let mut framing = chunked;
            let taken: usize = all.bytes().map(|byte| framing.take(&[byte])).sum();
            assert_eq!(taken, text.len(), "{text:?}");
        }
    }

    #[test]
    fn a_body_with_a_length_ends_there() {
        let mut framing = Framing::Length(5);
        assert_eq!((framing.take(b"hel"), framing.take(b"loGET"), framing.take(b"GET")), (3, 2, 0));
    }
}
