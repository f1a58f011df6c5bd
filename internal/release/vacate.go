package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/org/deploy-action/internal/machine"
)

// Vacate removes a root with all releases in it and everything beside them. One
// that is not there is no error; a folder without releases is refused: it is
// somebody else's.
var Vacate = machine.Op[string, machine.None]{Name: "release.vacate", Do: func(_ context.Context, _ machine.At, root string) (machine.None, error) {
	if err := vacate(root); err != nil {
		return machine.None{}, fmt.Errorf("remove %s: %w", root, err)
	}
	return machine.None{}, nil
}}

func vacate(root string) error {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	releases, err := os.Lstat(filepath.Join(root, releasesName))
	if len(entries) > 0 && (err != nil || !releases.IsDir()) {
		return errors.New("holds no releases, so it was not made by turnout: look at it and remove it by hand")
	}
	// What says that it is ours goes last: a removal that is cut off is repeated.
	for _, entry := range entries {
		if entry.Name() == releasesName {
			continue
		}
		if err := removeTree(filepath.Join(root, entry.Name())); err != nil {
			return err
		}
	}
	if err := removeTree(filepath.Join(root, releasesName)); err != nil {
		return err
	}
	return machine.RemoveFile(root)
}
