package usage

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of the times in /proc/PID/stat (USER_HZ, which is 100 on every Linux there is).
const tick = 10 * time.Millisecond

// stat is what /proc says of a process.
type stat struct {
	parent int
	cpu    time.Duration // of itself and of the children that it has waited for
}

func processes() map[int]stat {
	all := map[int]stat{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		// The name, in parentheses, may hold anything; the fields after it are numbered from 3 in proc(5).
		fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
		number := func(field int) int {
			n, _ := strconv.Atoi(fields[field-3]) // a number by contract
			return n
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		all[pid] = stat{parent: number(4), cpu: time.Duration(number(14)+number(15)+number(16)+number(17)) * tick}
	}
	return all
}

// CPU returns the processor time that each group of processes has used, their descendants included.
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

// OwnCPU returns the processor time that this process has used.
func OwnCPU() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // cannot fail for oneself
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
