package main

import (
	"context"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// read reads an exported log as a client of any tlog-tiles log does: the checkpoint under the first key, the record at
// an index with its proof, every entry, and that the log continues the tree of size "from" and root "older".
func read(r request) (answer, error) {
	files, err := torchwood.NewTileFS(os.DirFS(r.Folder))
	if err != nil {
		return answer{}, err
	}
	ctx := context.Background()
	signed, err := files.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return answer{}, err
	}
	verifier, err := note.NewVerifier(r.Keys[0])
	if err != nil {
		return answer{}, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return answer{}, err
	}
	checkpoint, err := torchwood.ParseCheckpoint(opened.Text)
	if err != nil {
		return answer{}, err
	}
	tree := tlog.Tree{N: checkpoint.N, Hash: checkpoint.Hash}
	client, err := torchwood.NewClient(files)
	if err != nil {
		return answer{}, err
	}
	entry, proof, err := client.Entry(ctx, tree, r.Index)
	if err != nil {
		return answer{}, err
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, r.Index, tlog.RecordHash(entry)); err != nil {
		return answer{}, err
	}
	if r.From > 0 {
		continued, err := tlog.ProveTree(tree.N, r.From, torchwood.TileHashReaderWithContext(ctx, tree, files))
		if err != nil {
			return answer{}, err
		}
		if err := tlog.CheckTree(continued, tree.N, tree.Hash, r.From, hash(r.Older)); err != nil {
			return answer{}, err
		}
	}
	a := answer{Text: checkpoint.Origin, Root: tree.Hash[:], Proof: unhash(proof), Leaf: entry}
	for range client.AllEntries(ctx, tree, 0) {
		a.Entries++
	}
	return a, client.Err()
}
