package release

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/org/deploy-action/internal/machine"
)

// upload is the client's part of shipping one release to some machines.
type upload struct {
	receive  Receiving
	layout   Layout
	source   string // for messages
	dir      string // that is shipped
	manifest Manifest
	progress func(Progress)
	salt     Salt

	talks []*talk
	fail  context.CancelCauseFunc
}

// run has the whole conversation with every machine. It ends with all machines,
// or with the first error; then the other conversations are broken off.
func (u *upload) run(ctx context.Context, machines []machine.Machine) (id string, err error) {
	packed, err := packManifest(u.manifest, u.layout)
	if err != nil {
		return "", err
	}
	_, _ = rand.Read(u.salt[:]) // it never fails
	ctx, u.fail = context.WithCancelCause(ctx)
	defer u.fail(nil)
	delivery := Delivery{Layout: u.layout, Salt: u.salt, Alone: len(machines) == 1}
	for _, m := range machines {
		u.talks = append(u.talks, u.begin(ctx, m, delivery))
	}
	id, err = u.converse(packed)
	ended := u.each(func(_ int, t *talk) error { return t.end() })
	if err == nil {
		err = ended
	}
	return id, err
}

func (u *upload) converse(packed []byte) (string, error) {
	answers := make([]string, len(u.talks))
	err := u.each(func(i int, t *talk) (err error) {
		if _, err := t.Write(packed); err != nil {
			return err
		}
		answers[i], err = t.answer()
		return t.wrong(err)
	})
	if err == nil {
		err = u.deliver(answers)
	}
	if err != nil {
		return "", err
	}
	return u.seal()
}

// each does something with every machine, side by side.
func (u *upload) each(do func(i int, t *talk) error) error {
	return u.sideBySide(len(u.talks), func(i int) error { return do(i, u.talks[i]) })
}

// sideBySide does n things at once. The first error breaks off the upload, and is
// returned.
func (u *upload) sideBySide(n int, do func(i int) error) error {
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- do(i) }()
	}
	var first error
	for range n {
		if err := <-errs; err != nil && first == nil {
			first = err
			u.fail(err)
		}
	}
	return first
}

// maxAnswer bounds what a machine can make us hold, in bytes: block hashes are
// at most 1.5 % of what the machine has of files that have changed.
const maxAnswer = 256 << 20

// answer takes what a machine has to say to the manifest: its newest release, and
// a text for reading with lacking.
func (t *talk) answer() (string, error) {
	size, err := t.from.ReadByte()
	if err != nil {
		return "", broken(err)
	}
	newest := make([]byte, size)
	if _, err := io.ReadFull(t.from, newest); err != nil {
		return "", broken(err)
	}
	t.newest = string(newest)
	in, err := receiveMessage(t.from)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(in, maxAnswer))
	return string(text), errors.Join(err, in.close())
}

// lacking reads an answer.
type lacking struct {
	*incoming
	files int // that are still to come
	item  int // index of the last one
}

func readAnswer(text string) (*lacking, error) {
	l := &lacking{incoming: &incoming{Reader: bufio.NewReader(strings.NewReader(text))}}
	n, err := l.number(maxItems)
	l.files = int(n)
	return l, err
}

// next is the next item that is lacking, and what there is of it.
func (l *lacking) next(m Manifest, salt Salt) (Item, *old, error) {
	further, err := l.number(uint64(len(m)))
	if err != nil {
		return Item{}, nil, err
	}
	l.files--
	l.item += int(further)
	if l.item >= len(m) || !m[l.item].Mode.IsRegular() {
		return Item{}, nil, errors.New("not a message of an upload: lacks what is no file")
	}
	o, err := readOld(l.incoming, salt, m[l.item].Size)
	return m[l.item], o, err
}

// maxGroups is how many streams are packed at once, for the sake of memory: some
// 20 MiB each.
const maxGroups = 4

// deliver sends every machine what it lacks. Machines that lack the same get the
// same stream, read and packed once.
func (u *upload) deliver(answers []string) error {
	var order []string
	groups := make(map[string][]*talk)
	for i, text := range answers {
		if groups[text] == nil {
			order = append(order, text)
		}
		groups[text] = append(groups[text], u.talks[i])
	}
	turn := make(chan struct{}, maxGroups)
	return u.sideBySide(len(order), func(i int) error {
		turn <- struct{}{}
		defer func() { <-turn }()
		return u.pack(order[i], groups[order[i]])
	})
}

// pack sends some machines what they lack.
func (u *upload) pack(text string, talks []*talk) error {
	var to []io.Writer
	for _, t := range talks {
		to = append(to, t)
	}
	o, err := send(io.MultiWriter(to...), zstd.SpeedFastest)
	if err != nil {
		return err
	}
	defer o.drop()
	total, err := u.total(text)
	if err != nil {
		return err
	}
	l, err := readAnswer(text)
	if err != nil {
		return err
	}
	d := dispatch{upload: u, talks: talks, total: total, parts: parts{to: o}, buffer: make([]byte, 4*maxBlock)}
	d.tell()
	for l.files > 0 {
		item, old, err := l.next(u.manifest, u.salt)
		if err == nil {
			err = d.file(item, old)
		}
		if err != nil {
			return err
		}
	}
	return o.close()
}

// total is the bytes of the files that an answer asks for.
func (u *upload) total(text string) (bytes int64, err error) {
	l, err := readAnswer(text)
	for err == nil && l.files > 0 {
		var item Item
		item, _, err = l.next(u.manifest, u.salt)
		bytes += item.Size
	}
	return bytes, err
}

// dispatch sends files to machines that lack the same.
type dispatch struct {
	*upload
	talks  []*talk
	parts  parts
	buffer []byte

	done, told, total int64
}

func (d *dispatch) file(item Item, o *old) error {
	name := filepath.Join(d.dir, filepath.FromSlash(item.Path))
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("ship %s: %w", d.source, err)
	}
	defer file.Close()
	if o == nil {
		err = d.parts.whole(progressing{file, d}, d.buffer)
	} else {
		err = d.parts.difference(progressing{file, d}, o, d.buffer)
	}
	if err != nil && d.parts.err == nil { // a machine's error has its place
		err = fmt.Errorf("ship %s: %w", d.source, err)
	}
	return err
}

// progressStep is how often progress is told, in bytes.
const progressStep = 1 << 20

// progressing is a file whose reading is progress.
type progressing struct {
	*os.File
	of *dispatch
}

func (p progressing) Read(b []byte) (int, error) {
	n, err := p.File.Read(b)
	d := p.of
	if d.done += int64(n); d.done-d.told >= progressStep || d.done == d.total && n > 0 {
		d.tell()
	}
	return n, err
}

func (d *dispatch) tell() {
	d.told = d.done
	for _, t := range d.talks {
		d.progress(Progress{Server: t.name, Done: d.done, Total: d.total})
	}
}

// seal gives the release its name everywhere, once every machine has all of it.
func (u *upload) seal() (string, error) {
	newest := ""
	for _, t := range u.talks {
		newest = max(newest, t.newest)
	}
	id := newID(time.Now(), newest, u.manifest.sum())
	if len(u.talks) > 1 {
		if err := u.each(func(_ int, t *talk) error { return t.wrong(t.ready()) }); err != nil {
			return "", err
		}
	}
	return id, u.each(func(_ int, t *talk) error {
		_, err := t.Write([]byte(id))
		return err
	})
}

func (t *talk) ready() error {
	said, err := t.from.ReadByte()
	if err == nil && said != ready {
		err = errors.New("not a message of an upload")
	}
	return broken(err)
}
