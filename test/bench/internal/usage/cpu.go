// Package usage reads from /proc how much CPU time and memory processes use.
package usage

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of times in /proc/PID/stat (USER_HZ, which is 100 on every Linux platform).
const tick = 10 * time.Millisecond

// stat holds fields of /proc/PID/stat.
type stat struct {
	parent int
	cpu    time.Duration // including children that it has waited for
}

func processes() map[int]stat {
	all := map[int]stat{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has just exited
		}
		// The name, in parentheses, may hold anything; the fields after it are numbered from 3 in proc(5).
		fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
		number := func(field int) int {
			n, _ := strconv.Atoi(fields[field-3]) // the kernel writes a number
			return n
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		all[pid] = stat{parent: number(4), cpu: time.Duration(number(14)+number(15)+number(16)+number(17)) * tick}
	}
	return all
}

// CPU returns the CPU time of each group of processes, including their descendants.
func CPU(groups map[string][]int) map[string]time.Duration {
	all := processes()
	group := map[int]string{}
	for name, pids := range groups {
		for _, pid := range pids {
			group[pid] = name
		}
	}
	used := map[string]time.Duration{}
	for pid, s := range all {
		for at := pid; at > 1; at = all[at].parent {
			if name, ok := group[at]; ok {
				used[name] += s.cpu
				break
			}
		}
	}
	return used
}

// OwnCPU returns the CPU time of this process.
func OwnCPU() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // cannot fail for this process
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
