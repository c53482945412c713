package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// caption says where and when the tables of a run were measured.
func (b *bench) caption(ctx context.Context) string {
	commit := "an unknown commit"
	describe := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude", "*")
	describe.Dir = b.root
	if out, err := describe.Output(); err == nil {
		commit = "commit " + strings.TrimSpace(string(out))
	}
	var version, redis string
	if err := b.platform.DB.QueryRow(ctx, `SHOW server_version`).Scan(&version); err != nil {
		version = "unknown"
	}
	version, _, _ = strings.Cut(version, " ")
	if info, err := b.platform.RedisClient.InfoMap(ctx, "server").Result(); err == nil {
		redis = " " + info["Server"]["redis_version"]
	}
	return fmt.Sprintf("%s; %s; %d cores%s, %s, Postgres %s, Redis%s; %s a load.", time.Now().Format("2 January 2006, 15:04"), commit,
		runtime.NumCPU(), processor(), strings.Replace(runtime.Version(), "go", "Go ", 1), version, redis, b.duration)
}

// processor returns the model of the processor in parentheses, or nothing.
func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return " (" + strings.TrimSpace(model) + ")"
		}
	}
	return ""
}
