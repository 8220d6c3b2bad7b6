//! The stream of a build page, read as the page reads it.

use reqwest::Response;

use crate::{Visitor, visitor};

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
    /// Goes on after `last`, such as `1-57`.
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

    /// Adds the lines of the log, and remembers the id for the next connection.
    pub fn take(&self, lines: &mut Vec<String>, last: &mut String) {
        lines.extend(visitor::log_lines(&self.html));
        if let Some(id) = &self.id {
            last.clone_from(id);
        }
    }
}
