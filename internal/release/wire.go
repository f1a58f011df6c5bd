package release

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/klauspost/compress/zstd"
)

// An upload is a conversation over the two streams of one call:
//
//	client → server   manifest, hash prefixes
//	server → client   newest release; files it lacks, with hashes of the blocks it has of them
//	client → server   those files, block by block or as they are
//	server → client   ready: all verified and on the disk
//	client → server   the release's id, once every server is ready
//
// Each message is one zstd frame, which carries a checksum, in chunks: a length
// as uvarint and so many bytes; a length of 0 ends it.

// maxChunk is the largest chunk of a message, in bytes.
const maxChunk = 32 << 10

// chunks writes the chunks of one message. Nothing of it is kept: what was
// written is on its way.
type chunks struct{ to io.Writer }

func (c chunks) Write(p []byte) (int, error) {
	for written := 0; written < len(p); written += maxChunk {
		part := p[written:min(len(p), written+maxChunk)]
		chunk := append(binary.AppendUvarint(make([]byte, 0, len(part)+3), uint64(len(part))), part...)
		if _, err := c.to.Write(chunk); err != nil {
			return written, err
		}
	}
	return len(p), nil
}

func (c chunks) Close() error {
	_, err := c.to.Write([]byte{0})
	return err
}

// chunked reads the chunks of one message, and not a byte beyond.
type chunked struct {
	from *bufio.Reader
	left uint64
	over bool
}

func (c *chunked) Read(p []byte) (int, error) {
	for c.left == 0 {
		if c.over {
			return 0, io.EOF
		}
		size, err := binary.ReadUvarint(c.from)
		if err == nil && size > maxChunk {
			err = errors.New("not a message of an upload")
		}
		if err != nil {
			return 0, broken(err)
		}
		c.left, c.over = size, size == 0
	}
	n, err := c.from.Read(p[:min(uint64(len(p)), c.left)])
	c.left -= uint64(n)
	return n, broken(err)
}

// broken is err where an end is too early.
func broken(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// outgoing is a message to be written.
type outgoing struct {
	*bufio.Writer
	packer *zstd.Encoder
	to     chunks
}

func send(to io.Writer, level zstd.EncoderLevel) (*outgoing, error) {
	packer, err := zstd.NewWriter(chunks{to}, zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(true), zstd.WithAllLitEntropyCompression(true))
	if err != nil {
		return nil, err
	}
	return &outgoing{Writer: bufio.NewWriterSize(packer, 64<<10), packer: packer, to: chunks{to}}, nil
}

func (o *outgoing) number(n uint64) {
	_, _ = o.Write(binary.AppendUvarint(o.AvailableBuffer(), n)) // an error stays in the writer until close
}

func (o *outgoing) text(s string) {
	o.number(uint64(len(s)))
	_, _ = o.WriteString(s)
}

func (o *outgoing) close() error {
	return errors.Join(o.Flush(), o.packer.Close(), o.to.Close())
}

// drop lets go of a message that is not sent to its end.
func (o *outgoing) drop() {
	o.packer.Reset(io.Discard)
	_ = o.packer.Close()
}

// incoming is a message to be read.
type incoming struct {
	*bufio.Reader
	packed *zstd.Decoder
	raw    *chunked
}

// maxWindow is the most memory that a message may ask for. Ours ask for 8 MiB.
const maxWindow = 16 << 20

func receiveMessage(from *bufio.Reader) (*incoming, error) {
	raw := &chunked{from: from}
	packed, err := zstd.NewReader(raw, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return &incoming{Reader: bufio.NewReaderSize(packed, 64<<10), packed: packed, raw: raw}, nil
}

func (in *incoming) number(most uint64) (uint64, error) {
	n, err := binary.ReadUvarint(in)
	if err == nil && n > most {
		err = fmt.Errorf("not a message of an upload: %d where at most %d can be", n, most)
	}
	return n, broken(err)
}

// maxText is the longest path or link target: PATH_MAX of Linux.
const maxText = 4096

func (in *incoming) text() (string, error) {
	n, err := in.number(maxText)
	if err != nil {
		return "", err
	}
	text := make([]byte, n)
	_, err = io.ReadFull(in, text)
	return string(text), broken(err)
}

// close reads the message to its end, where its checksum is, and lets it go.
func (in *incoming) close() error {
	defer in.packed.Close()
	n, err := io.Copy(io.Discard, in.Reader)
	if err == nil && n > 0 {
		err = fmt.Errorf("not a message of an upload: %d bytes too many", n)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, in.raw)
	}
	return err
}

// maxItems bounds a manifest, and with it the memory of a machine that reads one.
const maxItems = 5_000_000

// write writes the manifest, a column after the other: likes compress best side
// by side.
func (m Manifest) write(o *outgoing, proof Sum) {
	o.number(uint64(len(m)))
	before := ""
	for _, item := range m {
		shared := commonPrefix(before, item.Path)
		o.number(uint64(shared))
		o.text(item.Path[shared:])
		before = item.Path
	}
	for _, item := range m {
		o.number(uint64(item.Mode))
	}
	for _, item := range m {
		switch item.Mode.Type() {
		case 0:
			o.number(uint64(item.Size))
		case fs.ModeSymlink:
			o.text(item.Target)
		}
	}
	seconds := int64(0)
	for _, item := range m {
		_, _ = o.Write(binary.AppendVarint(o.AvailableBuffer(), item.ModTime.Unix()-seconds))
		seconds = item.ModTime.Unix()
	}
	for _, item := range m {
		_, _ = o.Write(binary.BigEndian.AppendUint32(o.AvailableBuffer(), uint32(item.ModTime.Nanosecond())))
	}
	for _, item := range m {
		if item.Mode.IsRegular() {
			_, _ = o.Write(item.Sum[:prefixSize])
		}
	}
	_, _ = o.Write(proof[:])
}

func commonPrefix(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// readManifest reads what write has written.
func readManifest(in *incoming) (m Manifest, proof Sum, err error) {
	n, err := in.number(maxItems)
	if err != nil {
		return nil, proof, err
	}
	if m, err = readPaths(in, int(n)); err != nil {
		return nil, proof, err
	}
	for _, column := range []func(*incoming, Manifest) error{readModes, readSizes, readTimes, readSums} {
		if err := column(in, m); err != nil {
			return nil, proof, broken(err)
		}
	}
	_, err = io.ReadFull(in, proof[:])
	return m, proof, broken(err)
}

func readPaths(in *incoming, n int) (Manifest, error) {
	m := make(Manifest, 0, min(n, 1<<16)) // a number is quickly claimed
	before := ""
	for range n {
		shared, err := in.number(uint64(len(before)))
		if err != nil {
			return nil, err
		}
		rest, err := in.text()
		if err != nil {
			return nil, err
		}
		before = before[:shared] + rest
		if len(before) > maxText {
			return nil, errors.New("not a message of an upload: a path that is too long")
		}
		m = append(m, Item{Path: before})
	}
	return m, nil
}

func readModes(in *incoming, m Manifest) error {
	for i := range m {
		mode, err := in.number(1<<32 - 1)
		if err != nil {
			return err
		}
		m[i].Mode = fs.FileMode(mode)
	}
	return nil
}

func readSizes(in *incoming, m Manifest) (err error) {
	for i := range m {
		switch m[i].Mode.Type() {
		case 0:
			var size uint64
			size, err = in.number(1<<62 - 1)
			m[i].Size = int64(size)
		case fs.ModeSymlink:
			m[i].Target, err = in.text()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readTimes(in *incoming, m Manifest) error {
	all := make([]int64, len(m))
	seconds := int64(0)
	for i := range m {
		further, err := binary.ReadVarint(in)
		if err != nil {
			return err
		}
		seconds += further
		all[i] = seconds
	}
	var nanoseconds [4]byte
	for i := range m {
		if _, err := io.ReadFull(in, nanoseconds[:]); err != nil {
			return err
		}
		m[i].ModTime = time.Unix(all[i], int64(binary.BigEndian.Uint32(nanoseconds[:])))
	}
	return nil
}

func readSums(in *incoming, m Manifest) error {
	for i := range m {
		if !m[i].Mode.IsRegular() {
			continue
		}
		if _, err := io.ReadFull(in, m[i].Sum[:prefixSize]); err != nil {
			return err
		}
	}
	return nil
}

// packManifest is the manifest as it travels.
func packManifest(m Manifest, layout Layout) ([]byte, error) {
	var packed bytes.Buffer
	o, err := send(&packed, zstd.SpeedBetterCompression)
	if err != nil {
		return nil, err
	}
	m.write(o, m.proof(layout))
	err = o.close()
	return packed.Bytes(), err
}
