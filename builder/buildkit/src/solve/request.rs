//! A build request in the daemon's words.

use bollard_buildkit_proto::moby::buildkit::v1::sourcepolicy::{MatchType, Policy, PolicyAction, Rule, Selector};
use bollard_buildkit_proto::moby::buildkit::v1::{CacheOptions, CacheOptionsEntry, Exporter, SolveRequest};
use serde_json::json;

use crate::request::{BuildRequest, CacheOption, Export, SourceRule};

pub(super) fn solve_request(build: BuildRequest, session: &str) -> SolveRequest {
    let mut frontend_attrs = build.frontend_attrs;
    if !build.cache_imports.is_empty() {
        // The Dockerfile frontend looks only here; in `CacheOptions` imports are silently ignored.
        frontend_attrs.insert("cache-imports".to_owned(), cache_imports(&build.cache_imports));
    }
    SolveRequest {
        r#ref: build.reference,
        session: session.to_owned(),
        frontend: build.frontend,
        frontend_attrs: frontend_attrs.into_iter().collect(),
        exporters: build.exports.into_iter().map(Exporter::from).collect(),
        cache: Some(CacheOptions {
            exports: build.cache_exports.into_iter().map(CacheOptionsEntry::from).collect(),
            imports: build.cache_imports.into_iter().map(CacheOptionsEntry::from).collect(),
            ..CacheOptions::default()
        }),
        entitlements: build.entitlements,
        source_policy: (!build.source_rules.is_empty()).then(|| policy(build.source_rules)),
        ..SolveRequest::default()
    }
}

fn cache_imports(imports: &[CacheOption]) -> String {
    let entry = |import: &CacheOption| json!({ "Type": import.kind, "Attrs": import.attrs });
    serde_json::Value::Array(imports.iter().map(entry).collect()).to_string()
}

fn policy(rules: Vec<SourceRule>) -> Policy {
    let rule = |rule| {
        let (action, identifier) = match rule {
            SourceRule::Deny(pattern) => (PolicyAction::Deny, pattern),
            SourceRule::Allow(pattern) => (PolicyAction::Allow, pattern),
        };
        let selector = Selector { identifier, match_type: MatchType::Regex.into(), constraints: Vec::new() };
        Rule { action: action.into(), selector: Some(selector), updates: None }
    };
    Policy { version: 1, rules: rules.into_iter().map(rule).collect() }
}

impl From<Export> for Exporter {
    fn from(export: Export) -> Self {
        Self { r#type: export.kind, attrs: export.attrs.into_iter().collect() }
    }
}

impl From<CacheOption> for CacheOptionsEntry {
    fn from(option: CacheOption) -> Self {
        Self { r#type: option.kind, attrs: option.attrs.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_imports_are_given_to_the_frontend_too() {
        let attrs = [("ref".to_owned(), "localhost:5000/cache:x".to_owned())].into();
        let import = CacheOption { kind: "registry".to_owned(), attrs };
        let build = BuildRequest { cache_imports: vec![import], ..BuildRequest::default() };
        let request = solve_request(build, "s1");
        assert_eq!(request.session, "s1");
        assert_eq!(request.frontend, "dockerfile.v0");
        assert_eq!(
            request.frontend_attrs["cache-imports"],
            r#"[{"Attrs":{"ref":"localhost:5000/cache:x"},"Type":"registry"}]"#
        );
        assert!(request.source_policy.is_none());
    }

    #[test]
    fn rules_about_sources_become_a_policy_in_their_order() {
        let rules = [SourceRule::Deny(r"^git://".to_owned()), SourceRule::Allow(r"^git://a/".to_owned())];
        let build = BuildRequest { source_rules: rules.to_vec(), ..BuildRequest::default() };
        let policy = solve_request(build, "").source_policy.unwrap();
        let actions: Vec<_> = policy.rules.iter().map(Rule::action).collect();
        assert_eq!(actions, [PolicyAction::Deny, PolicyAction::Allow]);
        assert_eq!(policy.rules[1].selector.as_ref().unwrap().identifier, r"^git://a/");
    }
}
