//! The admin server: metrics for Prometheus, health for Kubernetes, versions for people.

mod accept;
mod connection;

use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::args::Listen;
use crate::health::Health;
use crate::metrics::{HttpMetrics, Page, Program};

/// Prometheus' text format, or OpenMetrics for whoever prefers it.
pub const METRICS: &str = "/metrics";
/// 200 while the work loop moves, else 503 with the reason: Kubernetes restarts the pod.
pub const LIVEZ: &str = "/livez";
/// 200 while work can be done, else 503 with the reason: Kubernetes takes the pod out of its Services.
pub const READYZ: &str = "/readyz";
/// What runs, as JSON.
pub const VERSION: &str = "/version";
/// All routes.
pub const ROUTES: [&str; 4] = [METRICS, LIVEZ, READYZ, VERSION];

/// What a program adds to the admin server.
#[derive(Default)]
pub struct Routes {
    /// Routes beside those that both programs have.
    pub router: Router,
    /// Work that goes on beside the server, on its thread, for as long as it serves: what a page has to measure all the time.
    /// It must neither block nor end the process.
    pub beside: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// How long `healthcheck` waits for an answer.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What the routes show.
#[derive(Clone)]
pub struct Admin {
    /// The metrics to be scraped.
    pub page: Page,
    /// Counts the requests.
    pub http: HttpMetrics,
    /// The health to be told.
    pub health: Health,
    /// What runs.
    pub program: Program,
}

/// Takes the port before anything else starts: a server that cannot be reached must not go unnoticed.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind(listen: Listen) -> Result<Option<TcpListener>, String> {
    let Listen::On(address) = listen else { return Ok(None) };
    let fail =
        |error: std::io::Error| format!("--listen {address}: cannot be bound: {error}; choose another port, or off");
    let listener = TcpListener::bind(address).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    Ok(Some(listener))
}

/// The routes that both programs have, and those of the program itself.
pub fn router(admin: Admin, routes: Router) -> Router {
    let admin = Arc::new(admin);
    Router::new()
        .route(METRICS, get(metrics))
        .route(LIVEZ, get(livez))
        .route(READYZ, get(readyz))
        .route(VERSION, get(version))
        .with_state(Arc::clone(&admin))
        .merge(routes)
        .layer(from_fn_with_state(admin, count))
}

/// Serves the routes, and those of the program itself, until the process ends.
pub fn start(listener: TcpListener, admin: Admin, routes: Routes) {
    match listener.local_addr() {
        Ok(address) => tracing::info!(event = "admin_listening", %address, "admin server listens"),
        Err(error) => tracing::error!(event = "admin_failed", "the admin server's address is unknown: {error}"),
    }
    let router = router(admin, routes.router);
    if let Some(beside) = routes.beside {
        tokio::spawn(beside);
    }
    tokio::spawn(async move {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => accept::serve(listener, router).await,
            Err(error) => tracing::error!(event = "admin_failed", "the admin server cannot start: {error}"),
        }
    });
}

/// Asks a running program's `/livez`, for images that have no shell and no curl.
///
/// # Errors
/// What is wrong, in a sentence.
pub fn healthcheck(listen: Listen) -> Result<(), String> {
    let Listen::On(mut address) = listen else {
        return Err("--listen is off: there is no server to ask".to_owned());
    };
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let url = format!("http://{address}{LIVEZ}");
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(HEALTHCHECK_TIMEOUT))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let mut response = agent.get(&url).call().map_err(|error| format!("{url}: {error}"))?;
    if response.status().is_success() {
        return Ok(());
    }
    let reason = response.body_mut().read_to_string().unwrap_or_default();
    Err(format!("{url}: {}: {}", response.status(), reason.trim()))
}

async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    let accept: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    match admin.page.answer(&accept.join(",")) {
        Ok((content_type, body)) => ([(header::CONTENT_TYPE, content_type)], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn livez(State(admin): State<Arc<Admin>>) -> Response {
    told(admin.health.live())
}

async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    told(admin.health.readiness())
}

async fn version(State(admin): State<Arc<Admin>>) -> Response {
    axum::Json(&admin.program).into_response()
}

fn told(health: Result<(), String>) -> Response {
    match health {
        Ok(()) => (StatusCode::OK, "ok\n").into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

/// Counts a request by its route, never by the path as typed: that would be an unbounded label.
async fn count(State(admin): State<Arc<Admin>>, path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let path = path.as_ref().map_or("other", MatchedPath::as_str);
    admin.http.requests.with_label_values(&[path, response.status().as_str()]).inc();
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::metrics::Metrics;
    use axum::body::Body;
    use tower::ServiceExt;

    fn admin() -> Admin {
        let program =
            Program { program: "test", version: "1", librdkafka: "2".into(), features: "ssl".into(), openssl: "3" };
        let mut metrics = Metrics::new("test", &program).unwrap();
        let http = HttpMetrics::new(&mut metrics, &ROUTES).unwrap();
        Admin { page: metrics.page(), http, health: Health::new(Duration::from_secs(60), "starting"), program }
    }

    fn own() -> Router {
        Router::new().route("/own", get(|| async { "own" }))
    }

    async fn ask(admin: &Admin, path: &str) -> StatusCode {
        let request = axum::http::Request::get(path).body(Body::empty()).unwrap();
        router(admin.clone(), own()).oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn routes_answer_and_are_counted() {
        let admin = admin();
        assert_eq!(ask(&admin, LIVEZ).await, StatusCode::OK);
        assert_eq!(ask(&admin, READYZ).await, StatusCode::SERVICE_UNAVAILABLE);
        admin.health.ready();
        assert_eq!(ask(&admin, READYZ).await, StatusCode::OK);
        assert_eq!(ask(&admin, VERSION).await, StatusCode::OK);
        assert_eq!(ask(&admin, METRICS).await, StatusCode::OK);
        assert_eq!(ask(&admin, "/own").await, StatusCode::OK);
        assert_eq!(ask(&admin, "/etc/passwd").await, StatusCode::NOT_FOUND);
        let count = |path: &str, status: &str| admin.http.requests.with_label_values(&[path, status]).get();
        let counts = [count(READYZ, "200"), count(READYZ, "503"), count("/own", "200"), count("other", "404")];
        assert_eq!(counts, [1, 1, 1, 1]);
    }

    #[tokio::test]
    async fn metrics_come_in_the_format_that_was_asked_for() {
        let answer = async |accept: &[&str]| {
            let mut request = axum::http::Request::get(METRICS);
            for accept in accept {
                request = request.header(header::ACCEPT, *accept);
            }
            let response = router(admin(), own()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            (kind, String::from_utf8(body.to_vec()).unwrap())
        };
        let (kind, body) = answer(&[]).await;
        assert!(kind.starts_with("text/plain; version=0.0.4") && !body.contains("# EOF"), "{kind}\n{body}");
        let (kind, body) = answer(&["text/plain;q=0.5", "application/openmetrics-text"]).await;
        assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
        assert!(body.contains("# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total "), "{body}");
        assert!(body.ends_with("# EOF\n"), "{body}");
    }

    #[test]
    fn a_taken_port_is_an_error_that_names_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = bind(Listen::On(taken.local_addr().unwrap())).unwrap_err();
        assert!(error.contains("--listen 127.0.0.1:"), "{error}");
    }
}
