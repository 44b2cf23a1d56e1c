// Command oracle answers questions about notes, trees and policies with the libraries of the Go project and of
// torchwood. It reads one JSON request a line and writes one JSON answer a line.
package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type request struct {
	Do     string            `json:"do"`
	Name   string            `json:"name"`
	Text   string            `json:"text"`
	Folder string            `json:"folder"`
	Note   string            `json:"note"`
	Keys   []string          `json:"keys"`
	Policy string            `json:"policy"`
	Leaves [][]byte          `json:"leaves"`
	Tiles  map[string][]byte `json:"tiles"`
	Root   []byte            `json:"root"`
	Older  []byte            `json:"older"`
	Size   int64             `json:"size"`
	From   int64             `json:"from"`
	Index  int64             `json:"index"`
	Leaf   []byte            `json:"leaf"`
	Proof  [][]byte          `json:"proof"`
}

type answer struct {
	Error    string            `json:"error,omitempty"`
	Key      string            `json:"key,omitempty"`
	Note     string            `json:"note,omitempty"`
	Text     string            `json:"text,omitempty"`
	Verified []string          `json:"verified,omitempty"`
	Times    []int64           `json:"times,omitempty"`
	Root     []byte            `json:"root,omitempty"`
	Proof    [][]byte          `json:"proof,omitempty"`
	Tiles    map[string][]byte `json:"tiles,omitempty"`
	Leaf     []byte            `json:"leaf,omitempty"`
	Entries  int64             `json:"entries,omitempty"`
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := json.NewEncoder(os.Stdout)
	decoder := json.NewDecoder(in)
	for decoder.More() {
		var r request
		if err := decoder.Decode(&r); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		a, err := respond(r)
		if err != nil {
			a = answer{Error: err.Error()}
		}
		out.Encode(a)
	}
}

func respond(r request) (answer, error) {
	switch r.Do {
	case "sign":
		return sign(r)
	case "cosign":
		return cosign(r)
	case "open":
		return open(r)
	case "policy":
		return policy(r)
	case "grow":
		return grow(r)
	case "read":
		return read(r)
	case "check-record":
		return answer{}, tlog.CheckRecord(hashes(r.Proof), r.Size, hash(r.Root), r.Index, hash(r.Leaf))
	case "check-tree":
		return answer{}, tlog.CheckTree(hashes(r.Proof), r.Size, hash(r.Root), r.From, hash(r.Older))
	case "prove-record":
		proof, err := tlog.ProveRecord(r.Size, r.Index, tileReader(r))
		return answer{Proof: unhash(proof)}, err
	case "prove-tree":
		proof, err := tlog.ProveTree(r.Size, r.From, tileReader(r))
		return answer{Proof: unhash(proof)}, err
	}
	return answer{}, errors.New("unknown request")
}

// sign signs a text with the first key, or with a new one of that name.
func sign(r request) (answer, error) {
	private, public, err := note.GenerateKey(rand.Reader, r.Name)
	if err != nil {
		return answer{}, err
	}
	if len(r.Keys) > 0 {
		private, public = r.Keys[0], ""
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return answer{}, err
	}
	signed, err := note.Sign(&note.Note{Text: r.Text}, signer)
	return answer{Key: public, Note: string(signed)}, err
}

// cosign makes a witness of that name, which cosigns a checkpoint now.
func cosign(r request) (answer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return answer{}, err
	}
	signer, err := torchwood.NewCosignatureSigner(r.Name, private)
	if err != nil {
		return answer{}, err
	}
	signed, err := note.Sign(&note.Note{Text: r.Text}, signer)
	return answer{Key: signer.Verifier().String(), Note: string(signed)}, err
}

// open says which of the keys verified a note, and when witnesses among them cosigned it.
func open(r request) (answer, error) {
	var known []note.Verifier
	witnesses := map[uint32]bool{}
	for _, key := range r.Keys {
		if v, err := note.NewVerifier(key); err == nil {
			known = append(known, v)
			continue
		}
		v, err := torchwood.NewCosignatureVerifier(key)
		if err != nil {
			return answer{}, err
		}
		known = append(known, v)
		witnesses[v.KeyHash()] = true
	}
	n, err := note.Open([]byte(r.Note), note.VerifierList(known...))
	if err != nil {
		return answer{}, err
	}
	a := answer{Text: n.Text}
	for _, s := range n.Sigs {
		a.Verified = append(a.Verified, s.Name)
		if !witnesses[s.Hash] {
			continue
		}
		time, err := torchwood.CosignatureTimestamp(s)
		if err != nil {
			return answer{}, err
		}
		a.Times = append(a.Times, time)
	}
	return a, nil
}

// policy holds a checkpoint to a witness policy.
func policy(r request) (answer, error) {
	p, err := torchwood.ParsePolicy([]byte(r.Policy))
	if err != nil {
		return answer{}, err
	}
	c, _, err := torchwood.VerifyCheckpoint([]byte(r.Note), p)
	if err != nil {
		return answer{}, err
	}
	return answer{Text: c.String()}, nil
}

// grow builds the log of these leaves, with all its tiles.
func grow(r request) (answer, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(at))
		for i, index := range at {
			found[i] = stored[index]
		}
		return found, nil
	})
	for i, leaf := range r.Leaves {
		added, err := tlog.StoredHashes(int64(i), leaf, reader)
		if err != nil {
			return answer{}, err
		}
		stored = append(stored, added...)
	}
	size := int64(len(r.Leaves))
	root, err := tlog.TreeHash(size, reader)
	if err != nil {
		return answer{}, err
	}
	a := answer{Root: root[:], Tiles: map[string][]byte{}}
	for _, tile := range tlog.NewTiles(torchwood.TileHeight, 0, size) {
		data, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			return answer{}, err
		}
		a.Tiles[torchwood.TilePath(tile)] = data
	}
	return a, nil
}

// tileReader reads hashes from the request's tiles, and holds each tile to the root hash.
func tileReader(r request) tlog.HashReader {
	return torchwood.TileHashReaderWithContext(context.Background(), tlog.Tree{N: r.Size, Hash: hash(r.Root)}, tiles(r.Tiles))
}

type tiles map[string][]byte

func (t tiles) ReadTiles(_ context.Context, wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		path := torchwood.TilePath(tile)
		bytes, ok := t[path]
		if !ok {
			return nil, fmt.Errorf("there is no %s", path)
		}
		data = append(data, bytes)
	}
	return data, nil
}

func (t tiles) ReadEndpoint(context.Context, string) ([]byte, error) {
	return nil, errors.New("there are only tiles")
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func hash(bytes []byte) (h tlog.Hash) {
	copy(h[:], bytes)
	return h
}

func hashes(all [][]byte) []tlog.Hash {
	var found []tlog.Hash
	for _, bytes := range all {
		found = append(found, hash(bytes))
	}
	return found
}

func unhash(all []tlog.Hash) [][]byte {
	found := [][]byte{}
	for _, h := range all {
		found = append(found, h[:])
	}
	return found
}
