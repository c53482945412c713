package localredis

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// minimum is the oldest major version of Redis that is tested.
const minimum = 7

// ErrMissing means that Redis is not installed. Its text says what to do.
var ErrMissing = errors.New("Redis 7 or newer is not installed here: install it (Debian, Ubuntu: apt-get install redis-server), " + //nolint:staticcheck // a name
	"or set REDIS_URL to your own Redis")

var versionPattern = regexp.MustCompile(`v=((\d+)\S*)`)

// findProgram looks for redis-server in PATH.
func findProgram(ctx context.Context) (program, version string, err error) {
	program, err = exec.LookPath("redis-server")
	if err != nil {
		return "", "", ErrMissing
	}
	output, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", "", fmt.Errorf("ask redis-server for its version: %w", err)
	}
	match := versionPattern.FindSubmatch(output)
	if match == nil {
		return "", "", fmt.Errorf("redis-server reports an unknown version: %q", output)
	}
	version = string(match[1])
	if major, err := strconv.Atoi(string(match[2])); err != nil || major < minimum {
		return "", "", fmt.Errorf("%s is version %s: %w", program, version, ErrMissing)
	}
	return program, version, nil
}
