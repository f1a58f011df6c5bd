package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// makeReleases makes v1, v2 with 1 % of the files changed, and v2ci, which is v2
// with new times, as a checkout in a CI job has them.
func makeReleases(dir string, files int) error {
	source := rand.New(rand.NewPCG(1, 2))
	for i := range files {
		name := fileName(i)
		text := content(source, 1000+source.IntN(60_000))
		at := time.Unix(1_700_000_000+source.Int64N(10_000_000), source.Int64N(1e9))
		if err := put(filepath.Join(dir, "v1", name), text, at); err != nil {
			return err
		}
		if i%100 == 50 { // a line in the middle
			half := len(text) / 2
			text = append(append(bytes.Clone(text[:half]), content(source, 300)...), text[half:]...)
			at = at.Add(time.Hour)
		}
		if err := errors.Join(
			put(filepath.Join(dir, "v2", name), text, at),
			put(filepath.Join(dir, "v2ci", name), text, time.Now()),
		); err != nil {
			return err
		}
	}
	return nil
}

func fileName(i int) string {
	return filepath.Join(fmt.Sprintf("node_modules/package-%d", i/20%97), fmt.Sprintf("lib-%d", i%776), fmt.Sprintf("module_%d.js", i))
}

// content packs to about half, as code and pictures together do.
func content(source *rand.Rand, n int) []byte {
	text := make([]byte, n)
	for i := range text {
		text[i] = "etaoinshrdlucmfw"[source.IntN(16)]
	}
	return text
}

func put(name string, text []byte, at time.Time) error {
	return errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, text, 0o644), os.Chtimes(name, at, at))
}
