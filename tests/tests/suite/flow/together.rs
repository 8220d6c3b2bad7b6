//! Two builds of one repository at once, on a base image from a registry: they share not only work but vertices.

use crate::suite::hostile::workshop::{Built, Workshop};
use std::time::Duration;

/// The heads of the Dockerfile's steps in a raw log, without number and place.
fn heads(built: &Built) -> Vec<&str> {
    let heads = built.raw.lines().filter_map(|line| line.strip_prefix('#')?.split_once(" ["));
    let heads = heads.filter_map(|(_, head)| head.split_once("] ")).filter(|(place, _)| place.contains('/'));
    heads.map(|(_, text)| text).filter(|text| !text.starts_with("FROM ")).collect()
}

/// Builds both, the second one while the first is at its steps.
async fn together(branch: &str, dockerfile: &str) -> [Built; 2] {
    let shop = Workshop::shared().await;
    let push = async |name: String, wait: Duration| {
        tokio::time::sleep(wait).await;
        let change = shop.bench.repo.change(&name).file("Dockerfile", dockerfile).file("note", name.clone());
        shop.push(&shop.bench, change).await
    };
    let (first, second) = tokio::join!(
        push(format!("{branch}-1"), Duration::ZERO),
        push(format!("{branch}-2"), Duration::from_millis(2_500)),
    );
    [first, second]
}

async fn base() -> String {
    let shop = Workshop::shared().await;
    shop.build("together-base", "RUN echo base\n").await.is("succeeded");
    format!("{}/mona/bench:together-base", shop.site.server.host())
}

#[tokio::test]
async fn builds_on_one_base_image_have_all_their_steps_and_what_those_say() {
    let image = base().await;
    let failing = format!("FROM {image}\nRUN echo one; sleep 1\nRUN sleep 6; echo boom; exit 3\n");
    for built in together("together-fail", &failing).await {
        built.is("failed");
        assert_eq!(heads(&built), ["RUN echo one; sleep 1", "RUN sleep 6; echo boom; exit 3"], "{}", built.raw);
        assert!(built.raw.contains("boom"), "{}", built.raw);
        built.page.says("RUN</b> sleep 6; echo boom; exit 3").says("data-state=\"failed\"");
    }
    let stages = format!(
        "FROM {image} AS x\nRUN echo i\nRUN sleep 1; echo j\nFROM {image} AS y\nRUN mkdir /q\nRUN echo i\n\
         RUN sleep 1; echo j\nRUN sleep 5; echo end\nCOPY --from=x /bin/busybox /z\nCOPY note /n\n"
    );
    for built in together("together-good", &stages).await {
        built.is("succeeded");
        let mut found = heads(&built);
        found.sort_unstable();
        let expected = [
            "COPY --from=x /bin/busybox /z",
            "COPY note /n",
            "RUN echo i",
            "RUN echo i",
            "RUN mkdir /q",
            "RUN sleep 1; echo j",
            "RUN sleep 1; echo j",
            "RUN sleep 5; echo end",
        ];
        assert_eq!(found, expected, "{}", built.raw);
        assert!(!built.raw.contains("ERROR"), "{}", built.raw);
    }
}
