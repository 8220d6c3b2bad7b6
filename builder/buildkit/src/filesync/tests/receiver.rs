//! The daemon's end of a transfer, as far as a test needs it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::fsutil::types::{Packet, Stat};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::filesync::metadata::Asked;
use crate::filesync::send::Transfer;
use crate::filesync::{Limits, LocalDir, Progress};

pub(super) struct Receiver {
    requests: mpsc::Sender<Result<Packet, Status>>,
    packets: ReceiverStream<Result<Packet, Status>>,
    pub(super) progress: Arc<Progress>,
}

impl Receiver {
    pub(super) fn of(tree: &Path) -> Self {
        Self::asking(tree, Asked::default(), Limits::default())
    }

    pub(super) fn excluding(tree: &Path, exclude: &[&str]) -> Self {
        let exclude = exclude.iter().map(|pattern| (*pattern).to_owned()).collect();
        Self::asking(tree, Asked { exclude, ..Asked::default() }, Limits::default())
    }

    pub(super) fn asking(tree: &Path, asked: Asked, limits: Limits) -> Self {
        Self::of_dir(LocalDir::open(tree).unwrap(), asked, limits)
    }

    pub(super) fn of_dir(dir: LocalDir, asked: Asked, limits: Limits) -> Self {
        let progress = Arc::<Progress>::default();
        let (requests, incoming) = mpsc::channel(8);
        let transfer = Transfer::new(dir, asked, limits, Arc::clone(&progress));
        Self { requests, packets: transfer.start(ReceiverStream::new(incoming)), progress }
    }

    /// The next packet; None when the sender has ended the call.
    pub(super) async fn next(&mut self) -> Option<Result<Packet, Status>> {
        let next = tokio::time::timeout(Duration::from_secs(5), self.packets.next());
        next.await.expect("the sender hangs")
    }

    pub(super) async fn list(&mut self) -> Result<Vec<Stat>, Status> {
        let mut stats = Vec::new();
        loop {
            let packet = self.next().await.expect("the list is not finished")?;
            assert_eq!(packet.r#type(), PacketType::PacketStat);
            let Some(stat) = packet.stat else {
                return Ok(stats);
            };
            stats.push(stat);
        }
    }

    pub(super) async fn ask(&self, kind: PacketType, id: u32) {
        let packet = Packet { r#type: kind.into(), id, ..Packet::default() };
        self.requests.send(Ok(packet)).await.unwrap();
    }

    /// The content of one file.
    pub(super) async fn fetch(&mut self, id: u32) -> Result<Vec<u8>, Status> {
        self.ask(PacketType::PacketReq, id).await;
        let mut content = Vec::new();
        loop {
            let packet = self.next().await.expect("the file is not finished")?;
            assert_eq!((packet.r#type(), packet.id), (PacketType::PacketData, id));
            if packet.data.is_empty() {
                return Ok(content);
            }
            content.extend(packet.data);
        }
    }

    /// All that a tree sends: what is listed, and the content of the files among it.
    pub(super) async fn all(mut self) -> BTreeMap<String, (Stat, Vec<u8>)> {
        let mut all = BTreeMap::new();
        for (id, stat) in (0..).zip(self.list().await.unwrap()) {
            let is_file = stat.mode >> 24 == 0 && stat.linkname.is_empty();
            let content = if is_file { self.fetch(id).await.unwrap() } else { Vec::new() };
            all.insert(stat.path.clone(), (stat, content));
        }
        self.ask(PacketType::PacketFin, 0).await;
        assert_eq!(self.next().await.unwrap().unwrap().r#type(), PacketType::PacketFin);
        assert!(self.next().await.is_none());
        all
    }
}

pub(super) fn paths(stats: &[Stat]) -> Vec<&str> {
    stats.iter().map(|stat| stat.path.as_str()).collect()
}
