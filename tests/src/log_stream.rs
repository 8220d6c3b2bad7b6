//! The stream of a build page, read as the page reads it.

use std::collections::BTreeSet;

use reqwest::Response;

use crate::{Page, Visitor, visitor};

/// An open stream of messages.
#[derive(Debug)]
pub struct LogStream {
    response: Response,
    buffer: String,
}

/// One message: its id, if it has one, and its parts of the page.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: Option<String>,
    pub html: String,
}

impl LogStream {
    /// Goes on after `last`, such as `1-57-7`.
    pub async fn open(visitor: &Visitor, path: &str, last: &str) -> Self {
        let response = visitor.open(path, &[("last-event-id", last)]).await;
        assert_eq!(response.status(), 200);
        Self { response, buffer: String::new() }
    }

    /// The next message; `None` when the stream ended or broke.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some((message, rest)) = self.buffer.split_once("\n\n") {
                let (message, rest) = (message.to_owned(), rest.to_owned());
                self.buffer = rest;
                match Message::parse(&message) {
                    Some(message) => return Some(message),
                    None => continue,
                }
            }
            let bytes = self.response.chunk().await.ok().flatten()?;
            // Messages are cut at line ends, chunks of the network anywhere: our lines are ASCII here.
            self.buffer.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
}

impl Message {
    fn parse(text: &str) -> Option<Self> {
        let field = |name: &'static str| text.lines().filter_map(move |line| line.strip_prefix(name));
        let html: Vec<_> = field("data: ").collect();
        let id = field("id: ").next().map(str::to_owned);
        (id.is_some() || !html.is_empty()).then(|| Self { id, html: html.join("\n") })
    }

    /// Its parts: target, swap and content of each.
    fn parts(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.html.split("<hx-partial hx-target=\"#").skip(1).filter_map(|part| {
            let (target, rest) = part.split_once("\" hx-swap=\"")?;
            let (swap, rest) = rest.split_once("\">")?;
            Some((target, swap, rest.rsplit_once("</hx-partial>")?.0))
        })
    }
}

/// A build page that stays open, as htmx keeps it: a part of a message whose target is not on the page is dropped.
#[derive(Clone, Debug, Default)]
pub struct OpenPage {
    ids: BTreeSet<String>,
    /// The lines of its log.
    pub lines: Vec<String>,
    /// What the next connection sends as the id of the last message.
    pub last: String,
    /// Targets that were not there.
    pub missing: Vec<String>,
}

impl OpenPage {
    /// The page as it was loaded.
    #[track_caller]
    pub fn of(page: &Page) -> Self {
        let last = page.between("/events?after=", "\"").to_owned();
        let mut open = Self { last, ..Self::default() };
        open.add(&page.body);
        open
    }

    pub fn take(&mut self, message: &Message) {
        if let Some(id) = &message.id {
            self.last.clone_from(id);
        }
        // htmx looks for all targets before it swaps the first one.
        let (here, missing): (Vec<_>, Vec<_>) = message.parts().partition(|(target, ..)| self.ids.contains(*target));
        self.missing.extend(missing.into_iter().map(|(target, ..)| target.to_owned()));
        for (target, swap, html) in here {
            if (target, swap) == ("steps", "innerHTML") {
                self.lines.clear();
            }
            self.add(html);
        }
    }

    fn add(&mut self, html: &str) {
        let ids = html.split(" id=\"").skip(1).filter_map(|rest| rest.split_once('"'));
        self.ids.extend(ids.map(|(id, _)| id.to_owned()));
        self.lines.extend(visitor::log_lines(html));
    }
}
