package spec

import (
	"bytes"
	"runtime"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	largeFile = 32 << 10 // bytes from which a file is parsed in pieces
	pieceSize = 8 << 10
)

// parse is hclsyntax.ParseConfig, in less time and memory where the file is
// large: the parser makes a list of all tokens first, so that many small files
// are cheaper than a large one, and can be read side by side.
func parse(src []byte, name string) (*hclsyntax.Body, hcl.Diagnostics) {
	if len(src) >= largeFile {
		if body := inPieces(src, name); body != nil {
			return body, nil
		}
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	return file.Body.(*hclsyntax.Body), diags
}

// piece is a part of a file that should be whole blocks within a block.
type piece struct {
	start hcl.Pos
	src   []byte
	body  *hclsyntax.Body // nil: it is not
}

// inPieces parses what is around the pieces, and each piece by itself. It
// returns nil for a file without pieces, with a mistake, or where a piece is
// anything else than blocks: such a file is for the parser alone. It may guess
// wrong about where blocks are, since what parses up to some place has brought
// the parser back there to where it began.
func inPieces(src []byte, name string) *hclsyntax.Body {
	pieces, around := split(src)
	if len(pieces) == 0 || bytes.Contains(around, []byte("/*")) {
		return nil
	}
	left := make(chan *piece, len(pieces))
	for i := range pieces {
		left <- &pieces[i]
	}
	close(left)
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for p := range left {
				p.parse(name)
			}
		})
	}
	file, diags := hclsyntax.ParseConfig(around, name, hcl.InitialPos)
	all.Wait()
	root := file.Body.(*hclsyntax.Body)
	if len(diags) > 0 || !fill(root, pieces) {
		return nil
	}
	return root
}

// split cuts out what looks like the stages of pipelines in the canonical
// layout, and returns it in pieces, and what is around them in its place.
func split(src []byte) (pieces []piece, around []byte) {
	stage, endOfStage, endOfBlock := []byte("\n  stage \""), []byte("\n  }\n"), []byte("\n}")
	around = slices.Clone(src)
	line, counted := 1, 0
	for at := 0; ; {
		begin := bytes.Index(src[at:], stage)
		if begin < 0 {
			return pieces, around
		}
		begin += at + 1
		if at = bytes.Index(src[begin:], endOfBlock); at < 0 {
			return pieces, around
		}
		at += begin + 1
		for begin < at {
			end := at
			if far := begin + pieceSize; far < at {
				if i := bytes.Index(src[far:at], endOfStage); i >= 0 {
					end = far + i + len(endOfStage)
				}
			}
			line, counted = line+bytes.Count(src[counted:begin], []byte{'\n'}), begin
			pieces = append(pieces, piece{start: hcl.Pos{Line: line, Column: 1, Byte: begin}, src: src[begin:end]})
			blank(around[begin:end])
			begin = end
		}
	}
}

// blank leaves nothing of text but its lines.
func blank(text []byte) {
	for i, b := range text {
		if b != '\n' {
			text[i] = ' '
		}
	}
}

func (p *piece) parse(name string) {
	file, diags := hclsyntax.ParseConfig(p.src, name, p.start)
	if body := file.Body.(*hclsyntax.Body); len(diags) == 0 && len(body.Attributes) == 0 {
		p.body = body
	}
}

// fill puts the blocks of pieces where they belong. It is false where a piece is
// not what it should be, or not where.
func fill(root *hclsyntax.Body, pieces []piece) bool {
	found := make(map[*hclsyntax.Body]hclsyntax.Blocks)
	for _, p := range pieces {
		owner := p.owner(root)
		if p.body == nil || owner == nil {
			return false
		}
		found[owner] = append(found[owner], p.body.Blocks...)
	}
	for owner, blocks := range found {
		owner.Blocks = append(owner.Blocks, blocks...)
		slices.SortFunc(owner.Blocks, func(a, b *hclsyntax.Block) int { return a.TypeRange.Start.Byte - b.TypeRange.Start.Byte })
	}
	return true
}

// owner is the body of the block around p, nil where p is within anything else.
func (p *piece) owner(root *hclsyntax.Body) *hclsyntax.Body {
	from, to := p.start.Byte, p.start.Byte+len(p.src)
	for _, block := range root.Blocks {
		if from < block.OpenBraceRange.End.Byte || to > block.CloseBraceRange.Start.Byte {
			continue
		}
		for _, inner := range block.Body.Blocks {
			if from < inner.CloseBraceRange.End.Byte && inner.TypeRange.Start.Byte < to {
				return nil
			}
		}
		for _, attribute := range block.Body.Attributes {
			if from < attribute.SrcRange.End.Byte && attribute.SrcRange.Start.Byte < to {
				return nil
			}
		}
		return block.Body
	}
	return nil
}
