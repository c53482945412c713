package localproc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Identity is the operating system user that servers run as.
type Identity struct {
	name     string
	uid, gid uint32
	switches bool // differs from the user of this process
}

// Unprivileged returns the user to run servers as: the current user, unless that is root. PostgreSQL refuses to run as root,
// and no server needs it. For root it is the first of the given users that exists, or else the user nobody.
func Unprivileged(names ...string) (Identity, error) {
	if os.Geteuid() != 0 {
		return current(), nil
	}
	for _, name := range append(names, "nobody") {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return Identity{}, fmt.Errorf("ids of user %s: %w", name, err)
		}
		return Identity{name: name, uid: uint32(uid), gid: uint32(gid), switches: true}, nil
	}
	return Identity{}, fmt.Errorf("running as root, and none of the users %v exists to run servers as", names)
}

func current() Identity {
	id := Identity{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}
	id.name = strconv.Itoa(int(id.uid))
	if found, err := user.Current(); err == nil {
		id.name = found.Username
	}
	return id
}

// String returns the user's name.
func (id Identity) String() string { return id.name }

// command prepares a child process of this identity. It runs in its own process group, so a Ctrl-C at the terminal reaches
// only this process and the databases can stop after the services that use them. It does not inherit the environment, which
// may contain secrets. The kernel sends it onDeath when the thread that started it ends.
func (id Identity) command(ctx context.Context, onDeath syscall.Signal, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"LC_ALL=C"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: onDeath}
	if id.switches {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: id.uid, Gid: id.gid}
	}
	return cmd
}

// Run runs a program as the identity and waits for it. The error contains its output.
func (id Identity) Run(ctx context.Context, dir, program string, args ...string) error {
	runtime.LockOSThread() // see command
	defer runtime.UnlockOSThread()
	cmd := id.command(ctx, syscall.SIGKILL, dir, program, args...)
	cmd.WaitDelay = 5 * time.Second // children of a killed program may keep the output open
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s as %s: %w\n%s", filepath.Base(program), id, err, strings.TrimSpace(string(output)))
	}
	return nil
}

// WriteFile writes a file that only the identity can read. Only this process may have write access to the directory, so that
// nobody else can redirect the write with a symbolic link.
func (id Identity) WriteFile(path string, content []byte) error {
	err := os.WriteFile(path, content, 0o600)
	if err == nil && id.switches {
		err = os.Lchown(path, int(id.uid), int(id.gid))
	}
	return err
}

// own makes the identity the owner of dir and everything in it, unless it already owns dir.
func (id Identity) own(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid == id.uid {
		return nil
	}
	if !id.switches {
		return fmt.Errorf("%s belongs to another user: start as that user, or as root", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	err = fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		return root.Lchown(path, int(id.uid), int(id.gid))
	})
	if err != nil {
		return err
	}
	return root.Chown(".", int(id.uid), int(id.gid)) // last, so that an interrupted run is repeated completely
}
