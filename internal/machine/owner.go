package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// HandOver gives name below the folder workspace, and all that is in it, to the
// owner of the workspace. It does so only for root in a workspace of someone
// else: that is a container action, and what belongs to root there can't be
// cleaned up by the runner outside.
//
// Links are given away themselves; nothing outside the workspace is reached.
func HandOver(workspace, name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	root, err := os.OpenRoot(workspace)
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := root.Lstat(".")
	if err != nil {
		return err
	}
	to := owner{root: root, uid: info.Sys().(*syscall.Stat_t).Uid, gid: info.Sys().(*syscall.Stat_t).Gid}
	if to.uid == 0 {
		return nil
	}
	if err := to.take(name); err != nil {
		return fmt.Errorf("hand over to the owner of %s: %w", workspace, err)
	}
	return nil
}

// owner is who gets what is below root.
type owner struct {
	root     *os.Root
	uid, gid uint32
}

// take gives the tree at name to the owner. What goes away meanwhile needs none.
func (o owner) take(name string) error {
	info, err := o.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		if err := o.takeIn(name); err != nil {
			return err
		}
	}
	if is := info.Sys().(*syscall.Stat_t); is.Uid == o.uid && is.Gid == o.gid {
		return nil
	}
	return o.root.Lchown(name, int(o.uid), int(o.gid))
}

func (o owner) takeIn(dir string) error {
	folder, err := o.root.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := o.take(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
