// Go's checksum database code (golang.org/x/mod/sumdb, the reference of tlog-tiles) and crypto/mldsa.
package main

import (
	"bytes"
	"crypto/mldsa"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sumdb/note"
	"sumdb/tlog"
)

var (
	fixture = os.Args[1]
	failed  = false
)

func tell(name string, err error) {
	if err != nil {
		failed = true
		fmt.Printf("FAILED %s: %v\n", name, err)
		return
	}
	fmt.Printf("ok %s\n", name)
}

func refused(name string, err error) {
	if err == nil {
		tell(name, errors.New("it was accepted"))
		return
	}
	tell(name, nil)
}

func read(name string) []byte {
	content, err := os.ReadFile(filepath.Join(fixture, name))
	if err != nil {
		tell(name, err)
		os.Exit(1)
	}
	return content
}

func flip(content []byte, at int) []byte {
	changed := bytes.Clone(content)
	changed[at] ^= 1
	return changed
}

// tiles reads our files, one of them changed if it says so.
type tiles struct{ changed string }

func (tiles) Height() int { return 8 }

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		// Go's own paths name the height too: tile/8/0/001 is tile/0/001 here.
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		content, err := os.ReadFile(filepath.Join(fixture, "log", path))
		if err != nil {
			return nil, err
		}
		if path == t.changed {
			content = flip(content, 3)
		}
		all = append(all, content)
	}
	return all, nil
}

func open(content []byte) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(string(read("log.vkey")))
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(content, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("no checkpoint of this log")
	}
	var tree tlog.Tree
	if _, err := fmt.Sscan(lines[1], &tree.N); err != nil {
		return tlog.Tree{}, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

func hashes(lines []string) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		all = append(all, hash)
	}
	return all, nil
}

func same(ours, theirs []tlog.Hash) error {
	if len(ours) != len(theirs) {
		return errors.New("another length")
	}
	for at := range ours {
		if ours[at] != theirs[at] {
			return fmt.Errorf("another hash at %d", at)
		}
	}
	return nil
}

func inclusion(now tlog.Tree) {
	head, _, _ := strings.Cut(string(read("record.tlog-proof")), "\n\n")
	path, err := hashes(strings.Split(head, "\n")[3:])
	tell("path", err)
	leaf := tlog.RecordHash(read("leaf"))
	tell("CheckRecord", tlog.CheckRecord(path, now.N, now.Hash, 300, leaf))
	refused("CheckRecord_of_another_leaf", tlog.CheckRecord(path, now.N, now.Hash, 300, tlog.RecordHash(flip(read("leaf"), 80))))
	refused("CheckRecord_at_another_place", tlog.CheckRecord(path, now.N, now.Hash, 301, leaf))
	refused("CheckRecord_with_a_step_too_few", tlog.CheckRecord(path[1:], now.N, now.Hash, 300, leaf))
	theirs, err := tlog.ProveRecord(now.N, 300, tlog.TileHashReader(now, tiles{}))
	tell("ProveRecord_from_tiles", err)
	tell("ProveRecord_is_our_path", same(path, theirs))
	_, err = tlog.ProveRecord(now.N, 300, tlog.TileHashReader(now, tiles{"tile/0/001"}))
	refused("ProveRecord_from_a_changed_tile", err)
}

func consistency(before, now tlog.Tree) {
	path, err := hashes(strings.Fields(string(read("consistency"))))
	tell("consistency", err)
	tell("CheckTree", tlog.CheckTree(path, now.N, now.Hash, before.N, before.Hash))
	refused("CheckTree_with_another_past", tlog.CheckTree(path, now.N, now.Hash, before.N, tlog.Hash(flip(before.Hash[:], 0))))
	refused("CheckTree_with_a_step_too_few", tlog.CheckTree(path[1:], now.N, now.Hash, before.N, before.Hash))
	theirs, err := tlog.ProveTree(now.N, before.N, tlog.TileHashReader(now, tiles{}))
	tell("ProveTree_from_tiles", err)
	tell("ProveTree_is_our_proof", same(path, theirs))
}

func allLeaves(now tlog.Tree) {
	reader := tlog.TileHashReader(now, tiles{})
	entries := append(append(read("log/tile/entries/000"), read("log/tile/entries/001")...), read("log/tile/entries/002.p/88")...)
	var at int64
	for ; len(entries) >= 2; at++ {
		length := 2 + int(binary.BigEndian.Uint16(entries))
		stored, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, at)})
		if err == nil && stored[0] != tlog.RecordHash(entries[2:length]) {
			err = fmt.Errorf("entry %d is not the one in its tile", at)
		}
		if err != nil {
			tell("entries_and_tiles", err)
			return
		}
		entries = entries[length:]
	}
	if at != now.N {
		tell("entries_and_tiles", fmt.Errorf("%d entries", at))
		return
	}
	tell("entries_and_tiles", nil)
}

func quantum() {
	parts := strings.SplitN(string(read("log-ml-dsa.vkey")), "+", 3)
	material, err := base64.StdEncoding.DecodeString(parts[2])
	tell("vkey_of_ml_dsa", err)
	key, err := mldsa.NewPublicKey(mldsa.MLDSA44(), material[1:])
	tell("key_of_ml_dsa", err)
	text := string(read("log/checkpoint"))
	body, lines, _ := strings.Cut(text, "\n\n")
	fields := strings.Split(body, "\n")
	root, err := base64.StdEncoding.DecodeString(fields[2])
	tell("root", err)
	for _, line := range strings.Split(lines, "\n") {
		words := strings.Split(line, " ")
		if len(words) != 3 || words[1] != parts[0] {
			continue
		}
		blob, err := base64.StdEncoding.DecodeString(words[2])
		if err != nil || fmt.Sprintf("%x", blob[:4]) != parts[1] {
			continue
		}
		message := append([]byte("subtree/v1\n\x00"), byte(len(parts[0])))
		message = append(append(message, parts[0]...), blob[4:12]...)
		message = append(append(message, byte(len(fields[0]))), fields[0]...)
		message = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(message, 0), 600)
		message = append(message, root...)
		tell("signature_of_ml_dsa", mldsa.Verify(key, message, blob[12:], nil))
		refused("signature_of_ml_dsa_over_another_root", mldsa.Verify(key, flip(message, len(message)-1), blob[12:], nil))
		return
	}
	tell("signature_of_ml_dsa", errors.New("no such line"))
}

func main() {
	now, err := open(read("log/checkpoint"))
	tell("note_Open", err)
	before, err := open(read("log/checkpoint.300"))
	tell("note_Open_of_the_past", err)
	_, err = open(flip(read("log/checkpoint"), 30))
	refused("note_Open_of_a_changed_text", err)
	root, err := tlog.TreeHash(now.N, tlog.TileHashReader(now, tiles{}))
	tell("TreeHash_from_tiles", err)
	if root != now.Hash {
		tell("TreeHash_is_our_root", errors.New("another root"))
	} else {
		tell("TreeHash_is_our_root", nil)
	}
	inclusion(now)
	consistency(before, now)
	allLeaves(now)
	quantum()
	if failed {
		os.Exit(1)
	}
}
