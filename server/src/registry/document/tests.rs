//! What a manifest may say, and what is refused.

use super::*;
use serde_json::{Value, json};

fn descriptor(size: i64) -> Value {
    json!({"mediaType": "application/x", "digest": format!("sha256:{}", "a".repeat(64)), "size": size})
}

fn read(content_type: &str, body: &Value) -> Result<Document> {
    Ok(parse(content_type, body.to_string().as_bytes())?.0)
}

#[test]
fn an_image_names_its_config_and_layers() {
    let body = json!({"schemaVersion": 2, "config": descriptor(1), "layers": [descriptor(2), descriptor(3)]});
    let document = read(OCI_MANIFEST, &body).unwrap();
    assert_eq!(document.edges.len(), 3);
    assert_eq!(document.artifact_type.as_deref(), Some("application/x"));
}

#[test]
fn what_has_two_meanings_is_refused() {
    let image = json!({"schemaVersion": 2, "config": descriptor(1), "layers": []});
    let mut both = image.clone();
    both["manifests"] = json!([]);
    let mut typed = image.clone();
    typed["mediaType"] = json!(OCI_INDEX);
    let mut negative = image.clone();
    negative["config"] = descriptor(-1);
    let mut bad_digest = image.clone();
    bad_digest["config"]["digest"] = json!("sha256:../../etc/passwd");
    let mut bad_subject = image.clone();
    bad_subject["subject"] = json!({"mediaType": "x", "digest": "sha256:ABC", "size": 1});
    let no_config = json!({"schemaVersion": 2, "config": null, "layers": []});
    let version_1 = json!({"schemaVersion": 1, "config": descriptor(1), "layers": []});
    for body in [&both, &typed, &negative, &bad_digest, &bad_subject, &no_config, &version_1, &json!(null), &json!([])]
    {
        assert!(read(OCI_MANIFEST, body).is_err(), "{body}");
    }
    assert!(read(OCI_INDEX, &image).is_err());
    assert!(read(OCI_INDEX, &json!({"schemaVersion": 2})).is_err());
    assert!(parse(OCI_MANIFEST, b"{").is_err());
    assert!(parse(OCI_MANIFEST, "[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn a_key_that_can_be_read_in_two_ways_is_refused() {
    let image = json!({"schemaVersion": 2, "config": descriptor(1), "layers": [descriptor(2)]});
    for key in ["Layers", "MANIFESTS", "mediatype", "layer\u{17f}"] {
        let mut body = image.clone();
        body[key] = json!([]);
        assert!(read(OCI_MANIFEST, &body).is_err(), "{key}");
        let mut body = image.clone();
        body["layers"][0]["Digest"] = json!("sha256:x");
        assert!(read(OCI_MANIFEST, &body).is_err());
    }
    let twice = image.to_string().replacen('{', "{\"layers\":[],", 1);
    assert!(parse(OCI_MANIFEST, twice.as_bytes()).is_err());
    let mut annotated = image.clone();
    annotated["annotations"] = json!({"Layers": "any", "Digest": "any"});
    annotated["layers"][0]["annotations"] = json!({"Data": "any", "URLs": "any", "data": "any"});
    assert!(read(OCI_MANIFEST, &annotated).is_ok());
}

#[test]
fn texts_that_no_header_or_row_can_hold_are_refused() {
    let image = json!({"schemaVersion": 2, "config": descriptor(1), "layers": [descriptor(2)]});
    for bad in ["a\u{0}b", "a\nb", &"x".repeat(300)] {
        let mut body = image.clone();
        body["artifactType"] = json!(bad);
        assert!(read(OCI_MANIFEST, &body).is_err());
        let mut body = image.clone();
        body["layers"][0]["mediaType"] = json!(bad);
        assert!(read(OCI_MANIFEST, &body).is_err());
        assert!(read("", &json!({"mediaType": bad})).is_err());
    }
    assert!(read("", &json!({"mediaType": "ü/x"})).is_err());
}

#[test]
fn an_unknown_media_type_is_opaque_but_its_descriptors_count() {
    let document = read("application/vnd.acme.thing+json", &json!({"blobs": [descriptor(1)], "x": 1})).unwrap();
    assert_eq!(document.edges.len(), 1);
    assert_eq!(read("application/vnd.acme.thing+json", &json!({"x": 1})).unwrap().edges, []);
}

#[test]
fn no_key_of_a_descriptor_or_platform_comes_in_other_letters() {
    let image =
        json!({"schemaVersion": 2, "config": descriptor(1), "layers": [descriptor(2)], "subject": descriptor(3)});
    for key in ["Annotations", "ANNOTATIONS", "annotation\u{17f}", "Data", "URLs", "ArtifactType", "Platform"] {
        for place in ["/layers/0", "/config", "/subject"] {
            let mut body = image.clone();
            body.pointer_mut(place).unwrap()[key] = json!({"dev.cosignproject.cosign/signature": "AAAA"});
            let refused = read(OCI_MANIFEST, &body).unwrap_err().to_string();
            assert!(refused.contains("in two ways"), "{place}/{key}: {refused}");
        }
    }
    let mut top = image.clone();
    top["Annotations"] = json!({});
    assert!(read(OCI_MANIFEST, &top).is_err());
    for key in ["OS", "Architecture", "OS.version"] {
        let mut child = descriptor(1);
        child["platform"] = json!({"os": "linux", "architecture": "amd64", key: "windows"});
        assert!(read(OCI_INDEX, &json!({"schemaVersion": 2, "manifests": [child]})).is_err(), "{key}");
    }
}

#[test]
fn no_key_comes_twice_wherever_it_is() {
    let image =
        json!({"schemaVersion": 2, "config": descriptor(1), "layers": [descriptor(2)], "annotations": {"a": "b"}});
    let text = image.to_string();
    assert!(parse(OCI_MANIFEST, text.as_bytes()).is_ok());
    for (once, twice) in [
        (r#""annotations":{"a":"b"}"#, r#""annotations":{"a":"c"},"annotations":{"a":"b"}"#),
        (r#"{"a":"b"}"#, r#"{"a":"c","a":"b"}"#),
        (r#""size":2"#, r#""size":2,"annotations":{"x":"y"},"annotations":{}"#),
        (r#""size":2"#, r#""size":2,"data":"","data":"eA==""#),
        (r#""size":2"#, r#""size":2,"x":[{"y":{"z":1,"z":2}}]"#),
        (r#""size":2"#, r#""size":2,"\u0073ize":3"#),
    ] {
        let body = text.replacen(once, twice, 1);
        assert_ne!(body, text, "{once}");
        let refused = parse(OCI_MANIFEST, body.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains("comes twice"), "{body}: {refused}");
        assert!(parse("application/vnd.acme.thing+json", body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn null_and_empty_are_as_missing() {
    let plain = json!({"schemaVersion": 2, "config": descriptor(1), "layers": [descriptor(2)]});
    let plain = read(OCI_MANIFEST, &plain).unwrap();
    let mut nulls = json!({"schemaVersion": 2, "config": descriptor(1), "layers": [descriptor(2)]});
    for key in ["mediaType", "artifactType", "manifests", "blobs", "subject", "annotations"] {
        nulls[key] = json!(null);
    }
    for descriptor in ["/config", "/layers/0"] {
        for key in ["urls", "annotations", "data", "platform", "artifactType"] {
            nulls.pointer_mut(descriptor).unwrap()[key] = json!(null);
        }
    }
    assert_eq!(read(OCI_MANIFEST, &nulls).unwrap(), plain);
    (nulls["mediaType"], nulls["artifactType"]) = (json!(""), json!(""));
    nulls["layers"][0]["platform"] = json!({"os": "", "architecture": null, "os.features": null});
    nulls["layers"][0]["urls"] = json!([]);
    assert_eq!(read(OCI_MANIFEST, &nulls).unwrap(), plain);
    nulls["config"]["mediaType"] = json!(null);
    assert_eq!(read(OCI_MANIFEST, &nulls).unwrap().artifact_type, None);
    // An artifact without layers, and an index without manifests, as Go writes them.
    let artifact = json!({"schemaVersion": 2, "artifactType": "application/x", "config": descriptor(2)});
    let mut null = artifact.clone();
    null["layers"] = json!(null);
    assert_eq!(read(OCI_MANIFEST, &null).unwrap(), read(OCI_MANIFEST, &artifact).unwrap());
    let index = json!({"schemaVersion": 2, "manifests": null, "config": null, "layers": null, "artifactType": ""});
    let index = read(OCI_INDEX, &index).unwrap();
    assert_eq!((index.artifact_type, index.edges.len()), (None, 0));
    for (platform, name) in [
        (json!({"os": "linux", "architecture": "arm64", "variant": null}), Some("linux/arm64")),
        (json!({"os": "linux", "architecture": "arm", "variant": ""}), Some("linux/arm")),
        (json!({"architecture": "arm64"}), Some("unknown/arm64")),
        (json!({"os": "", "architecture": ""}), None),
        (json!({}), None),
    ] {
        let mut child = descriptor(1);
        child["platform"] = platform.clone();
        let index = read(OCI_INDEX, &json!({"schemaVersion": 2, "manifests": [child]})).unwrap();
        assert_eq!(index.edges[0].platform.as_deref(), name, "{platform}");
    }
}

#[test]
fn null_is_no_digest_and_no_size() {
    for key in ["digest", "size"] {
        let mut body = json!({"schemaVersion": 2, "config": descriptor(1), "layers": [descriptor(2)]});
        body["layers"][0][key] = json!(null);
        assert!(read(OCI_MANIFEST, &body).is_err(), "{key}");
    }
    for layers in [json!([null]), json!(""), json!({})] {
        let body = json!({"schemaVersion": 2, "config": descriptor(1), "layers": layers});
        assert!(read(OCI_MANIFEST, &body).is_err(), "{body}");
    }
}
