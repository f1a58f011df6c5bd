package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestLeftoversBelongToTheOwnerOfTheWorkspace runs as root, as a container
// action does, in a workspace of someone else's.
func TestLeftoversBelongToTheOwnerOfTheWorkspace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	s := &site{t: t, dir: t.TempDir()}
	s.write("deploy.hcl", "pipeline \"p\" {\n  stage \"a\" {\n    run = \"echo hello | tee out\"\n  }\n\n  artifact \"b\" {\n    path = \"out\"\n  }\n}\n")
	if err := os.Chown(s.dir, 1234, 1234); err != nil {
		t.Fatal(err)
	}
	s.run(0, "run")
	s.run(0, "artifacts", "get", "b")
	found := 0
	for _, dir := range []string{".turnout", "b"} {
		err := filepath.WalkDir(filepath.Join(s.dir, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			found++
			info, err := entry.Info()
			if err == nil && info.Sys().(*syscall.Stat_t).Uid != 1234 {
				t.Errorf("%s belongs to %d", path, info.Sys().(*syscall.Stat_t).Uid)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if found < 12 {
		t.Errorf("only %d files found", found)
	}
}
