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

// Fallback is the parent directory of homes whose server cannot access the intended directory. It is used when root starts a
// server as another user.
const Fallback = "/var/lib/hp-analytics"

// Home is the directory of one server. The server can write only below Data. So a compromised server cannot trick this
// process, which may be root, into writing elsewhere.
//
//	lock         held by the process that runs the server
//	server.lock  held by the server and its children, see serverLock
//	data/        belongs to the server's user
type Home string

// Data returns the directory that belongs to the server's user.
func (h Home) Data() string { return filepath.Join(string(h), "data") }

// File returns the path of a file in the home, outside the data directory.
func (h Home) File(name string) string { return filepath.Join(string(h), name) }

// Home creates the home of a server of this identity. This is dir, or a directory below fallback if the identity cannot
// access dir (a clone in /root, say). In that case the file "location" in dir records the path, and later calls follow it.
// Probe is a program that is harmless to run with --version.
//
// Home never silently starts without existing data: it fails if dir contains data but is no longer accessible, and if the
// path in "location" no longer exists.
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
		return "", fmt.Errorf("user %s can no longer access %s, which contains data: allow access to it and its parent directories (chmod o+x)", id, dir)
	}
	return fallbackHome(dir, fallback)
}

// canEnter runs a program in dir to find out, because access does not depend on permission bits alone.
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

// MakeData creates the data directory if it does not exist, and makes the identity its owner.
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
		return "", fmt.Errorf("the data directory named in %s is missing: %w; restore it, or delete that file to start without the data", file, err)
	}
	return Home(home), nil
}

func fallbackHome(dir, fallback string) (Home, error) {
	hash := sha256.Sum256([]byte(dir))
	home := filepath.Join(fallback, hex.EncodeToString(hash[:8]))
	if err := makeDir(home); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "location"), []byte(home+"\n"), 0o644); err != nil { //nolint:gosec // contains no secret
		return "", fmt.Errorf("data directory: %w", err)
	}
	return Home(home), nil
}

// makeDir creates a directory that the users of servers can traverse.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the files inside have their own modes
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}
