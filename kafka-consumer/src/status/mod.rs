//! The status page: what one process does, for people who look at it in a browser. `GET /` is the page, complete without
//! JavaScript; `GET /status.json` is the same as data, which the page asks for every two seconds.
//!
//! The way of a number: the loop publishes it (`consume::Board`, metrics) → `source` reads it, `history` once a second and the
//! rest when asked → `facts` → `html` or JSON.

mod facts;
mod history;
mod html;
mod security;
mod series;
mod source;
mod text;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use common::admin::{Router, Routes};

pub use source::Source;

/// The page.
pub const PAGE: &str = "/";
/// The same as data.
pub const DATA: &str = "/status.json";
/// Both.
pub const ROUTES: [&str; 2] = [PAGE, DATA];

/// The routes of the status page, and the sampler behind it, which runs only where there is an admin server.
pub fn routes(source: Source) -> Routes {
    let source = Arc::new(source);
    let router = Router::new().route(PAGE, get(page)).route(DATA, get(data)).with_state(Arc::clone(&source));
    Routes { router, beside: Some(Box::pin(source.watch())) }
}

async fn page(State(source): State<Arc<Source>>) -> Response {
    (security::page_headers(), html::page(&source.facts())).into_response()
}

async fn data(State(source): State<Arc<Source>>) -> Response {
    (security::data_headers(), axum::Json(source.facts())).into_response()
}
