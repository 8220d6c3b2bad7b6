//! What becomes of a line, as tables.

use super::{SHOWN, Style, visible};

fn html(line: &str) -> String {
    Style::default().html(line.as_bytes())
}

#[test]
fn lines_become_html() {
    for (line, expected) in [
        ("plain", "plain"),
        ("<script>alert(1)</script> & \"q\"", "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;q&quot;"),
        ("\x1b[1;32mCompiling\x1b[0m serde", "<span class=\"a2 ab\">Compiling</span> serde"),
        ("\x1b[91mred\x1b[39m.", "<span class=\"a9\">red</span>."),
        ("\x1b[38;5;208morange", "<span class=\"a3\">orange</span>"),
        ("\x1b[38;2;255;0;0mred", "<span class=\"a1\">red</span>"),
        ("\x1b[38:2::0:0:255mblue", "<span class=\"a4\">blue</span>"),
        ("\x1b[38;5;244mgrey", "<span class=\"a8\">grey</span>"),
        ("\x1b[4;7mboth", "<span class=\"ai au\">both</span>"),
        ("\x1b[2J\x1b[10;10Hmoved\x1b[?25l", "moved"),
        ("10%\r50%\r100%", "100%"),
        ("abcdef\rXY", "XYcdef"),
        ("abcdef\r\x1b[KXY", "XY"),
        ("done\r", "done"),
        ("a\u{8}b\x07", "b"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;javascript:alert(1)\x1b\\text\x1b]8;;\x1b\\", "text"),
        ("\x1b]no end <b>", ""),
        ("if (a\u{202e}b", "if (a<span class=\"ctl\">U+202E</span>b"),
    ] {
        assert_eq!(html(line), expected, "{line:?}");
    }
}

#[test]
fn addresses_become_links_and_stay_escaped() {
    assert_eq!(
        html("see https://a.example/?x=1&y=2."),
        "see <a href=\"https://a.example/?x=1&amp;y=2\" rel=\"nofollow noopener\">https://a.example/?x=1&amp;y=2</a>."
    );
    assert_eq!(
        html("https://a.example/\"onclick=x"),
        "<a href=\"https://a.example/\" rel=\"nofollow noopener\">https://a.example/</a>&quot;onclick=x"
    );
    for text in ["http://", "http is", "javascript://x"] {
        assert!(!html(text).contains("<a"), "{text}");
    }
}

#[test]
fn what_cannot_be_seen_is_written_out() {
    assert_eq!(visible("a\u{202e}b\rc\td"), "a‹U+202E›b‹U+000D›c\td");
}

#[test]
fn the_style_carries_over_line_ends_until_it_is_reset() {
    let mut style = Style::default();
    assert_eq!(style.html(b"\x1b[31mone"), "<span class=\"a1\">one</span>");
    assert_eq!(style.html(b"two"), "<span class=\"a1\">two</span>");
    assert_eq!(style.html(b"\x1b[mthree"), "three");
    assert_eq!(style, Style::default());
}

#[test]
fn invalid_utf8_is_replaced() {
    assert_eq!(Style::default().html(b"a\xff\xfeb"), "a\u{fffd}\u{fffd}b");
    assert!(Style::default().html(b"caf\xc3").starts_with("caf"));
}

#[test]
fn a_line_of_a_megabyte_is_cut_with_a_word() {
    let html = html(&"x".repeat(1_000_000));
    assert!(html.len() < SHOWN + 200);
    assert!(html.ends_with("<span class=\"cut\">990000 more characters are in the raw log</span>"));
}

#[test]
fn a_progress_bar_of_a_megabyte_keeps_its_last_state() {
    let bars = "working ".repeat(2_000) + "\rready";
    let text = Style::default().text(bars.as_bytes());
    assert!(text.starts_with("ready"));
    assert!(text.len() <= SHOWN);
}

#[test]
fn no_sequence_of_bytes_makes_a_tag() {
    let nasty: Vec<u8> = (0..=255).flat_map(|b| [b, b'<', b'b', b'>']).collect();
    let html = Style::default().html(&nasty);
    assert!(!html.contains("<b>"));
    assert!(!html.contains('\r') && !html.contains('\n') && !html.contains('\x1b'));
}

#[test]
fn marks_of_a_line_are_few_whatever_it_holds() {
    let plain = "x".repeat(100_000).len();
    for piece in [
        "\u{1b}[1mx\u{1b}[3mx\u{1b}[0m",
        "\u{1b}[31ma\u{1b}[32mb",
        "\u{202e}",
        "http://a ",
        "\"",
        "\u{1b}[4m\u{202e}\u{1b}[0m http://b ",
    ] {
        let html = Style::default().html(piece.repeat(64 << 10).get(..plain).unwrap_or_default().as_bytes());
        assert!(html.len() < 160 << 10, "{} bytes of HTML for {piece:?}", html.len());
        assert!(html.matches("<span class=").count() <= 502, "{piece:?}");
        assert_eq!(html.matches("<span").count(), html.matches("</span>").count(), "{piece:?}");
        assert!(!html.contains('\u{202e}'), "what is hidden is written out to the end");
    }
}
