package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/org/deploy-action/internal/bench/beside"
)

// logSpec has a stage that puts out a file, with a secret to look for.
const logSpec = `variable "token" {
  type      = string
  default   = "ghs_16C7e42F292c6912E7710c838347Ae178B4a"
  sensitive = true
}

pipeline "bench" {
  stage "talk" {
    run = "cat big"
  }
}
`

// output measures a stage that puts out much.
func (o options) output(ctx context.Context, bench *beside.Bench, dir string) error {
	size, err := writeBig(dir, int64(o.mib)<<20)
	if err != nil {
		return err
	}
	contenders := []beside.Contender{
		{Name: "cat big > file", Args: []string{"sh", "-c", "exec cat big > file"}},
		{Name: "cat big | cat > file", Args: []string{"sh", "-c", "cat big | cat > file"}},
		{Name: "turnout", Args: []string{o.turnout, "run"}},
		{Name: "turnout, in a GitHub job", Args: []string{o.turnout, "run"}, Env: []string{"GITHUB_ACTIONS=true"}},
	}
	for i, c := range contenders {
		contenders[i].Dir, contenders[i].Floor = dir, contenders[1].Name
		contenders[i].Before = func() error {
			return os.RemoveAll(filepath.Join(dir, ".turnout"))
		}
		if c.Args[0] == o.turnout {
			contenders[i].After = func() error { return checkLog(dir, size) }
		}
	}
	measured, err := bench.Run(ctx, o.rounds, contenders)
	if err != nil {
		return err
	}
	return beside.Table(os.Stdout, fmt.Sprintf("a stage that puts out %d MiB in lines", o.mib), measured)
}

// writeBig writes a log of a build, such as they are, and returns its size.
func writeBig(dir string, size int64) (written int64, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(dir, "deploy.hcl"), []byte(logSpec), 0o644); err != nil {
		return 0, err
	}
	file, err := os.Create(filepath.Join(dir, "big"))
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(file, 1<<20)
	for i := 0; written < size; i++ {
		n, _ := fmt.Fprintf(w, "2026-11-23T18:45:%02d.%03dZ INFO  compiled module %d of 1432 in %d ms (/srv/app/node_modules/%x)\n", i%60, i%1000, i, i*7%9973, i*i)
		written += int64(n)
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	if err := file.Sync(); err != nil { // or a contender would pay for it
		return 0, err
	}
	return written, file.Close()
}

// checkLog sees that the log has all that the stage put out.
func checkLog(dir string, size int64) error {
	logs, err := filepath.Glob(filepath.Join(dir, ".turnout/runs/*/talk.log"))
	if err != nil || len(logs) != 1 {
		return fmt.Errorf("logs: %v, %v", logs, err)
	}
	log, err := os.Open(logs[0])
	if err != nil {
		return err
	}
	defer log.Close()
	big, err := os.Open(filepath.Join(dir, "big"))
	if err != nil {
		return err
	}
	defer big.Close()
	return same(log, big, size)
}

func same(a, b io.Reader, size int64) error {
	x, y := bufio.NewReaderSize(a, 1<<20), bufio.NewReaderSize(b, 1<<20)
	for at := int64(0); ; at++ {
		p, errP := x.ReadByte()
		q, errQ := y.ReadByte()
		switch {
		case errP == io.EOF && errQ == io.EOF:
			return nil
		case errP != errQ || p != q:
			return fmt.Errorf("the log differs from what was put out at byte %d of %d", at, size)
		}
	}
}
