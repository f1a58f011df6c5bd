package state_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/org/deploy-action/internal/machine"
	"github.com/org/deploy-action/internal/protocol"
	"github.com/org/deploy-action/internal/state"
)

// holdVariable makes the test binary take a lock and hold it until it is killed.
const holdVariable = "HOLD_LOCK_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdVariable); dir != "" {
		hold(dir)
	}
	os.Exit(m.Run())
}

// acquire takes the lock in a test that is about something else than being alone.
var acquire = state.Acquire(func(context.Context, state.Orphan) error { return nil })

func hold(dir string) {
	claim := state.Claim{Dir: dir, Holder: state.Holder{Run: "of-another-process", Actor: "alice"}}
	grant, err := acquire.On(context.Background(), machine.NewLocal("here"), claim)
	fmt.Println(grant.Held, err)
	select {}
}

func on[Req, Res any](t *testing.T, m machine.Machine, op machine.Op[Req, Res], request Req) Res {
	t.Helper()
	result, err := op.On(context.Background(), m, request)
	if err != nil {
		t.Fatalf("%s: %v", op.Name, err)
	}
	return result
}

func claim(dir, run string) state.Claim {
	return state.Claim{Dir: dir, Holder: state.Holder{Run: run, Since: time.Date(2026, 11, 23, 18, 45, 1, 0, time.UTC)}}
}

func TestLockIsHeldByOneSession(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "shop")
	first, second := machine.NewLocal("here"), machine.NewLocal("here")
	if grant := on(t, first, acquire, claim(dir, "1")); !grant.Held || grant.By.Run != "1" || grant.By.PID != os.Getpid() {
		t.Errorf("grant = %+v", grant)
	}
	if grant := on(t, first, acquire, claim(dir, "another deploy of 1")); grant.Held || grant.By.Run != "1" {
		t.Errorf("a second deploy in the same session: %+v", grant)
	}
	if grant := on(t, second, acquire, claim(dir, "2")); grant.Held || grant.By.Run != "1" {
		t.Errorf("while it is held: %+v", grant)
	}
	if grant := on(t, second, state.LockStatus, dir); !grant.Held || grant.By.Run != "1" {
		t.Errorf("status = %+v", grant)
	}
	on(t, second, state.Release, dir) // not its own
	on(t, first, state.Release, dir)
	if grant := on(t, second, state.LockStatus, dir); grant.Held {
		t.Errorf("status after the release = %+v", grant)
	}
	if grant := on(t, second, acquire, claim(dir, "2")); !grant.Held {
		t.Errorf("after the release: %+v", grant)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if grant := on(t, first, acquire, claim(dir, "3")); !grant.Held {
		t.Errorf("after the session: %+v", grant)
	}
	on(t, first, state.Release, dir)
}

func TestLockStatusCreatesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shop")
	if grant := on(t, machine.NewLocal("here"), state.LockStatus, dir); grant.Held {
		t.Errorf("grant = %+v", grant)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("created: %v", err)
	}
}

func TestLockIsFreeWhenItsHolderIsKilled(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	said, _ := bufio.NewReader(out).ReadString('\n')
	m := machine.NewLocal("here")
	if grant := on(t, m, acquire, claim(dir, "mine")); grant.Held || grant.By.Run != "of-another-process" || grant.By.PID != cmd.Process.Pid {
		t.Errorf("while it lives (%q): %+v", said, grant)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if grant := on(t, m, state.LockStatus, dir); grant.Held || grant.By.Run != "" {
		t.Errorf("what it left is believed: %+v", grant)
	}
	if grant := on(t, m, acquire, claim(dir, "mine")); !grant.Held || grant.By.Run != "mine" {
		t.Errorf("after its death: %+v", grant)
	}
}

func TestLockIsGrantedOnceUnderContention(t *testing.T) {
	dir := t.TempDir()
	var granted sync.Map
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			m := machine.NewLocal("here")
			grant, err := acquire.On(context.Background(), m, claim(dir, fmt.Sprint(i)))
			if err != nil {
				t.Error(err)
			}
			if grant.Held {
				granted.Store(i, m)
			}
			if _, err := state.LockStatus.On(context.Background(), m, dir); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	n := 0
	granted.Range(func(_, m any) bool { n++; return m.(*machine.Local).Close() == nil })
	if n != 1 {
		t.Errorf("granted %d times", n)
	}
}

func TestHolderReadsWell(t *testing.T) {
	h := state.Holder{Run: "r1", Actor: "alice", Commit: "abc1234", URL: "https://ci/1", Since: time.Date(2026, 11, 23, 18, 45, 1, 0, time.UTC)}
	if got := h.String(); got != "run r1, by alice, at commit abc1234, https://ci/1, since 2026-11-23 18:45:01 UTC" {
		t.Error(got)
	}
	if got := (state.Holder{}).String(); got != "another run" {
		t.Error(got)
	}
}

func entry(kind state.Kind) state.Entry {
	return state.Entry{Time: time.Date(2026, 11, 23, 18, 45, 1, 5, time.UTC), Epoch: protocol.Epoch{Number: 7, Run: "r1"}, Kind: kind, From: "blue", To: "green"}
}

func TestJournal(t *testing.T) {
	dir, m := filepath.Join(t.TempDir(), "shop"), machine.NewLocal("here")
	if j := on(t, m, state.Journal, dir); len(j.Entries) > 0 {
		t.Errorf("without a journal: %+v", j)
	}
	on(t, m, state.Finish, dir)
	for _, step := range []state.Kind{"install", "commit"} {
		on(t, m, state.Append, state.Writing{Dir: dir, Entry: entry(step)})
	}
	j := on(t, m, state.Journal, dir)
	if len(j.Entries) != 2 || !reflect.DeepEqual(j.Entries, []state.Entry{entry("install"), entry("commit")}) || j.Corrupt != 0 {
		t.Errorf("journal = %+v", j)
	}
	for name, want := range map[string]fs.FileMode{dir: 0o711, filepath.Join(dir, "journal.jsonl"): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	on(t, m, state.Finish, dir)
	if j := on(t, m, state.Journal, dir); len(j.Entries) > 0 || j.Ended != 7 {
		t.Errorf("after the end: %+v", j)
	}
	if _, err := os.Stat(filepath.Join(dir, "last-journal.jsonl")); err != nil {
		t.Error(err)
	}
}

func TestWorkersReachTheDirectoryWhateverTheUmask(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "turnout")
	defer syscall.Umask(syscall.Umask(0o077))
	on(t, machine.NewLocal("here"), state.Append, state.Writing{Dir: filepath.Join(parent, "shop"), Entry: entry("install")})
	for dir, mode := range map[string]fs.FileMode{parent: 0o755, filepath.Join(parent, "shop"): 0o711} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
}

func TestJournalSurvivesTornAndAlteredLines(t *testing.T) {
	dir, m := t.TempDir(), machine.NewLocal("here")
	path := filepath.Join(dir, "journal.jsonl")
	for _, step := range []state.Kind{"install", "commit", "decided"} {
		on(t, m, state.Append, state.Writing{Dir: dir, Entry: entry(step)})
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	altered := strings.Replace(string(text), "commit", "COMMIT", 1)
	if err := os.WriteFile(path, []byte(altered[:len(altered)-20]), 0o600); err != nil {
		t.Fatal(err)
	}
	if j := on(t, m, state.Journal, dir); len(j.Entries) != 1 || j.Corrupt != 2 {
		t.Errorf("journal = %+v", j)
	}
	on(t, m, state.Append, state.Writing{Dir: dir, Entry: entry("back")})
	if j := on(t, m, state.Journal, dir); len(j.Entries) != 2 || j.Entries[1].Kind != "back" || j.Corrupt != 2 {
		t.Errorf("after another entry = %+v", j)
	}
}

func TestJournalIsAsBeforeOnAFullDisk(t *testing.T) {
	disk, m := smallDisk(t), machine.NewLocal("here")
	dir := filepath.Join(disk, "shop")
	on(t, m, state.Append, state.Writing{Dir: dir, Entry: entry("install")})
	big := entry("commit")
	big.Former = strings.Repeat("x", 1<<20)
	_, err := state.Append.On(context.Background(), m, state.Writing{Dir: dir, Entry: big})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("err = %v", err)
	}
	if j := on(t, m, state.Journal, dir); len(j.Entries) != 1 || j.Corrupt != 0 {
		t.Errorf("journal = %+v", j)
	}
	_, err = state.Record.On(context.Background(), m, state.Recording{Dir: dir, Deploy: state.Deploy{Reason: big.Former}})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("record: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	disk, m, ctx := smallDisk(t), machine.NewLocal("here"), context.Background()
	on(t, m, state.Append, state.Writing{Dir: disk, Entry: entry("install")})
	if err := unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	_, errAppend := state.Append.On(ctx, m, state.Writing{Dir: disk, Entry: entry("commit")})
	_, errFinish := state.Finish.On(ctx, m, disk)
	_, errRecord := state.Record.On(ctx, m, state.Recording{Dir: disk})
	_, errLock := acquire.On(ctx, m, claim(disk, "1"))
	for _, err := range []error{errAppend, errFinish, errRecord, errLock} {
		if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), disk) {
			t.Errorf("err = %v", err)
		}
	}
	if j := on(t, m, state.Journal, disk); len(j.Entries) != 1 {
		t.Errorf("journal = %+v", j)
	}
}

// smallDisk is a file system of 256 KiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("mounting a small disk needs root")
		}
		t.Skip("mounting a small disk needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestHistoryKeepsTheNewest(t *testing.T) {
	dir, m := t.TempDir(), machine.NewLocal("here")
	for i := range state.HistoryLength + 5 {
		deploy := state.Deploy{Run: fmt.Sprint(i), Outcome: "succeeded", Took: time.Second, Requests: 412}
		on(t, m, state.Record, state.Recording{Dir: dir, Deploy: deploy})
	}
	past := on(t, m, state.History, dir)
	if len(past.Deploys) != state.HistoryLength || past.Deploys[0].Run != "54" || past.Deploys[49].Run != "5" || past.Deploys[0].Requests != 412 {
		t.Errorf("%d deploys, from %+v", len(past.Deploys), past.Deploys[0])
	}
	path := filepath.Join(dir, "history.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append([]byte("not a record\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	if past := on(t, m, state.History, dir); len(past.Deploys) != state.HistoryLength || past.Corrupt != 1 {
		t.Errorf("%d deploys, %d corrupt", len(past.Deploys), past.Corrupt)
	}
}
