package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/urfave/cli/v3"

	"github.com/org/deploy-action/internal/artifact"
	"github.com/org/deploy-action/internal/spec"
)

const artifactsHelp = `Usage: turnout artifacts COMMAND [options]

What runs have kept: the artifact blocks of a pipeline say what. They are below
the working directory, in .turnout/artifacts/<name>/<run>/, as a tar.zst with a
manifest. No spec is read.

Commands:
  list        what is kept
  get         unpack an artifact

"turnout artifacts COMMAND -h" explains a command.

Example:
  turnout artifacts list && turnout artifacts get app
` + exitCodes

const artifactsListHelp = `Usage: turnout artifacts list [options] [NAME]

Lists what is kept, the newest run of each artifact first. An artifact that is
listed as damaged can't be unpacked; whether what is in an archive is sound only
shows when it is.

Options:
  -json            print for programs
  -chdir DIR       change to DIR first; relative paths begin there
  -no-color        no colour, also NO_COLOR=1

Example:
  turnout artifacts list app
` + exitCodes

const artifactsGetHelp = `Usage: turnout artifacts get [options] NAME

Unpacks an artifact and holds every file against the manifest. A folder that does
not exist appears at once and whole, or not at all. In one that exists, files
that are in the way are an error, before anything is changed. Links that lead out
of the artifact are refused.

Options:
  -run ID          the run that kept it (default the newest)
  -out DIR         where to unpack (default ./NAME)
  -force           overwrite files that exist
  -list            print what is in it instead
  -chdir DIR       change to DIR first; relative paths begin there
  -no-color        no colour, also NO_COLOR=1

Example:
  turnout artifacts get -out restored app
` + exitCodes

func (a *app) artifactsCommand() *cli.Command {
	return a.group(&cli.Command{
		Name: "artifacts", Usage: "list and get what runs have kept", CustomHelpTemplate: artifactsHelp,
		Commands: []*cli.Command{a.artifactsListCommand(), a.artifactsGetCommand()},
	})
}

func (a *app) artifactsListCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "list", Usage: "what is kept", CustomHelpTemplate: artifactsListHelp,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json"}},
		Action: func(_ context.Context, c *cli.Command) error {
			if err := atMost(c, 1); err != nil {
				return err
			}
			all, err := artifact.In(a.dir).List(c.Args().First())
			if err != nil {
				return unknownArtifact(err)
			}
			if c.Bool("json") {
				return writeIndented(a.stdout, append([]artifact.Listed{}, all...)) // [] where there is none
			}
			return writeArtifacts(a.stdout, all)
		},
	})
}

func (a *app) artifactsGetCommand() *cli.Command {
	return subcommand(&cli.Command{
		Name: "get", Usage: "unpack an artifact", CustomHelpTemplate: artifactsGetHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "run"}, &cli.StringFlag{Name: "out", TakesFile: true},
			&cli.BoolFlag{Name: "force"}, &cli.BoolFlag{Name: "list"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if !c.Args().Present() {
				return &usageError{errors.New("artifacts get: name an artifact; turnout artifacts list shows them")}
			}
			if err := atMost(c, 1); err != nil {
				return err
			}
			if c.Bool("list") {
				return a.listArtifact(c)
			}
			return a.getArtifact(ctx, c)
		},
	})
}

// listArtifact prints what is in an artifact.
func (a *app) listArtifact(c *cli.Command) error {
	if c.Bool("force") || c.String("out") != "" {
		return &usageError{errors.New("artifacts get: -list unpacks nothing, so that -out and -force mean nothing")}
	}
	m, err := artifact.In(a.dir).Contents(c.Args().First(), c.String("run"))
	if err != nil {
		return unknownArtifact(err)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, e := range m.Entries {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", e.Type, e.Mode, e.Size, e.ModTime.UTC().Format("2006-01-02 15:04:05"), entryPath(e))
	}
	return w.Flush()
}

// entryPath is the path of an entry and, of a link, where it leads.
func entryPath(e artifact.Entry) string {
	if e.Type == artifact.Link {
		return fmt.Sprintf("%s → %s", e.Path, e.Target)
	}
	return e.Path.String()
}

func (a *app) getArtifact(ctx context.Context, c *cli.Command) error {
	name := c.Args().First()
	out := cmp.Or(c.String("out"), name)
	m, err := artifact.In(a.dir).Get(ctx, artifact.Wish{Name: name, Run: c.String("run"), Dest: a.abs(out), Force: c.Bool("force")})
	if err != nil {
		return unknownArtifact(err)
	}
	_, err = fmt.Fprintf(a.stdout, "%s of run %s: %s, %s, in %s\n", m.Name, m.Run, counted(m.Files, "file"), size(m.Size), artifact.Text(out))
	return err
}

// unknownArtifact makes an unknown name an error of usage, with what may have
// been meant.
func unknownArtifact(err error) error {
	var unknown *artifact.UnknownError
	if !errors.As(err, &unknown) {
		return err
	}
	if near := spec.Nearest(unknown.Name, unknown.Have); near != "" {
		err = fmt.Errorf("%w; did you mean %q?", err, near)
	}
	return &usageError{err}
}

func writeArtifacts(out io.Writer, all []artifact.Listed) error {
	if len(all) == 0 {
		_, err := fmt.Fprintf(out, "No artifacts in %s.\n", artifact.Dir)
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tRUN\tCREATED (UTC)\tFILES\tSIZE\tPACKED")
	for _, l := range all {
		if l.Damage != "" {
			fmt.Fprintf(w, "%s\t%s\tdamaged: %s\n", l.Name, l.Run, l.Damage)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", l.Name, l.Run, l.Created.UTC().Format("2006-01-02 15:04:05"), l.Files, size(l.Size), size(l.Packed))
	}
	return w.Flush()
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// size writes a number of bytes with the figures that matter: 812 B, 3.4 MB.
func size(n int64) string {
	for _, unit := range []struct {
		name string
		is   float64
	}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if f := float64(n) / unit.is; f >= 1 {
			return fmt.Sprintf("%.1f %s", f, unit.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
