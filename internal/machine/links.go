package machine

import (
	"path"
	"strings"
)

// LinkStays reports whether following target from dir stays inside the tree that
// dir lies in, through whatever other links of the tree it leads. Paths are
// slash-separated and relative to the tree; links are its links by path.
func LinkStays(dir, target string, links map[string]string) bool {
	if path.IsAbs(target) {
		return false
	}
	at := elements(dir)
	ahead := strings.Split(target, "/")
	for hops := 0; len(ahead) > 0; {
		next := ahead[0]
		ahead = ahead[1:]
		switch next {
		case "", ".":
			continue
		case "..":
			if len(at) == 0 {
				return false
			}
			at = at[:len(at)-1]
			continue
		}
		link, isLink := links[path.Join(path.Join(at...), next)]
		if !isLink {
			at = append(at, next)
			continue
		}
		if hops++; hops > 40 || path.IsAbs(link) { // the kernel gives up there as well
			return false
		}
		ahead = append(strings.Split(link, "/"), ahead...)
	}
	return true
}

func elements(dir string) []string {
	if dir == "." {
		return nil
	}
	return strings.Split(dir, "/")
}
