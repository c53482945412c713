package localproc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Fallback is where servers that root starts keep their files when their user cannot enter the directory meant for them.
const Fallback = "/var/lib/hp-analytics"

// Home is the directory of one server. It is ours alone to write, apart from what is below Data; so a server that was
// broken into cannot trick us, who may be root, into writing elsewhere.
//
//	lock         held by the process that runs the server
//	server.lock  held by the server, see leash
//	data/        belongs to the server's user
type Home string

// Data returns the directory that belongs to the server's user.
func (h Home) Data() string { return filepath.Join(string(h), "data") }

// File returns the path of a file of ours.
func (h Home) File(name string) string { return filepath.Join(string(h), name) }

// Home makes the home of a server of this identity: dir, or, if the identity cannot enter it (a clone in /root, say), a
// directory below fallback that stands for dir. The file "location" in dir then says where, and is followed ever after.
// Probe is a program that does nothing harmful when asked for its --version.
//
// Data is never left behind silently: it is an error if dir has data but cannot be entered any more, and if the place
// that "location" names is gone.
func (id Identity) Home(ctx context.Context, dir, fallback, probe string) (Home, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	if err := makeDir(dir); err != nil {
		return "", err
	}
	recorded, err := recordedHome(dir)
	if err != nil || recorded != "" {
		return recorded, err
	}
	enterable, err := id.canEnter(ctx, dir, probe)
	if err != nil || enterable {
		return Home(dir), err
	}
	if _, err := os.Lstat(Home(dir).Data()); err == nil {
		return "", fmt.Errorf("user %s cannot enter %s any more, which has data: let others enter it and the directories above (chmod o+x)", id, dir)
	}
	return fallbackHome(dir, fallback)
}

// canEnter asks the kernel, by running a program there: permission bits are not all that decides.
func (id Identity) canEnter(ctx context.Context, dir, probe string) (bool, error) {
	if !id.switches {
		return true, nil
	}
	if err := id.Run(ctx, "/", probe, "--version"); err != nil {
		return false, err
	}
	err := id.Run(ctx, dir, probe, "--version")
	return err == nil, context.Cause(ctx)
}

// MakeData makes the data directory, if there is none, and gives it to the identity.
func (id Identity) MakeData(h Home) error {
	if err := os.Mkdir(h.Data(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := id.own(h.Data()); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

func recordedHome(dir string) (Home, error) {
	file := filepath.Join(dir, "location")
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	home := strings.TrimSpace(string(content))
	if _, err := os.Stat(home); err != nil {
		return "", fmt.Errorf("the data are gone from where %s says: %w; bring them back, or delete that file to start without them", file, err)
	}
	return Home(home), nil
}

func fallbackHome(dir, fallback string) (Home, error) {
	hash := sha256.Sum256([]byte(dir))
	home := filepath.Join(fallback, hex.EncodeToString(hash[:8]))
	if err := makeDir(home); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "location"), []byte(home+"\n"), 0o644); err != nil { //nolint:gosec // no secret
		return "", fmt.Errorf("data directory: %w", err)
	}
	return Home(home), nil
}

// makeDir makes a directory that servers' users can pass through.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // what is inside has modes of its own
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}
