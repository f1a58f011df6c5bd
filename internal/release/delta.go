package release

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"slices"
)

// What is sent of a file that a machine has in an earlier state is the difference
// to that, found as rsync does (Tridgell and Mackerras, The rsync algorithm,
// 1996): the machine tells a weak and a strong hash of each block it has; the
// weak one can be rolled over the new content byte by byte, and where it fits,
// the strong one decides.

// Block sizes in bytes: about the square root of the file's size, which keeps
// hashes and the rest of a changed block in balance.
const (
	minBlock = 700
	maxBlock = 128 << 10
)

func blockSize(fileSize int64) int {
	return min(max(int(math.Sqrt(float64(fileSize))), minBlock), maxBlock)
}

// worthDelta reports whether a file is large enough for a difference.
func worthDelta(fileSize int64) bool { return fileSize >= 2*minBlock }

const (
	weakSize   = 4
	strongSize = 6
)

// blockSum is the hash of a block.
type blockSum struct {
	weak   uint32
	strong [strongSize]byte
}

// Salt makes the hashes of blocks those of one upload: blocks that happen to have
// the same ones don't the next time.
type Salt [8]byte

func (s Salt) strong(block []byte) (sum [strongSize]byte) {
	h := sha256.New()
	h.Write(s[:])
	h.Write(block)
	var whole [sha256.Size]byte
	copy(sum[:], h.Sum(whole[:0]))
	return sum
}

// factor is that of the rolling hash, a polynomial over the bytes modulo 2³². It
// is odd, and its bits are those of the golden ratio.
const factor = 0x9e3779b1

func weak(block []byte) (sum uint32) {
	for _, b := range block {
		sum = sum*factor + uint32(b) + 1
	}
	return sum
}

// rolling rolls the weak hash over blocks of one size.
type rolling struct{ top uint32 }

func rollingOver(size int) rolling {
	top := uint32(1)
	for range size - 1 {
		top *= factor
	}
	return rolling{top}
}

func (r rolling) roll(sum uint32, out, in byte) uint32 {
	return (sum-(uint32(out)+1)*r.top)*factor + uint32(in) + 1
}

// old is a file in an earlier state as the client knows it.
type old struct {
	size int
	salt Salt
	tail []tailBlock
	head [maxBases]int // index of each base's first block
	sums []blockSum
	by   map[uint32][]int32 // blocks of the full size by their weak hash
	may  [1 << 10]uint64    // a bit for each upper half of a weak hash in by
}

// tailBlock is the last block of a file, shorter than the others.
type tailBlock struct{ index, size int }

// readOld reads the block hashes of bases for a file of that size; nil where
// there are none.
func readOld(in *incoming, salt Salt, fileSize int64) (*old, error) {
	bases, err := in.number(maxBases)
	if err != nil || bases == 0 {
		return nil, err
	}
	o := &old{size: blockSize(fileSize), salt: salt, by: make(map[uint32][]int32)}
	for i := range bases {
		o.head[i] = len(o.sums)
		size, err := in.number(1<<62 - 1)
		if err != nil {
			return nil, err
		}
		if err := o.read(in, int64(size)); err != nil {
			return nil, broken(err)
		}
	}
	return o, nil
}

func (o *old) read(in *incoming, size int64) error {
	var sum [weakSize + strongSize]byte
	for at := int64(0); at < size; at += int64(o.size) {
		if _, err := io.ReadFull(in, sum[:]); err != nil {
			return err
		}
		b, index := blockSum{weak: binary.BigEndian.Uint32(sum[:])}, len(o.sums)
		copy(b.strong[:], sum[weakSize:])
		o.sums = append(o.sums, b)
		if left := size - at; left < int64(o.size) {
			o.tail = append(o.tail, tailBlock{index, int(left)})
			continue
		}
		o.by[b.weak] = append(o.by[b.weak], int32(index))
		o.may[b.weak>>22] |= 1 << (b.weak >> 16 & 63)
	}
	return nil
}

// find returns the block that window is, preferring the one after the last.
func (o *old) find(window []byte, sum uint32, last int) (index int, found bool) {
	if o.may[sum>>22]&(1<<(sum>>16&63)) == 0 || len(o.by[sum]) == 0 {
		return 0, false
	}
	strong := o.salt.strong(window)
	for _, i := range o.by[sum] {
		if o.sums[i].strong == strong && (!found || int(i) == last+1) {
			index, found = int(i), true
		}
	}
	return index, found
}

func (o *old) findTail(rest []byte) (index int, found bool) {
	for _, t := range o.tail {
		if t.size == len(rest) && o.sums[t.index].strong == o.salt.strong(rest) {
			return t.index, true
		}
	}
	return 0, false
}

// A file travels as a row of parts: a number n, and where its lowest bit is 1, a
// second one i for the n/2 blocks from i on; otherwise n/2 bytes. A 0 ends it.

// parts writes the parts of files, and joins blocks that follow each other.
type parts struct {
	to           *outgoing
	first, count int
	err          error // why there is no use in more
}

func (p *parts) block(index int, heads [maxBases]int) {
	if p.count > 0 && index == p.first+p.count && !slices.Contains(heads[:], index) {
		p.count++
		return
	}
	p.flush()
	p.first, p.count = index, 1
}

func (p *parts) flush() {
	if p.count > 0 {
		p.to.number(uint64(p.count)<<1 | 1)
		p.to.number(uint64(p.first))
	}
	p.count = 0
}

func (p *parts) bytes(data []byte) {
	if len(data) == 0 {
		return
	}
	p.flush()
	p.to.number(uint64(len(data)) << 1)
	_, p.err = p.to.Write(data)
}

func (p *parts) end() {
	p.flush()
	p.to.number(0)
}

// maxPart is the most bytes in one part.
const maxPart = 128 << 10

// whole writes all that from has.
func (p *parts) whole(from io.Reader, buffer []byte) error {
	for {
		n, err := io.ReadFull(from, buffer[:maxPart])
		p.bytes(buffer[:n])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			p.end()
			return p.err
		}
		if err := errors.Join(err, p.err); err != nil {
			return err
		}
	}
}

// difference writes what from has as blocks of o and what is between them.
func (p *parts) difference(from io.Reader, o *old, buffer []byte) error {
	d := differ{parts: p, old: o, from: from, held: buffer[:0], roller: rollingOver(o.size)}
	for {
		if err := errors.Join(d.fill(), p.err); err != nil {
			return err
		}
		if len(d.held)-d.at < o.size {
			d.rest()
			return p.err
		}
		d.search()
	}
}

// differ looks for old blocks in new content.
type differ struct {
	*parts
	old    *old
	from   io.Reader
	roller rolling
	held   []byte // new content of which from start on nothing is written yet
	start  int
	at     int // where the next block may begin
	last   int
	over   bool
}

// fill reads on until there is more than a block to look at, or no more to read.
func (d *differ) fill() error {
	if d.at > d.start {
		d.bytes(d.held[d.start:d.at])
	}
	d.held = append(d.held[:0], d.held[d.at:]...)
	d.start, d.at = 0, 0
	for !d.over && len(d.held) < cap(d.held) {
		n, err := d.from.Read(d.held[len(d.held):cap(d.held)])
		d.held = d.held[:len(d.held)+n]
		if err == io.EOF {
			d.over = true
		} else if err != nil {
			return err
		}
	}
	return nil
}

// search goes through what is held.
func (d *differ) search() {
	size, o := d.old.size, d.old
	sum := weak(d.held[d.at : d.at+size])
	for {
		if index, found := o.find(d.held[d.at:d.at+size], sum, d.last); found {
			d.bytes(d.held[d.start:d.at])
			d.block(index, o.head)
			d.last, d.at = index, d.at+size
			d.start = d.at
			if len(d.held)-d.at < size {
				return
			}
			sum = weak(d.held[d.at : d.at+size])
			continue
		}
		if d.at+size == len(d.held) {
			if d.over {
				d.at++ // no block begins here
			}
			return
		}
		sum = d.roller.roll(sum, d.held[d.at], d.held[d.at+size])
		d.at++
	}
}

// rest writes the end of the file, which may be the old one's end.
func (d *differ) rest() {
	left := d.held[d.start:]
	for _, t := range d.old.tail {
		if t.size > len(left) {
			continue
		}
		if index, found := d.old.findTail(left[len(left)-t.size:]); found {
			d.bytes(left[:len(left)-t.size])
			d.block(index, d.old.head)
			left = nil
			break
		}
	}
	d.bytes(left)
	d.end()
}

// maxBases is how many old states of a file a difference is made against.
const maxBases = 2

// basis is an old state of a file on the machine that has it.
type basis struct {
	file  *os.File
	size  int64
	first int // index of its first block
}

// writeSums tells the block hashes of bases for a file of that size.
func writeSums(o *outgoing, salt Salt, bases []basis, fileSize int64, buffer []byte) error {
	size := blockSize(fileSize)
	o.number(uint64(len(bases)))
	for _, b := range bases {
		o.number(uint64(b.size))
		for at := int64(0); at < b.size; at += int64(size) {
			block := buffer[:min(int64(size), b.size-at)]
			if _, err := b.file.ReadAt(block, at); err != nil {
				return broken(err)
			}
			sum := binary.BigEndian.AppendUint32(make([]byte, 0, weakSize+strongSize), weak(block))
			strong := salt.strong(block)
			_, _ = o.Write(append(sum, strong[:]...))
		}
	}
	return nil
}

// numberBlocks numbers the blocks of bases in a row.
func numberBlocks(bases []basis, blockSize int) (blocks int) {
	for i := range bases {
		bases[i].first = blocks
		blocks += int((bases[i].size + int64(blockSize) - 1) / int64(blockSize))
	}
	return blocks
}

// assemble writes a file of at most size bytes from its parts and the blocks of
// bases.
func assemble(to io.Writer, in *incoming, bases []basis, size int64, buffer []byte) error {
	perBlock := blockSize(size)
	blocks := numberBlocks(bases, perBlock)
	for left := size; ; {
		n, err := in.number(1 << 62)
		if err != nil || n == 0 {
			return err
		}
		var from io.Reader
		length := int64(n >> 1)
		if n&1 == 0 {
			from = io.LimitReader(in, length)
		} else {
			first, err := in.number(uint64(blocks))
			if err != nil {
				return err
			}
			if from, length, err = oldBlocks(bases, int(first), length, perBlock); err != nil {
				return err
			}
		}
		if left -= length; left < 0 {
			return errors.New("changed while it was shipped: it has grown")
		}
		copied, err := io.CopyBuffer(onlyWriter{to}, from, buffer)
		if err == nil && copied < length {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
}

// onlyWriter keeps io.CopyBuffer to its buffer.
type onlyWriter struct{ io.Writer }

// oldBlocks reads count blocks from first on. A run never goes beyond its file.
func oldBlocks(bases []basis, first int, count int64, size int) (io.Reader, int64, error) {
	for _, b := range bases {
		at := int64(first-b.first) * int64(size)
		if at < 0 || at >= b.size {
			continue
		}
		if count > (b.size-at+int64(size)-1)/int64(size) {
			break
		}
		length := min(count*int64(size), b.size-at)
		return io.NewSectionReader(b.file, at, length), length, nil
	}
	return nil, 0, errors.New("not a message of an upload: blocks that are not there")
}
