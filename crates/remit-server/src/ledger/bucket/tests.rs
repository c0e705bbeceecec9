//! A bucket in memory: what is written once, what is refused, and what is said when nothing answers.

use std::os::unix::fs::PermissionsExt as _;

use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{CopyOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMultipartOptions, PutResult};

use super::*;
use crate::vault::Source;

fn tile(path: &str) -> Tile {
    Tile::parse(path).expect("a path")
}

fn opened() -> (Arc<InMemory>, LedgerBucket) {
    let objects = Arc::new(InMemory::new());
    let bucket = LedgerBucket::over(Arc::clone(&objects) as Arc<dyn ObjectStore>, "2026/eu").expect("it opens");
    (objects, bucket)
}

#[test]
fn an_object_is_written_once() {
    let (_objects, bucket) = opened();
    let (full, part) = (tile("tile/0/x001/234"), tile("tile/0/x001/234.p/2"));
    for (tile, bytes) in [(full, vec![7; 256 * 32]), (part, vec![7; 64])] {
        assert_eq!(bucket.get(tile), Ok(None));
        Tiles::put(&bucket, tile, &bytes).expect("written");
        Tiles::put(&bucket, tile, &bytes).expect("the same again");
        assert_eq!(bucket.get(tile), Ok(Some(bytes)));
    }
    assert!(matches!(Tiles::put(&bucket, full, &[8; 256 * 32]), Err(LedgerError::Broken(_))));
    assert_eq!(bucket.get(full), Ok(Some(vec![7; 256 * 32])));
    let other = Tiles::put(&bucket, tile("tile/0/000.p/1"), &[1; 32]);
    assert!(matches!(other, Err(LedgerError::Broken(_))), "nothing is written after that");
    assert!(matches!(bucket.publish("note"), Err(LedgerError::Broken(_))));
}

#[test]
fn a_first_write_destroys_nothing_either() {
    let (objects, bucket) = opened();
    let part = tile("tile/0/000.p/1");
    Tiles::put(&bucket, part, &[7; 32]).expect("written");
    let next = LedgerBucket::over(objects, "2026/eu").expect("it opens");
    assert!(matches!(Tiles::put(&next, part, &[8; 32]), Err(LedgerError::Broken(_))));
    assert_eq!(next.get(part), Ok(Some(vec![7; 32])));
}

#[test]
fn a_truncated_tile_is_never_written() {
    for (path, bytes) in
        [("tile/0/000", 255 * 32), ("tile/1/000", 8191), ("tile/entries/000", 0), ("tile/0/000.p/3", 64)]
    {
        let (_objects, bucket) = opened();
        assert!(matches!(Tiles::put(&bucket, tile(path), &vec![1; bytes]), Err(LedgerError::Broken(_))), "{path}");
        assert_eq!(bucket.get(tile(path)), Ok(None));
    }
}

#[test]
fn partial_objects_go_when_the_full_one_stands() {
    let (_objects, bucket) = opened();
    let (full, part, next) = (tile("tile/0/000"), tile("tile/0/000.p/2"), tile("tile/0/001.p/2"));
    Tiles::put(&bucket, part, &[7; 64]).expect("written");
    Tiles::put(&bucket, next, &[7; 64]).expect("written");
    bucket.discard_partials(full);
    assert!(bucket.get(part).expect("read").is_some(), "the full one does not stand yet");
    Tiles::put(&bucket, full, &[7; 256 * 32]).expect("written");
    bucket.discard_partials(full);
    assert_eq!(bucket.get(part), Ok(None));
    assert!(bucket.get(next).expect("read").is_some(), "another's partial one stays");
}

#[test]
fn the_checkpoint_is_replaced_and_caches_are_told() {
    let (objects, bucket) = opened();
    assert_eq!(bucket.published(), Ok(None));
    for note in ["one", "two"] {
        bucket.publish(note).expect("published");
        assert_eq!(bucket.published(), Ok(Some(note.as_bytes().to_vec())));
    }
    Tiles::put(&bucket, tile("tile/0/000.p/1"), &[7; 32]).expect("written");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (name, kind, keep) in [
        ("2026/eu/checkpoint", "text/plain; charset=utf-8", "public, max-age=1"),
        ("2026/eu/tile/0/000.p/1", "application/octet-stream", "public, max-age=31536000, immutable"),
    ] {
        let found = runtime.block_on(objects.get_opts(&Path::from(name), GetOptions::default())).expect(name);
        assert_eq!(found.attributes.get(&Attribute::ContentType).map(AsRef::as_ref), Some(kind));
        assert_eq!(found.attributes.get(&Attribute::CacheControl).map(AsRef::as_ref), Some(keep));
    }
}

#[test]
fn what_is_not_reached_may_be_tried_again_and_names_no_secret() {
    let place = tempfile::tempdir().expect("a folder");
    let secret = |name: &str, mode| {
        let path = place.path().join(name);
        std::fs::write(&path, "do-not-tell\n").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        Source::File(path)
    };
    let access = Access {
        endpoint: "http://127.0.0.1:1".into(),
        region: "eu-central-1".into(),
        bucket: "acme-ledger".into(),
        prefix: String::new(),
        access_key: secret("id", 0o600),
        secret_key: secret("secret", 0o600),
    };
    let bucket = LedgerBucket::open(&access).expect("it sends nothing");
    let Err(LedgerError::Failed(why)) = bucket.published() else { panic!("it was reached") };
    assert!(!why.contains("do-not-tell") && !format!("{access:?}").contains("do-not-tell"), "{why}");
    let open = Access { secret_key: secret("open", 0o644), ..access };
    let Err(LedgerError::Failed(why)) = LedgerBucket::open(&open).map(drop) else { panic!("others can read it") };
    assert!(why.contains("can be read by others"), "{why}");
}

/// An object store that knows no conditions, as there are some.
#[derive(Debug)]
struct Careless(InMemory);

impl std::fmt::Display for Careless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("careless")
    }
}

type Answer<T> = object_store::Result<T>;

#[async_trait::async_trait]
impl ObjectStore for Careless {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Answer<PutResult> {
        self.0.put_opts(path, payload, PutOptions { mode: PutMode::Overwrite, ..options }).await
    }

    async fn put_multipart_opts(&self, path: &Path, o: PutMultipartOptions) -> Answer<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(path, o).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Answer<GetResult> {
        self.0.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Answer<Path>>) -> BoxStream<'static, Answer<Path>> {
        self.0.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Answer<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Answer<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Answer<()> {
        self.0.copy_opts(from, to, options).await
    }
}

#[test]
fn an_object_store_that_overwrites_is_no_place_for_a_ledger() {
    let bucket = LedgerBucket::over(Arc::new(Careless(InMemory::new())), "").expect("it opens");
    let put = Tiles::put(&bucket, tile("tile/0/000.p/1"), &[7; 32]);
    let Err(LedgerError::Broken(why)) = put else { panic!("{put:?}") };
    assert!(why.contains("If-None-Match"), "{why}");
}
