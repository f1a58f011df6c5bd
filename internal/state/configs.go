package state

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/org/deploy-action/internal/machine"
)

// KeepConfig performs SaveConfig.
var KeepConfig = machine.Op[Config, machine.None]{Name: "state.keep_config", Do: func(_ context.Context, _ machine.At, c Config) (machine.None, error) {
	return machine.None{}, SaveConfig(c.Dir, c.Generation, c.Data)
}}

// Config is a former configuration of the environment whose state is in Dir.
type Config struct {
	Dir        string `json:"dir"`
	Generation int    `json:"generation"`
	Data       []byte `json:"data"`
}

// ConfigsKept is how many former configurations are kept.
const ConfigsKept = 10

// SaveConfig keeps a proxy's configuration as <dir>/configs/<generation>.conf
// and removes those of the lowest generations beyond ConfigsKept.
func SaveConfig(dir string, generation int, data []byte) error {
	configs := filepath.Join(dir, "configs")
	if err := makeDir(configs); err != nil {
		return err
	}
	if err := machine.WriteFile(configPath(configs, generation), data, fileMode); err != nil {
		return err
	}
	saved, err := generations(configs)
	if err != nil {
		return err
	}
	for _, old := range saved[:max(0, len(saved)-ConfigsKept)] {
		if err := machine.RemoveFile(configPath(configs, old)); err != nil {
			return err
		}
	}
	return nil
}

func configPath(dir string, generation int) string {
	return filepath.Join(dir, fmt.Sprintf("%d.conf", generation))
}

// generations are those of the files in dir, lowest first.
func generations(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []int
	for _, entry := range entries {
		number, isConfig := strings.CutSuffix(entry.Name(), ".conf")
		if n, err := strconv.Atoi(number); isConfig && err == nil {
			found = append(found, n)
		}
	}
	slices.Sort(found)
	return found, nil
}
