//! The description of the API is true: what it lists is routed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use cerrojo_testkit::{Engine, Options, TestApp};

#[tokio::test]
async fn whatever_is_documented_is_routed() {
    let app = TestApp::start(Engine::Sqlite, Options::default()).await;
    let document = serde_json::to_value(cerrojo_web::openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut routes = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let allowed = app.visitor().call("OPTIONS", &path.replace("{id}", "1").replace("{name}", "x")).await;
        assert_eq!(allowed.status, 204, "{path}");
        let mut allowed: Vec<&str> = allowed.header("allow").unwrap().split(',').collect();
        allowed.retain(|method| *method != "HEAD");
        allowed.sort_unstable();
        let methods = ["delete", "get", "head", "options", "patch", "post", "put", "trace"];
        let documented: Vec<String> =
            methods.iter().filter(|m| !item[**m].is_null()).map(|m| m.to_uppercase()).collect();
        assert_eq!(documented, allowed, "{path}");
        routes += documented.len();
    }
    assert!(routes > 20, "{routes}");
}

#[tokio::test]
async fn every_operation_is_described_whole() {
    let document = serde_json::to_value(cerrojo_web::openapi()).unwrap();
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{name} has no summary");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{name}: its id is taken");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.contains_key("500") && answers.contains_key("503"), "{name}");
            assert_eq!(operation["security"].is_array(), answers_challenge(path, answers), "{name}");
            if operation["requestBody"].is_object() {
                for status in ["400", "413", "415"] {
                    assert!(answers.contains_key(status), "{name} lacks {status}");
                }
            }
        }
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name} is not described");
    }
}

/// Whether an endpoint is protected: it answers 401, and not because of what its body says.
fn answers_challenge(path: &str, answers: &serde_json::Map<String, serde_json::Value>) -> bool {
    const OF_THE_BODY: [&str; 4] =
        ["/api/auth/login", "/api/auth/reset-password", "/api/auth/verify-email", "/api/auth/accept-invitation"];
    answers.contains_key("401") && !OF_THE_BODY.contains(&path)
}

#[tokio::test]
async fn it_is_served() {
    let app = TestApp::start(Engine::Sqlite, Options::default()).await;
    let reply = app.visitor().get("/openapi.json").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json(), serde_json::to_value(cerrojo_web::openapi()).unwrap());
}
