package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

//go:embed app service deploy.hcl haproxy.hcl
var files embed.FS

// versions are the releases of the shop. What v3 says of its health is all that
// is wrong with it.
var versions = []struct{ name, config, message string }{
	{"v1", `{"version": "v1", "healthy": true}`, "open the shop"},
	{"v2", `{"version": "v2", "healthy": true}`, "show the prices"},
	{"v3", `{"version": "v3", "healthy": false}`, "forget the database"},
}

// writeRepository makes a git repository of the shop with a tag per version.
func (s *stage) writeRepository(ctx context.Context) error {
	shop, err := fs.Sub(files, "app")
	if err != nil {
		return err
	}
	service, err := files.ReadFile("service")
	if err != nil {
		return err
	}
	err = errors.Join(
		os.CopyFS(s.path("repository"), shop),
		os.WriteFile(s.path("repository/service"), service, 0o755),
		os.WriteFile(s.path("repository/go.mod"), []byte("module shop\n\ngo 1.26\n"), 0o644),
		s.git(ctx, "init", "--quiet"),
	)
	for _, v := range versions {
		err = errors.Join(err, os.WriteFile(s.path("repository/config.json"), []byte(v.config+"\n"), 0o644),
			s.git(ctx, "add", "."), s.git(ctx, "commit", "--quiet", "--message", v.message), s.git(ctx, "tag", v.name))
	}
	return err
}

func (s *stage) git(ctx context.Context, args ...string) error {
	who := []string{"-c", "user.name=Demo", "-c", "user.email=demo@shop.localhost", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}
	said, err := s.command(ctx, s.path("repository"), "git", append(who, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("git %s: %w\n%s", args[0], err, said)
	}
	return nil
}

// writeSpec writes deploy.hcl as it is, or with the other proxy's block in it.
func (s *stage) writeSpec(dir string) error {
	text, err := files.ReadFile("deploy.hcl")
	if err == nil && s.kind == "haproxy" {
		text, err = withHAProxy(text)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(dir+"/deploy.hcl", text, 0o644)
}

// withHAProxy is the spec with the nginx block replaced by that of haproxy.hcl.
func withHAProxy(text []byte) ([]byte, error) {
	other, err := files.ReadFile("haproxy.hcl")
	if err != nil {
		return nil, err
	}
	spec, problems := hclwrite.ParseConfig(text, "deploy.hcl", hcl.InitialPos)
	block, more := hclwrite.ParseConfig(other, "haproxy.hcl", hcl.InitialPos)
	if problems = append(problems, more...); problems.HasErrors() {
		return nil, problems
	}
	environment := spec.Body().FirstMatchingBlock("environment", []string{"shop"}).Body()
	environment.RemoveBlock(environment.FirstMatchingBlock("proxy", []string{"nginx"}))
	environment.AppendBlock(block.Body().FirstMatchingBlock("proxy", []string{"haproxy"}))
	return hclwrite.Format(spec.Bytes()), nil
}
