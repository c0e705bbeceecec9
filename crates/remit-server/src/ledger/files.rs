//! The ledger as static files under `/ledger/`: the checkpoint and tiles, nothing else, to read only.
//! Leaves are commitments; what they commit to is not shown here. Files that are in a bucket are not
//! fetched from there: whoever may read the bucket reads it there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path as Named, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{StatusCode, header};
use remit_evidence::log::tile::Tile;

/// What a file is shown as, wherever it is (C2SP tlog-tiles).
#[derive(Clone, Copy)]
pub(super) struct Shown {
    pub content_type: &'static str,
    pub cache_control: &'static str,
}

/// Longest name of a later log.
const LOG_BYTES_MAX: usize = 32;
/// The name of the checkpoint.
pub(super) const CHECKPOINT_NAME: &str = "checkpoint";
/// The checkpoint changes every second.
pub(super) const CHECKPOINT: Shown =
    Shown { content_type: "text/plain; charset=utf-8", cache_control: "public, max-age=1" };
/// A tile never changes.
pub(super) const TILE: Shown =
    Shown { content_type: "application/octet-stream", cache_control: "public, max-age=31536000, immutable" };

/// Whether this may follow the origin of a gateway's first log to name a later one: small letters, digits and
/// hyphens. Its files are in a folder of this name.
#[must_use]
pub fn is_log(name: &str) -> bool {
    let shaped = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    shaped && !name.is_empty() && name.len() <= LOG_BYTES_MAX && !["tile", CHECKPOINT_NAME].contains(&name)
}

/// The files of the ledger in this folder, those of later logs in folders below. Whoever adds these routes guards them.
pub fn routes<S>(folder: &Path) -> Router<S> {
    let folder = Arc::new(folder.to_owned());
    Router::new()
        .route("/ledger/checkpoint", get(checkpoint))
        .route("/ledger/tile/{*path}", get(tile))
        .route("/ledger/{log}/checkpoint", get(checkpoint_of))
        .route("/ledger/{log}/tile/{*path}", get(tile_of))
        .with_state(folder)
}

/// Says that the files are not here. Where they are is not for everybody to know.
pub fn elsewhere<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let hint = "the files of this ledger are in an object store; whoever runs this gateway knows where\n";
    Router::new().route("/ledger/{*path}", get(move || async move { (StatusCode::NOT_FOUND, hint) }))
}

async fn checkpoint(State(folder): State<Arc<PathBuf>>) -> Response {
    // Here it costs nothing to ask each time.
    served(&folder.join(CHECKPOINT_NAME), Shown { cache_control: "no-cache", ..CHECKPOINT }).await
}

async fn tile(State(folder): State<Arc<PathBuf>>, Named(path): Named<String>) -> Response {
    // What is no path of a tile never reaches the disk.
    let Ok(tile) = Tile::parse(&format!("tile/{path}")) else { return StatusCode::NOT_FOUND.into_response() };
    served(&folder.join(tile.to_string()), TILE).await
}

async fn checkpoint_of(State(folder): State<Arc<PathBuf>>, Named(log): Named<String>) -> Response {
    if !is_log(&log) {
        return StatusCode::NOT_FOUND.into_response();
    }
    checkpoint(State(Arc::new(folder.join(log)))).await
}

async fn tile_of(State(folder): State<Arc<PathBuf>>, Named((log, path)): Named<(String, String)>) -> Response {
    if !is_log(&log) {
        return StatusCode::NOT_FOUND.into_response();
    }
    tile(State(Arc::new(folder.join(log))), Named(path)).await
}

async fn served(path: &Path, shown: Shown) -> Response {
    let headers = [(header::CONTENT_TYPE, shown.content_type), (header::CACHE_CONTROL, shown.cache_control)];
    match tokio::fs::read(path).await {
        Ok(bytes) => (headers, bytes).into_response(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::warn!(%error, "a file of the ledger could not be read");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
