//! The ledger as static files under `/ledger/`: the checkpoint and tiles, nothing else, to read only.
//! Leaves are commitments; what they commit to is not shown here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path as Named, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{StatusCode, header};
use remit_evidence::log::tile::Tile;

/// The files of the ledger in this folder. Whoever adds these routes guards them.
pub fn routes<S>(folder: &Path) -> Router<S> {
    let folder = Arc::new(folder.to_owned());
    Router::new()
        .route("/ledger/checkpoint", get(checkpoint))
        .route("/ledger/tile/{*path}", get(tile))
        .with_state(folder)
}

async fn checkpoint(State(folder): State<Arc<PathBuf>>) -> Response {
    served(&folder.join("checkpoint"), "text/plain; charset=utf-8", "no-cache").await
}

async fn tile(State(folder): State<Arc<PathBuf>>, Named(path): Named<String>) -> Response {
    // What is no path of a tile never reaches the disk.
    let Ok(tile) = Tile::parse(&format!("tile/{path}")) else { return StatusCode::NOT_FOUND.into_response() };
    served(&folder.join(tile.to_string()), "application/octet-stream", "public, max-age=31536000, immutable").await
}

async fn served(path: &Path, kind: &'static str, keep: &'static str) -> Response {
    match tokio::fs::read(path).await {
        Ok(bytes) => ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], bytes).into_response(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::warn!(%error, "a file of the ledger could not be read");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
