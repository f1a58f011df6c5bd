package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/spec"
)

const fmtHelp = `Usage: turnout fmt [options] [FILE or DIR ...]

Rewrites specs in the canonical layout and prints the names of those it changed.
Without an argument: the .hcl files of the current directory. "-" formats
standard input to standard output.

Options:
  -check           change nothing; exit 1 when a file is not in the canonical layout
  -diff            print what changes
  -chdir DIR       change to DIR first
  -no-color        no colour, also NO_COLOR=1

Example:
  turnout fmt -check -diff deploy.hcl
` + exitCodes

func (a *app) fmtCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "fmt", Usage: "rewrite specs in the canonical layout", CustomHelpTemplate: fmtHelp,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "check"}, &cli.BoolFlag{Name: "diff"}},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Len() == 1 && c.Args().First() == "-" {
				return a.formatStdin()
			}
			return a.formatFiles(c)
		},
	})
}

func (a *app) formatStdin() error {
	src, err := io.ReadAll(a.env.Stdin)
	if err != nil {
		return err
	}
	formatted, problems := spec.Format(src, "<stdin>")
	if err := a.tell(problems); err != nil {
		return err
	}
	_, err = a.data.Write(formatted)
	return err
}

func (a *app) formatFiles(c *cli.Command) error {
	files, err := specFiles(c.Args().Slice())
	if err != nil {
		return &usageError{err}
	}
	changed := 0
	for _, file := range files {
		did, err := a.formatFile(file, c.Bool("check"), c.Bool("diff"))
		if err != nil {
			return err
		}
		if did {
			changed++
		}
	}
	if c.Bool("check") && changed > 0 {
		return fmt.Errorf("%d of %d files are not in the canonical layout; turnout fmt rewrites them", changed, len(files))
	}
	return nil
}

// formatFile reports whether the file was not in the canonical layout.
func (a *app) formatFile(file string, check, diff bool) (bool, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	formatted, problems := spec.Format(src, file)
	if err := a.tell(problems); err != nil {
		return false, err
	}
	if bytes.Equal(src, formatted) {
		return false, nil
	}
	fmt.Fprintln(a.stdout, file)
	if diff {
		fmt.Fprint(a.stdout, udiff.Unified("old/"+file, "new/"+file, string(src), string(formatted)))
	}
	if check {
		return true, nil
	}
	return true, machine.WriteFile(file, formatted, 0o644)
}

// specFiles are the files that args mean: each file as it is, the .hcl files of
// each directory.
func specFiles(args []string) ([]string, error) {
	if len(args) == 0 {
		args = []string{"."}
	}
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		entries, err := os.ReadDir(arg)
		if err != nil {
			return nil, err
		}
		files = append(files, hclFiles(arg, entries)...)
	}
	return files, nil
}

func hclFiles(dir string, entries []fs.DirEntry) []string {
	var files []string
	for _, entry := range entries {
		if !entry.IsDir() && strings.HasSuffix(entry.Name(), ".hcl") {
			files = append(files, filepath.Join(dir, entry.Name()))
		}
	}
	return files
}
