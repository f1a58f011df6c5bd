//go:build !linux

package metrics

import "errors"

var errOtherSystem = errors.New("to measure a machine, it has to be one with Linux")

func readTicks() (ticks, error)      { return ticks{}, errOtherSystem }
func readProc() (Sample, error)      { return Sample{}, errOtherSystem }
func disks([]string) ([]Disk, error) { return nil, errOtherSystem }
