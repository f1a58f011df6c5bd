// Package agent is the binary that performs operations on a server: how it is named,
// how it gets its place there and keeps it, and what it says of itself.
package agent

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Binary is a binary that can be an agent.
type Binary struct {
	Path    string                  // where it lies here
	Build   string                  // tells it from every other, hashDigits long
	Content func() (Content, error) // read once somebody uploads it
	Open    func() (File, error)
}

// File is an open binary.
type File interface {
	io.Reader
	io.ReaderAt
	io.Closer
}

// Content is what a binary holds.
type Content struct {
	Hash string // SHA-256 in hexadecimal, the first hashDigits of it
	Size int64  // in bytes
}

// hashDigits name a binary and what it holds: 128 bits each.
const hashDigits = 32

// At is the binary at a path.
func At(path string) (Binary, error) {
	return binary(path, func() (File, error) { return os.Open(path) })
}

// Packed is a binary that was packed with zstd. All of it stays in memory, as the
// place of an action's image is nowhere to write to.
func Packed(path string) (Binary, error) {
	packed, err := os.ReadFile(path)
	if err != nil {
		return Binary{}, err
	}
	unpacker, err := zstd.NewReader(nil)
	if err != nil {
		return Binary{}, err
	}
	defer unpacker.Close()
	whole, err := unpacker.DecodeAll(packed, nil)
	if err != nil {
		return Binary{}, fmt.Errorf("%s: %w", path, err)
	}
	return binary(path, func() (File, error) { return inMemory{bytes.NewReader(whole)}, nil })
}

// inMemory is a binary that needs no file.
type inMemory struct{ *bytes.Reader }

// Close does nothing.
func (inMemory) Close() error { return nil }

func binary(path string, open func() (File, error)) (Binary, error) {
	file, err := open()
	if err != nil {
		return Binary{}, err
	}
	defer file.Close()
	build, err := buildOf(file)
	return Binary{path, build, sync.OnceValues(func() (Content, error) { return contentOf(open) }), open}, err
}

// buildNote is the section in which Go's linker notes the build, the last part of
// it a hash of the binary: cmd/go/internal/work/buildid.go.
const buildNote = ".note.go.buildid"

// buildOf names a binary by the note of its build, as to read and hash all of it
// took more than anything else of a short run. What has no such note is named by
// what it holds.
func buildOf(file File) (string, error) {
	if whole, err := elf.NewFile(file); err == nil {
		if note := whole.Section(buildNote); note != nil {
			id, err := note.Data()
			return digits(sha256.Sum256(id)), err
		}
	}
	c, err := read(file)
	return c.Hash, err
}

func contentOf(open func() (File, error)) (Content, error) {
	file, err := open()
	if err != nil {
		return Content{}, err
	}
	defer file.Close()
	return read(file)
}

func read(file File) (Content, error) {
	digest := sha256.New()
	size, err := io.Copy(digest, file)
	return Content{digits([sha256.Size]byte(digest.Sum(nil))), size}, err
}

func digits(hash [sha256.Size]byte) string { return hex.EncodeToString(hash[:])[:hashDigits] }
